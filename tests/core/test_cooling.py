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
from tests.core.routed import asking, granted, named, provider, routed_pool
from tests.make import HOUR, MODEL, NOW, account, pool


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
