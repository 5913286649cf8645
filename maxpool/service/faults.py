"""When maxpool's own failures are too many: the process ends, and whoever supervises it starts it anew.

A single failure is answered, logged and counted where it happens. Many in a short time mean that something
in this process is broken for good, which only a fresh one mends. Looks at counters; fails nothing itself.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.ports import Clock

log = logging.getLogger("maxpool")

LOOK_EVERY_S: Final = 1.0
KEPT: Final = 1000
"""Times of failures; no limit is larger."""


@dataclass(frozen=True, slots=True)
class FaultLimits:
    """`most` failures within `within_s` seconds end the process; 0 = never."""

    most: int = 10
    within_s: float = 300.0


@dataclass(slots=True)
class Faults:
    """Follows a counter of failures; `give_up` is called once, when there were too many."""

    count: Callable[[], int]
    limits: Callable[[], FaultLimits]
    clock: Clock
    give_up: Callable[[], None]
    times: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    given_up: bool = False
    _seen: int = 0

    async def tick(self) -> None:
        """Look at the counter."""
        limits, now, count = self.limits(), self.clock.elapsed(), self.count()
        self.times.extend([now] * min(count - self._seen, KEPT))
        self._seen = count
        while self.times and now - self.times[0] > limits.within_s:
            self.times.popleft()
        if limits.most and len(self.times) >= limits.most and not self.given_up:
            self.given_up = True
            log.critical(
                "maxpool itself failed %d times within %g s: it drains and ends with code 1, so that its "
                "supervisor starts it anew ([server] max_internal_errors)",
                len(self.times),
                limits.within_s,
            )
            self.give_up()
