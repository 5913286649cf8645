"""The pool's contract and the S claims about choosing, benching, exclusion and refusals."""

from __future__ import annotations

import copy
import json

import pytest

from maxpool import (
    AccountClosed,
    AuthFinal,
    AuthRejected,
    BillingFailure,
    Burst,
    ClientGone,
    Command,
    CredentialChange,
    FamilyQuotaExceeded,
    Forbidden,
    Garbage,
    Internal,
    Lease,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    Pool,
    PoolSettings,
    QuotaExceeded,
    RateLimited,
    Reading,
    Refusal,
    RequestRejected,
    SpendLimited,
    Success,
    TokenUsage,
    TransientFailure,
    UsageReport,
    Wait,
)
from maxpool.core.commands import reconfigure
from maxpool.core.health import HealthState
from tests.make import (
    DAY,
    HOUR,
    MODEL,
    NOW,
    account,
    ask,
    key,
    lease,
    pool,
    reason_of,
    state_of,
    unified,
    until_of,
)


def test_a_full_account_that_is_still_allowed_is_not_benched():  # S1
    p = pool("a")
    p.observe("a", unified(five=1.0, seven=1.02), NOW)
    assert state_of(p, "a") == "ready"
    assert isinstance(p.acquire(ask(), NOW), Lease)


def test_a_rejection_benches_only_the_window_it_names_until_that_reset():  # S1
    p = pool("a")
    headers = unified(
        status="rejected", claim="five_hour", five=1.0, seven=0.4, five_reset=NOW + HOUR
    )
    p.observe("a", headers, NOW, status=429)
    assert (reason_of(p, "a"), until_of(p, "a")) == ("quota", NOW + HOUR)
    assert state_of(p, "a", NOW + HOUR) == "ready"


def test_a_rejection_without_a_claim_and_with_room_left_benches_only_the_model_family():  # S2
    p = pool("a")
    taken = lease(p, model="claude-opus-5-5")
    headers = unified(status="rejected", five=0.2, seven=0.3, reset=NOW + DAY)
    p.observe("a", headers, NOW, lease=taken, status=429)
    p.release(taken, FamilyQuotaExceeded("opus", NOW + DAY), NOW)
    assert isinstance(p.acquire(ask(model="claude-opus-5-5"), NOW), Refusal)
    assert isinstance(p.acquire(ask(model="claude-sonnet-4-5"), NOW), Lease)


def test_a_family_bench_from_a_429_outlives_a_lagging_probe():  # S3
    p = pool("a")
    taken = lease(p, model="claude-opus-5-5")
    headers = unified(
        status="rejected", claim="seven_day_opus", five=0.2, seven=0.3, reset=NOW + DAY
    )
    p.observe("a", headers, NOW, lease=taken, status=429)
    p.learn("a", UsageReport((Reading("7d:opus", 0.4, NOW + DAY),)), NOW + 60)
    found = p.acquire(ask(model="claude-opus-5-5"), NOW + 61)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == ("family_quota", NOW + DAY)


@pytest.mark.parametrize(("used", "state"), [(0.985, "ready"), (0.999, "benched")])
def test_only_a_really_full_window_is_benched_by_its_number(used, state):  # S4
    p = pool("a")
    headers = unified(five=used, seven=0.5)
    del headers["anthropic-ratelimit-unified-status"]
    p.observe("a", headers, NOW)
    assert state_of(p, "a") == state


def test_a_family_window_is_never_benched_by_its_number_alone():  # S4
    p = pool("a")
    p.learn("a", UsageReport((Reading("7d:opus", 1.0, NOW + DAY),)), NOW)
    assert isinstance(p.acquire(ask(model="claude-opus-5-5"), NOW), Lease)


def test_pace_makes_an_account_dearer_but_never_unavailable():  # S5
    p = pool("ahead", "even")
    p.observe("ahead", unified(seven=0.8, seven_reset=NOW + 6 * DAY), NOW)
    p.observe("even", unified(seven=0.2, seven_reset=NOW + 6 * DAY), NOW)
    assert lease(p).account_id == "even"
    assert isinstance(p.acquire(ask(), NOW, exclude=frozenset({"even"})), Lease)


