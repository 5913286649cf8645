"""A storm of clients that leave: each resets its connection at some moment of its request.

What has to hold: upstream hears of it at once, and no lease, waiter, task or socket stays behind.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, HangFault
from maxpool.sim.plans import SimSettings
from tests.faults.chaos import UNLIMITED
from tests.faults.tap import Tap
from tests.rig import ask, request_bytes, rig, until

if TYPE_CHECKING:
    from maxpool.config.fields import HttpClient
    from maxpool.sim.faults import Fault
    from maxpool.sim.requests import SimRequest
    from tests.rig import Rig

AT_ONCE = 40
"""Clients that are there at the same time, more than there are slots; a slow machine gets fewer in a second."""

STAYS_S = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""How long a client may stay, so that each phase of a request is met."""

AT_ONCE_S = 0.1
TICK_S = 0.01
PASSES = 3
"""Of the event loop, from a client's reset to the upstream's end: each may be late."""

SETTINGS = SimSettings(
    time_to_first_token_s=0.08,
    tokens_per_s=300.0,
    speed_jitter=0.9,
    **UNLIMITED,  # type: ignore[arg-type]
)
SECTIONS: dict[str, Any] = {
    "pool": {"slots_per_key": 8, "network": 0.1, "breaker_initial": 0.2, "breaker_max": 0.5},
    "queue": {"commit_after": 0.3, "heartbeat": 0.1, "limit": 200},
    "upstream": {"keepalive_expiry": 0.2},
}
MISHAPS: tuple[Fault, ...] = (
    faults.status(500),
    faults.overloaded(),
    faults.concurrency_burst(1.0),
    CutFault(after=2),
    CutFault(after="delta"),
    HangFault(),
    HangFault(after=1),
)


@dataclass(slots=True)
class Lag:
    """How late this process itself runs; all sides share it, and a busy machine is no fault of theirs."""

    ticks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=1000))
    most_s: float = 0.0

    async def watch(self) -> None:
        """Note at each tick by how much it was late."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            late_s = loop.time() - due
            self.ticks.append((loop.time(), late_s))
            self.most_s = max(self.most_s, late_s)

    def since(self, at: float) -> float:
        """All that was lost since then."""
        return sum(lag for noted_at, lag in self.ticks if noted_at >= at)


@dataclass(slots=True)
class Report:
    """What came of a storm; `late`: seconds until upstream heard of it, for those whose request was there."""

    clients: int
    late: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lag: Lag = field(default_factory=Lag)

    def lines(self) -> str:
        """The report for people."""
        late = sorted(self.late) or [0.0]
        middle, most = late[len(late) // 2] * 1000, late[-1] * 1000
        return (
            f"{self.clients:,} clients left, {len(self.late):,} of them while an account answered; upstream heard "
            f"of it after {middle:.1f} ms, {most:.1f} ms at most (this process itself was late by up to "
            f"{self.lag.most_s * 1000:.1f} ms); wrong: {len(self.wrong)}"
            + "".join(f"\n  {text}" for text in self.wrong[:20])
        )


async def storm(clients: int, seed: int, client: HttpClient = "builtin") -> Report:
    """So many clients that leave; `Report.wrong` says what stayed behind or came late."""
    sections = {**SECTIONS, "upstream": {**SECTIONS["upstream"], "client": client}}
    chance, tap, report = random.Random(seed), Tap(), Report(clients)
    lots = random.Random(f"lots:{seed}")

    def mishap(_: SimRequest) -> Fault | None:
        return lots.choice(MISHAPS) if lots.random() < 0.15 else None

    async with rig(sim=SETTINGS, tap=tap, **sections) as it:
        await it.get("/status")
        tasks, sockets = len(asyncio.all_tasks()), _sockets()
        it.sim.disturb(mishap)
        watching = asyncio.ensure_future(report.lag.watch())

        numbers = iter(range(clients))

        async def keep_leaving() -> None:
            for number in numbers:
                stays_s = chance.choice(STAYS_S) * chance.uniform(0.5, 1.0)
                await _leave(it, f"{number}", stays_s, tap, report)

        await asyncio.gather(*(keep_leaving() for _ in range(AT_ONCE)))
        watching.cancel()
        report.wrong += await _left(it, tasks, sockets)
    return report


async def _leave(it: Rig, tag: str, stays_s: float, tap: Tap, report: Report) -> None:
    loop = asyncio.get_running_loop()
    client = await it.connect()
    it.wires.remove(client)
    body = ask(tag, stream=int(tag) % 5 > 0)
    await client.send(request_bytes(body, x_tag=tag))
    await asyncio.sleep(stays_s)
    client.reset()
    left_at = loop.time()
    await asyncio.sleep(AT_ONCE_S * 2)
    visits = tap.of(tag)
    with suppress(TimeoutError):
        await until(lambda: all(visit.ended_at is not None for visit in visits))
    await asyncio.sleep(TICK_S * 2)  # what was lost until now is noted
    for visit in visits:
        late_s = (visit.ended_at or loop.time()) - left_at
        if late_s <= 0:
            continue
        report.late.append(late_s)
        if late_s > AT_ONCE_S + PASSES * report.lag.since(left_at):
            lost_s = report.lag.since(left_at)
            report.wrong.append(
                f"client {tag}: upstream went on for {late_s:.3f} s, of which this process lost {lost_s:.3f} s"
            )


async def _left(it: Rig, tasks: int, sockets: int) -> list[str]:
    wrong: list[str] = []
    wanted = {
        "leases or waiters": it.idle,
        "requests upstream": lambda: not any(it.sim.truth(name).in_flight for name in "abc"),
        "tasks": lambda: len(asyncio.all_tasks()) <= tasks,
        "sockets": lambda: _sockets() <= sockets,
    }
    for what, gone in wanted.items():
        try:
            await until(gone)
        except TimeoutError:
            wrong.append(f"{what} stayed behind")
    if it.proxy.stats.internal_errors or it.proxy.tasks.failed:
        wrong.append("something failed inside")
    return wrong


def _sockets() -> int:
    """Open files of this process, which holds all sides."""
    return len(os.listdir("/proc/self/fd"))
