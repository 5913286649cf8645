"""After a failure: the `then` column of the outcome table."""

from __future__ import annotations

import pytest

from maxpool import (
    AccountClosed,
    AuthFinal,
    AuthRejected,
    BillingFailure,
    Burst,
    ContextExceeded,
    Forbidden,
    Garbage,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    PolicyRefused,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    TransientFailure,
)
from maxpool.service.limits import Limits
from maxpool.service.retry import (
    KEPT_TRIES,
    Failed,
    Then,
    Trail,
    not_there,
    of_own_login,
    surely_unsent,
    then,
)
from maxpool.wire.verdict_provider import FailureClass, Failures
from tests.make import NOW, ask, lease, pool


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        (QuotaExceeded("5h"), Then.NEXT),
        (Burst(), Then.NEXT),
        (Overloaded("m"), Then.SAME),
        (TransientFailure(500), Then.BACKOFF),
        (NetworkFailure(), Then.BACKOFF),
        (AuthRejected(), Then.RENEW),
        (AuthFinal(), Then.NEXT),
        (Forbidden(), Then.NEXT),
        (AccountClosed(), Then.NEXT),
        (BillingFailure(), Then.NEXT),
        (ModelMissing("m"), Then.NEXT),
        (Garbage("html"), Then.NEXT),
        (RequestRejected(400), Then.PASS),
        (RequestRejected(400, retry_other=True), Then.OTHER_ONCE),
    ],
)
def test_each_outcome_has_its_next_step(outcome, step):
    assert then(outcome, Trail(began=0.0), "a") is step


def test_what_was_repeated_once_goes_on():
    trail = Trail(began=0.0, repeated={"a"}, renewed={"a"}, others_asked=True)
    assert then(Overloaded("m"), trail, "a") is Then.NEXT
    assert then(AuthRejected(), trail, "a") is Then.NEXT
    assert then(RequestRejected(400, retry_other=True), trail, "a") is Then.PASS
    assert then(Overloaded("m"), trail, "b") is Then.SAME


def test_sends_and_time_are_bounded():
    limits = Limits()
    assert not Trail(began=0.0, sends=5, trying_s=59.0).spent(limits)
    assert Trail(began=0.0, sends=6).spent(limits)
    assert Trail(began=0.0, sends=2, trying_s=60.0).spent(limits)


def test_a_first_try_that_hung_never_keeps_a_second_one_away():
    assert not Trail(began=0.0, sends=1, trying_s=270.0).spent(Limits())


def test_the_network_budget_runs_from_the_first_network_failure():
    trail = Trail(began=0.0, network_since=100.0)
    assert not trail.network_spent(129.0, Limits())
    assert trail.network_spent(130.0, Limits())
    assert not Trail(began=0.0).network_spent(1e9, Limits())


def test_another_failure_in_between_shows_that_the_network_is_there():
    trail = Trail(began=0.0)
    trail.noted(NetworkFailure("reset"), 100.0)
    trail.noted(NetworkFailure("reset"), 110.0)
    assert trail.network_since == 100.0
    trail.noted(TransientFailure(500), 120.0)
    assert trail.network_since is None


@pytest.mark.parametrize("kind", ["removed", "moved"])
def test_an_account_that_a_reload_took_away_is_no_trouble_of_the_network(kind):
    trail, outcome = Trail(began=0.0), NetworkFailure(kind, sent=False)
    trail.noted(outcome, 100.0)
    assert trail.network_since is None
    assert then(outcome, trail, "a") is Then.NEXT


def test_a_request_that_asks_again_arrived_as_long_ago_whoever_set_the_clock():  # O7
    trail = Trail(began=NOW, since=50.0)
    for stepped in (-3600.0, 0.0, 3600.0):
        again = trail.asking(ask(arrived_at=NOW), NOW + stepped + 7.0, 57.0)
        assert again.arrived_at == NOW + stepped


def test_only_a_failure_before_the_first_byte_is_surely_unsent():
    assert surely_unsent(Failed(NetworkFailure("refused", sent=False)))
    assert not surely_unsent(Failed(NetworkFailure("reset", sent=True)))
    assert not surely_unsent(Failed(TransientFailure(500), 500))


