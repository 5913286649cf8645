"""The choice among what a name stands for: which target, and for it which account.

Level by level; in a level the pool's own cost weighs all targets at once, any other strategy puts them
in an order (`core/dealing`) and takes the first that can be served. It also holds requests for one
vendor's models back from other vendors' accounts, as their owner says. Changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core.binding import session_key
from maxpool.core.choice import Blocked, Choice, end_of
from maxpool.core.cooling import despite_cooling
from maxpool.core.dealing import Dealer, Turns, in_order
from maxpool.core.eligibility import Context, Unavailable, check
from maxpool.core.needs import UNSIGNED_THINKING
from maxpool.core.reasons import Reason
from maxpool.core.routes import Level, Part, Route, Target, home_of, route_of
from maxpool.core.sets import Sets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maxpool.core.binding import Binding
    from maxpool.core.cost import Weigher
    from maxpool.core.field import Field
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.core.select import Selector

    Look = Callable[[LeaseRequest], tuple[Field, Weigher, Binding | None]]

KEPT_NAMES = 1024
"""Models named as they are, for which it is remembered whose they are."""


@dataclass(slots=True)
class Routing:
    """What the pool keeps for routes: whose turn it is, and what bare names mean; bounded."""

    turns: Turns = field(default_factory=Turns)
    sets: Sets = field(default_factory=Sets)
    plain: OrderedDict[str, Route] = field(default_factory=OrderedDict)

    def route_of(self, model: str) -> Route:
        """A route of a model that was named as it is: whoever serves it."""
        found = self.plain.get(model)
        if found is None:
            found = self.plain[model] = route_of(model, [[Target(model)]], cross="when-exhausted")
            if len(self.plain) > KEPT_NAMES:
                self.plain.popitem(last=False)
        return found


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request, and how it is asked.

    `look`: the accounts that may serve a narrowed request; the selector's own, or one that looks at all
    of them, for people.
    """

    pool: Pool
    selector: Selector
    request: LeaseRequest
    now: float
    exclude: frozenset[str]
    ctx: Context
    arrived: float
    look: Look

    @property
    def route(self) -> Route:
        """What the request names."""
        return self.request.route or self.pool.routing.route_of(self.request.model)

    def narrowed(self, part: Part) -> LeaseRequest:
        """The request for one part."""
        return replace(self.request, model=part.lead, route=None, part=part)


def choose(
    pool: Pool,
    request: LeaseRequest,
    now: float,
    exclude: frozenset[str],
    ctx: Context,
    arrived: float,
) -> Choice | Blocked:
    """The best account for the best target, or why there is none; also where no route was named."""
    found = _choose(pool, request, now, exclude, ctx, arrived)
    if isinstance(found, Blocked) and left_to_judge(pool, request, found.cause, exclude):
        return _choose(pool, unjudged(request), now, exclude, ctx, arrived)
    return found


def left_to_judge(
    pool: Pool, request: LeaseRequest, block: Unavailable, exclude: frozenset[str]
) -> bool:
    """Whether only accounts whose API may refuse thinking that it never signed are left.

    The API decides then. Not after somebody who would have taken it failed: that is the answer.
    """
    if UNSIGNED_THINKING not in request.needs or block.temporary:
        return False
    tried = (state for i in exclude if (state := pool.states.get(i)) is not None)
    return all(UNSIGNED_THINKING in state.account.lacks for state in tried)


def unjudged(request: LeaseRequest) -> LeaseRequest:
    """The request without that need."""
    return replace(request, needs=request.needs - {UNSIGNED_THINKING})


def _choose(
    pool: Pool,
    request: LeaseRequest,
    now: float,
    exclude: frozenset[str],
    ctx: Context,
    arrived: float,
) -> Choice | Blocked:
    selector = pool.selector
    if request.route is None and not pool.index.offers.foreign:
        found = selector.choose(request, now, exclude, ctx, arrived)
    else:
        found = _across(pool, request, now, exclude, ctx, arrived)
    if isinstance(found, Blocked) and ctx.settings.when_all_cooling != "wait":
        return despite_cooling(pool, request, found, now, exclude, ctx)
    return found


def _across(
    pool: Pool,
    request: LeaseRequest,
    now: float,
    exclude: frozenset[str],
    ctx: Context,
    arrived: float,
) -> Choice | Blocked:
    """The same where more than accounts of one vendor, or more than one model, may come into question."""
    selector = pool.selector
    asked = Asked(
        pool=pool,
        selector=selector,
        request=request,
        now=now,
        exclude=exclude,
        ctx=ctx,
        arrived=arrived,
        look=lambda narrowed: selector.look(narrowed, now, exclude, ctx),
    )
    if request.route is None:
        return plain(asked, lambda: selector.choose(request, now, exclude, ctx, arrived))
    return selector.known_block(request, exclude, now, ctx) or routed(asked)


def plain(asked: Asked, choice: Callable[[], Choice | Blocked]) -> Choice | Blocked:
    """A model named as it is: only where another vendor's account would serve is there more to say.

    `choice`: among everybody.
    """
    cross, home = asked.ctx.settings.cross_provider, home_of(asked.request.model)
    if cross == "always" or home is None or not asked.pool.index.offers.are_foreign():
        return choice()
    if cross == "never":
        return _at_home(asked)
    found = choice()
    if not isinstance(found, Choice) or found.state.account.provider == home:
        return found
    return stays_home(asked, found)


