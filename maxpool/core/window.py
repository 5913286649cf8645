"""`QuotaWindow`: one quota window of one account, and what its numbers mean at a given time.

Nothing here chooses anything; reading a window never changes it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.slope import Slope

if TYPE_CHECKING:
    from maxpool.core.lease import Reading
    from maxpool.core.settings import PoolSettings

FAR_FUTURE_S = 40 * 86_400.0
"""No window is longer than a month: a reset further away is a broken number."""
READING_NOISE = 0.003
"""Readings are rounded to 0.01: their standard deviation from the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How fast a window fills: share per hour, from `n` readings, give or take `error`.

    `error` is one standard error of the slope; None while two readings leave no doubt to measure.
    """

    per_hour: float
    n: int
    error: float | None = None


@dataclass(slots=True, kw_only=True)
class QuotaWindow:
    """Utilization 0..1 (None = unknown) until `reset_at` (None = unknown) of a window of `length_s`.

    `closed_until` is the deadline of a verdict; it only ever moves to a later time. `closed_by_us`:
    that deadline is a pause of ours, not a time the upstream told.
    """

    name: str
    length_s: float
    utilization: float | None = None
    reset_at: float | None = None
    status: str | None = None
    read_at: float | None = None
    source: str = "headers"
    closed_until: float | None = None
    closed_by_us: bool = False
    history: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=64))
    slope: Slope = field(default_factory=Slope)

    @property
    def of_family(self) -> bool:
        """Whether this is a model family's window (`7d:opus`)."""
        return ":" in self.name

    @property
    def family(self) -> str:
        """The model family of such a window, "" for an account-wide one."""
        return self.name.partition(":")[2]

    def expired(self, now: float) -> bool:
        """Whether the known reset has passed, so that the window is empty again."""
        return self.reset_at is not None and self.reset_at <= now

    def utilization_at(self, now: float) -> float | None:
        """Utilization as known at `now`: 0 after the reset, None when nobody said."""
        return 0.0 if self.expired(now) else self.utilization

    def next_reset(self, now: float) -> float | None:
        """The coming reset; weekly windows keep their phase, shorter ones start at first use."""
        if self.reset_at is None or self.reset_at > now:
            return self.reset_at
        if not self.name.startswith("7d"):
            return None
        passed = math.floor((now - self.reset_at) / self.length_s)
        return self.reset_at + (passed + 1) * self.length_s

    def left_share(self, now: float) -> float | None:
        """Share of the window's time still to come, 0..1; None when the reset is unknown."""
        reset_at = self.next_reset(now)
        if reset_at is None:
            return None
        return min(max((reset_at - now) / self.length_s, 0.0), 1.0)

    def pace(self, now: float) -> float | None:
        """Utilization over elapsed share: 1 is an even burn; None while unknown."""
        left, used = self.left_share(now), self.utilization_at(now)
        if left is None or used is None or left >= 1.0:
            return None
        return used / (1.0 - left)

    def closed(self, now: float, full_at: float, grace_s: float) -> float | None:
        """When this window opens again, or None while it is open.

        Only a verdict closes, or a utilization that is really full without a contrary `allowed`
        (`full_at`); a model family's window is never closed by its number alone, because healthy
        ones idle at 0.95-0.98. A full window without a known reset is retried after `grace_s`.
        """
        until = (
            self.closed_until if self.closed_until is not None and self.closed_until > now else None
        )
        used = self.utilization_at(now)
        if (
            used is None
            or used < full_at
            or self.of_family
            or (self.status or "").startswith("allowed")
        ):
            return until
        if self.reset_at is not None:
            full = self.reset_at
        else:
            full = (self.read_at if self.read_at is not None else now) + grace_s
        if full <= now:
            return until
        return full if until is None else max(full, until)

    def next_change(self, now: float, grace_s: float) -> float | None:
        """The soonest time at which this window says something else by itself."""
        reset_at = self.next_reset(now)
        times = [reset_at, self.closed_until]
        if reset_at is not None:  # further away than its length it counts as all of the time
            times.append(reset_at - self.length_s)
        elif self.read_at is not None:
            times.append(self.read_at + grace_s)
        return min((at for at in times if at is not None and at > now), default=None)

    def close(self, until: float, *, by_us: bool = False) -> None:
        """Close by verdict; a second, earlier deadline never shortens the first."""
        if self.closed_until is None or until > self.closed_until:
            self.closed_until, self.closed_by_us = until, by_us

    def merge(
        self, reading: Reading, now: float, source: str, settings: PoolSettings, spent: float = 0.0
    ) -> bool:
        """Take in what a source says, if it speaks of this window and not of an earlier one.

        `spent`: work burned on the account so far. True when the reading taught the slope something.
        """
        reset_at = reading.reset_at
        if reset_at is not None and not now - FAR_FUTURE_S < reset_at < now + FAR_FUTURE_S:
            reset_at = None
        running = self.reset_at is not None and self.reset_at > now
        if reset_at is not None and reset_at <= now and running:
            return False  # an old answer about a window that has ended
        same = reset_at is None or (
            self.reset_at is not None and abs(reset_at - self.reset_at) <= settings.reset_jitter_s
        )
        if not same or self.expired(now):
            self.utilization, self.status = None, None
            self.history.clear()
            self.slope.begin()
            self.reset_at = reset_at
        elif self.reset_at is None:
            self.reset_at = reset_at
        return self._take(reading, now, source, settings, spent)

    def _take(
        self, reading: Reading, now: float, source: str, settings: PoolSettings, spent: float
    ) -> bool:
        utilization, taught = reading.utilization, False
        if utilization is None and reading.status == "rejected":
            utilization = max(self.utilization or 0.0, 1.0)
        if utilization is not None and not self._stale(utilization, now, source, settings):
            self.utilization = max(utilization, 0.0)
            self.read_at, self.source = now, source
            self._remember(now, self.utilization)
            step = settings.learn_step_5h if self.name == "5h" else settings.learn_step_7d
            taught = self.slope.read(self.utilization, spent, step, settings)
        if reading.status is not None:
            self.status = reading.status
        return taught

    def _stale(self, utilization: float, now: float, source: str, settings: PoolSettings) -> bool:
        """A window only fills: less than a fresh reading showed is an answer that came late."""
        if self.utilization is None or utilization >= self.utilization or self.read_at is None:
            return False
        if self.source == "restored":
            return False
        lag_s = settings.probe_lag_s if source == "probe" else settings.reading_lag_s
        return 0.0 <= now - self.read_at < lag_s

    def _remember(self, now: float, utilization: float) -> None:
        gap = self.length_s / 1200  # 64 entries then cover the last hour of a 5 h window
        if self.history and now - self.history[-1][0] < gap:
            self.history[-1] = (self.history[-1][0], utilization)
        else:
            self.history.append((now, utilization))

    def burn(self, now: float) -> Burn | None:
        """Slope of the recent readings (last fifth of a 5 h window), weighted to now.

        Weighted least squares with weight exp(-age / half the horizon); None below two readings.
        """
        horizon = min(3600.0, self.length_s / 5)
        points = [(at - now, used) for at, used in self.history if now - at <= horizon]
        if len(points) < 2 or self.expired(now):
            return None
        weights = [math.exp(2 * x / horizon) for x, _ in points]
        total = sum(weights)
        mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
        mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
        spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
        if spread <= 0:
            return None
        slope = (
            sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
            / spread
        )
        error = None
        if (n := len(points)) > 2:
            left = sum(
                w * (y - mean_y - slope * (x - mean_x)) ** 2
                for w, (x, y) in zip(weights, points, strict=True)
            )
            # Rounding alone makes equal readings out of unequal ones: never surer than that.
            noise = left / total * n / (n - 2) + READING_NOISE**2
            pull = sum((w * (x - mean_x)) ** 2 for w, (x, _) in zip(weights, points, strict=True))
            error = math.sqrt(noise * pull) / spread * 3600.0
        return Burn(per_hour=max(slope, 0.0) * 3600.0, n=n, error=error)
