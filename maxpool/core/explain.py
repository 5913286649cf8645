"""What the pool would do with a request now, in full, for people: reads everything, changes nothing.

The choice itself looks at as few accounts as it must (`core/field`); here every account is weighed or
named with its reason.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core import admission
from maxpool.core.binding import session_key
from maxpool.core.cost import Candidate, reckon
from maxpool.core.decisions import Explanation
from maxpool.core.eligibility import Context, Eligible, Reason, Unavailable, check
from maxpool.core.field import Field, before_cost, median
from maxpool.core.queue import class_of
from maxpool.core.select import Choice
from maxpool.core.strategy import STRATEGIES, Asking

if TYPE_CHECKING:
    from maxpool.core.binding import Binding
    from maxpool.core.cost import Weigher
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool

Unused = tuple[str, Reason, float | None]


def explain(pool: Pool, request: LeaseRequest, now: float, exclude: frozenset[str]) -> Explanation:
    """Weigh every account for that request; `chosen` is what `acquire` would lease at `now`."""
    selector = replace(pool.selector, blocked={})
    ctx = Context(pool.settings, pool.plan_in_flight, throttle=pool.throttle)
    ctx.wait_until = admission.deadline(pool, request, None, now)
    arrived = admission.arrived(request, None, now)
    binding = pool.bindings.find(session_key(request), now)
    weigher = selector.weigher(request, binding, now, ctx)
    found, unused = _field(pool, weigher, binding, exclude, ctx)
    waits_for = _held(pool, request, exclude)
    choice = None
    if not found.ranks:
        waits_for = waits_for or selector.why_not(request, now, exclude, ctx).cause
        found.ranks = selector.reserves(weigher, exclude, ctx, arrived)
    if found.ranks:
        decided = selector.decide(found, weigher, binding, exclude, ctx, arrived)
        if isinstance(decided, Choice):
            choice = decided
        else:
            waits_for = waits_for or decided.cause
    held = waits_for is not None and waits_for.reason in (Reason.PAUSED, Reason.QUEUED)
    choice = None if held else choice
    return Explanation(
        at=now,
        strategy=pool.settings.strategy,
        request=request,
        chosen=None if choice is None else choice.state.account.id,
        waits_for=waits_for if choice is None else None,
        candidates=tuple(Candidate(rank[-1], rank[-2]) for rank in sorted(found.ranks)),
        unavailable=tuple(unused),
        lost_tokens=0 if choice is None else choice.lost_tokens,
        move_cost=0.0 if choice is None else choice.move_cost,
    )


def _held(pool: Pool, request: LeaseRequest, exclude: frozenset[str]) -> Unavailable | None:
    """What holds back every request of this kind before any account is looked at."""
    if not pool.states:
        return Unavailable(Reason.NO_ACCOUNTS)
    if pool.paused:
        return Unavailable(Reason.PAUSED)
    if class_of(request, exclude) in pool.queue.by_class:
        return Unavailable(Reason.QUEUED)
    return None


def _field(
    pool: Pool,
    weigher: Weigher,
    binding: Binding | None,
    exclude: frozenset[str],
    ctx: Context,
) -> tuple[Field, list[Unused]]:
    """Every account: ranked, or with its reason. What is reckoned on alarms is reckoned afresh."""
    found, unused = Field(), []
    selector, now, settings = pool.selector, weigher.now, pool.settings
    strategy = STRATEGIES[settings.strategy]
    asking = Asking(now, binding, selector.leased)
    for account_id, state in pool.states.items():
        block = check(state, weigher.request, now, ctx)
        if account_id in exclude:
            block = Unavailable(Reason.EXCLUDED)
        if not isinstance(block, Eligible):
            unused.append((account_id, block.reason, block.until))
            continue
        fresh = copy(state)
        reckon(fresh, now, pool.index.demand, pool.index.yardstick, settings)
        cost = weigher.cost(fresh, median(selector, state, ctx))
        word = (cost.total,) if strategy is None else strategy.rank(fresh, asking)
        before = before_cost(selector, state.account, ctx)
        found.ranks.append((before, word, state.lease_order, cost, account_id))
    return found, unused
