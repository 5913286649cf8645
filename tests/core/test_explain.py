"""Explaining is a dry run of the choice over every account, and changes nothing."""

from __future__ import annotations

import pickle

import pytest

from maxpool import Lease, QuotaExceeded, Success, TokenUsage, Wait
from maxpool.core.needs import UNSIGNED_THINKING
from maxpool.core.prices_table import Price, PriceTable, Rates
from maxpool.core.ratebuckets import Period, Rule
from maxpool.core.strategy import STRATEGIES
from tests.make import DAY, HOUR, MODEL, NOW, account, ask, key, lease, pool, unified


def mixed(**settings):
    """Six accounts: four that may serve, one closed, one that never may."""
    p = pool(
        "a",
        account("b", plan="max_5x"),
        account("c", plan="pro", priority=1),
        "full",
        account("other", serves=frozenset({"claude-code"})),
        key("k"),
        **settings,
    )
    p.observe("a", unified(seven=0.4), NOW)
    p.observe("b", unified(seven=0.1), NOW)
    p.release(lease(p, exclude=frozenset("abck")), QuotaExceeded("7d", NOW + DAY), NOW)
    return p


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_an_explanation_names_every_account_and_chooses_what_acquire_would(strategy):
    p = mixed(strategy=strategy)
    for i in range(12):
        asked = ask(f"s{i % 3}")
        told = p.explain(asked, NOW + i)
        found = p.acquire(asked, NOW + i)
        assert isinstance(found, Lease)
        assert told.chosen == found.account_id
        known = [c.account_id for c in told.candidates] + [u[0] for u in told.unavailable]
        assert sorted(known) == sorted(p.states)
        mine = next(c for c in found.decision.candidates if c.account_id == told.chosen)
        assert mine == next(c for c in told.candidates if c.account_id == told.chosen)
        if i % 2:
            p.release(found, Success(TokenUsage(5, 300, 9_000, 11_000)), NOW + i + 0.5)


def test_each_account_that_cannot_serve_has_its_reason_and_its_end():
    told = mixed().explain(ask(), NOW)
    reasons = {name: (reason.value, until) for name, reason, until in told.unavailable}
    assert reasons == {"full": ("quota", NOW + DAY), "other": ("program", None)}
    assert told.counts == {"quota": 1, "program": 1}


def test_homes_are_weighed_by_the_same_costs_when_a_client_asks_where_to_start():
    p = pool("a", account("full", kind="home"), account("free", kind="home"))
    p.observe("full", unified(five=0.1, seven=0.9), NOW)
    p.observe("free", unified(five=0.1, seven=0.1), NOW)
    told = p.explain(ask(home=True), NOW)
    assert [c.account_id for c in told.candidates] == ["free", "full"]
    assert told.unavailable == (("a", "home", None),)


def test_explaining_changes_nothing():  # S21
    p = mixed()
    running = lease(p, NOW, "s")
    before = pickle.dumps((p.states, p.bindings, p.index.lanes, p.index.alarms, p.queue.waiters))
    for at in (NOW, NOW + 6 * HOUR, NOW + 9 * DAY):
        p.explain(ask("s"), at)
        p.explain(ask("new"), at, exclude=frozenset({running.account_id}))
    after = pickle.dumps((p.states, p.bindings, p.index.lanes, p.index.alarms, p.queue.waiters))
    assert after == before


def test_where_nobody_can_serve_it_says_what_it_would_wait_for():
    p = pool("a", "b")
    for name, until in (("a", NOW + HOUR), ("b", NOW + 2 * HOUR)):
        p.release(lease(p, exclude=frozenset("ab") - {name}), QuotaExceeded("5h", until), NOW)
    told = p.explain(ask(), NOW)
    assert (told.chosen, told.candidates) == (None, ())
    assert told.waits_for is not None
    assert (told.waits_for.reason.value, told.waits_for.until) == ("quota", NOW + HOUR)