def test_an_unknown_account_counts_as_the_median_of_its_plan():  # S6
    p = pool("low", "unknown", "high")
    p.observe("low", unified(seven=0.1, seven_reset=NOW + 3.5 * DAY), NOW)
    p.observe("high", unified(seven=0.9, seven_reset=NOW + 3.5 * DAY), NOW)
    p.observe("unknown", {}, NOW)
    order: list[str] = []
    for _ in range(3):
        taken = p.acquire(ask(), NOW, exclude=frozenset(order))
        assert isinstance(taken, Lease)
        order.append(taken.account_id)
    assert order == ["low", "unknown", "high"] or order == ["low", "high", "unknown"]
    assert order[0] == "low"


def test_an_unknown_account_is_neither_preferred_nor_avoided():  # S6
    p = pool("a", "b", "c")
    for name in ("a", "b"):
        p.observe(name, unified(seven=0.5, seven_reset=NOW + 3.5 * DAY), NOW)
    chosen = []
    for _ in range(6):
        taken = lease(p)
        p.release(taken, Success(), NOW)
        chosen.append(taken.account_id)
    assert sorted(chosen) == ["a", "a", "b", "b", "c", "c"]


def test_six_parallel_large_requests_go_to_the_account_with_most_left():  # S7
    p = pool("ten", "ninety", "nearly")
    for name, used in (("ten", 0.10), ("ninety", 0.93), ("nearly", 0.97)):
        p.observe(name, unified(seven=used, seven_reset=NOW + DAY), NOW)
    chosen = [lease(p, input_tokens=300_000).account_id for _ in range(6)]
    assert chosen == ["ten"] * 6


def test_slots_are_counted_not_tokens():  # S7
    p = pool(account("a", slots=2), account("b", slots=2))
    for _ in range(4):
        lease(p, input_tokens=1_000_000)
    found = p.acquire(ask(input_tokens=1), NOW)
    assert isinstance(found, Wait)
    assert found.reason == "slots_full"


def test_six_turns_of_one_session_stay_on_one_account():  # S9
    p = pool("a", "b", "c")
    homes = set()
    for turn in range(6):
        now = NOW + 20 * turn
        taken = lease(p, now, "s", input_tokens=20_000 + 2_000 * turn)
        homes.add(taken.account_id)
        p.release(taken, Success(TokenUsage(100, 500, 19_000, 1_000, 0)), now + 10)
        other = lease(p, now)  # other work in between
        p.release(other, Success(), now)
    assert len(homes) == 1


def test_an_account_may_be_removed_while_its_lease_runs():  # S12
    p = pool("a", "b")
    taken = lease(p, session="s")
    p.remove(taken.account_id, NOW)
    p.release(taken, TransientFailure(500), NOW)
    other = "b" if taken.account_id == "a" else "a"
    assert lease(p, session="s").account_id == other
    assert p.view(NOW).accounts[0].failures == 0


def test_an_account_that_comes_back_under_its_name_inherits_no_exclusion():  # S12
    p = pool("a", "b")
    p.remove("a", NOW)
    p.add(account("a2", name="a"), NOW)
    taken = p.acquire(ask(), NOW, exclude=frozenset({"a", "b"}))
    assert isinstance(taken, Lease)
    assert taken.account_id == "a2"


def test_renaming_and_disabling_leave_running_leases_alone():  # S12
    p = pool("a", "b")
    taken = lease(p)
    renamed = account(taken.account_id, name="new name", enabled=False)
    p.update(renamed, NOW)
    assert state_of(p, taken.account_id) == "disabled"
    p.release(taken, Success(), NOW)
    assert all(a.in_flight == 0 for a in p.view(NOW).accounts)


@pytest.mark.parametrize("first_s", [10.0, 300.0])
def test_a_second_shorter_cooldown_never_shortens_the_first(first_s):  # S14
    p = pool("a", "b")
    first = lease(p, exclude=frozenset({"b"}))
    second = lease(p, exclude=frozenset({"b"}))
    p.release(first, QuotaExceeded("5h", NOW + first_s + 50), NOW)
    p.release(second, QuotaExceeded("5h", NOW + 1), NOW)
    assert until_of(p, "a") == NOW + first_s + 50