def routed(asked: Asked) -> Choice | Blocked:
    """The best of a route, across vendors as its owner says."""
    route = asked.route
    found = _best(asked, route.asked())
    if isinstance(found, Choice):
        crosses = route.home is not None and route.cross == "when-exhausted"
        if crosses and found.state.account.provider != route.home:
            return stays_home(asked, found)
        return found
    if found is not None:
        return found
    nobody = asked.selector.why_not(asked.request, asked.now, asked.exclude, asked.ctx)
    return asked.selector.keep_block(
        nobody, asked.request, asked.now, asked.exclude, asked.ctx, asked.arrived
    )


def _at_home(asked: Asked) -> Choice | Blocked:
    """A model named as it is, by its own vendor's accounts alone."""
    found = _best(asked, asked.route.at_home)
    if isinstance(found, Choice):
        return _without_route(asked, found)
    if found is not None:
        return found
    route = replace(asked.route, cross="never")
    request = replace(asked.request, route=route)
    return asked.selector.why_not(request, asked.now, asked.exclude, asked.ctx)


def _best(asked: Asked, levels: tuple[Level, ...]) -> Choice | Blocked | None:
    """The best of the levels, or what it is worth waiting for; None where nobody can serve."""
    held: list[Blocked] = []
    found = _open(asked, levels, held)
    if found is None and not held:
        found = _reserved(asked, levels, held)
    if found is not None or not held:
        return found
    return min(held, key=lambda block: end_of(block.cause))


def _open(asked: Asked, levels: tuple[Level, ...], held: list[Blocked]) -> Choice | None:
    """The best of the first level of which anything can be served; notes what others wait for."""
    for level in levels:
        parts = _ordered(asked, level)
        best: Choice | None = None
        for part in parts:
            found = _best_of(asked, part)
            if isinstance(found, Blocked):
                held.append(found)
            elif found is not None and (best is None or found.rank < best.rank):
                best = found
                if asked.route.strategy != "cost":
                    break
        if best is not None:
            return best
    return None


def _ordered(asked: Asked, level: Level) -> Iterator[Part] | tuple[Part, ...]:
    """The parts of a level as its strategy would have them."""
    if asked.route.strategy == "cost" or len(level.parts) < 2:
        return level.parts
    binding = asked.pool.bindings.find(session_key(asked.request), asked.now)
    dealer = Dealer(asked.pool, asked.route, binding, asked.now)
    places, members = asked.pool.index.places, asked.pool.index.offers.members
    able = (part for part in in_order(dealer, level))
    # A long list of which most are closed need not be searched one by one.
    return (p for p in able if any(places[a].parked is None for a in members(p)))


def _best_of(asked: Asked, part: Part) -> Choice | Blocked | None:
    """The best account of a part, or what it is worth waiting for; None where nobody can serve."""
    selector, request = asked.selector, asked.narrowed(part)
    found, weigher, binding = asked.look(request)
    if not found.ranks:
        return None
    decided = selector.decide(found, weigher, binding, asked.exclude, asked.ctx, asked.arrived)
    return decided if isinstance(decided, Blocked) else on_target(decided, request, asked.route)


def _reserved(asked: Asked, levels: tuple[Level, ...], held: list[Blocked]) -> Choice | None:
    """When all targets are closed: what owners keep back for emergencies, if this is one."""
    selector = asked.selector
    if not selector.keeps_reserves():
        return None
    for part in (part for level in levels for part in level.parts):
        request = asked.narrowed(part)
        found, weigher, binding = asked.look(request)
        found.ranks = selector.reserves(weigher, asked.exclude, asked.ctx, asked.arrived)
        if found.ranks:
            args = (binding, asked.exclude, asked.ctx, asked.arrived)
            decided = selector.decide(found, weigher, *args)
            if isinstance(decided, Choice):
                return on_target(decided, request, asked.route)
            held.append(decided)
    return None


def on_target(found: Choice, request: LeaseRequest, route: Route) -> Choice:
    """A choice made for a part, as the request of the one target that it is."""
    part, account = request.part, found.state.account
    target = None if part is None else part.target_of(account)
    if target is not None:
        found.request = replace(request, model=target.model, route=None, part=None)
        found.target, found.route = target, route.name
    return found


def stays_home(asked: Asked, elsewhere: Choice) -> Choice | Blocked:
    """Another vendor's account would serve: only when nobody of the model's own vendor is back in time.

    What a person prefers, and what stands before them by priority, is chosen all the same.
    """
    account = elsewhere.state.account
    if account.id == asked.selector.preferred or asked.request.owner is not None:
        return elsewhere
    held: list[Blocked] = []
    at_home = _open(asked, asked.route.at_home, held)
    if at_home is not None and at_home.state.account.priority <= account.priority:
        return _without_route(asked, at_home)
    deadline = asked.arrived + asked.ctx.settings.cross_after_s
    blocks = [block.cause for block in held]
    for account_id, state in asked.pool.states.items():
        own = state.account
        if own.provider != asked.route.home or own.priority > account.priority:
            continue
        if account_id not in asked.exclude:
            block = check(state, asked.request, asked.now, asked.ctx)
            blocks += [block] if isinstance(block, Unavailable) and block.temporary else []
    soonest = min(blocks, key=end_of, default=None)
    if soonest is None or asked.now >= deadline or end_of(soonest) > deadline:
        return elsewhere
    until = deadline if soonest.until is None else min(soonest.until, deadline)
    if until > asked.ctx.wait_until:
        return elsewhere  # it would be refused otherwise
    return Blocked(Unavailable(Reason.CROSS_PROVIDER, until), {soonest.reason.value: len(blocks)})


def _without_route(asked: Asked, found: Choice) -> Choice:
    """Where the request named no route, nothing is said of one."""
    if asked.request.route is None:
        found.target, found.route = None, ""
    return found
