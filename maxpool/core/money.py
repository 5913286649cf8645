"""What an answer cost in USD by the price table: our estimate, where the upstream tells no figure.

Never a bill: whatever figure the upstream itself sends (`TokenUsage.cost_usd`) counts in its place
(`core/tally`). Budgets (`core/budget`) reckon with the same estimate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.targets import upstream_model

if TYPE_CHECKING:
    from maxpool.core.account import Account
    from maxpool.core.lease import TokenUsage
    from maxpool.core.settings import PoolSettings


def estimate_usd(
    account: Account, model: str, usage: TokenUsage, settings: PoolSettings
) -> float | None:
    """USD for that usage; 0 where a plan has paid already, None where no price is known."""
    if not account.paid:
        return 0.0
    sent_as = upstream_model(account.models, model) or model
    price = settings.price_table.find(account.provider, sent_as)
    return None if price is None else price.of(usage.prefix).usd(usage)