def test_the_first_trip_lasts_the_initial_cooldown_and_the_next_twice_it():  # S15
    p = pool("a", "b")
    only_a = frozenset({"b"})
    for _ in range(3):
        p.release(lease(p, exclude=only_a), TransientFailure(500), NOW)
    assert until_of(p, "a") == NOW + 30
    probe = lease(p, NOW + 30, exclude=only_a)
    p.release(probe, TransientFailure(500), NOW + 31)
    assert until_of(p, "a", NOW + 31) == NOW + 31 + 60


def test_a_half_open_breaker_admits_exactly_one_probe_and_hands_a_lost_one_on():  # S15
    p = pool("a", "b")
    only_a = frozenset({"b"})
    for _ in range(3):
        p.release(lease(p, exclude=only_a), TransientFailure(500), NOW)
    probe = lease(p, NOW + 30, exclude=only_a)
    held = p.acquire(ask(), NOW + 30, exclude=only_a)
    assert isinstance(held, Wait)
    assert held.reason == "trial"
    p.release(probe, ClientGone(), NOW + 31)
    again = p.acquire(ask(), NOW + 31, exclude=only_a, ticket=held.ticket)
    assert isinstance(again, Lease)


def test_a_late_answer_of_an_older_request_closes_no_breaker():  # S15
    p = pool("a", "b")
    only_a = frozenset({"b"})
    old = lease(p, exclude=only_a)
    for _ in range(3):
        p.release(lease(p, exclude=only_a), TransientFailure(500), NOW)
    probe = lease(p, NOW + 30, exclude=only_a)
    p.release(old, Success(), NOW + 31)
    assert state_of(p, "a", NOW + 31) == "cooling"
    p.release(probe, Success(), NOW + 32)
    assert p.states["a"].health.state is HealthState.READY


def test_a_reset_in_the_past_clears_utilization_without_a_request():  # S16
    p = pool("a")
    p.observe(
        "a", unified(status="rejected", claim="five_hour", five=1.0, five_reset=NOW + 60), NOW
    )
    assert state_of(p, "a") == "benched"
    (window,) = p.view(NOW + 61).accounts[0].windows
    assert (window.utilization, state_of(p, "a", NOW + 61)) == (0.0, "ready")


@pytest.mark.parametrize("value", ["", "null", "NaN", "1e400", "-1", "inf", "lots"])
def test_broken_numbers_never_read_as_free(value):  # S17
    p = pool("a", "b")
    headers = unified(five=0.5, seven=0.9)
    p.observe("a", headers, NOW)
    headers["anthropic-ratelimit-unified-7d-utilization"] = value
    p.observe("a", headers, NOW + 1)
    week = next(w for w in p.view(NOW + 1).accounts[0].windows if w.window == "7d")
    assert week.utilization == 0.9


def test_of_two_readings_in_one_answer_the_worse_one_counts():  # S17
    p = pool("a")
    headers = unified(five=0.2)
    headers["anthropic-ratelimit-unified-5h-utilization"] = "0.2, 0.8"
    p.observe("a", headers, NOW)
    assert p.view(NOW).accounts[0].windows[0].utilization == 0.8


def test_when_all_is_closed_the_refusal_names_the_soonest_real_recovery():  # S20
    p = pool("week", "hours", account("off", enabled=False), "dead", queue_max_wait_s=60)
    p.release(
        lease(p, exclude=frozenset({"hours", "dead"})), QuotaExceeded("7d", NOW + 5 * DAY), NOW
    )
    p.release(lease(p, exclude=frozenset({"week", "dead"})), QuotaExceeded("5h", NOW + HOUR), NOW)
    p.release(lease(p, exclude=frozenset({"week", "hours"})), AuthFinal("revoked"), NOW)
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == ("quota", NOW + HOUR)
    assert found.counts == {"quota": 2, "disabled": 1, "locked_out": 1}


