"""After a burst: which accounts a request passes over, to come to the idlest of the others.

A refusal for too much at once says nothing of quota, so load alone decides among those that come
first anyway; between equally idle ones the usual choice is made. Chooses nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.eligibility import Context, Eligible, check
from maxpool.core.field import before_cost

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool


def busier(
    pool: Pool, request: LeaseRequest, now: float, exclude: frozenset[str]
) -> frozenset[str]:
    """The accounts that could serve, come before all others by their owner's word, and are not the idlest."""
    s = pool.settings
    ctx = Context(s, pool.plan_in_flight, throttle=pool.throttle)
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
