"""What each outcome does to an account, and which failures are nobody's fault."""

from __future__ import annotations

import json

import pytest

from maxpool import (
    Burst,
    Command,
    Cut,
    FamilyQuotaExceeded,
    Forbidden,
    Lease,
    ModelMissing,
    Overloaded,
    Pool,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SpendLimited,
    Success,
    TransientFailure,
)
from maxpool.core.health import HealthState
from maxpool.core.window import FAR_FUTURE_S
from tests.make import (
    DAY,
    HOUR,
    MODEL,
    NOW,
    account,
    ask,
    lease,
    pool,
    reason_of,
    unified,
    until_of,
)


def end(p: Pool, name: str, outcome, now: float = NOW, **given) -> None:
    """One request on that account, ended so."""
    taken = lease(p, now, exclude=frozenset(p.states) - {name}, **given)
    p.release(taken, outcome, now)


def paused(p: Pool, now: float = NOW) -> list[str]:
    """What is paused at the one provider of these tests: `*` or models."""
    return [pause.scope.removeprefix("anthropic ") for pause in p.view(now).pauses]


# -- incidents ---------------------------------------------------------------------------------


def test_the_same_failure_on_both_accounts_is_the_upstreams():  # R9
    p = pool("a", "b")
    end(p, "a", Burst(20.0, "f"))
    assert (reason_of(p, "a"), paused(p)) == ("provisional", [])
    end(p, "b", Burst(20.0, "f"), NOW + 5)
    assert [reason_of(p, n, NOW + 5) for n in "ab"] == [None, None]
    assert (paused(p), p.view(NOW + 5).pauses[0].until) == (["*"], NOW + 25)


def test_an_untried_account_makes_it_no_incident():  # R9
    p = pool("a", "b", "c")
    end(p, "a", Burst(None, "f"))
    end(p, "b", Burst(None, "f"))
    assert (reason_of(p, "a"), reason_of(p, "b"), paused(p)) == ("provisional", "provisional", [])
    end(p, "c", Burst(None, "f"))
    assert (reason_of(p, "a"), paused(p)) == (None, ["*"])


def test_accounts_that_could_not_serve_anyway_need_no_try():  # R9
    p = pool("a", "b", "benched", account("off", enabled=False), account("x", models={"gpt": "*"}))
    end(p, "benched", QuotaExceeded("7d", NOW + DAY))
    end(p, "a", Burst(None, "f"))
    end(p, "b", Burst(None, "f"))
    assert paused(p) == ["*"]


@pytest.mark.parametrize("who", ["a", "b"])
def test_an_account_that_answered_well_meanwhile_makes_it_no_incident(who):  # R9
    p = pool("a", "b")
    well = lease(p, exclude=frozenset("ab") - {who})
    end(p, "a", Burst(None, "f"))
    p.observe(who, {}, NOW + 1, lease=well, status=200)
    end(p, "b", Burst(None, "f"), NOW + 2)
    assert (reason_of(p, "a", NOW + 2), paused(p, NOW + 2)) == ("provisional", [])


def test_an_answer_for_another_model_says_nothing_about_an_overloaded_one():  # R9
    p = pool("a", "b")
    end(p, "a", Overloaded(MODEL))
    end(p, "b", Success(), NOW + 1, model="claude-haiku-4-5")
    end(p, "b", Overloaded(MODEL), NOW + 2)
    assert paused(p, NOW + 2) == [MODEL]


def test_an_overload_inside_a_200_is_no_good_answer():  # R3, R9
    p = pool("a", "b")
    for i, name in enumerate("ab"):
        taken = lease(p, NOW + i, exclude=frozenset("ab") - {name})
        p.observe(name, unified(), NOW + i, lease=taken, status=200)
        p.release(taken, Overloaded(MODEL), NOW + i + 0.5)
    assert paused(p, NOW + 2) == [MODEL]


def test_a_failure_seen_half_a_minute_ago_is_another_one():  # R9
    p = pool("a", "b")
    end(p, "a", Burst(30.0, "f"))
    end(p, "b", Burst(30.0, "f"), NOW + 30.5)
    assert paused(p, NOW + 30.5) == []


def test_different_failures_are_no_incident():  # R9
    p = pool("a", "b")
    end(p, "a", Burst(None, "rate limited"))
    end(p, "b", Burst(None, "ramp limit"))
    assert (reason_of(p, "a"), reason_of(p, "b"), paused(p)) == ("provisional", "provisional", [])


def test_a_pool_of_one_account_is_an_incident_at_once():  # R9
    p = pool("a", account("off", enabled=False))
    end(p, "a", Burst(None, "f"))
    assert (reason_of(p, "a"), paused(p)) == (None, ["*"])


def test_an_overload_is_an_incident_of_its_model_and_un_benches_only_that():  # R9
    p = pool("a", "b")
    end(p, "a", ModelMissing("opus"), model="opus")
    end(p, "a", Overloaded(MODEL))
    end(p, "b", Overloaded(MODEL))
    assert (paused(p), list(p.states["a"].model_benches)) == ([MODEL], ["opus"])
    assert isinstance(p.acquire(ask(model="claude-haiku-4-5"), NOW), Lease)


def test_a_removed_account_is_no_witness():  # S12
    p = pool("a", "b", "c")
    end(p, "a", Burst(None, "f"))
    p.remove("a", NOW)
    end(p, "b", Burst(None, "f"))
    assert paused(p) == []


# -- limits ------------------------------------------------------------------------------------