def test_an_account_closed_twice_over_recovers_only_when_both_have_ended():  # S20
    p = pool("a", queue_max_wait_s=60)
    one, two = lease(p), lease(p)
    p.release(one, QuotaExceeded("5h", NOW + HOUR), NOW)
    p.release(two, QuotaExceeded("7d", NOW + 2 * DAY), NOW)
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Refusal)
    assert found.retry_at == NOW + 2 * DAY


def test_dead_and_disabled_accounts_contribute_no_time():  # S20
    p = pool("dead", account("off", enabled=False))
    p.release(lease(p), AuthRejected(), NOW)
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == ("locked_out", None)


def test_reading_state_changes_nothing():  # S21
    p = pool("a", "b", key("k"))
    p.observe("a", unified(five=0.4, seven=0.2), NOW)
    p.release(lease(p, session="s"), TransientFailure(500), NOW)
    lease(p, session="t")
    before = json.dumps(p.snapshot(NOW + 9), sort_keys=True)
    for _ in range(3):
        p.view(NOW + 7 * DAY), p.due(NOW + 7 * DAY), p.next_wake(NOW + 9), p.snapshot(NOW + 9)
    assert json.dumps(p.snapshot(NOW + 9), sort_keys=True) == before


def test_an_account_counts_as_available_only_when_enabled():  # S23
    p = pool("a", account("off", enabled=False))
    states = [a.state for a in p.view(NOW).accounts if a.enabled]
    assert states == ["ready"]


def test_an_internal_exception_never_changes_an_account():  # S24
    p = pool("a")
    before = copy.deepcopy(p.snapshot(NOW)["accounts"])
    p.release(lease(p), Internal(), NOW)
    assert p.snapshot(NOW)["accounts"] == before


@pytest.mark.parametrize(
    ("outcome", "reason", "until"),
    [
        (QuotaExceeded("5h", NOW + 99), "quota", NOW + 99),
        (RateLimited(NOW + 40), "rate_limited", NOW + 40),
        (SpendLimited(), "spend_limit", NOW + 3600),
        (Burst(2.0, "f"), None, None),
        (AuthRejected(), "locked_out", None),
        (AuthFinal("revoked"), "locked_out", None),
        (Forbidden(), "forbidden", NOW + 300),
        (AccountClosed("on hold"), "closed", None),
        (BillingFailure(), "billing", NOW + 900),
        (NetworkFailure("reset"), "network", NOW + 5),
        (TransientFailure(500), None, None),
        (Garbage("html"), None, None),
        (RequestRejected(400), None, None),
        (ClientGone(), None, None),
        (Success(), None, None),
    ],
)
def test_each_outcome_has_its_own_effect_on_the_account(outcome, reason, until):
    p = pool("a")
    p.release(lease(p), outcome, NOW)
    assert (reason_of(p, "a"), until_of(p, "a")) == (reason, until)


def test_a_burst_on_one_of_two_sets_it_aside_provisionally():
    p = pool("a", "b")
    taken = lease(p)
    p.release(taken, Burst(120.0, "f"), NOW)
    assert until_of(p, taken.account_id) == NOW + 30


def test_an_overload_and_a_missing_model_bench_only_that_model():
    for outcome in (Overloaded(MODEL, "f"), ModelMissing(MODEL)):
        p = pool("a", "b")
        taken = lease(p)
        p.release(taken, outcome, NOW)
        other = lease(p)
        assert other.account_id != taken.account_id
        assert reason_of(p, taken.account_id) is None
        only = frozenset({other.account_id})
        assert isinstance(p.acquire(ask(model="claude-haiku-4-5"), NOW, exclude=only), Lease)


def test_one_failing_request_benches_one_account():  # R8
    p = pool("a", "b", "c")
    p.release(lease(p), Burst(30.0, "f"), NOW)
    assert [a.state for a in p.view(NOW).accounts].count("ready") == 2


def test_network_trouble_costs_five_flat_seconds_and_blames_nobody():  # R10
    p = pool("a")
    for at in (NOW, NOW + 10, NOW + 20, NOW + 30):
        p.release(lease(p, at), NetworkFailure("refused"), at)
        assert until_of(p, "a", at) == at + 5
    assert p.view(NOW + 30).accounts[0].failures == 0


