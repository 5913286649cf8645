"""Frozen pictures of limits and money: of one account, and of the whole pool. Taking one changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.core.budget import Purse
    from maxpool.core.eligibility import Unavailable
    from maxpool.core.pool import Pool
    from maxpool.core.quotareading import ProbedQuota
    from maxpool.core.ratebuckets import Bucket
    from maxpool.core.tally import Counts
    from maxpool.core.wallet import Wallet

SHOWN_BUCKETS = 50
"""Of limits by model or client key; there may be thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """One bucket: `used` of `limit` in this period, `reserved` by running calls; `until`: closed so long."""

    name: str
    about: tuple[str, ...]
    amount: str
    limit: float
    used: float
    reserved: float
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletView:
    """A prepaid balance in USD; None where its owner declared none. `topups`: (at, usd), oldest first."""

    balance_usd: float | None
    minimum_usd: float
    spent_usd: float
    added_usd: float
    reserved_usd: float
    topups: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """What the provider told when it was asked; `gates`: it may close the account."""

    used: float | None
    limit: float | None
    remaining: float | None
    reset_at: float | None
    unit: str
    gates: bool
    read_at: float | None
    asked_at: float | None
    failures: int
    last_result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PurseView:
    """What limits one account."""

    limits: tuple[LimitView, ...] = ()
    wallet: WalletView | None = None
    quota: QuotaView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMoney:
    """The pool's own limits and those of client keys and models, and what all accounts come to.

    `balance_usd`: of those that declare one, None where none does. `broke`: why no paid account may serve.
    """

    limits: tuple[LimitView, ...]
    balance_usd: float | None
    cost_usd: float
    wasted_usd: float
    unpriced: int
    prices_dated: str
    broke: Unavailable | None


NOTHING = PurseView()


def purse_view(purse: Purse | None, now: float) -> PurseView:
    """One account's limits and money."""
    if purse is None:
        return NOTHING
    return PurseView(
        limits=tuple(_limit(bucket, now) for bucket in purse.own),
        wallet=None if purse.wallet is None else _wallet(purse.wallet),
        quota=None if purse.quota is None else _quota(purse.quota),
    )


def pool_money(pool: Pool, totals: Iterable[Counts], now: float) -> PoolMoney:
    """The whole pool's; `totals`: the counts of all its accounts."""
    counts = list(totals)
    known = [w.balance for i, w in pool.budget.wallets.items() if i in pool.states]
    balances = [balance for balance in known if balance is not None]
    shared = [b for b in pool.budget.buckets.values() if not b.owners]
    return PoolMoney(
        limits=tuple(_limit(bucket, now) for bucket in shared[:SHOWN_BUCKETS]),
        balance_usd=sum(balances) if balances else None,
        cost_usd=sum(c.cost_usd for c in counts),
        wasted_usd=sum(c.wasted_usd for c in counts),
        unpriced=sum(c.unpriced for c in counts),
        prices_dated=pool.settings.price_table.dated,
        broke=pool.budget.broke(None, now),
    )


def _limit(bucket: Bucket, now: float) -> LimitView:
    rule = bucket.rule
    until = bucket.exhausted(now)
    return LimitView(
        name=rule.name,
        about=bucket.about,
        amount=rule.amount,
        limit=rule.capacity,
        used=bucket.count(now),
        reserved=bucket.reserved,
        until=until,
    )


def _wallet(wallet: Wallet) -> WalletView:
    return WalletView(
        balance_usd=wallet.balance,
        minimum_usd=wallet.minimum,
        spent_usd=wallet.spent,
        added_usd=wallet.added,
        reserved_usd=wallet.reserved,
        topups=tuple(wallet.topups),
    )


def _quota(quota: ProbedQuota) -> QuotaView:
    reading = quota.reading
    return QuotaView(
        used=None if reading is None else reading.used,
        limit=None if reading is None else reading.limit,
        remaining=None if reading is None else reading.remaining,
        reset_at=None if reading is None else reading.reset_at,
        unit="" if reading is None else reading.unit,
        gates=quota.gates,
        read_at=None if reading is None else quota.read_at,
        asked_at=quota.asked_at,
        failures=quota.failures,
        last_result=quota.last_result,
    )
