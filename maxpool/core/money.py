"""What an answer cost in USD by list prices: our estimate, where the upstream tells no figure.

An estimate for people to read, never a ground for a choice, and never a bill: whatever figure the
upstream itself sends (`TokenUsage.cost_usd`) counts in its place (`core/tally`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.family import family_of
from maxpool.core.targets import upstream_model

if TYPE_CHECKING:
    from maxpool.core.account import Account
    from maxpool.core.lease import TokenUsage
    from maxpool.core.settings import PoolSettings

LISTED_PROVIDER = "anthropic"
"""The one provider whose list prices the settings hold."""


def estimate_usd(
    account: Account, model: str, usage: TokenUsage, settings: PoolSettings
) -> float | None:
    """USD for that usage; 0 where a plan has paid already, None where no list price is known."""
    if not account.paid:
        return 0.0
    price = settings.model_prices.get(family_of(upstream_model(account.models, model) or model))
    if account.provider != LISTED_PROVIDER or price is None:
        return None
    tokens = (
        usage.input
        + usage.output * settings.output_price
        + usage.cache_read * settings.cache_read_price
        + usage.cache_write_5m * settings.cache_write_price_5m
        + usage.cache_write_1h * settings.cache_write_price_1h
    )
    return tokens * price * settings.usd_per_million / 1e6