def test_a_lease_ends_exactly_once():  # R12
    p = pool("a")
    taken = lease(p)
    p.release(taken, Success(), NOW)
    p.release(taken, QuotaExceeded("7d", NOW + DAY), NOW)
    view = p.view(NOW)
    assert (view.accounts[0].in_flight, view.accounts[0].state, view.in_flight) == (0, "ready", 0)


def test_priority_comes_before_cost():
    p = pool(account("cheap", priority=1), account("first", priority=0))
    p.observe("first", unified(seven=0.95, seven_reset=NOW + 6 * DAY), NOW)
    assert lease(p).account_id == "first"


def test_caps_and_reserves_are_the_owners_and_end_with_the_window():
    p = pool(account("a", caps={"5h": 0.5}), account("b", reserve={"7d": 0.2}), queue_max_wait_s=1)
    p.observe("a", unified(five=0.5, five_reset=NOW + HOUR), NOW)
    p.observe("b", unified(seven=0.8, seven_reset=NOW + DAY), NOW)
    assert (reason_of(p, "a"), reason_of(p, "b")) == ("cap", "reserve")
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Refusal)
    assert found.retry_at == NOW + HOUR


def test_an_emergency_opens_the_reserve_only_when_all_else_is_closed():
    p = pool(account("a", reserve={"7d": 0.2}, emergency=True), "b")
    p.observe("a", unified(seven=0.85, seven_reset=NOW + DAY), NOW)
    assert lease(p).account_id == "b"
    p.command(Command("disable", "b"), NOW)
    assert lease(p).account_id == "a"


def test_a_key_serves_only_when_a_plan_would_make_the_request_wait_too_long():
    p = pool("plan", key("k"))
    assert lease(p).account_id == "plan"
    p.release(lease(p), QuotaExceeded("5h", NOW + 10), NOW)
    waiting = p.acquire(ask(arrived_at=NOW), NOW)
    assert isinstance(waiting, Wait)
    assert (waiting.reason, waiting.until) == ("key_price", NOW + 10)
    served = p.acquire(ask(arrived_at=NOW), NOW + 10, ticket=waiting.ticket)
    assert isinstance(served, Lease)
    assert served.account_id == "plan"
    p.release(served, QuotaExceeded("5h", NOW + HOUR), NOW + 10)
    assert lease(p, NOW + 10).account_id == "k"


def test_a_failover_goes_to_the_key_at_once():
    p = pool("plan", key("k"))
    p.release(lease(p), Overloaded(MODEL, "f"), NOW)
    assert lease(p, exclude=frozenset({"plan"})).account_id == "k"


@pytest.mark.parametrize(("price", "expected"), [("always", "k"), ("never", "plan")])
def test_the_key_price_is_the_owners_choice(price, expected):
    p = pool("plan", key("k"), key_price=price)
    p.observe("plan", unified(seven=0.9, seven_reset=NOW + 6 * DAY), NOW)
    assert lease(p).account_id == expected


def test_a_preferred_account_goes_first_until_it_cannot():
    p = pool("a", "b")
    p.command(Command("prefer", "b"), NOW)
    assert [lease(p).account_id for _ in range(4)] == ["b"] * 4
    p.command(Command("disable", "b"), NOW)
    assert p.view(NOW).preferred is None
    assert lease(p).account_id == "a"


def test_pausing_holds_new_requests_and_resuming_lets_them_go():
    p = pool("a")
    p.command(Command("pause"), NOW)
    held = p.acquire(ask(), NOW)
    assert isinstance(held, Wait)
    p.command(Command("resume"), NOW)
    assert isinstance(p.acquire(ask(), NOW, ticket=held.ticket), Lease)


def test_a_drained_account_takes_nothing_new():
    p = pool("a", "b")
    p.command(Command("drain", "a"), NOW)
    assert {lease(p).account_id for _ in range(4)} == {"b"}
    assert state_of(p, "a") == "draining"


