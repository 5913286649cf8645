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
from maxpool.core.eligibility import Context, Eligible, Reason, Unavailable, account_state, check
from maxpool.core.field import Field, before_cost, median
from maxpool.core.lines import level_of
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
    full = not pool.queue.takes(request)
    ctx.wait_until = now if full else admission.deadline(pool, request, None, now)
    arrived = admission.arrived(pool, request, None, now)
    binding = pool.bindings.find(session_key(request), now)
    weigher = selector.weigher(request, binding, now, ctx)
    found, unused = _field(pool, weigher, binding, exclude, ctx)
    waits_for = _held(pool, request, exclude, ctx, now)
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
        rebind=None if choice is None else _rebind(choice, binding),
        lost_tokens=0 if choice is None else choice.lost_tokens,
        move_cost=0.0 if choice is None else choice.move_cost,
    )


def _rebind(choice: Choice, binding: Binding | None) -> str | None:
    """Whether the session would leave its home, by choice or by need."""
    if binding is None or choice.state.account.id == binding.home:
        return None
    return "choice" if choice.home_could_serve else "need"


def _held(
    pool: Pool, request: LeaseRequest, exclude: frozenset[str], ctx: Context, now: float
) -> Unavailable | None:
    """What holds back every request of this kind before any account is looked at."""
    if not pool.states:
        return Unavailable(Reason.NO_ACCOUNTS)
    if pool.paused:
        return Unavailable(Reason.PAUSED)
    first = pool.queue.lines.first(class_of(request, exclude))
    if first is None or first.level > level_of(request) or first.deadline < now:
        return None
    impatient = now if first.until is None else first.until
    if impatient > ctx.wait_until or (first.until is None and ctx.wait_until <= now):
        return None  # it would be refused behind that waiter: then it takes what serves now
    return Unavailable(Reason.QUEUED, pool.queue.expected(first, now))


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
    for account_id, known in pool.states.items():
        state = copy(known)
        if pool.index.places[account_id].parked and not account_state(known, now, ctx):
            state.opened_at = now  # it comes back now: its ramp begins
        block = check(state, weigher.request, now, ctx)
        if account_id in exclude:
            block = Unavailable(Reason.EXCLUDED)
        if not isinstance(block, Eligible):
            unused.append((account_id, block.reason, block.until))
            continue
        reckon(state, now, pool.index.demand, pool.index.yardstick, settings)
        cost = weigher.cost(state, median(selector, state, ctx))
        word = (cost.total,) if strategy is None else strategy.rank(state, asking)
        before = before_cost(selector, state.account, ctx)
        found.ranks.append((before, word, state.lease_order, cost, account_id))
    return found, unused
