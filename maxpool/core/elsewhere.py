"""Leases that another process runs for the same accounts, as if they were this pool's own.

While a process hands its work over, its running answers still take slots, burn quota and end in some
way; the pool that goes on hears of it (`learning.Witness`) and repeats it here. It chooses nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core import learning
from maxpool.core.cost import Cost
from maxpool.core.decisions import Decision
from maxpool.core.lease import Internal, Lease

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.core.learning import Running
    from maxpool.core.pool import Pool


def placeholder(pool: Pool, lease_id: str, account_id: str, model: str, started_at: float) -> Lease:
    """A lease that was decided elsewhere: why, that process knows."""
    decision = Decision(pool.settings.strategy, account_id, Cost())
    return Lease(lease_id, account_id, model, started_at, decision)


def adopt(pool: Pool, running: Running, now: float, *, known: bool) -> bool:
    """Count a lease that runs elsewhere as one of ours, until `Pool.release`; False if it cannot be.

    `known`: the snapshot that the pool began with has its session and its number already.
    """
    lease_id, account_id = running.lease.id, running.lease.account_id
    state = pool.states.get(account_id)
    if state is None or lease_id in pool.running:
        return False
    if not known:
        by_choice = running.move.why == "choice"
        bound = pool.bindings.bind(running.request, account_id, now, home_could_serve=by_choice)
        running.move = replace(bound, why=running.move.why)
        pool.leased += 1
        pool.harm.moves += bound.moved
        pool.harm.cache_tokens_lost += bound.lost_tokens
    running.generation = state.credential.generation
    pool.running[lease_id] = running
    warm = running.prefix_was_warm
    learning.grant(pool, state, running, now)
    running.prefix_was_warm = warm
    if known and running.hold is not None:
        pool.budget.adopted(running.hold)
    if running.burned:
        state.quota.reserved -= running.work
    state.in_flight += 1
    if not state.account.paid:
        pool.plan_in_flight += 1
    state.last_leased_at = max(state.last_leased_at or 0.0, running.lease.started_at)
    pool.index.shift(account_id, now)
    pool.revision += 1
    return True


def abandon(pool: Pool, lease_ids: Iterable[str], now: float) -> None:
    """The other process is gone: how its leases ended nobody knows, and nobody is blamed."""
    for lease_id in lease_ids:
        running = pool.running.get(lease_id)
        if running is not None:
            pool.release(running.lease, Internal(), now)
