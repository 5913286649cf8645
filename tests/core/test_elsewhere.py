"""Leases that run in another process count here as if they ran here, and end as those do."""

from __future__ import annotations

from maxpool import Lease, Wait
from maxpool.core import elsewhere
from maxpool.core.binding import Move
from maxpool.core.learning import Running
from maxpool.core.lease import Success, TokenUsage
from tests.make import NOW, account, ask, lease, pool


def running(one, *, burned=False) -> Running:
    """A lease on `a` that another process gave."""
    held = elsewhere.placeholder(one, "other-1", "a", ask().model, NOW - 5.0)
    return Running(held, ask("s"), Move(), 100.0, burned=burned)


def test_an_adopted_lease_takes_a_slot_until_it_ends():
    one = pool(account("a", slots=1))
    other = running(one)
    assert elsewhere.adopt(one, other, NOW, known=True)
    assert isinstance(one.acquire(ask(), NOW), Wait)
    assert one.view(NOW).in_flight == 1
    one.release(other.lease, Success(TokenUsage(3, 4)), NOW + 1.0)
    ((_, found),) = one.wake(NOW + 1.0)
    assert isinstance(found, Lease)
    assert one.states["a"].tally.total.tokens_out == 4
    assert one.plan_in_flight == 1


def test_what_it_will_burn_is_reserved_unless_a_reading_holds_it_already():
    for burned, reserved in ((False, 100.0), (True, 0.0)):
        one = pool("a")
        elsewhere.adopt(one, running(one, burned=burned), NOW, known=True)
        assert one.states["a"].quota.reserved == reserved


def test_a_lease_begun_after_the_snapshot_binds_its_session_here():
    one = pool("a", "b")
    elsewhere.adopt(one, running(one), NOW, known=False)
    assert one.bindings.by_key["s"].current == "a"
    assert one.leased == 1
    assert lease(one, NOW, "s").account_id == "a"


def test_an_account_that_is_not_here_and_a_lease_told_twice_are_left_out():
    one = pool("b")
    assert not elsewhere.adopt(one, running(one), NOW, known=True)
    two = pool("a")
    assert elsewhere.adopt(two, running(two), NOW, known=True)
    assert not elsewhere.adopt(two, running(two), NOW, known=True)
    assert two.states["a"].in_flight == 1


def test_leases_of_a_process_that_is_gone_end_and_blame_nobody():
    one = pool("a")
    elsewhere.adopt(one, running(one), NOW, known=True)
    elsewhere.abandon(one, ["other-1", "nobody's"], NOW + 1.0)
    state = one.states["a"]
    assert (state.in_flight, one.plan_in_flight, state.quota.reserved) == (0, 0, 0.0)
    assert state.tally.total.failed == 0
