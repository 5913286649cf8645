from __future__ import annotations

from maxpool import Lease, Pool
from tests.make import account, ask


def test_a_lease_is_counted_where_it_is_held_and_remembered_with_why():
    pool = Pool([account("a"), account("b", kind="subscription")], now=0.0)
    lease = pool.acquire(ask(session="s"), 1.0)
    assert isinstance(lease, Lease)
    state = pool.states[lease.account_id]
    assert (state.in_flight, state.last_leased_at, pool.leased) == (1, 1.0, 1)
    assert pool.plan_in_flight == (not state.account.paid)
    record = pool.decisions.find(lease.id)
    assert record is not None
    assert record.decision is lease.decision
    assert lease.decision.account_id == lease.account_id


def test_no_two_leases_have_one_id_and_each_binds_its_session():
    pool = Pool([account("a"), account("b")], now=0.0)
    leases = [pool.acquire(ask(session=f"s{i}"), 1.0) for i in range(20)]
    assert len({lease.id for lease in leases if isinstance(lease, Lease)}) == 20
    again = pool.acquire(ask(session="s7"), 2.0)
    assert isinstance(again, Lease)
    assert isinstance(leases[7], Lease)
    assert again.account_id == leases[7].account_id
