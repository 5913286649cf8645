"""Pictures of limits and money."""

from __future__ import annotations

import pytest

from maxpool import Cut, TokenUsage
from maxpool.core import spending
from maxpool.core.prices_table import Price, PriceTable, Rates
from maxpool.core.quotareading import QuotaReading
from maxpool.core.ratebuckets import Period, Rule
from tests.make import MODEL, NOW, account, key, lease, pool

TABLE = PriceTable("2026-02-03", {"anthropic": {MODEL: Price(Rates(50, 50, 50, 50, 50))}})


def test_an_account_shows_its_limits_money_and_told_quota():
    p = pool(key("k", balance_usd=5.0, limits=(Rule("requests", 9, Period("day")),)))
    spending.watch_quotas(p, {"k": True}, NOW)
    spending.quota_told(p, "k", QuotaReading(used=1, limit=4, unit="usd"), NOW)
    p.top_up("k", 2.0, NOW)
    lease(p)
    purse = p.view(NOW).accounts[0].purse
    assert [(one.name, one.used) for one in purse.limits] == [("requests per day calendar", 1)]
    assert purse.wallet is not None
    assert (purse.wallet.balance_usd, purse.wallet.topups) == (7.0, ((NOW, 2.0),))
    assert purse.quota is not None
    assert (purse.quota.remaining, purse.quota.unit) == (3, "usd")


def test_the_pool_shows_what_was_spent_and_wasted_and_by_which_prices():
    limits = (Rule("usd", 1, Period("day")), Rule("requests", 9, Period("day"), client_key="*"))
    p = pool(key("k", balance_usd=5.0), account("a"), limits=limits, price_table=TABLE)
    p.release(lease(p, owner="k", client_key="ci"), Cut(TokenUsage(input=20_000)), NOW)
    view = p.view(NOW)
    money = view.money
    assert (money.balance_usd, money.prices_dated) == (4.0, "2026-02-03")
    assert [money.cost_usd, money.wasted_usd] == pytest.approx([1.0, 1.0])
    assert money.broke is not None
    states = {a.account.id: a.unavailable and a.unavailable.reason for a in view.accounts}
    assert states == {"k": "budget", "a": None}
    assert {one.about for one in money.limits} == {(), ("ci",)}


def test_without_limits_there_is_nothing_to_show():
    view = pool("a").view(NOW)
    assert (view.accounts[0].purse.limits, view.accounts[0].purse.wallet) == ((), None)
    assert (view.money.balance_usd, view.money.limits, view.money.broke) == (None, (), None)
