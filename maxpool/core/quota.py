"""`Quota`: all windows and rate buckets of one account, and how readings merge into them.

Knows nothing of requests or choice; `core/eligibility` asks it what is closed and until when.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.window import QuotaWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.core.lease import BucketReading, Reading
    from maxpool.core.settings import PoolSettings
    from maxpool.core.slope import Yardstick

ACCOUNT_WINDOWS = ("5h", "7d")


@dataclass(slots=True)
class Quota:
    """Windows by name (`5h`, `7d`, `7d:<family>`) and buckets by name, bounded in number.

    `spent`: work burned here so far, `reserved`: work of leases whose answer has not begun, both in
    price-weighted tokens; `spent_of`: the same per model family, for the families' own windows.
    """

    windows: dict[str, QuotaWindow] = field(default_factory=dict)
    spent: float = 0.0
    reserved: float = 0.0
    spent_of: dict[str, float] = field(default_factory=dict)
    buckets: dict[str, BucketReading] = field(default_factory=dict)
    bucket_closed_until: float | None = None

    def window(self, name: str, settings: PoolSettings) -> QuotaWindow:
        """The window of that name, made when it is new; the family seen longest ago makes room."""
        found = self.windows.get(name)
        if found is None:
            if name not in ACCOUNT_WINDOWS:
                self._make_room(settings.max_families)
            base = name.partition(":")[0]
            length = settings.window_lengths.get(base, settings.window_lengths["7d"])
            found = self.windows[name] = QuotaWindow(name=name, length_s=length)
        return found

    def _make_room(self, limit: int) -> None:
        families = [w for n, w in self.windows.items() if n not in ACCOUNT_WINDOWS]
        if len(families) >= limit:
            oldest = min(families, key=lambda w: (w.closed_until or 0.0, w.read_at or 0.0))
            del self.windows[oldest.name]
            self.spent_of.pop(oldest.family, None)

    def merge(
        self, readings: Iterable[Reading], now: float, source: str, settings: PoolSettings
    ) -> list[QuotaWindow]:
        """Take in readings of one source; returns the windows whose slope learned from them."""
        taught = []
        for reading in readings:
            window = self.window(reading.window, settings)
            if window.merge(reading, now, source, settings, self._spent_in(window)):
                taught.append(window)
        return taught

    def _spent_in(self, window: QuotaWindow) -> float:
        return self.spent_of.get(window.family, 0.0) if window.of_family else self.spent

    def burn(self, family: str, work: float) -> None:
        """Count burned work (a correction may be negative) of a model family."""
        self.spent += work
        window = self.windows.get(f"7d:{family}")
        if window is not None:
            self.spent_of[family] = self.spent_of.get(family, 0.0) + work

    def estimate(self, name: str, now: float) -> float | None:
        """Utilization now: the last reading, what was burned since, and what leases will burn.

        Never closes anything: only verdicts and readings do. None when the window is unknown.
        """
        window = self.windows.get(name)
        used = None if window is None else window.utilization_at(now)
        if window is None or used is None or window.slope.per_token is None:
            return used
        since = 0.0 if window.expired(now) else self._spent_in(window) - window.slope.read_spent
        if not window.of_family:
            since += self.reserved
        return max(used, min(used + window.slope.per_token * since, 1.0))

    def measured(self) -> bool:
        """Whether every account-wide window that is known has a slope of its own."""
        for name in ACCOUNT_WINDOWS:
            window = self.windows.get(name)
            if window is not None and window.slope.per_token is None:
                return False
        return True

    def room(self, now: float, yardstick: Yardstick, plan_weight: float) -> float:
        """Work left before an account-wide window closes; infinite while nobody can know."""
        room = math.inf
        if not self.windows:
            return room
        for name in ACCOUNT_WINDOWS:
            window, used = self.windows.get(name), self.estimate(name, now)
            if window is None or used is None:
                continue
            slope = window.slope.per_token or yardstick.expected(name, plan_weight)
            if slope is not None and slope > 0.0:
                room = min(room, max(1.0 - used, 0.0) / slope)
        return room

    def merge_buckets(self, readings: Iterable[BucketReading], settings: PoolSettings) -> None:
        """Keep the last numbers of each standard rate bucket."""
        for reading in readings:
            if reading.name in self.buckets or len(self.buckets) < settings.max_buckets:
                self.buckets[reading.name] = reading

    def allow(self) -> None:
        """The upstream's last word was `allowed`: no account-wide window is full by its number."""
        for name in ACCOUNT_WINDOWS:
            window = self.windows.get(name)
            if window is not None and (window.status is None or window.status == "rejected"):
                window.status = "allowed"

    def close(self, name: str, until: float, settings: PoolSettings) -> None:
        """Close one window by verdict."""
        self.window(name, settings).close(until)

    def close_buckets(self, until: float) -> None:
        """Close by a 429 with an empty standard bucket; never shortened."""
        self.bucket_closed_until = max(until, self.bucket_closed_until or until)

    def closed(self, name: str, now: float, settings: PoolSettings) -> float | None:
        """When the named window opens again; None while it is open or unknown."""
        window = self.windows.get(name)
        if window is None:
            return None
        return window.closed(now, settings.full_at, settings.quota_without_reset_s)

    def account_closed(self, now: float, settings: PoolSettings) -> float | None:
        """When both account-wide windows are open again; None while they are."""
        until = None
        for name in ACCOUNT_WINDOWS:
            one = self.closed(name, now, settings)
            if one is not None and (until is None or one > until):
                until = one
        return until

    def utilization(self, name: str, now: float) -> float | None:
        """Utilization of a window as known at `now`, None when unknown."""
        window = self.windows.get(name)
        return None if window is None else window.utilization_at(now)

    def reopen(self, full_at: float) -> None:
        """Forget every verdict and every full window (a person's reset)."""
        self.bucket_closed_until = None
        for window in self.windows.values():
            window.closed_until = None
            if window.utilization is not None and window.utilization >= full_at:
                window.utilization, window.status = None, None

    def next_change(self, now: float, grace_s: float) -> float | None:
        """The soonest time at which a window changes by itself."""
        soonest: float | None = None
        for window in self.windows.values():
            at = window.next_change(now, grace_s)
            if at is not None and (soonest is None or at < soonest):
                soonest = at
        at = self.bucket_closed_until
        if at is not None and at > now and (soonest is None or at < soonest):
            soonest = at
        return soonest
