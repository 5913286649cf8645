"""`HiddenQuota`: the true quota windows of one invented organisation, which no client ever sees.

The 5h window opens with the first request after the last one ended; the 7d window has a fixed
phase; both fall back to zero. One request may overshoot, the next is refused. Time comes in as
`now`; nothing here writes headers.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool.core.family import family_of
from maxpool.sim.plans import traits_of

if TYPE_CHECKING:
    from maxpool.core.lease import TokenUsage
    from maxpool.core.settings import PoolSettings
    from maxpool.sim.plans import SimAccount, SimSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowTruth:
    """One window as it really is; `reset_at` None while a 5h window is not open."""

    name: str
    claim: str
    utilization: float
    reset_at: float | None

    @property
    def exhausted(self) -> bool:
        """Whether the next request is refused."""
        return self.utilization >= 1.0


@dataclass(slots=True, kw_only=True)
class HiddenQuota:
    """Capacities and what was spent of them, in price-weighted tokens."""

    settings: SimSettings
    capacity_5h: float
    capacity_7d: float
    phase_7d_s: float
    opened_at: float | None = None
    week: int = 0
    spent_5h: float = 0.0
    spent_7d: float = 0.0
    spent_family: float = 0.0
    burned: float = 0.0

    @classmethod
    def of(cls, account: SimAccount, settings: SimSettings, now: float, seed: int) -> HiddenQuota:
        """The account's quota, its hidden parts drawn from the seed and the account's name."""
        rng = random.Random(f"{seed}:{account.name}")
        noise = rng.lognormvariate(0.0, settings.capacity_noise)
        ratio = rng.uniform(*settings.week_ratio)
        phase = rng.uniform(0.0, settings.window_7d_s)
        weight = traits_of(account.plan).weight
        drawn = settings.capacity_5h_tokens * weight * settings.capacity_scale * noise
        five = account.capacity_tokens or drawn
        quota = cls(
            settings=settings,
            capacity_5h=five,
            capacity_7d=account.capacity_7d_tokens or five * ratio,
            phase_7d_s=account.phase_7d_s if account.phase_7d_s is not None else phase,
        )
        quota.roll(now)
        quota.set_used(now, used_5h=account.used_5h or None, used_7d=account.used_7d)
        return quota

    def set_used(
        self, now: float, *, used_5h: float | None = None, used_7d: float | None = None
    ) -> None:
        """Say how much of a window is spent, as if another program had spent it."""
        self.roll(now)
        if used_5h is not None:
            self.spent_5h = used_5h * self.capacity_5h
            if self.opened_at is None:
                self.opened_at = now
        if used_7d is not None:
            self.spent_7d = used_7d * self.capacity_7d

    def roll(self, now: float) -> None:
        """Empty every window whose time is over."""
        if self.opened_at is not None and now >= self.opened_at + self.settings.window_5h_s:
            self.opened_at, self.spent_5h = None, 0.0
        week = math.floor((now - self.phase_7d_s) / self.settings.window_7d_s)
        if week != self.week:
            self.week, self.spent_7d, self.spent_family = week, 0.0, 0.0

    def windows(self, now: float, model: str = "") -> tuple[WindowTruth, ...]:
        """5h, 7d and, for a model of the family that has one, its own weekly bucket."""
        self.roll(now)
        week_ends = self.phase_7d_s + (self.week + 1) * self.settings.window_7d_s
        windows = (
            WindowTruth(
                name="5h",
                claim="five_hour",
                utilization=self.spent_5h / self.capacity_5h,
                reset_at=None
                if self.opened_at is None
                else self.opened_at + self.settings.window_5h_s,
            ),
            WindowTruth(
                name="7d",
                claim="seven_day",
                utilization=self.spent_7d / self.capacity_7d,
                reset_at=week_ends,
            ),
        )
        if not self._has_bucket(model):
            return windows
        bucket = WindowTruth(
            name=self.settings.family_window_name,
            claim="seven_day_overage_included",
            utilization=self.spent_family / (self.capacity_7d * self.settings.family_window_share),
            reset_at=week_ends,
        )
        return (*windows, bucket)

    def wall(self, now: float, model: str) -> WindowTruth | None:
        """The exhausted window that ends last, or None when a request may pass."""
        full = [w for w in self.windows(now, model) if w.exhausted]
        return max(full, key=lambda w: w.reset_at or 0.0, default=None)

    def charge(self, now: float, model: str, tokens: float) -> None:
        """Spend on every window the model counts against; opens the 5h window."""
        self.roll(now)
        if self.opened_at is None:
            self.opened_at = now
        self.spent_5h += tokens
        self.spent_7d += tokens
        self.burned += tokens
        if self._has_bucket(model):
            self.spent_family += tokens

    def _has_bucket(self, model: str) -> bool:
        wanted = self.settings.family_window
        return wanted is not None and family_of(model) == wanted


@dataclass(frozen=True, slots=True)
class Tariff:
    """What an answer costs in price-weighted tokens (one Sonnet input token = 1)."""

    prices: PoolSettings

    def weight(self, model: str, usage: TokenUsage) -> float:
        """m * (0.1 * cached + w * uncached + 5 * output), w by the cache life that was asked for.

        The same formula as the scheduling model's, on true numbers instead of estimates.
        """
        p = self.prices
        write = p.cache_write_price_1h if usage.cache_write_1h else p.cache_write_price_5m
        uncached = usage.input + usage.cache_write_5m + usage.cache_write_1h
        return p.model_prices.get(family_of(model), 1.0) * (
            p.cache_read_price * usage.cache_read + write * uncached + p.output_price * usage.output
        )
