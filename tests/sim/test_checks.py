import pytest

from maxpool import Lease, PoolSettings, Wait
from maxpool.core.eligibility import ELIGIBLE, Reason, Unavailable
from maxpool.core.lease import Command, QuotaExceeded, Success
from maxpool.sim.checks import Violation, Watch, WatchedPool, check_all, expect_available
from tests.make import NOW, account, ask, lease


def watched(*names, **settings):
    return WatchedPool([account(name) for name in names], PoolSettings(**settings), NOW)


def queue_up(pool):
    """Close the only account for an hour and let one request wait for it."""
    pool.release(lease(pool), QuotaExceeded("5h", NOW + 600.0), NOW)
    found = pool.acquire(ask(), NOW)
    assert isinstance(found, Wait)
    return found.ticket


def test_an_orderly_pool_passes():
    pool = watched("a", "b")
    one, _ = lease(pool, session="s"), lease(pool)
    pool.release(one, Success(), NOW)
    check_all(pool, (), 1, NOW)


def test_a_lease_ends_once():
    pool = watched("a")
    granted = lease(pool)
    pool.release(granted, Success(), NOW)
    with pytest.raises(Violation, match="a second time"):
        pool.release(granted, Success(), NOW)


@pytest.mark.parametrize(
    ("verdict", "exclude"),
    [(Unavailable(Reason.QUOTA, NOW + 60), frozenset()), (ELIGIBLE, frozenset("a"))],
)
def test_a_lease_on_an_account_that_could_not_serve_is_a_violation(verdict, exclude):
    granted = lease(watched("a"))
    with pytest.raises(Violation, match="on a, which was"):
        expect_available(granted, {"a": verdict}, exclude, NOW)


def test_a_waiters_lease_is_looked_at_as_well():
    pool = watched("a")
    ticket = queue_up(pool)
    ((answered, found),) = pool.wake(NOW + 600.0)
    assert answered == ticket
    assert isinstance(found, Lease)
    check_all(pool, (), 1, NOW + 600.0)


def test_leases_are_what_is_in_flight():
    pool = watched("a")
    lease(pool)
    with pytest.raises(Violation, match="1 leases are running, 2 are held"):
        check_all(pool, (), 2, NOW)
    pool.states["a"].in_flight += 1
    with pytest.raises(Violation, match="a counts 2 in flight, 1 leases"):
        check_all(pool, (), 1, NOW)


def test_a_place_in_the_queue_without_a_client_is_a_violation():
    pool = watched("a")
    ticket = queue_up(pool)
    check_all(pool, {ticket.id}, 0, NOW)
    with pytest.raises(Violation, match="nobody waits with it"):
        check_all(pool, (), 0, NOW)


def test_whoever_waits_while_an_account_could_serve_is_forgotten():
    pool = watched("a")
    ticket = queue_up(pool)
    pool.command(Command("reset", account_id="a"), NOW + 1.0)
    with pytest.raises(Violation, match="but a could serve it"):
        check_all(pool, {ticket.id}, 0, NOW + 1.0)
    pool.wake(NOW + 1.0)
    check_all(pool, (), 1, NOW + 1.0)


def test_memory_is_bounded():
    pool = watched("a", max_bindings=2)
    for session in "xyz":
        pool.release(lease(pool, session=session), Success(), NOW)
    check_all(pool, (), 0, NOW)
    pool.bindings.by_key["more"] = next(iter(pool.bindings.by_key.values()))
    with pytest.raises(Violation, match="3 bindings, at most 2"):
        check_all(pool, (), 0, NOW)


def test_a_watch_looks_at_every_so_many_steps():
    pool, watch = watched("a"), Watch(3)
    watch.after(pool, (), 1, NOW)
    watch.after(pool, (), 1, NOW)
    with pytest.raises(Violation):
        watch.after(pool, (), 1, NOW)
