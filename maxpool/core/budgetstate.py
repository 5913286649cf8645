"""Budgets across a restart: what is kept of buckets, wallets and quota readings, and taken back.

Counts of a run end with it. What is kept of a limit, an account or a provider that is no longer
configured is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.core import quotareading
from maxpool.core.ratebuckets import Bucket
from maxpool.core.wallet import Wallet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.pool import Pool


def dump(pool: Pool, now: float) -> dict[str, Any]:
    """Everything of the budgets that has a future, JSON-able."""
    budget = pool.budget
    return {
        "buckets": [
            [name, bucket.dump(now)]
            for (name, _), bucket in budget.buckets.items()
            if bucket.rule.period.unit != "run" and bucket.opened(now)
        ],
        "wallets": {i: w.dump() for i, w in budget.wallets.items() if i in pool.states},
        "quotas": {i: dict(quotareading.dump(q)) for i, q in budget.quotas.items()},
    }


def load(pool: Pool, saved: Mapping[str, Any], now: float) -> None:
    """Go on from there; raises LookupError, TypeError or ValueError where it cannot be read."""
    budget = pool.budget
    rules = {rule.name: rule for rule in pool.settings.limits}
    for state in pool.states.values():
        rules |= {f"own {rule.name}": rule for rule in state.account.limits}
    for name, kept in saved.get("buckets", ()):
        about = tuple(str(word) for word in kept["about"])
        if name in rules:
            place = (str(name), about)
            # An account's own limit has the same name at another account, and its own size there.
            bucket = budget.buckets.setdefault(place, Bucket(rules[name], about))
            bucket.load(kept)
    for account_id, kept in saved.get("wallets", {}).items():
        if account_id in pool.states:
            budget.wallets[account_id] = Wallet.load(kept)
    for account_id, kept in saved.get("quotas", {}).items():
        if account_id in pool.states:
            budget.quotas[account_id] = quotareading.load(kept)
    for state in pool.states.values():
        budget.bind(state)