def test_a_401_of_a_request_from_before_a_login_says_nothing_of_the_new_credential():
    p = pool("a")
    old = lease(p)
    p.credential("a", CredentialChange("logged_in"), NOW + 1)
    p.release(old, AuthRejected(), NOW + 2)
    assert state_of(p, "a", NOW + 2) == "ready"
    p.release(lease(p, NOW + 3), AuthRejected(), NOW + 4)
    assert state_of(p, "a", NOW + 4) == "locked_out"


def test_a_trial_ends_with_good_headers_however_long_its_answer_lasts():
    p = pool("a")
    for _ in range(3):
        p.release(lease(p), TransientFailure(500), NOW)
    probe = lease(p, NOW + 30)
    p.observe("a", {}, NOW + 31, lease=probe, status=200)
    assert isinstance(p.acquire(ask(), NOW + 32), Lease)


def test_a_hung_probe_of_a_throttle_holds_nobody_for_long():
    p = pool("a")
    p.release(lease(p), Overloaded(MODEL, "f"), NOW)
    lease(p, NOW + 30)
    held = p.acquire(ask(), NOW + 31)
    assert isinstance(held, Wait)
    assert p.next_wake(NOW + 31) == NOW + 45
    assert isinstance(p.acquire(ask(), NOW + 45, ticket=held.ticket), Lease)


def test_one_providers_throttle_holds_no_other_provider():  # Q1
    p = pool("a", account("b", provider="other"))
    for name, other in (("a", "b"), ("a", "b")):
        taken = lease(p, exclude=frozenset({other}))
        assert taken.account_id == name
        p.release(taken, Burst(3600.0, "f"), NOW)
        break
    assert [pause.scope for pause in p.view(NOW).pauses] == ["anthropic *"]
    assert lease(p, NOW + 60).account_id == "b"


@pytest.mark.parametrize("given", [{"max_wait_s": 0.0}, {"max_wait_s": 5.0}])
def test_a_key_serves_what_would_be_refused_otherwise(given):
    p = pool(account("plan", slots=1), key("k"))
    lease(p)
    assert lease(p, arrived_at=NOW, **given).account_id == "k"


def test_a_key_serves_when_nobody_may_wait_any_more():
    p = pool(account("plan", slots=1), key("k"), queue_limit=0)
    lease(p)
    assert lease(p).account_id == "k"


def test_a_cap_on_a_family_closes_that_family_only():
    p = pool(account("a", caps={"7d:opus": 0.5}))
    p.learn("a", UsageReport((Reading("7d:opus", 0.6, NOW + DAY),)), NOW)
    assert isinstance(p.acquire(ask(model="claude-opus-5-5", max_wait_s=1), NOW), Refusal)
    assert isinstance(p.acquire(ask(), NOW), Lease)


def test_a_reserve_is_not_spent_because_others_are_busy_for_a_moment():
    p = pool(account("kept", reserve={"7d": 0.2}, emergency=True), account("b", slots=1))
    p.observe("kept", unified(seven=0.85, seven_reset=NOW + DAY), NOW)
    p.release(lease(p), Burst(2.0, "f"), NOW)
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Wait)


def test_headers_in_any_case_are_read():
    p = pool("a")
    p.observe("a", {k.title(): v for k, v in unified(five=0.4).items()}, NOW)
    assert p.view(NOW).accounts[0].windows[0].utilization == 0.4


def test_pauses_that_nobody_asks_for_do_not_pile_up():  # S19
    p = pool("a")
    for n in range(300):
        at = NOW + 100 * n
        taken = p.acquire(ask(model=f"m-{n}"), at)
        assert isinstance(taken, Lease)
        p.release(taken, Overloaded(f"m-{n}", "f"), at)
    assert len(p.throttle.pauses) <= 64


def test_a_key_serves_behind_a_waiter_that_only_spares_it():
    p = pool(account("plan", slots=1), key("k"))
    lease(p)
    held = p.acquire(ask(), NOW)
    assert isinstance(held, Wait)
    assert held.reason == "key_price"
    assert lease(p, max_wait_s=5.0).account_id == "k"
    assert lease(p, max_wait_s=0.0).account_id == "k"


