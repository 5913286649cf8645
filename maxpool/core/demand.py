"""The demand clock: which share of a week's work falls into which hour, learned from burned quota.

It answers how much of a usual week is still to come before a reset. An even week until work was
seen; hours are those of the week in UTC, so the clock follows its people's habits, not their zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOURS = 168
HOUR_S = 3600.0
MEAN_SHARE = 0.15
"""Of the even week mixed in: no hour counts as surely without demand."""


@dataclass(slots=True)
class Demand:
    """Work per hour of the week; `learned[h]` is None while that hour was never seen."""

    learned: list[float | None] = field(default_factory=lambda: [None] * HOURS)
    hour: int | None = None  # the hour being counted, in hours since the epoch
    burned: float = 0.0
    cumulative: list[float] = field(default_factory=lambda: [h / HOURS for h in range(HOURS + 1)])
    version: int = 0

    def add(self, work: float, now: float) -> bool:
        """Count burned work; True when an hour ended and the clock was set anew."""
        hour = int(now // HOUR_S)
        since = None if self.hour is None else hour - self.hour
        ended = since is not None and 0 < since <= HOURS
        if ended:
            self._fold(hour)
        if since != 0:  # after a step of the clock it begins again, and learns nothing from the gap
            self.hour, self.burned = hour, 0.0
        self.burned += work
        return ended

    def at(self, when: float) -> float:
        """Usual demand since the epoch until `when`, in weeks: differences are shares of a week."""
        hours = when / HOUR_S
        whole = int(hours // 1.0)
        weeks, hour = divmod(whole, HOURS)
        low = self.cumulative[hour]
        return weeks + low + (self.cumulative[hour + 1] - low) * (hours - whole)

    def _fold(self, until: int) -> None:
        first = self.hour if self.hour is not None else until
        for hour in range(max(first, until - HOURS), until):
            work = self.burned if hour == first else 0.0
            old = self.learned[hour % HOURS]
            self.learned[hour % HOURS] = work if old is None else (work + old) / 2.0
        self.set(self.learned)

    def set(self, learned: Sequence[float | None]) -> None:
        """Take these hours (168 values, None = never seen) as what is known."""
        self.learned = list(learned)
        filled = self._filled()
        smooth = [
            0.25 * filled[h - 1] + 0.5 * filled[h] + 0.25 * filled[(h + 1) % HOURS]
            for h in range(HOURS)
        ]
        mean = sum(smooth) / HOURS
        if mean <= 0.0:
            smooth, mean = [1.0] * HOURS, 1.0
        shares = [(1.0 - MEAN_SHARE) * s + MEAN_SHARE * mean for s in smooth]
        total, running = sum(shares), 0.0
        self.cumulative = [0.0]
        for share in shares:
            running += share / total
            self.cumulative.append(running)
        self.cumulative[-1] = 1.0
        self.version += 1

    def _filled(self) -> list[float]:
        """Every hour a number: one never seen borrows the same hour of other days, else the mean."""
        seen = [w for w in self.learned if w is not None]
        mean = sum(seen) / len(seen) if seen else 1.0
        filled = []
        for h, work in enumerate(self.learned):
            if work is None:
                others = [w for w in self.learned[h % 24 :: 24] if w is not None]
                work = sum(others) / len(others) if others else mean
            filled.append(work)
        return filled
