"""The system's clock: the only file that reads the time.

Wall time can be set; elapsed time cannot, and goes on while the machine sleeps, so that waking up is
no step of the wall clock. `time.monotonic` stands still in that time on Linux (clock_gettime(2)) and,
as CPython reads it, on macOS; there the clocks that count sleep are read instead.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def elapsed_source() -> Callable[[], float]:
    """The best clock of this system that nobody can set and that counts sleep, where there is one."""
    name = "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME"
    number = getattr(time, name, None)
    if number is None:
        return time.monotonic
    try:
        time.clock_gettime(number)
    except OSError:  # an old kernel, or a sandbox that does not know it
        return time.monotonic
    return partial(time.clock_gettime, number)


class SystemClock:
    """`ports.Clock` on wall time: deadlines are kept across restarts, so they must be epoch seconds.

    `elapsed()`: seconds since some moment; no step of the wall clock moves it, sleep of the machine
    counts. The system's own function, without one of ours around it: every decision asks it.
    """

    __slots__ = ("elapsed",)

    def __init__(self) -> None:
        self.elapsed = elapsed_source()

    def now(self) -> float:
        """Epoch seconds, UTC."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` (at once when negative)."""
        await asyncio.sleep(max(0.0, seconds))
