"""When each waiter will probably have its turn."""

from __future__ import annotations

from typing import Any

from maxpool import Command, Overloaded, Pool, QuotaExceeded, Success, Wait
from maxpool.core.forecast import forecast
from tests.make import HOUR, MODEL, NOW, account, ask, key, lease, pool

OTHER = "claude-haiku-4-5"


def hold(p: Pool, now: float = NOW, **given: Any) -> Wait:
    """A request that must wait."""
    found = p.acquire(ask(**given), now)
    assert isinstance(found, Wait), found
    return found


def expected(p: Pool, now: float = NOW) -> list[float | None]:
    """The times, after NOW, as the view shows them."""
    shown = [w.expected_at for w in p.view(now).waiters]
    assert shown == [at for _, at in forecast(p, now)]
    return [None if at is None else at - NOW for at in shown]


def test_slots_come_as_fast_as_leases_ended_lately():
    p = pool(account("a", slots=1))
    for i in range(10):
        p.release(lease(p, NOW - 30 + 3 * i), Success(), NOW - 30 + 3 * i)
    lease(p)
    hold(p), hold(p, model=OTHER), hold(p)
    assert expected(p) == [3.0, 6.0, 9.0]


def test_before_any_lease_ended_nobody_can_tell():
    p = pool(account("a", slots=1))
    lease(p)
    hold(p)
    assert expected(p) == [None]


def test_who_stands_behind_another_expects_what_that_one_waits_for():
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + 300), NOW)
    hold(p), hold(p)
    assert expected(p) == [300.0, 300.0]


def test_after_a_pause_they_expect_their_place_on_the_ramp():  # Q7
    p = pool("a")
    p.release(lease(p), Overloaded(MODEL), NOW)
    for _ in range(30):
        hold(p)
    found = expected(p)
    assert found[:3] == [30.0, 30.25, 30.5]
    assert found[-1] == 35.0


def test_a_price_is_each_ones_own():
    p = pool(account("a", slots=1), key("k"))
    lease(p)
    hold(p, arrived_at=NOW), hold(p, NOW + 3, arrived_at=NOW + 3)
    assert expected(p, NOW + 3) == [20.0, 23.0]


def test_only_a_person_ends_a_command_and_patience_ends_everything():
    p = pool("a")
    p.command(Command("pause"), NOW)
    hold(p)
    assert expected(p) == [None]
    late = pool("a")
    late.release(lease(late), QuotaExceeded("5h", NOW + 300), NOW)
    hold(late, max_wait_s=HOUR)
    assert expected(late, NOW + 400) == [400.0]
