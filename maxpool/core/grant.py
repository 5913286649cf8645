"""From a choice to a lease: everything that a lease changes in the pool, in one place.

Chooses nothing; what happens when the lease ends is `Pool.release`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core import learning
from maxpool.core.decisions import Decision
from maxpool.core.learning import Running
from maxpool.core.lease import Lease

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.core.select import Choice


def grant(pool: Pool, request: LeaseRequest, choice: Choice, now: float, waited_s: float) -> Lease:
    """Lease the chosen account; `waited_s`: how long the request had been waiting for that."""
    state, request = choice.state, choice.request or request
    account_id = state.account.id
    pool.leased += 1
    pool.selector.leased = pool.leased
    pool.habits.count(request.model, now)
    begun = pool.bindings.begun
    move = pool.bindings.bind(request, account_id, now, home_could_serve=choice.home_could_serve)
    if pool.bindings.begun > begun:
        pool.prices.session_begun()
    pool.harm.moves += move.moved
    pool.harm.cache_tokens_lost += move.lost_tokens
    decision = Decision(
        strategy=pool.settings.strategy,
        account_id=account_id,
        cost=choice.cost,
        weighed=choice.weighed,
        terms=choice.terms,
        behind=choice.behind,
        unavailable=choice.unavailable,
        rebind=move.why,
        lost_tokens=move.lost_tokens,
        move_cost=choice.move_cost if move.moved else 0.0,
        waited_s=max(waited_s, 0.0),
        route=choice.route,
        target="" if choice.target is None else choice.target.label,
    )
    if choice.target is not None:
        pool.routing.turns.taken(choice.route, choice.target, pool.leased)
    lease = Lease(f"{pool.lease_prefix}{pool.leased}", account_id, request.model, now, decision)
    running = Running(lease, request, move, choice.work, state.credential.generation)
    pool.running[lease.id] = running
    pool.decisions.record(lease.id, request, decision, now)
    learning.grant(pool, state, running, now)
    state.in_flight += 1
    if not state.account.paid:
        pool.plan_in_flight += 1
    state.last_leased_at, state.lease_order = now, pool.leased
    taken = state.health.take_trial(lease.id)
    pool.throttle.probe(state.account.provider, request.model, lease.id, now)
    state.turns += state.turn_length
    pool.index.turn = state.turns
    pool.prices.learn_weight(choice.work)
    if taken:
        pool.changed(account_id, now)
    else:
        pool.shifted(account_id, now)
    return lease
