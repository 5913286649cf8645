"""Per-minute rate limits of an API key or a provider's key: token buckets that really refill.

Time comes in as `now`. Which headers tell of them is `ratelimits`' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.lease import TokenUsage
    from maxpool.sim.plans import SimAccount, SimSettings

MINUTE_S = 60.0


@dataclass(slots=True)
class Bucket:
    """`limit` per minute, refilled evenly; `level` is what is left at time `at`."""

    name: str
    limit: float
    level: float
    at: float

    def refill(self, now: float) -> None:
        """Bring `level` up to `now`."""
        self.level = min(self.limit, self.level + max(0.0, now - self.at) * self.limit / MINUTE_S)
        self.at = now

    def wait_s(self, amount: float) -> float:
        """Seconds until `amount` fits; an amount above the limit fits into a full bucket."""
        missing = min(amount, self.limit) - self.level
        # A hundred-millionth of the limit is float noise of the refill, not a debt.
        return 0.0 if missing <= self.limit * 1e-8 else missing * MINUTE_S / self.limit

    def full_at(self) -> float:
        """When the bucket is full again."""
        return self.at + (self.limit - self.level) * MINUTE_S / self.limit


@dataclass(slots=True)
class KeyLimits:
    """The three buckets of a key. Cached input does not count, as the vendor documents."""

    requests: Bucket
    input_tokens: Bucket
    output_tokens: Bucket

    @classmethod
    def of(cls, account: SimAccount, settings: SimSettings, now: float) -> KeyLimits:
        """Full buckets with the account's limits, else the settings' scaled ones."""

        def bucket(name: str, own: float | None, default: float) -> Bucket:
            limit = own or default * settings.capacity_scale
            return Bucket(name, limit, limit, now)

        return cls(
            bucket("requests", account.requests_per_minute, settings.requests_per_minute),
            bucket("input-tokens", account.capacity_tokens, settings.input_tokens_per_minute),
            bucket(
                "output-tokens",
                account.output_tokens_per_minute,
                settings.output_tokens_per_minute,
            ),
        )

    def all(self, now: float) -> tuple[Bucket, Bucket, Bucket]:
        """The buckets, refilled."""
        for bucket in (self.requests, self.input_tokens, self.output_tokens):
            bucket.refill(now)
        return self.requests, self.input_tokens, self.output_tokens

    def wall(self, now: float, usage: TokenUsage) -> tuple[Bucket, float] | None:
        """The bucket that must be waited for longest and how long, or None when all have room."""
        waits = [
            (bucket, bucket.wait_s(amount))
            for bucket, amount in zip(self.all(now), _amounts(usage), strict=True)
        ]
        worst = max(waits, key=lambda pair: pair[1])
        return worst if worst[1] > 0 else None

    def take(self, now: float, usage: TokenUsage) -> None:
        """Spend; an answer larger than what was left leaves a debt to refill first."""
        for bucket, amount in zip(self.all(now), _amounts(usage), strict=True):
            bucket.level -= amount


def _amounts(usage: TokenUsage) -> tuple[float, float, float]:
    uncached = usage.input + usage.cache_write_5m + usage.cache_write_1h
    return 1.0, float(uncached), float(usage.output)
