"""By which rules the pool chooses and bounds, as people see them: strategy, limits, what is in force.

A reading of settings and switches; the rules themselves are where they are applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules in force. `preferred`: the id of the account a person prefers."""

    strategy: str
    preferred: str | None
    paused: bool
    slots_per_account: int
    slots_per_key: int
    slots_total: int
    slots_total_used: int
    queue_limit: int
    queue_max_wait_s: float
    key_price: str
    key_price_after_s: float
    full_at: float


def rules_of(pool: Pool) -> Rules:
    """The rules of a pool now."""
    settings = pool.settings
    return Rules(
        strategy=settings.strategy,
        preferred=pool.selector.preferred,
        paused=pool.paused,
        slots_per_account=settings.slots_per_account,
        slots_per_key=settings.slots_per_key,
        slots_total=settings.slots_total,
        slots_total_used=pool.plan_in_flight,
        queue_limit=settings.queue_limit,
        queue_max_wait_s=settings.queue_max_wait_s,
        key_price=settings.key_price,
        key_price_after_s=settings.key_price_after_s,
        full_at=settings.full_at,
    )
