"""The system's clock: the only file that reads the time."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """`ports.Clock` on wall time: deadlines are kept across restarts, so they must be epoch seconds."""

    __slots__ = ()

    def now(self) -> float:
        """Epoch seconds, UTC."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds since some moment; no step of the wall clock moves it."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` (at once when negative)."""
        await asyncio.sleep(max(0.0, seconds))
