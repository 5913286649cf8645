"""`Quota`: all windows and rate buckets of one account, and how readings merge into them.

Knows nothing of requests or choice; `core/eligibility` asks it what is closed and until when.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from maxpool.core.window import QuotaWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.core.lease import BucketReading, Reading
    from maxpool.core.settings import PoolSettings
    from maxpool.core.slope import Yardstick

ACCOUNT_WINDOWS = ("5h", "7d")


class Look(NamedTuple):
    """An account's quota at one time, as far as choosing needs it.

    `used`: estimated weekly use, `reset_at` and `length_s` of the week (`known`: there is one); `room`:
    work left before a window closes, `guessed` where the yardstick had to help; `changes_at`: when any
    of it changes by itself.
    """

    known: bool
    used: float | None
    reset_at: float | None
    length_s: float
    room: float
    guessed: bool
    changes_at: float | None


NOTHING_KNOWN = Look(False, None, None, 0.0, math.inf, False, None)


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
    bucket_closed_by_us: bool = False  # that deadline is a pause of ours, not a time told

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
    ) -> tuple[list[QuotaWindow], bool]:
        """Take in readings of one source.

        Returns the windows whose slope learned from them, and whether any window says something new.
        """
        taught, news = [], False
        for reading in readings:
            window = self.window(reading.window, settings)
            before = (window.utilization, window.reset_at, window.status)
            if window.merge(reading, now, source, settings, self._spent_in(window)):
                taught.append(window)
            after = (window.utilization, window.reset_at, window.status)
            news = news or before != after or window.reset_at is None
        return taught, news

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
        return None if window is None else self._estimate(window, now)

    def _estimate(self, window: QuotaWindow, now: float) -> float | None:
        expired = window.reset_at is not None and window.reset_at <= now
        used, slope = 0.0 if expired else window.utilization, window.slope
        if used is None or slope.per_token is None:
            return used
        family = window.of_family
        since = 0.0 if family else self.reserved
        if not expired:
            spent = self.spent_of.get(window.family, 0.0) if family else self.spent
            since += spent - slope.read_spent
        found = used + slope.per_token * since
        return used if found <= used else min(found, max(used, 1.0))

    def look(
        self,
        now: float,
        settings: PoolSettings,
        yardstick: Yardstick,
        plan_weight: float,
        *,
        changes: bool = True,
    ) -> Look:
        """Everything that choosing needs, in one pass; `changes`: also when that is over."""
        changes_at = self.bucket_closed_until
        if changes_at is not None and changes_at <= now:
            changes_at = None
        if not self.windows:
            return NOTHING_KNOWN._replace(changes_at=changes_at)
        room, guessed = math.inf, False
        week, week_used = None, None
        for name, window in self.windows.items():
            at = window.next_change(now, settings.quota_without_reset_s) if changes else None
            if at is not None and (changes_at is None or at < changes_at):
                changes_at = at
            if name not in ACCOUNT_WINDOWS:
                continue
            used, slope = self._estimate(window, now), window.slope.per_token
            if name == "7d":
                week, week_used = window, used
            if slope is None:
                guessed = True
                slope = yardstick.expected(name, plan_weight)
            if used is not None and slope is not None and slope > 0.0:
                left = (1.0 - used) / slope
                room = left if left < room else room
        if week is None:
            return Look(False, None, None, 0.0, room, guessed, changes_at)
        reset_at = week.next_reset(now)
        return Look(True, week_used, reset_at, week.length_s, room, guessed, changes_at)

    def merge_buckets(self, readings: Iterable[BucketReading], settings: PoolSettings) -> None:
        """Keep the last numbers of each standard rate bucket."""
        for reading in readings:
            if reading.name in self.buckets or len(self.buckets) < settings.max_buckets:
                self.buckets[reading.name] = reading

    def allow(self) -> bool:
        """The upstream's last word was `allowed`: no account-wide window is full by its number.

        True when that is news.
        """
        news = False
        for name in ACCOUNT_WINDOWS:
            window = self.windows.get(name)
            if window is not None and (window.status is None or window.status == "rejected"):
                window.status, news = "allowed", True
        return news

    def close(self, name: str, until: float, settings: PoolSettings) -> None:
        """Close one window by verdict."""
        self.window(name, settings).close(until)

    def close_buckets(self, until: float, *, by_us: bool = False) -> None:
        """Close by a 429 with an empty standard bucket; never shortened."""
        if self.bucket_closed_until is None or until > self.bucket_closed_until:
            self.bucket_closed_until, self.bucket_closed_by_us = until, by_us

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
