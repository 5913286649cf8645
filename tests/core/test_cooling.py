"""When everybody who could serve only cools."""

from __future__ import annotations

import pytest

from maxpool import (
    AuthRejected,
    Burst,
    Lease,
    LeaseRequest,
    NetworkFailure,
    QuotaExceeded,
    Refusal,
    TransientFailure,
    Wait,
)
from maxpool.core.reasons import Reason
from tests.core.routed import asking, granted, named, provider, routed_pool
from tests.make import HOUR, MODEL, NOW, account, key, pool


def failed(it, account_id, outcome, times=1, model=MODEL):
    others = frozenset(it.states) - {account_id}
    for _ in range(times):
        lease = granted(it, LeaseRequest(model), NOW, exclude=others)
        assert isinstance(lease, Lease), lease
        it.release(lease, outcome, NOW)


def test_usually_they_are_waited_for():  # P5
    it = pool("a", "b")
    failed(it, "a", Burst(20.0))
    failed(it, "b", NetworkFailure())
    wait = it.acquire(LeaseRequest(MODEL), NOW)
    assert isinstance(wait, Wait)
    assert wait.until == NOW + 5.0


def test_the_one_that_recovers_first_serves_all_the_same_if_its_owner_says_so():  # P5
    it = pool("a", "b", when_all_cooling="earliest")
    failed(it, "a", Burst(20.0))
    failed(it, "b", NetworkFailure())
    assert granted(it, LeaseRequest(MODEL), NOW).account_id == "b"
    assert granted(it, LeaseRequest(MODEL), NOW, exclude=frozenset("b")).account_id == "a"


def test_an_open_breaker_may_be_tried_once():
    it = pool("a", when_all_cooling="earliest")
    failed(it, "a", TransientFailure(500), times=3)
    assert isinstance(it.acquire(LeaseRequest(MODEL), NOW), Lease)
    assert isinstance(it.acquire(LeaseRequest(MODEL), NOW), Wait)  # for what that one tells


@pytest.mark.parametrize("outcome", [QuotaExceeded("5h", NOW + HOUR), AuthRejected()])
def test_quota_and_logins_are_nothing_to_try(outcome):
    it = pool("a", when_all_cooling="earliest")
    failed(it, "a", outcome)
    assert not isinstance(it.acquire(LeaseRequest(MODEL), NOW), Lease)


def test_who_asks_not_to_wait_is_refused_at_once_with_the_time():  # P5
    it = pool("a", "b", when_all_cooling="refuse")
    failed(it, "a", TransientFailure(500), times=3)
    failed(it, "b", Burst(12.0))
    found = it.acquire(LeaseRequest(MODEL, max_wait_s=HOUR), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.detail, found.retry_at) == ("cooldown", "provisional", NOW + 12.0)


def test_quota_is_waited_for_even_then():
    it = pool("a", when_all_cooling="refuse")
    failed(it, "a", QuotaExceeded("5h", NOW + HOUR))
    assert isinstance(it.acquire(LeaseRequest(MODEL, max_wait_s=2 * HOUR), NOW), Wait)


def test_of_a_routes_targets_the_first_to_recover_serves():  # P5
    it = routed_pool(provider("x", "m"), provider("y", "n"), when_all_cooling="earliest")
    failed(it, "x", Burst(20.0), model="m")
    failed(it, "y", NetworkFailure(), model="n")
    lease = granted(it, asking(named(it, "x/m", "y/n")), NOW)
    assert (lease.account_id, lease.model, lease.decision.target) == ("y", "n", "y/n")


def test_an_account_that_can_serve_comes_before_any_that_cools():
    it = pool(account("a"), account("b", priority=9), when_all_cooling="earliest")
    failed(it, "a", NetworkFailure())
    assert granted(it, LeaseRequest(MODEL), NOW).account_id == "b"


def cooling(it, **until_s):
    """Each of these accounts cools so long."""
    for name, seconds in until_s.items():
        it.states[name].cooldowns[Reason.COOLDOWN] = NOW + seconds
        it.changed(name, NOW)
    return it


@pytest.mark.parametrize("cross", ["never", "when-exhausted"])
def test_another_vendors_account_that_recovers_sooner_comes_after_those_of_the_models_own(cross):
    it = routed_pool(
        account("max"),
        provider("groq", MODEL),
        when_all_cooling="earliest",
        cross_provider=cross,
        cross_after_s=0.0,
    )
    cooling(it, max=20.0, groq=3.0)
    asked = LeaseRequest(MODEL, max_wait_s=0.0)
    assert it.explain(asked, NOW).chosen == "max"
    assert granted(it, asked, NOW).account_id == "max"
    other = it.acquire(asked, NOW, exclude=frozenset({"max"}))
    assert isinstance(other, Refusal if cross == "never" else Lease)


@pytest.mark.parametrize("price", ["never", "after"])
def test_an_account_that_costs_money_is_not_tried_where_a_plan_only_cools(price):
    it = pool("a", key("k"), when_all_cooling="earliest", key_price=price)
    cooling(it, a=20.0, k=3.0)
    assert granted(it, LeaseRequest(MODEL), NOW).account_id == "a"


def test_where_money_must_not_be_spent_nobody_is_tried_in_a_plans_place():
    it = pool("a", key("k"), when_all_cooling="earliest", key_price="never")
    failed(it, "a", QuotaExceeded("5h", NOW + HOUR))
    cooling(it, k=3.0)
    assert not isinstance(it.acquire(LeaseRequest(MODEL), NOW), Lease)
