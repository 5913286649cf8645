"""Sends a workload's turns over HTTP, as its invented clients would.

Each lane runs on its own: it waits, sends, reads the answer to its end, and steps again. A failed
turn is counted and the lane goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.errors import StreamCut
from maxpool.ports import Call, Unreachable

if TYPE_CHECKING:
    from maxpool.ports import Clock, Upstream
    from maxpool.sim.traffic import Lane, SimTurn, Traffic

CONNECT_TIMEOUT_S = 5.0
PATIENCE_S = 300.0
AFTER_FAILURE_S = 2.0


@dataclass(slots=True)
class Driver:
    """Runs a traffic's lanes against one origin; counts what came back by status (0: no answer)."""

    traffic: Traffic
    client: Upstream
    url: str
    clock: Clock
    statuses: dict[int, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Drive all lanes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, lane in enumerate(self.traffic.lanes):
                group.create_task(self._lane(lane), name=f"lane-{number}")

    async def _lane(self, lane: Lane) -> None:
        while True:
            async with asyncio.TaskGroup() as group:
                for turn in lane.step():
                    group.create_task(self._turn(turn))

    async def _turn(self, turn: SimTurn) -> None:
        await self.clock.sleep(turn.pause_s)
        status = await self._send(turn)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status != 200:
            await self.clock.sleep(AFTER_FAILURE_S)

    async def _send(self, turn: SimTurn) -> int:
        reply = await self.client.send(
            Call(
                method="POST",
                url=f"{self.url}/v1/messages",
                headers=[(name.encode(), value.encode()) for name, value in turn.headers],
                body=turn.body,
                connect_timeout_s=CONNECT_TIMEOUT_S,
                header_timeout_s=PATIENCE_S,
                idle_timeout_s=PATIENCE_S,
            )
        )
        if isinstance(reply, Unreachable):
            return 0
        try:
            async for _ in reply.stream:
                pass
        except StreamCut:
            return 0
        finally:
            await reply.stream.aclose()
        return reply.status
