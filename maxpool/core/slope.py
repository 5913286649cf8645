"""How much of a quota window one unit of work fills, learned from readings; never assumed.

Work is counted in price-weighted tokens (one Sonnet input token = 1). Readings come rounded and
after the fact, and other programs may spend from the same account: a rise that our own work cannot
explain is outside use, counted apart and not learned from. Knows nothing of accounts or time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.settings import PoolSettings

ROUNDING = 0.02
"""Two readings, each rounded to 0.01, differ from the truth by at most this."""
AGREE = 2.5
"""Two lessons that differ by more than this factor do not speak of the same thing."""


@dataclass(slots=True)
class Slope:
    """Utilization (0..1) per unit of work of one window of one account.

    `spread` is the usual relative error of a learned value, `n` how many were learned. `outside` is
    the utilization of the running window that others must have spent.
    """

    per_token: float | None = None
    spread: float | None = None
    n: int = 0
    outside: float = 0.0
    anchor_used: float | None = None
    anchor_spent: float = 0.0
    read_spent: float = 0.0
    doubts: int = 0
    first: float | None = None

    def begin(self) -> None:
        """The window began anew: what it holds may be the same, what is in it is not."""
        self.anchor_used, self.outside, self.doubts = None, 0.0, 0

    def read(self, used: float, spent: float, step: float, settings: PoolSettings) -> bool:
        """Take in a reading made when `spent` had been burned in all; True when it taught something.

        Learns over rises of at least `step`, so that rounding is a small part of them.
        """
        self.read_spent = spent
        if self.anchor_used is None or used < self.anchor_used:
            self.anchor_used, self.anchor_spent = used, spent
            return False
        rise, burned = used - self.anchor_used, spent - self.anchor_spent
        if not self._ours(rise, burned, settings):
            self.outside += max(rise - burned * (self.per_token or 0.0), 0.0)
            self.anchor_used, self.anchor_spent = used, spent
            return False
        if rise < step:
            return False
        self._learn(rise / burned, settings)
        self.anchor_used, self.anchor_spent = used, spent
        return self.per_token is not None

    def _ours(self, rise: float, burned: float, settings: PoolSettings) -> bool:
        """Whether our own work explains the rise; after some contradictions in a row it must."""
        if burned <= 0.0:
            return rise <= ROUNDING / 2 and rise <= 0.0
        if self.per_token is None:
            return True
        if rise <= burned * self.per_token * settings.outside_factor + ROUNDING:
            return True
        self.doubts += 1
        return self.doubts > settings.outside_doubts and self._restart()

    def _restart(self) -> bool:
        self.per_token = self.spread = self.first = None
        self.n = self.doubts = 0
        return True

    def _learn(self, found: float, settings: PoolSettings) -> None:
        self.doubts = 0
        if self.per_token is None:
            # One lesson may be another program's doing: a second has to agree with it.
            first, self.first = self.first, found
            if first is None or not first / AGREE < found < first * AGREE:
                return
            found = (first + found) / 2.0
        elif found * AGREE < self.per_token:
            self.per_token = None  # so much less than was thought: what was learned was not ours
            self.first, self.n, self.spread = found, 0, None
            return
        self.n += 1
        if self.per_token is None:
            self.per_token = found
            return
        off = abs(found / self.per_token - 1.0)
        keep = settings.learn_keep
        self.spread = off if self.spread is None else keep * self.spread + (1.0 - keep) * off
        self.per_token = keep * self.per_token + (1.0 - keep) * found


@dataclass(slots=True)
class Yardstick:
    """What a unit of work fills of a plan of weight 1, over all accounts: a guess for newcomers."""

    per_token: dict[str, float] = field(default_factory=dict)

    def learn(self, window: str, plan_weight: float, per_token: float) -> None:
        """An account of that plan learned its own slope."""
        found = per_token * plan_weight
        old = self.per_token.get(window, found)
        self.per_token[window] = old + (found - old) * 0.2

    def expected(self, window: str, plan_weight: float) -> float | None:
        """The slope an account of that plan probably has; None while nobody has learned one."""
        known = self.per_token.get(window)
        return None if known is None else known / plan_weight