def test_a_key_that_is_held_back_is_a_candidate_and_not_chosen():
    p = pool(account("a"), key("k"), key_price_after_s=20.0)
    p.release(lease(p, exclude=frozenset("k")), QuotaExceeded("5h", NOW + 5), NOW)
    told = p.explain(ask(arrived_at=NOW), NOW)
    assert [c.account_id for c in told.candidates] == ["k"]
    assert told.chosen is None
    assert told.waits_for is not None
    assert told.waits_for.reason.value == "key_price"
    assert isinstance(p.acquire(ask(arrived_at=NOW), NOW), Wait)


def test_a_move_is_priced_before_it_happens():
    p = pool("a", "b")
    first = lease(p, NOW, "s")
    p.release(first, Success(TokenUsage(3, 50, 0, 40_000)), NOW + 1)
    told = p.explain(ask("s"), NOW + 2, exclude=frozenset({first.account_id}))
    assert told.lost_tokens == 40_003
    assert told.move_cost > 0.0


def test_it_knows_the_ramp_of_an_account_that_comes_back_right_now():
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + HOUR), NOW)
    back = NOW + HOUR
    for _ in range(12):
        told = p.explain(ask(), back)
        found = p.acquire(ask(), back)
        assert told.chosen == (found.account_id if isinstance(found, Lease) else None)
    told = p.explain(ask(), back)
    assert told.waits_for is not None
    assert told.waits_for.reason.value == "slots_full"


def test_it_says_why_a_session_would_move():
    p = pool("a", "b")
    first = lease(p, NOW, "s")
    p.release(first, Success(TokenUsage(3, 50, 0, 40_000)), NOW + 1)
    told = p.explain(ask("s"), NOW + 2, exclude=frozenset({first.account_id}))
    assert told.rebind == "need"
    assert p.explain(ask("s"), NOW + 2).rebind is None


def test_money_that_is_spent_is_known_to_an_explanation():
    daily = (Rule("usd", 1.0, Period("day")),)
    dear = PriceTable("2026-01-01", {"anthropic": {MODEL: Price(Rates(50, 50, 50, 50, 50))}})
    p = pool(key("k"), price_table=dear, limits=daily, key_price="always")
    p.release(lease(p), Success(TokenUsage(input=20_000)), NOW)
    told = p.explain(ask(), NOW)
    assert told.chosen is None
    assert told.unavailable[0][1] == "budget"


def test_who_waits_for_a_client_keys_own_limit_stands_before_nobody_else_in_an_explanation():
    p = pool("a", limits=(Rule("requests", 1.0, Period("hour"), account="a", client_key="ci"),))
    p.release(lease(p, client_key="ci"), Success(), NOW)
    assert isinstance(p.acquire(ask(client_key="ci", max_wait_s=DAY), NOW), Wait)
    assert p.explain(ask(client_key="other"), NOW).chosen == "a"


def test_what_is_left_to_the_api_to_judge_is_chosen_in_an_explanation_too():
    unsigned = frozenset({UNSIGNED_THINKING})
    p, asked = pool(account("a", lacks=unsigned)), ask("s", needs=unsigned)
    told = p.explain(asked, NOW)
    assert (told.chosen, told.request) == ("a", asked)
    assert lease(p, session="s", needs=unsigned).account_id == "a"


def test_a_limit_of_the_whole_pool_holds_back_an_explanation_as_it_does_the_request():
    p = pool("a", limits=(Rule("requests", 1.0, Period("hour"), rolling=True),))
    p.release(lease(p), Success(), NOW)
    told, waits = p.explain(ask(max_wait_s=DAY), NOW), p.acquire(ask(max_wait_s=DAY), NOW)
    assert isinstance(waits, Wait)
    assert told.chosen is None
    assert told.waits_for is not None
    assert (told.waits_for.reason, told.waits_for.until) == (waits.reason, waits.until)
