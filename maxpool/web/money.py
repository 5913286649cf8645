"""Limits and money as stable, JSON-able fields of the `/status` document. Shows, decides nothing."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maxpool.core.moneyview import LimitView, PoolMoney
    from maxpool.core.view import AccountView


def of_account(a: AccountView) -> dict[str, Any]:
    """One account's limits, balance and told quota."""
    wallet, quota = a.purse.wallet, a.purse.quota
    balance: dict[str, Any] = {}
    if wallet is not None:
        balance = asdict(wallet)
        balance["topups"] = [{"at": at, "usd": usd} for at, usd in wallet.topups]
    return {
        "limits": [_limit(one) for one in a.purse.limits],
        "balance": balance,
        "quota": None if quota is None else asdict(quota),
    }


def of_pool(money: PoolMoney) -> dict[str, Any]:
    """What all accounts together have, spent and wasted."""
    broke = money.broke
    return {
        "balance_usd": money.balance_usd,
        "cost_usd": round(money.cost_usd, 6),
        "wasted_usd": round(money.wasted_usd, 6),
        "unpriced": money.unpriced,
        "prices_dated": money.prices_dated or None,
        "unavailable": None
        if broke is None
        else {"reason": broke.reason.value, "until": broke.until},
        "limits": [_limit(one) for one in money.limits],
    }


def _limit(one: LimitView) -> dict[str, Any]:
    found = asdict(one)
    found["about"] = list(one.about)
    found["exhausted"] = one.until is not None
    found["until"] = None if one.until in (None, inf) else one.until
    return found
