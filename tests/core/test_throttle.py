"""The upstream-wide throttle: sightings, pauses and their probes."""

from __future__ import annotations

import pytest

from maxpool import (
    Burst,
    ClientGone,
    Internal,
    Lease,
    NetworkFailure,
    Overloaded,
    Pool,
    Refusal,
    RequestRejected,
    Success,
    TokenUsage,
    TransientFailure,
    Wait,
)
from maxpool.core.settings import PoolSettings
from maxpool.core.throttle import CAPACITY_STATUSES, EVERY_MODEL, Throttle
from tests.make import DAY, MODEL, NOW, ask, lease, pool

OPEN_S = 30.0


def throttled(*names: str, **settings) -> Pool:
    """A pool of one or more whose throttle opened at NOW for every model."""
    p = pool(*(names or ("a",)), **settings)
    for _ in p.states:
        p.release(lease(p), Burst(None, "f"), NOW)
    assert [pause.until for pause in p.view(NOW).pauses] == [NOW + OPEN_S]
    return p


def probe(p: Pool, now: float, status: int | None, outcome=None) -> Lease:
    """One real request as the probe: headers, then its end."""
    taken = lease(p, now)
    p.observe(taken.account_id, {}, now, lease=taken, status=status)
    if outcome is not None:
        p.release(taken, outcome, now)
    return taken


def test_a_pause_holds_requests_until_its_end():
    p = throttled()
    held = p.acquire(ask(), NOW)
    assert isinstance(held, Wait)
    assert (held.reason, held.until, p.next_wake(NOW)) == ("throttle", NOW + 30, NOW + 30)


def test_one_real_request_at_a_time_is_the_probe():
    p = throttled("a", "b")
    lease(p, NOW + 30)
    held = p.acquire(ask(), NOW + 30)
    assert isinstance(held, Wait)
    assert (held.reason, held.until) == ("throttle", None)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413, 500])
def test_headers_that_are_no_capacity_signal_close_it_while_the_answer_still_runs(status):
    p = throttled()
    probe(p, NOW + 30, status)
    assert not p.view(NOW + 30).pauses
    assert isinstance(p.acquire(ask(), NOW + 30), Lease)


def test_waiters_hear_of_its_end_by_headers_alone():  # Q2
    p = throttled()
    taken, before = lease(p, NOW + 30), p.revision
    p.observe("a", {}, NOW + 31, lease=taken, status=400)
    assert p.revision > before


def test_a_bad_transcript_closes_it_and_never_arms_it_again():  # R8
    p = throttled()
    probe(p, NOW + 30, 400, RequestRejected(400))
    for i in range(31, 36):
        p.release(lease(p, NOW + i), RequestRejected(400), NOW + i)
    assert not p.view(NOW + 36).pauses


@pytest.mark.parametrize("status", sorted(CAPACITY_STATUSES))
def test_a_failed_probe_opens_it_again_for_five_ten_and_twenty_seconds(status):
    p, now = throttled(), NOW + 30
    for length in (5.0, 10.0, 20.0):
        probe(p, now, status, ClientGone())
        (pause,) = p.view(now).pauses
        assert pause.until == now + length
        now = pause.until


def test_the_fourth_failed_probe_closes_it():
    p, now = throttled(), NOW + 30
    for _ in range(3):
        probe(p, now, 529, ClientGone())
        now = p.view(now).pauses[0].until
    probe(p, now, 529, ClientGone())
    assert not p.view(now).pauses


@pytest.mark.parametrize("outcome", [ClientGone(), NetworkFailure(), Internal()])
def test_a_probe_that_never_reached_the_upstream_is_handed_on(outcome):  # R11
    p = throttled("a", "b")
    p.release(lease(p, NOW + 30), outcome, NOW + 31)
    (pause,) = p.view(NOW + 31).pauses
    assert (pause.probing, pause.failed_probes) == (False, 0)
    assert isinstance(p.acquire(ask(), NOW + 31), Lease)


def test_a_probe_whose_status_nobody_told_is_not_out_for_ever():
    p = throttled("a", "b")
    probe(p, NOW + 30, None, TransientFailure(500))
    assert [pause.probing for pause in p.view(NOW + 31).pauses] == [False]
    assert isinstance(p.acquire(ask(), NOW + 31), Lease)


@pytest.mark.parametrize(
    ("outcome", "closed"),
    [
        (Success(TokenUsage(1, 1)), True),
        (RequestRejected(400), True),
        (Overloaded(MODEL), False),
        (Burst(), False),
    ],
)
def test_without_headers_the_outcome_settles_the_probe(outcome, closed):
    p = throttled()
    p.release(lease(p, NOW + 30), outcome, NOW + 30)
    assert (not p.view(NOW + 30).pauses) == closed


def test_a_probe_on_a_removed_account_is_handed_on():
    p = throttled("a", "b")
    p.remove(lease(p, NOW + 30).account_id, NOW + 30)
    assert isinstance(p.acquire(ask(), NOW + 30), Lease)


@pytest.mark.parametrize(("asked", "length"), [(None, 30), (7.0, 7), (0.0, 1), (9 * DAY, DAY)])
def test_it_opens_for_what_the_upstream_asked_within_bounds(asked, length):
    p = pool("a")
    p.release(lease(p), Burst(asked, "f"), NOW)
    assert p.view(NOW).pauses[0].until == NOW + length


