"""Clocks of the simulated world: the machine's own, and one that is moved by hand.

The real program's clock lives in `adapters/clock.py`; the simulated world may not import it and must
be able to run without any real time passing. Nothing here decides anything.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from dataclasses import dataclass, field


class WallClock:
    """The machine's clock; satisfies `ports.Clock`."""

    def now(self) -> float:
        """Epoch seconds, UTC."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds since some moment, unmoved by steps of the wall clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class HandClock:
    """A clock that stands still until `advance` moves it; satisfies `ports.Clock`.

    Sleepers wake in the order of their deadlines, each at a `now()` of at least its deadline.
    """

    time: float = 1_700_000_000.0
    _sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _count: int = 0

    def now(self) -> float:
        """Epoch seconds as last moved."""
        return self.time

    def elapsed(self) -> float:
        """The same: this clock makes no steps."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was moved `seconds` further."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.time + seconds, self._count, woken))
        await woken

    def advance(self, seconds: float) -> None:
        """Move the clock and wake everyone whose time has come."""
        self.time += seconds
        while self._sleepers and self._sleepers[0][0] <= self.time:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)

    @property
    def sleeping(self) -> int:
        """How many are asleep now (those that gave up are not counted)."""
        return sum(1 for _, _, woken in self._sleepers if not woken.done())
