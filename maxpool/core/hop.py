"""After a failure: which accounts a request passes over, because of what it has heard. Chooses nobody.

A refusal for too much at once says nothing of quota, so load alone decides among those that come
first anyway; between equally idle ones the usual choice is made. What is too long for one model is
too long for it everywhere.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Context, Eligible, check
from maxpool.core.field import before_cost
from maxpool.core.lease import ModelMissing, Overloaded
from maxpool.core.rejected import ContextExceeded
from maxpool.core.routes import without
from maxpool.core.targets import matching, upstream_model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from maxpool.core.account import Account
    from maxpool.core.lease import Lease, LeaseRequest, Outcome
    from maxpool.core.pool import Pool


def busier(
    pool: Pool, request: LeaseRequest, now: float, exclude: frozenset[str]
) -> frozenset[str]:
    """The accounts that could serve, come before all others by their owner's word, and are not the idlest."""
    s = pool.settings
    ctx = Context(s, pool.plan_in_flight, throttle=pool.throttle)
    ctx.broke = pool.budget.broke(request, now)
    able = [
        state
        for account_id, state in pool.states.items()
        if account_id not in exclude and isinstance(check(state, request, now, ctx), Eligible)
    ]
    if len(able) < 2:
        return frozenset()
    before = {x.account.id: before_cost(pool.selector, x.account, ctx) for x in able}
    first = min(before.values())
    load = {
        x.account.id: x.in_flight / x.soft_limit(now, s)
        for x in able
        if before[x.account.id] == first
    }
    least = min(load.values())
    return frozenset(account_id for account_id, its in load.items() if its > least)


def other_model(pool: Pool, request: LeaseRequest, lease: Lease, outcome: Outcome) -> bool:
    """Whether only the model failed, and the request's route has another one for that account."""
    state = pool.states.get(lease.account_id)
    if request.route is None or state is None:
        return False
    if not isinstance(outcome, ModelMissing | Overloaded | ContextExceeded):
        return False
    return any(t.model != lease.model for t in request.route.targets_of(state.account))


def larger_only(
    pool: Pool, request: LeaseRequest, outgrown: Collection[tuple[str, str]]
) -> tuple[LeaseRequest, frozenset[str]]:
    """Who may take what was too long for these (account id, model): the request as it asks for them,
    and the accounts that it passes over. Of a route it is targets that fall away, not accounts.
    """
    if not outgrown:
        return request, frozenset()
    if request.route is None:
        return request, no_larger(pool, request, outgrown)
    return narrowed(pool, request, outgrown), frozenset()


def narrowed(
    pool: Pool, request: LeaseRequest, outgrown: Iterable[tuple[str, str]]
) -> LeaseRequest:
    """The request without the targets of its route that said that it is too long: (account id, model)."""
    route = request.route
    for account_id, model in outgrown:
        state = pool.states.get(account_id)
        if route is not None and state is not None:
            route = without(route, account_id, state.account.provider, model)
    return request if route is request.route else replace(request, route=route)


def no_larger(
    pool: Pool, request: LeaseRequest, outgrown: Iterable[tuple[str, str]]
) -> frozenset[str]:
    """The accounts that take no more than those that said that it is too long: the same model has one size."""
    told = [
        pool.states[account_id].account for account_id, _ in outgrown if account_id in pool.states
    ]
    models = {_sent_as(account, request) for account in told}
    too_small = max((_room(account, request) or 0 for account in told), default=0)
    return frozenset(
        account_id
        for account_id, state in pool.states.items()
        if _sent_as(state.account, request) in models
        or (_room(state.account, request) or math.inf) <= too_small
    )


def _room(account: Account, request: LeaseRequest) -> int | None:
    """The context that its owner says the model has there; None where nothing is said."""
    return matching(account.context, _sent_as(account, request)[1])


def _sent_as(account: Account, request: LeaseRequest) -> tuple[str, str]:
    """Whose model it would be there, by the name it has there."""
    return account.provider, upstream_model(account.models, request.model) or request.model