def test_it_opens_for_the_longest_that_any_of_the_accounts_was_told():
    p = pool("a", "b")
    first, second = lease(p), lease(p)
    p.release(first, Burst(120.0, "f"), NOW)
    p.release(second, Burst(5.0, "f"), NOW)
    assert p.view(NOW).pauses[0].until == NOW + 120


def test_an_open_pause_keeps_the_later_deadline():
    t = Throttle(PoolSettings())
    for asked, at in ((600.0, NOW), (5.0, NOW), (None, NOW + 1)):
        t.saw("m", "f", "a", at, asked)
        t.open("m", "f", at)
    assert (t.pauses["m"].until, t.count) == (NOW + 600, 1)


def test_a_pause_of_one_model_holds_that_model_only():
    p = pool("a")
    p.release(lease(p), Overloaded(MODEL), NOW)
    assert [pause.scope for pause in p.view(NOW).pauses] == [f"anthropic {MODEL}"]
    assert isinstance(p.acquire(ask(max_wait_s=1), NOW), Refusal)
    assert lease(p, model="claude-haiku-4-5").account_id == "a"


def test_sightings_older_than_the_incident_window_no_longer_count():
    t = Throttle(PoolSettings())
    t.saw(EVERY_MODEL, "f", "a", NOW, None)
    t.saw(EVERY_MODEL, "f", "a", NOW + 29, None)
    seen = t.saw(EVERY_MODEL, "f", "b", NOW + 31, None)
    assert seen.accounts == ["a", "b"]  # two seconds apart, whatever was before
    assert t.saw(EVERY_MODEL, "f", "b", NOW + 60, None).accounts == ["b"]


def test_a_good_answer_counts_from_the_first_sighting_on_and_for_its_scope():
    t = Throttle(PoolSettings())
    seen = t.saw("m", "f", "a", NOW, None)
    t.answered("b", ("p *", "other"), "l1", NOW + 1)
    assert not seen.answered_since("b")
    t.answered("b", ("p *", "m"), "l2", NOW + 1)
    assert seen.answered_since("b")
    t.unanswered("b", "l2")
    assert not seen.answered_since("b")


def test_sightings_are_bounded_and_forget_a_removed_account():  # S19
    t = Throttle(PoolSettings(max_sightings=3))
    for i in range(1_000):
        t.saw(EVERY_MODEL, f"f{i}", "a", NOW, None)
        t.saw(EVERY_MODEL, "same", "b", NOW, None)
    assert len(t.sightings) == 3
    assert len(t.sightings["same"].seen) == 256
    t.forget_account("b")
    assert t.sightings["same"].accounts == []


# -- the ramp ----------------------------------------------------------------------------------


def drain(p: Pool, now: float, waiting: int) -> list[float]:
    """Follow the next wake alone until all have a lease; when each got it, after `now`."""
    began = now
    served: list[float] = []
    while len(served) < waiting:
        served += [now - began for _, found in p.wake(now) if isinstance(found, Lease)]
        later = p.next_wake(now)
        now = now if later is None else later
    return served


def test_after_a_pause_requests_come_back_on_a_ramp_and_not_in_one_blow():  # Q7
    p = throttled()
    for _ in range(41):
        assert isinstance(p.acquire(ask(), NOW), Wait)
    ((_, found),) = p.wake(NOW + 30)
    assert isinstance(found, Lease)
    p.observe("a", {}, NOW + 31, lease=found, status=200)
    served = drain(p, NOW + 31, 40)
    assert served[:20] == [i * 0.25 for i in range(20)]
    assert served[20:] == [5.0] * 20


def test_a_newcomer_keeps_the_gap_of_a_ramp_as_well():  # Q7
    p = throttled()
    probe(p, NOW + 30, 200)
    lease(p, NOW + 31)
    held = p.acquire(ask(), NOW + 31.1)
    assert isinstance(held, Wait)
    assert (held.reason, held.until, p.next_wake(NOW + 31.1)) == (
        "throttle",
        NOW + 31.25,
        NOW + 31.25,
    )
    assert isinstance(p.acquire(ask(), NOW + 31.25, ticket=held.ticket), Lease)


def test_the_ramp_of_one_model_holds_no_other():  # Q1
    p = pool("a")
    p.release(lease(p), Overloaded(MODEL), NOW)
    probe(p, NOW + 30, 200)
    lease(p, NOW + 30), lease(p, NOW + 30, model="claude-haiku-4-5")
    assert isinstance(p.acquire(ask(), NOW + 30), Wait)
    assert lease(p, NOW + 30, model="claude-haiku-4-5").account_id == "a"


def test_a_ramp_ends_by_itself_and_leaves_nothing_behind():  # S19
    p = throttled()
    probe(p, NOW + 30, 200)
    for at in (NOW + 34.9, NOW + 36, NOW + 36):
        lease(p, at)
    assert p.throttle.idle


def test_a_clock_that_is_set_back_does_not_stretch_a_ramp():
    p = throttled()
    probe(p, NOW + 30, 200)
    lease(p, NOW + 31)
    assert isinstance(p.acquire(ask(), NOW + 22), Lease)


def test_a_new_incident_on_the_ramp_is_a_pause_again():
    p = throttled()
    probe(p, NOW + 30, 200)
    p.release(lease(p, NOW + 31), Burst(None, "f"), NOW + 31)
    assert [pause.until for pause in p.view(NOW + 31).pauses] == [NOW + 61]
    assert not p.throttle.ramps