def test_a_family_verdict_holds_on_an_account_nothing_else_is_known_of():
    p = pool("a", "b")
    end(p, "a", FamilyQuotaExceeded("opus", NOW + DAY), model="claude-opus-5-5")
    assert {lease(p, model="claude-opus-5-5").account_id for _ in range(3)} == {"b"}
    assert reason_of(p, "a") is None


@pytest.mark.parametrize("until", [None, NOW - 5, NOW])
def test_a_verdict_without_a_usable_time_lasts_until_the_known_reset_or_a_minute(until):
    p = pool("a", "b")
    end(p, "a", QuotaExceeded("5h", until))
    assert until_of(p, "a") == NOW + 60
    p.observe("b", unified(five=0.5, five_reset=NOW + HOUR), NOW)
    end(p, "b", QuotaExceeded("5h"))
    assert until_of(p, "b") == NOW + HOUR


@pytest.mark.parametrize("until", [1e300, float("inf")])
def test_no_verdict_lasts_longer_than_a_month(until):
    p = pool("a")
    running = [lease(p) for _ in range(2)]
    p.release(running[0], RateLimited(until), NOW)
    p.release(running[1], SpendLimited(until), NOW)
    assert until_of(p, "a") == NOW + FAR_FUTURE_S
    json.dumps(p.snapshot(NOW), allow_nan=False)


def test_a_spend_limit_lasts_longer_each_time_until_an_answer():
    p, now, lengths = pool("a"), NOW, []
    for _ in range(3):
        end(p, "a", SpendLimited(), now)
        lengths.append((until_of(p, "a", now) or 0) - now)
        now = until_of(p, "a", now) or 0
    assert lengths == [HOUR, 2 * HOUR, 4 * HOUR]
    end(p, "a", Success(), now)
    end(p, "a", SpendLimited(), now)
    assert until_of(p, "a", now) == now + HOUR


def test_an_unexplained_refusal_locks_five_minutes_doubling_to_an_hour():
    p, now, lengths = pool("a"), NOW, []
    for _ in range(6):
        end(p, "a", Forbidden(), now)
        lengths.append((until_of(p, "a", now) or 0) - now)
        now = until_of(p, "a", now) or 0
    assert lengths == [300, 600, 1200, 2400, 3600, 3600]


@pytest.mark.parametrize(("outcome", "first_s"), [(Forbidden(), 300), (SpendLimited(), HOUR)])
def test_requests_that_ran_together_lengthen_a_growing_pause_but_once(outcome, first_s):
    p = pool("a", "b")
    together = [lease(p, exclude=frozenset("b")) for _ in range(4)]
    for taken in together:
        p.release(taken, outcome, NOW)
    assert until_of(p, "a") == NOW + first_s
    again = NOW + first_s
    p.release(lease(p, again, exclude=frozenset("b")), outcome, again)
    assert until_of(p, "a", again) == again + 2 * first_s


def test_a_missing_model_is_benched_by_the_name_the_client_used():
    p = pool(account("a", models={MODEL: "vendor/model"}), "b")
    end(p, "a", ModelMissing("vendor/model"))
    assert {lease(p).account_id for _ in range(3)} == {"b"}


@pytest.mark.parametrize(("asked", "aside"), [(None, 10), (0.2, 1), (5.0, 5), (500.0, 30)])
def test_a_burst_sets_an_account_aside_within_bounds(asked, aside):
    p = pool("a", "b")
    end(p, "a", Burst(asked, "f"))
    assert until_of(p, "a") == NOW + aside


def test_a_burst_halves_the_limit_only_when_two_or_more_were_in_flight():
    p = pool("a", "b")
    end(p, "a", Burst(None, "f"))
    assert p.view(NOW).accounts[0].soft_limit == 12
    running = [lease(p, NOW + 10, exclude=frozenset("b")) for _ in range(8)]
    p.release(running[0], Burst(None, "g"), NOW + 10)
    assert p.view(NOW + 10).accounts[0].soft_limit == 4


# -- the breaker -------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [RequestRejected(400), Cut(), Success()])
def test_what_proves_an_answer_closes_the_breaker(outcome):
    p = pool("a")
    for _ in range(3):
        end(p, "a", TransientFailure(500))
    end(p, "a", outcome, NOW + 30)
    assert p.states["a"].health.state is HealthState.READY


@pytest.mark.parametrize("outcome", [Burst(), QuotaExceeded("5h"), Overloaded(MODEL)])
def test_a_probe_that_ended_otherwise_is_handed_on(outcome):  # S15
    p = pool("a")
    for _ in range(3):
        end(p, "a", TransientFailure(500))
    end(p, "a", outcome, NOW + 30)
    assert (p.states["a"].health.state, p.states["a"].health.trial) == (HealthState.OPEN, None)


def test_one_bad_transcript_changes_no_account():  # R8
    p = pool("a", "b", "c")
    before = p.snapshot(NOW)["accounts"]
    for _ in range(20):
        p.release(lease(p, session=None), RequestRejected(413), NOW)
    for saved in (after := p.snapshot(NOW)["accounts"]).values():
        saved["total"] = before["a"]["total"]
        saved["minutes"] = []
    assert after == before


def test_a_late_failure_of_a_reset_account_counts_as_its_first():
    p = pool("a")
    old = [lease(p) for _ in range(4)]
    for one in old[:3]:
        p.release(one, TransientFailure(500), NOW)
    p.command(Command("reset", "a"), NOW)
    p.release(old[3], TransientFailure(500), NOW)
    assert (p.states["a"].health.state, p.states["a"].health.failures) == (HealthState.READY, 1)
