"""What the pool would do with a request now, in full, for people: reads everything, changes nothing.

The choice itself looks at as few accounts as it must (`core/field`); here every account is weighed or
named with its reason.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core import admission, routing, told
from maxpool.core.binding import session_key
from maxpool.core.choice import Blocked, Choice
from maxpool.core.contextsize import sized
from maxpool.core.cooling import despite_cooling
from maxpool.core.cost import Candidate, reckon
from maxpool.core.decisions import Explanation
from maxpool.core.eligibility import Context, Eligible, Reason, Unavailable, account_state, check
from maxpool.core.field import Field, before_cost, median
from maxpool.core.lines import level_of
from maxpool.core.queue import class_of
from maxpool.core.strategy import STRATEGIES, Asking

if TYPE_CHECKING:
    from maxpool.core.binding import Binding
    from maxpool.core.cost import Weigher
    from maxpool.core.field import Rank
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.core.select import Selector

Unused = tuple[str, Reason, float | None]


def explain(pool: Pool, request: LeaseRequest, now: float, exclude: frozenset[str]) -> Explanation:
    """Weigh every account for that request; `chosen` is what `acquire` would lease at `now`."""
    if pool.rooms:
        request = sized(request, pool.rooms)
    if pool.budget.keyed:
        request = pool.budget.marked(request)
    found = _explained(pool, request, now, exclude)
    block = found.waits_for
    if block is None or not routing.left_to_judge(pool, request, block, exclude):
        return found
    return replace(_explained(pool, routing.unjudged(request), now, exclude), request=request)


def _explained(
    pool: Pool, request: LeaseRequest, now: float, exclude: frozenset[str]
) -> Explanation:
    selector = replace(pool.selector, blocked={})
    ctx = Context(pool.settings, pool.plan_in_flight, throttle=pool.throttle)
    full = not pool.queue.takes(request)
    ctx.wait_until = now if full else admission.deadline(pool, request, None, now)
    ctx.broke = pool.budget.broke(request, now)
    seen = _Seen(pool, selector, request, now, exclude, ctx)
    asked = routing.Asked(
        pool=pool,
        selector=selector,
        request=request,
        now=now,
        exclude=exclude,
        ctx=ctx,
        arrived=admission.arrived(pool, request, None, now),
        look=seen.look,
    )
    found = _decided(asked, seen)
    waits_for = _held(pool, request, exclude, ctx, now)
    choice = found if isinstance(found, Choice) and waits_for is None else None
    if isinstance(found, Blocked):
        waits_for = waits_for or found.cause
    binding = pool.bindings.find(session_key(request), now)
    return Explanation(
        at=now,
        strategy=pool.settings.strategy,
        request=request,
        chosen=None if choice is None else choice.state.account.id,
        waits_for=waits_for if choice is None else None,
        candidates=seen.candidates(None if choice is None else choice.state.account.id),
        unavailable=tuple(seen.unused()),
        rebind=None if choice is None else _rebind(choice, binding),
        lost_tokens=0 if choice is None else choice.lost_tokens,
        move_cost=0.0 if choice is None else choice.move_cost,
        route="" if request.route is None else request.route.name,
        targets=() if request.route is None else tuple(told.targets(asked, choice)),
    )


def _decided(asked: routing.Asked, seen: _Seen) -> Choice | Blocked:
    """What the pool would decide, with every account looked at."""
    if asked.request.route is not None:
        found = routing.routed(asked)
    else:
        found = routing.plain(asked, lambda: _among_all(asked, seen))
    if isinstance(found, Blocked) and asked.ctx.settings.when_all_cooling != "wait":
        ctx, exclude = asked.ctx, asked.exclude
        return despite_cooling(asked.pool, asked.request, found, asked.now, exclude, ctx)
    return found


def _among_all(asked: routing.Asked, seen: _Seen) -> Choice | Blocked:
    selector, request, now = asked.selector, asked.request, asked.now
    found, weigher, binding = seen.look(request)
    if not found.ranks:
        found.ranks = selector.reserves(weigher, asked.exclude, asked.ctx, asked.arrived)
        if not found.ranks:
            return selector.why_not(request, now, asked.exclude, asked.ctx)
        seen.ranks += found.ranks
    return selector.decide(found, weigher, binding, asked.exclude, asked.ctx, asked.arrived)


@dataclass(slots=True)
class _Seen:
    """Looks at every account for each question, and remembers what it saw."""

    pool: Pool
    selector: Selector
    request: LeaseRequest
    now: float
    exclude: frozenset[str]
    ctx: Context
    ranks: list[Rank] = field(default_factory=list)

    def look(self, request: LeaseRequest) -> tuple[Field, Weigher, Binding | None]:
        """Every account that may serve, weighed."""
        binding = self.pool.bindings.find(session_key(request), self.now)
        weigher = self.selector.weigher(request, binding, self.now, self.ctx)
        found = _field(self.pool, weigher, binding, self.exclude, self.ctx)
        self.ranks += found.ranks
        return found, weigher, binding

    def candidates(self, chosen: str | None) -> tuple[Candidate, ...]:
        """Everybody who was weighed, best first, each once; what was chosen comes first."""
        if not self.ranks:
            self.look(self.request) if self.request.route is None else None
        best = {
            rank[-1]: Candidate(rank[-1], rank[-2]) for rank in sorted(self.ranks, reverse=True)
        }
        listed = list(reversed(best.values()))
        if self.request.route is not None:
            listed.sort(key=lambda one: one.account_id != chosen)
        return tuple(listed)

    def unused(self) -> list[Unused]:
        """Everybody who cannot serve, with the reason."""
        found: list[Unused] = []
        for account_id, state in self.pool.states.items():
            block = check(state, self.request, self.now, self.ctx)
            if account_id in self.exclude:
                block = Unavailable(Reason.EXCLUDED)
            if not isinstance(block, Eligible):
                found.append((account_id, block.reason, block.until))
        return found


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
    limit = pool.budget.gate(request, now)
    if limit is not None:
        return limit
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
) -> Field:
    """Every account that may serve, ranked. What is reckoned on alarms is reckoned afresh."""
    found = Field()
    selector, now, settings = pool.selector, weigher.now, pool.settings
    strategy = STRATEGIES[settings.strategy]
    asking = Asking(now, binding, selector.leased)
    for account_id, known in pool.states.items():
        state = copy(known)
        if pool.index.places[account_id].parked and not account_state(known, now, ctx):
            state.opened_at = now  # it comes back now: its ramp begins
        block = check(state, weigher.request, now, ctx)
        if account_id in exclude or not isinstance(block, Eligible):
            continue
        reckon(state, now, pool.index.demand, pool.index.yardstick, settings)
        cost = weigher.cost(state, median(selector, state, ctx))
        word = (cost.total,) if strategy is None else strategy.rank(state, asking)
        before = before_cost(selector, state.account, ctx)
        found.ranks.append((before, word, state.lease_order, cost, account_id))
    return found