def test_a_refused_bearer_of_its_own_is_the_clients_to_mend():
    sent = Failed(AuthRejected(), 401, ((b"a", b"b"),), b"words")
    assert of_own_login(sent) == Failed(RequestRejected(401), 401, ((b"a", b"b"),), b"words")
    event = of_own_login(Failed(AuthRejected(), 0, (), b"{}"))
    assert (event.status, dict(event.headers)) == (401, {b"content-type": b"application/json"})
    assert of_own_login(Failed(Burst(), 429)) == Failed(Burst(), 429)


def test_who_seeks_goes_on_after_each_that_has_no_such_thing_however_many_there_are():  # R19
    limits, trail = Limits(), Trail(began=0.0, seeks=True)
    assert then(RequestRejected(404), trail, "a") is Then.NEXT
    assert then(RequestRejected(400), trail, "a") is Then.PASS
    assert then(RequestRejected(404), Trail(began=0.0), "a") is Then.PASS
    trail.missing, trail.sends = {f"a{n}" for n in range(9)}, 9 + limits.max_sends - 1
    assert not trail.spent(limits)
    trail.sends += 1
    assert trail.spent(limits)


def test_only_a_404_says_that_it_is_not_there():
    assert not_there(Failed(RequestRejected(404), 404))
    assert not not_there(Failed(RequestRejected(400), 400))
    assert not not_there(Failed(NetworkFailure(), 0))


# -- other vendors -------------------------------------------------------------------------------


def test_a_failure_of_a_vendor_that_may_pass_is_tried_three_times_there():
    trail = Trail(began=0.0)
    for _ in range(2):
        assert then(TransientFailure(500), trail, "v", Failures()) is Then.AGAIN
        trail.again_span("v", Limits())
    assert then(Garbage("empty"), trail, "v", Failures()) is Then.NEXT
    assert then(Garbage("empty"), trail, "w", Failures()) is Then.AGAIN


def test_the_pauses_between_them_grow():
    trail = Trail(began=0.0)
    spans = [trail.again_span("v", Limits()) for _ in range(3)]
    assert spans == [(0.25, 1.0), (0.25, 3.0), (0.25, 3.0)]


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        (RateLimited(), Then.NEXT),
        (Overloaded("m"), Then.NEXT),
        (AuthRejected(), Then.RENEW),
        (ContextExceeded(400), Then.LARGER),
        (PolicyRefused(400), Then.PASS),
        (RequestRejected(400), Then.PASS),
        (NetworkFailure("refused", sent=False), Then.NEXT),
        (NetworkFailure("timeout", sent=True), Then.AGAIN),
    ],
)
def test_each_failure_of_a_vendor_has_its_next_step(outcome, step):  # P3, P7
    assert then(outcome, Trail(began=0.0), "v", Failures()) is step


def test_an_owner_may_say_otherwise():
    odd = Failures(actions={FailureClass.QUOTA: "pass", FailureClass.REQUEST: "again"})
    assert then(RateLimited(), Trail(began=0.0), "v", odd) is Then.PASS
    assert then(RequestRejected(400), Trail(began=0.0), "v", odd) is Then.AGAIN


def test_what_is_too_long_may_go_to_a_larger_model_and_what_is_forbidden_nowhere():  # P3, P7
    assert then(ContextExceeded(400), Trail(began=0.0), "a") is Then.LARGER
    assert then(PolicyRefused(400), Trail(began=0.0), "a") is Then.PASS


def test_a_vendor_that_has_spoken_is_not_asked_twice_in_one_request():
    trail, p = Trail(began=0.0, tried={"a"}), pool("a")
    for outcome, dead in ((TransientFailure(500), False), (BillingFailure(), True)):
        trail.met(lease(p), Failed(outcome, 500), Failures())
        assert ("a" in trail.dead) is dead
    assert [one.reason for one in trail.tries] == ["transient_failure", "billing_failure"]


def test_a_vendor_that_failed_three_times_is_left_alone_for_the_rest_of_the_request():
    trail, p = Trail(began=0.0, again={"a": 3}, tried={"a"}), pool("a")
    for outcome, dead in ((NetworkFailure("refused", sent=False), False), (Garbage("html"), True)):
        trail.met(lease(p), Failed(outcome), Failures())
        assert ("a" in trail.dead) is dead


def test_tries_that_are_told_of_are_bounded():
    trail, p = Trail(began=0.0), pool("a")
    for _ in range(40):
        trail.met(lease(p), Failed(NetworkFailure("refused", sent=False)), None)
    assert len(trail.tries) == KEPT_TRIES
