"""Limits and money in the status document."""

from __future__ import annotations

import json

from maxpool.core import spending
from maxpool.core.quotareading import QuotaReading
from maxpool.core.ratebuckets import Period, Rule
from maxpool.web import money
from tests.make import NOW, key, lease, pool


def test_an_accounts_money_is_told_as_json():
    run = Rule("usd", 1e-9, Period("run"))
    p = pool(key("k", balance_usd=5.0, limits=(Rule("requests", 1, Period("day")), run)))
    spending.watch_quotas(p, {"k": True}, NOW)
    spending.quota_told(p, "k", QuotaReading(remaining=2), NOW)
    p.top_up("k", 1.0, NOW)
    lease(p)
    told = json.loads(json.dumps(money.of_account(p.view(NOW).accounts[0])))
    day, whole = told["limits"]
    assert (day["used"], day["exhausted"], day["until"] > NOW) == (1, True, True)
    assert (whole["amount"], whole["exhausted"], whole["until"]) == ("usd", False, None)
    assert told["balance"]["balance_usd"] == 6.0
    assert told["balance"]["topups"] == [{"at": NOW, "usd": 1.0}]
    assert told["quota"]["remaining"] == 2


def test_an_account_without_any_has_empty_fields():
    told = money.of_account(pool("a").view(NOW).accounts[0])
    assert told == {"limits": [], "balance": {}, "quota": None}


def test_the_pools_money_is_told_as_json():
    p = pool(key("k"), limits=(Rule("usd", 5, Period("run")),))
    lease(p)
    p.budget.bucket(p.settings.limits[0]).add(5, NOW)
    told = json.loads(json.dumps(money.of_pool(p.view(NOW).money)))
    assert told["unavailable"] == {"reason": "budget", "until": None}
    assert [(one["limit"], one["until"], one["exhausted"]) for one in told["limits"]] == [
        (5, None, True)
    ]
    assert (told["balance_usd"], told["wasted_usd"], told["prices_dated"]) == (None, 0.0, None)
