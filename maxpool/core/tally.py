"""Counts of one account: all time, and the last hour by the minute. Bounded; decides nothing.

Cost is what the upstream says where it says anything, else our estimate by list prices; beside it
stands how far the two differ where both are known, and how many answers nobody could price.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.lease import TokenUsage

MINUTES = 60


@dataclass(slots=True)
class Counts:
    """Requests, failures, tokens and USD of some span of time.

    `cost_usd`: told by the upstream, else estimated. Of that, `told_usd` the upstream told itself,
    for answers that we would have put at `told_estimate_usd`. `unpriced`: answers with tokens whose
    cost is not known, so that 0 never means "free". `wasted_usd`: spent on answers that failed.
    """

    requests: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost_usd: float = 0.0
    told_usd: float = 0.0
    told_estimate_usd: float = 0.0
    unpriced: int = 0
    wasted_usd: float = 0.0

    def add(self, usage: TokenUsage, *, failed: bool, estimate_usd: float | None = None) -> None:
        """Count one ended lease."""
        self.requests += 1
        self.failed += failed
        self.tokens_in += usage.input
        self.tokens_out += usage.output
        self.cache_read += usage.cache_read
        self.cache_write += usage.cache_write_5m + usage.cache_write_1h
        if usage.cost_usd is not None:
            self.cost_usd += usage.cost_usd
            self.told_usd += usage.cost_usd
            self.told_estimate_usd += estimate_usd or 0.0
        elif estimate_usd is not None:
            self.cost_usd += estimate_usd
        else:
            self.unpriced += usage.any
        if failed:
            told = usage.cost_usd
            self.wasted_usd += (estimate_usd or 0.0) if told is None else told

    def merge(self, other: Counts) -> None:
        """Add another span's counts to these."""
        self.requests += other.requests
        self.failed += other.failed
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.cost_usd += other.cost_usd
        self.told_usd += other.told_usd
        self.told_estimate_usd += other.told_estimate_usd
        self.unpriced += other.unpriced
        self.wasted_usd += other.wasted_usd


@dataclass(slots=True)
class Tally:
    """All-time counts, one entry per minute of the last hour, and recent times."""

    total: Counts = field(default_factory=Counts)
    minutes: deque[tuple[int, Counts]] = field(default_factory=lambda: deque(maxlen=MINUTES))
    times_ms: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=200))
    last_status: int | None = None
    last_status_at: float | None = None

    def answered(self, status: int, now: float) -> None:
        """The account's upstream answered with that HTTP status."""
        self.last_status, self.last_status_at = status, now

    def add(
        self,
        usage: TokenUsage,
        now: float,
        took_s: float,
        *,
        failed: bool,
        estimate_usd: float | None = None,
    ) -> None:
        """Count one ended lease that lasted `took_s`."""
        minute = int(now // 60)
        if not self.minutes or self.minutes[-1][0] != minute:
            self.minutes.append((minute, Counts()))
        for counts in (self.minutes[-1][1], self.total):
            counts.add(usage, failed=failed, estimate_usd=estimate_usd)
        if not failed:
            self.times_ms.append((now, took_s * 1000.0))

    @property
    def last_well(self) -> float:
        """When a lease last ended well, 0 when none did."""
        return self.times_ms[-1][0] if self.times_ms else 0.0

    def last(self, now: float, minutes: int = MINUTES) -> Counts:
        """Counts of the last `minutes` minutes."""
        since, found = int(now // 60) - minutes, Counts()
        for minute, counts in self.minutes:
            if minute > since:
                found.merge(counts)
        return found

    def mean_ms(self, now: float) -> float | None:
        """Mean time of the last hour's answers (at most the last 200), milliseconds."""
        times = [ms for at, ms in self.times_ms if now - at <= 3600.0]
        return sum(times) / len(times) if times else None

    def p50_ms(self, now: float) -> float | None:
        """Median time of the last hour's answers (at most the last 200), milliseconds."""
        times = sorted(ms for at, ms in self.times_ms if now - at <= 3600.0)
        return times[len(times) // 2] if times else None