def test_a_throttle_ends_by_any_of_its_probes_however_late_its_headers():
    p = pool("a")
    p.release(lease(p), Overloaded(MODEL, "f"), NOW)
    first = lease(p, NOW + 30)
    second = lease(p, NOW + 45)
    p.observe("a", {}, NOW + 50, lease=first, status=200)
    assert p.view(NOW + 50).pauses == ()
    p.release(second, Success(), NOW + 51)
    assert isinstance(p.acquire(ask(), NOW + 51), Lease)


def test_an_account_that_answers_with_garbage_after_its_trial_trips_for_longer():
    p = pool("a", "b")
    only_a = frozenset({"b"})
    for _ in range(3):
        p.release(lease(p, exclude=only_a), Garbage("html"), NOW)
    pauses, at = [], NOW + 30
    for _ in range(3):
        probe = lease(p, at, exclude=only_a)
        p.observe("a", {}, at, lease=probe, status=200)
        p.release(probe, Garbage("html"), at)
        pauses.append((until_of(p, "a", at) or 0.0) - at)
        at = until_of(p, "a", at) or 0.0
    assert pauses == [60, 120, 240]


def test_a_new_setting_is_heard_by_a_pool_in_which_all_is_closed():
    p = pool("a", full_at=0.9, queue_max_wait_s=1)
    headers = unified(five=0.95)
    del headers["anthropic-ratelimit-unified-status"]
    p.observe("a", headers, NOW)
    assert isinstance(p.acquire(ask(), NOW), Refusal)
    reconfigure(p, PoolSettings(full_at=0.999), NOW + 1)
    assert isinstance(p.acquire(ask(), NOW + 2), Lease)


def test_a_reserve_opens_when_others_would_come_back_too_late_for_the_request():
    p = pool(account("kept", reserve={"7d": 0.2}, emergency=True), "b")
    p.observe("kept", unified(seven=0.85, seven_reset=NOW + DAY), NOW)
    p.release(lease(p), QuotaExceeded("5h", NOW + 30), NOW)
    assert isinstance(p.acquire(ask(), NOW), Wait)
    assert lease(p, max_wait_s=5.0).account_id == "kept"


def test_one_accounts_failure_spends_no_reserve():
    p = pool(account("kept", reserve={"7d": 0.2}, emergency=True), "b")
    p.observe("kept", unified(seven=0.85, seven_reset=NOW + DAY), NOW)
    assert not isinstance(p.acquire(ask(), NOW, exclude=frozenset({"b"})), Lease)


def test_a_reset_by_hand_clears_benches_and_a_closed_organisation():
    p = pool("a")
    one, two = lease(p), lease(p)
    p.release(one, QuotaExceeded("7d", NOW + DAY), NOW)
    p.release(two, AccountClosed("on hold"), NOW)
    assert p.command(Command("reset", "a"), NOW)
    assert isinstance(p.acquire(ask(), NOW), Lease)


def test_a_command_that_names_nothing_says_so():
    p = pool("a")
    assert not p.command(Command("enable", "nobody"), NOW)
    assert not p.command(Command("move_session", "a", "no such session"), NOW)


def test_a_new_login_revives_a_locked_account():
    p = pool("a")
    p.release(lease(p), AuthFinal("revoked"), NOW)
    p.credential("a", CredentialChange("logged_in"), NOW)
    assert isinstance(p.acquire(ask(), NOW), Lease)


def test_a_pool_without_accounts_refuses_by_name():
    found = Pool([]).acquire(ask(), NOW)
    assert isinstance(found, Refusal)
    assert found.reason == "no_accounts"


def test_any_header_values_are_legal():
    p = pool("a")
    for value in ("\x00", "💥", "9" * 5000, "-", ",,,", "1e999", "2026-13-45T99:99:99Z"):
        names = ("unified-5h-utilization", "unified-5h-reset", "tokens-reset", "tokens-remaining")
        p.observe("a", {f"anthropic-ratelimit-{n}": value for n in names}, NOW, status=429)
    assert isinstance(p.acquire(ask(), NOW), Lease)
