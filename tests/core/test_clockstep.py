"""A step of the wall clock: nobody is freed by it, nobody benched, and what others told stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool import (
    Burst,
    Command,
    CredentialChange,
    FamilyQuotaExceeded,
    Forbidden,
    Lease,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    Pool,
    QuotaExceeded,
    RateLimited,
    SpendLimited,
    Success,
    TokenUsage,
    TransientFailure,
    Wait,
)
from tests.make import DAY, HOUR, MODEL, NOW, ask, key, lease, pool, reason_of, unified, until_of

STEPS = [-HOUR, HOUR, -8 * DAY, 400 * DAY]
OURS: dict[str, Any] = {
    "burst": Burst(20.0, "f"),
    "forbidden": Forbidden(),
    "network": NetworkFailure(),
    "spend": SpendLimited(),
    "wait": RateLimited(NOW + 40, relative=True),
    "unsaid": RateLimited(),
    "asked": QuotaExceeded("5h", NOW + 90, relative=True),
}


def stepped(p: Pool, by_s: float, now: float = NOW) -> float:
    p.clock_stepped(by_s, now + by_s)
    return now + by_s


@pytest.mark.parametrize("by_s", STEPS)
@pytest.mark.parametrize("why", OURS)
def test_a_pause_of_ours_lasts_as_long_as_before(why, by_s):  # O7
    p = pool("a", "b")
    p.release(lease(p, exclude=frozenset("b")), OURS[why], NOW)
    reason, left_s = reason_of(p, "a"), (until_of(p, "a") or 0.0) - NOW
    now = stepped(p, by_s)
    assert reason_of(p, "a", now) == reason
    assert until_of(p, "a", now) == pytest.approx(now + left_s)
    assert reason_of(p, "a", now + left_s) is None


@pytest.mark.parametrize("by_s", STEPS)
def test_a_breaker_and_its_trial_know_of_no_step(by_s):  # O7, S15
    p = pool("a")
    for _ in range(3):
        p.release(lease(p), TransientFailure(500), NOW)
    now = stepped(p, by_s)
    assert until_of(p, "a", now) == pytest.approx(now + 30)
    trial = lease(p, now + 30)
    p.clock_stepped(by_s, now + 30 + by_s)
    p.observe("a", {}, now + 31 + by_s, lease=trial, status=200)
    assert reason_of(p, "a", now + 31 + by_s) is None


@pytest.mark.parametrize("by_s", [-HOUR, HOUR])
def test_a_reset_that_was_told_keeps_its_time(by_s):  # O7
    p = pool("a", "b", "c")
    p.release(lease(p, exclude=frozenset("bc")), QuotaExceeded("7d", NOW + 2 * HOUR), NOW)
    p.release(lease(p, exclude=frozenset("ac")), RateLimited(NOW + 2 * HOUR), NOW)
    taken = lease(p, exclude=frozenset("ab"), model="claude-opus-5-5")
    p.release(taken, FamilyQuotaExceeded("opus", NOW + 2 * HOUR), NOW)
    p.credential("c", CredentialChange("expires", NOW + 3 * HOUR), NOW)
    now = stepped(p, by_s)
    assert [until_of(p, n, now) for n in "ab"] == [NOW + 2 * HOUR] * 2
    assert p.states["c"].quota.windows["7d:opus"].closed_until == NOW + 2 * HOUR
    assert p.states["c"].credential.expires_at == NOW + 3 * HOUR


def test_a_step_beyond_a_reset_frees_its_account_at_once():
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + HOUR), NOW)
    now = stepped(p, 2 * HOUR)
    assert lease(p, now).account_id == "a"


@pytest.mark.parametrize("by_s", STEPS)
def test_models_and_throttles_cool_as_long_as_before(by_s):  # O7
    p = pool("a", key("k"))
    p.release(lease(p, exclude=frozenset("k")), ModelMissing(MODEL), NOW)
    now = stepped(p, by_s)
    assert p.states["a"].model_benches[MODEL][1] == now + 3600
    q = pool("a")
    q.release(lease(q), Overloaded(MODEL, "f"), NOW)
    now = stepped(q, by_s)
    assert [round(x.until - now) for x in q.view(now).pauses] == [30]


@pytest.mark.parametrize("by_s", STEPS)
def test_sessions_stay_warm_at_home(by_s):  # O7
    p = pool("a", "b", "c")
    home = lease(p, session="s")
    p.release(home, Success(TokenUsage(100, 50, 20_000)), NOW)
    now = stepped(p, by_s, NOW + 60)
    again = lease(p, now, "s")
    assert (again.account_id, again.decision.lost_tokens) == (home.account_id, 0)
    assert p.bindings.by_key["s"].warm[home.account_id].until > now


@pytest.mark.parametrize("by_s", STEPS)
def test_who_waits_keeps_place_and_patience(by_s):  # O7
    p = pool("a", slots_per_account=1)
    held = lease(p)
    waiting = p.acquire(ask(max_wait_s=100, arrived_at=NOW), NOW)
    assert isinstance(waiting, Wait)
    now = stepped(p, by_s, NOW + 10)
    assert p.wake(now + 89) == []
    p.release(held, Success(), now + 89)
    ((ticket, found),) = p.wake(now + 89)
    assert ticket.id == waiting.ticket.id
    assert isinstance(found, Lease)


@pytest.mark.parametrize("by_s", STEPS)
def test_patience_that_ends_after_a_step_ends_when_it_would_have(by_s):  # O7
    p = pool("a", slots_per_account=1)
    lease(p)
    waiting = p.acquire(ask(max_wait_s=100), NOW)
    assert isinstance(waiting, Wait)
    now = stepped(p, by_s, NOW + 10)
    assert p.next_wake(now) == pytest.approx(now + 90)
    ((_, found),) = p.wake(now + 90)
    assert not isinstance(found, Lease | Wait)


def test_history_and_counts_of_the_last_hour_are_kept():
    p = pool("a")
    for i in range(20):
        now = NOW + i * 60
        p.observe("a", unified(NOW, five=0.1 + i / 100), now)
        p.release(lease(p, now), Success(TokenUsage(10, 5)), now)
    before = p.view(NOW + 1200).accounts[0]
    now = stepped(p, -HOUR, NOW + 1200)
    after = p.view(now).accounts[0]
    assert after.last_hour == before.last_hour
    assert after.windows[0].burn_per_hour == pytest.approx(before.windows[0].burn_per_hour)
    assert (after.windows[0].age_s, after.p50_ms) == (before.windows[0].age_s, before.p50_ms)


def test_how_long_a_running_request_took_is_not_the_steps_length():
    p = pool("a")
    running = lease(p)
    now = stepped(p, HOUR, NOW + 2)
    p.release(running, Success(), now + 1)
    assert p.view(now + 1).accounts[0].mean_ms == pytest.approx(3000)


@given(st.lists(st.sampled_from([-HOUR, HOUR, -DAY, 7.5]), max_size=5))
def test_steps_there_and_back_leave_everything_as_it_was(steps):  # O7
    p = pool("a", "b")
    p.release(lease(p, session="s", exclude=frozenset("b")), Forbidden(), NOW)
    p.command(Command("prefer", "b"), NOW)
    before = p.snapshot(NOW)["accounts"]
    now = NOW
    for by_s in [*steps, *(-s for s in steps)]:
        now = stepped(p, by_s, now)
    assert now == NOW
    assert p.snapshot(NOW)["accounts"] == before


def test_a_caller_that_arrived_later_than_now_has_just_come():
    p = pool("a", slots_per_account=1)
    lease(p)
    found = p.acquire(ask(arrived_at=NOW + HOUR, max_wait_s=10), NOW)
    assert isinstance(found, Wait)
    assert p.queue.waiters[found.ticket.id].deadline == NOW + 10
