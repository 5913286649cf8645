"""Limits and money across a restart."""

from __future__ import annotations

import json

import pytest

from maxpool import Pool, Success, TokenUsage
from maxpool.core import spending
from maxpool.core.quotareading import QuotaReading
from maxpool.core.ratebuckets import Period, Rule
from maxpool.errors import StateError
from tests.make import DAY, HOUR, NOW, account, key, lease, pool, reason_of, until_of

LIMITS = (
    Rule("requests", 2, Period("hour"), rolling=True, provider="*"),
    Rule("requests", 9, Period("week"), client_key="*"),
    Rule("tokens", 5_000, Period("day"), model="claude-*"),
)


def used() -> Pool:
    p = pool(account("a", limits=(Rule("requests", 5, Period("day")),)), limits=LIMITS)
    p.release(lease(p, client_key="ci"), Success(TokenUsage(output=400)), NOW)
    return p


def restarted(p: Pool, now: float = NOW, *accounts: str) -> Pool:
    kept = [s.account for s in p.states.values()] if not accounts else [account(accounts[0])]
    return Pool.restore(json.loads(json.dumps(p.snapshot(now))), kept, p.settings, now)


def counts(p: Pool) -> dict[str, float]:
    return {name: bucket.count(NOW) for (name, _), bucket in p.budget.buckets.items()}


def test_every_count_is_kept():
    p = used()
    assert counts(restarted(p)) == counts(p)
    assert sum(counts(p).values()) == 403


def test_a_restart_opens_nothing_that_was_closed():
    p = used()
    lease(p, input_tokens=100)
    assert until_of(restarted(p), "a") == until_of(p, "a") is not None


def test_a_clock_set_back_while_nobody_ran_moves_the_counts():
    p = used()
    lease(p, input_tokens=100)
    data = json.loads(json.dumps(p.snapshot(NOW)))
    again = Pool.restore(data, [account("a")], p.settings, NOW - 5 * HOUR)
    assert reason_of(again, "a", NOW - 5 * HOUR) == "bucket_exhausted"


def test_limits_and_accounts_that_are_gone_leave_nothing():
    p = used()
    p.top_up("a", 5.0, NOW)
    spending.watch_quotas(p, {"a": True}, NOW)
    spending.quota_told(p, "a", QuotaReading(remaining=1), NOW)
    data = json.loads(json.dumps(p.snapshot(NOW)))
    again = Pool.restore(data, [account("b")], None, NOW)
    assert (again.budget.wallets, again.budget.quotas, counts(again)) == ({}, {}, {})


def test_a_snapshot_of_an_earlier_version_has_no_budgets():
    data = used().snapshot(NOW)
    del data["budget"]
    assert Pool.restore(data, [key("k")], None, NOW).budget.buckets == {}


def test_broken_counts_are_a_broken_state():
    data = json.loads(json.dumps(used().snapshot(NOW)))
    data["budget"]["buckets"][0][1]["about"] = 5
    with pytest.raises(StateError):
        Pool.restore(data, [account("a")], used().settings, NOW)


@pytest.mark.parametrize("earlier_s", [0.0, DAY])
def test_what_running_calls_are_thought_to_use_outlives_a_restart_in_a_new_window_too(earlier_s):
    accounts = [account(limits=(Rule("tokens", 1e6, Period("day")),))]
    old = Pool(accounts, None, NOW - earlier_s)
    if earlier_s:
        old.release(lease(old, NOW - earlier_s), Success(TokenUsage(input=5)), NOW - earlier_s)
    lease(old)
    new = Pool.restore(old.snapshot(NOW), accounts, None, NOW)
    (was,), (now,) = old.budget.buckets.values(), new.budget.buckets.values()
    assert now.count(NOW) == was.count(NOW) + was.reserved > 20_000
    now.step(-earlier_s)
    assert now.count(NOW - earlier_s) >= (5.0 if earlier_s else 20_000)
