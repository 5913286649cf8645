"""Limits and money of a pool: who may serve, who waits, what a restart and a clock step keep."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxpool import (
    BillingFailure,
    ClientGone,
    Cut,
    Internal,
    Lease,
    NetworkFailure,
    Pool,
    PoolSettings,
    Refusal,
    Success,
    TokenUsage,
    TransientFailure,
    Wait,
)
from maxpool.core.budget import tightest
from maxpool.core.prices_table import Price, PriceTable, Rates
from maxpool.core.ratebuckets import Amount, Period, Rule, Unit
from tests.make import DAY, HOUR, MODEL, NOW, account, ask, key, lease, pool, reason_of, until_of

ONE_USD = PriceTable("2026-01-01", {"anthropic": {MODEL: Price(Rates(50, 50, 50, 50, 50))}})
"""A price at which a request of 20,000 tokens costs one dollar."""
USED = TokenUsage(input=20_000)


def per(limit: float, unit: Unit = "minute", amount: Amount = "requests", **given: object) -> Rule:
    return Rule(amount, limit, Period(unit), **given)  # type: ignore[arg-type]


def refused(p: Pool, now: float = NOW, **given: object) -> Refusal:
    found = p.acquire(ask(None, max_wait_s=0.0, **given), now)
    assert isinstance(found, Refusal), found
    return found


def serve(p: Pool, now: float = NOW, usage: TokenUsage = USED, **given: object) -> Lease:
    taken = lease(p, now, **given)  # type: ignore[arg-type]
    p.release(taken, Success(usage), now)
    return taken


def test_failed_calls_and_further_sends_count_too():  # P4
    p = pool(account(limits=(per(3),)))
    taken = lease(p)
    assert p.sent(taken, NOW + 1)
    p.release(taken, TransientFailure(500), NOW + 1)
    assert reason_of(p, "a", NOW + 1) is None
    serve(p, NOW + 2)
    assert reason_of(p, "a", NOW + 2) == "bucket_exhausted"
    assert until_of(p, "a", NOW + 2) == NOW + 60


def test_no_further_call_is_sent_where_a_limit_has_no_room():  # P4
    p = pool(account(limits=(per(1),)))
    taken = lease(p)
    assert not p.sent(taken, NOW + 1)
    assert p.sent(taken, NOW + 61)


def test_a_call_that_never_left_is_not_counted():
    p = pool(account(limits=(per(1),)))
    p.release(lease(p), NetworkFailure("refused", sent=False), NOW)
    p.release(lease(p, NOW + 6), NetworkFailure("reset", sent=True), NOW + 6)
    assert refused(p, NOW + 12).reason == "bucket_exhausted"


def test_several_buckets_all_hold():  # P4
    p = pool(account(limits=(per(2), per(3, "hour"))))
    serve(p)
    serve(p)
    assert until_of(p, "a") == NOW + 60
    serve(p, NOW + 60)
    assert until_of(p, "a", NOW + 60) == NOW + HOUR


def test_an_exhausted_account_is_skipped_before_any_call():  # P4
    p = pool(account("a", limits=(per(1),)), account("b", priority=1))
    assert [serve(p).account_id for _ in range(3)] == ["a", "b", "b"]
    assert serve(p, NOW + 60).account_id == "a"


def test_a_waiter_is_woken_when_the_bucket_opens():
    p = pool(account(limits=(per(1),)))
    serve(p)
    waiting = p.acquire(ask(), NOW + 1)
    assert isinstance(waiting, Wait)
    assert (waiting.until, waiting.reason) == (NOW + 60, "bucket_exhausted")
    assert p.next_wake(NOW + 1) == NOW + 60
    assert not p.wake(NOW + 59)
    [(_, served)] = p.wake(NOW + 60)
    assert isinstance(served, Lease)


def test_a_provider_limit_is_shared_by_its_accounts():
    p = pool("a", "b", limits=(per(2, provider="anth*"),))
    assert {serve(p).account_id, serve(p).account_id} <= {"a", "b"}
    assert refused(p).counts == {"bucket_exhausted": 2}
    assert isinstance(p.acquire(ask(), NOW + 60), Lease)


def test_a_pattern_of_accounts_gives_each_a_bucket_of_its_own():
    p = pool("a", "b", limits=(per(1, account="*"),))
    assert {serve(p).account_id for _ in range(2)} == {"a", "b"}
    assert refused(p).reason == "bucket_exhausted"


def test_a_model_limit_leaves_other_models_alone():
    p = pool("a", limits=(per(1, model="claude-opus-*"),))
    serve(p, model="claude-opus-5-5")
    assert refused(p, model="claude-opus-5-5").retry_at == NOW + 60
    serve(p, model="claude-opus-4-8")
    serve(p)


def test_a_client_key_at_its_limit_waits_and_holds_nobody_else_up():
    p = pool("a", limits=(per(1, client_key="ci"),))
    serve(p, client_key="ci")
    first = p.acquire(ask(client_key="ci"), NOW)
    assert isinstance(first, Wait)
    serve(p, client_key="other")
    serve(p)
    [(ticket, served)] = p.wake(NOW + 60)
    assert ticket == first.ticket
    assert isinstance(served, Lease)


def test_tokens_are_reserved_by_estimate_and_settled_by_usage():
    p = pool(account(limits=(per(50_000, "hour", "tokens"),)))
    first, second = lease(p), lease(p)
    assert refused(p).reason == "bucket_exhausted"
    p.release(first, Success(TokenUsage(input=100, cache_read=900)), NOW)
    p.release(second, TransientFailure(500), NOW)
    bucket = p.states["a"].purse.own[0]  # type: ignore[union-attr]
    assert (bucket.count(NOW), bucket.reserved) == (1000, 0.0)


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Cut(TokenUsage()), 20_700),
        (ClientGone(TokenUsage()), 20_700),
        (Internal(), 20_700),
        (Success(TokenUsage()), 20_700),
        (Success(TokenUsage(output=5)), 5),
        (TransientFailure(500), 0),
    ],
)
def test_the_estimate_stands_where_nobody_told_what_an_answer_took(outcome, counted):
    p = pool(account(limits=(per(50_000, "hour", "tokens"),)))
    p.release(lease(p), outcome, NOW)
    assert p.states["a"].purse.own[0].count(NOW) == counted  # type: ignore[union-attr]


def test_a_call_that_only_counts_tokens_takes_none():
    p = pool(account(limits=(per(10, "hour", "tokens"),)))
    p.release(lease(p, spends=False), Success(), NOW)
    assert p.states["a"].purse.own[0].count(NOW) == 0  # type: ignore[union-attr]


def test_a_smaller_request_is_not_told_the_block_of_a_larger_one():
    p = pool(account(limits=(per(50_000, "hour", "tokens"),)))
    serve(p)
    assert refused(p, input_tokens=40_000).reason == "bucket_exhausted"
    serve(p, usage=TokenUsage(input=10), input_tokens=1_000)


def test_the_pools_daily_budget_closes_paid_accounts_until_the_day_ends():
    p = pool("a", key("k", priority=-1), limits=(per(2, "day", "usd"),), price_table=ONE_USD)
    for _ in range(2):
        assert serve(p).account_id == "k"
    assert serve(p).account_id == "a", "what a plan serves costs nothing"
    tomorrow = (NOW // DAY + 1) * DAY
    assert refused(p, owner="k").retry_at == tomorrow
    assert serve(p, tomorrow).account_id == "k"


def test_a_run_budget_ends_with_the_run():
    p = pool(key("k"), limits=(per(1, "run", "usd"),), price_table=ONE_USD, key_price="always")
    serve(p)
    found = refused(p)
    assert (found.reason, found.retry_at) == ("budget", None)
    again = Pool.restore(json.loads(json.dumps(p.snapshot(NOW))), [key("k")], p.settings, NOW)
    serve(again)


def test_a_client_keys_budget_binds_its_own_requests_only():
    limits = (per(1, "day", "usd", client_key="ci"),)
    p = pool(key("k"), limits=limits, price_table=ONE_USD)
    serve(p, client_key="ci")
    assert refused(p, client_key="ci").reason == "budget"
    serve(p, client_key="other")


def test_an_account_past_its_budget_is_unavailable_until_the_next_day():
    mine = (per(1, "day", "usd"),)
    p = pool(key("k", limits=mine), key("l", priority=1), price_table=ONE_USD)
    assert [serve(p).account_id for _ in range(2)] == ["k", "l"]
    assert (reason_of(p, "k"), until_of(p, "k")) == ("budget", (NOW // DAY + 1) * DAY)


def test_running_calls_are_counted_against_the_money_that_is_left():
    p = pool(key("k", balance_usd=2.0), price_table=ONE_USD)
    first, second = lease(p), lease(p)
    assert until_of(p, "k") == NOW + 5, "their ends will tell"
    p.release(first, Success(TokenUsage(input=20)), NOW)
    assert reason_of(p, "k") is None
    p.release(second, Success(TokenUsage(input=20, cost_usd=1.999)), NOW)
    assert (reason_of(p, "k"), until_of(p, "k")) == ("budget", None)


def test_money_added_opens_the_account_and_survives_a_restart():
    p = pool(key("k", balance_usd=1.0), price_table=ONE_USD)
    serve(p)
    assert refused(p).reason == "budget"
    assert p.top_up("k", 5.0, NOW)
    serve(p)
    kept = json.loads(json.dumps(p.snapshot(NOW)))
    again = Pool.restore(kept, [key("k", balance_usd=1.0)], p.settings, NOW)
    wallet = again.budget.wallets["k"]
    assert wallet.balance == pytest.approx(4.0)
    assert list(wallet.topups) == [(NOW, 5.0)]


def test_a_402_after_money_was_added_is_tried_once_more():
    p = pool(key("k", balance_usd=0.0), price_table=ONE_USD)
    p.top_up("k", 5.0, NOW)
    p.release(lease(p), BillingFailure(), NOW)
    assert until_of(p, "k") == NOW + p.settings.topup_retry_s
    p.release(lease(p, NOW + 31), BillingFailure(), NOW + 31)
    assert until_of(p, "k", NOW + 31) == NOW + 31 + p.settings.billing_s
    p.top_up("k", 5.0, NOW + 40)
    assert reason_of(p, "k", NOW + 40) is None


def test_money_in_use_comes_before_another_accounts():
    p = pool(key("k", balance_usd=9.0), key("l", balance_usd=9.0), price_table=ONE_USD)
    first = serve(p).account_id
    assert {serve(p, NOW + n).account_id for n in range(1, 4)} == {first}
    other = "l" if first == "k" else "k"
    fresh = pool(key("k", balance_usd=9.0), key("l", balance_usd=9.0), price_table=ONE_USD)
    fresh.top_up(other, 1.0, NOW)
    assert serve(fresh).account_id == other


def test_of_rules_that_count_the_same_the_tightest_holds():
    assert tightest((per(5), per(3), per(4, "hour"))) == (per(3), per(4, "hour"))


def test_a_removed_account_leaves_nothing_reserved():
    p = pool("a", "b", limits=(per(1000, "hour", "tokens", provider="*"),))
    lease(p, owner="a")
    p.remove("a", NOW)
    bucket = p.states["b"].purse.own[0]  # type: ignore[union-attr]
    assert (bucket.reserved, list(bucket.owners)) == (0.0, ["b"])


def test_new_settings_change_the_limit_and_keep_the_count():
    p = pool("a", limits=(per(5, account="a"),))
    serve(p)
    serve(p)
    from maxpool.core.commands import reconfigure

    reconfigure(p, PoolSettings(limits=(per(2, account="a"),)), NOW)
    assert reason_of(p, "a") == "bucket_exhausted"
    reconfigure(p, PoolSettings(), NOW)
    assert (reason_of(p, "a"), p.states["a"].purse) == (None, None)


def test_names_that_callers_invent_share_a_bucket_in_the_end():
    p = pool("a", limits=(per(2, model="*"),), max_rate_buckets=3)
    for n in range(3):
        serve(p, model=f"m{n}")
    serve(p, model="m3")
    serve(p, model="m4")
    assert refused(p, model="m5").reason == "bucket_exhausted"
    assert len(p.budget.buckets) == 4
    serve(p, NOW + 61, model="m9")
    assert len(p.budget.buckets) == 1


def test_a_clock_that_is_set_moves_what_was_counted():
    p = pool(account(limits=(per(1),)))
    serve(p)
    p.clock_stepped(-HOUR, NOW - HOUR)
    assert until_of(p, "a", NOW - HOUR) == NOW - HOUR + 60
    p.clock_stepped(5 * HOUR, NOW + 4 * HOUR)
    assert until_of(p, "a", NOW + 4 * HOUR) == NOW + 4 * HOUR + 60


def test_without_limits_nothing_is_kept():
    p = pool("a", key("k"))
    serve(p)
    assert not p.budget.active
    assert (p.budget.buckets, p.states["a"].purse) == ({}, None)


LIMITED = (
    per(4),
    per(9, "hour", rolling=True),
    per(90_000, "hour", "tokens"),
    per(6, "day", "usd"),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.sampled_from([0, 500, 20_000])),
            st.tuples(st.just("end"), st.integers(0, 3)),
            st.tuples(st.just("pass"), st.sampled_from([1, 30, 61, 1800, 90_000])),
            st.tuples(st.just("step"), st.sampled_from([-7200, -90, 90, 7200])),
            st.tuples(st.just("restart"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_any_sequence_keeps_counts_within_the_truth(steps):
    """Every call of the true last window is counted, nothing goes below zero, nothing leaks."""
    kept = key("k", limits=LIMITED, balance_usd=40.0)
    p = pool(kept, price_table=ONE_USD, key_price="always")
    now, running, calls = NOW, list[Lease](), list[float]()
    ends = (Success(USED), Success(TokenUsage(input=7)), TransientFailure(500), Cut(TokenUsage()))
    for what, size in steps:
        if what == "ask":
            found = p.acquire(ask(input_tokens=size, max_wait_s=0.0), now)
            if isinstance(found, Lease):
                running.append(found)
                calls.append(now)
        elif what == "end" and running:
            p.release(running.pop(0), ends[size], now)
        elif what == "pass":
            now += size
        elif what == "step":
            now += size
            calls = [at + size for at in calls]
            p.clock_stepped(size, now)
        elif what == "restart":
            p = Pool.restore(json.loads(json.dumps(p.snapshot(now))), [kept], p.settings, now)
            running.clear()
        purse = p.states["k"].purse
        assert purse is not None
        assert purse.own[1].count(now) >= sum(at > now - HOUR for at in calls)
        assert sum(at > now - HOUR for at in calls) <= 9
        assert sum(at // 60 == now // 60 for at in calls) <= 4
        for bucket in purse.own:
            assert bucket.running >= 0 <= bucket.reserved
            assert running or bucket.reserved == 0.0
            assert bucket.count(now) >= 0.0
        assert purse.wallet is not None
        assert running or purse.wallet.reserved == 0.0


@pytest.mark.parametrize("amount", ["usd", "requests"])
def test_an_accounts_limit_for_one_client_key_holds_back_no_other(amount):  # Q1
    rules = (per(1, "day", amount, account="k", client_key="ci"),)
    p = pool(key("k"), price_table=ONE_USD, limits=rules, key_price="always")
    serve(p, client_key="ci")
    waits = p.acquire(ask(None, client_key="ci", max_wait_s=2 * DAY), NOW)
    assert isinstance(waits, Wait)
    assert refused(p, client_key="ci").counts
    assert lease(p, client_key="other").account_id == "k"
