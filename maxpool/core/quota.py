"""`Quota`: all windows and rate buckets of one account, and how readings merge into them.

Knows nothing of requests or choice; `core/eligibility` asks it what is closed and until when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.window import QuotaWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.core.lease import BucketReading, Reading
    from maxpool.core.settings import PoolSettings

ACCOUNT_WINDOWS = ("5h", "7d")


@dataclass(slots=True)
class Quota:
    """Windows by name (`5h`, `7d`, `7d:<family>`) and buckets by name, bounded in number."""

    windows: dict[str, QuotaWindow] = field(default_factory=dict)
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

    def merge(
        self, readings: Iterable[Reading], now: float, source: str, settings: PoolSettings
    ) -> None:
        """Take in readings of one source."""
        for reading in readings:
            window = self.window(reading.window, settings)
            window.merge(reading, now, source, settings.reset_jitter_s)

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
