"""The field of one request: the accounts that may serve it, weighed as far as it takes to know the best.

Lanes (see `core/index`) are cut off where quota alone costs more than the best so far; what stood
behind is kept for whoever asks why. Chooses nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from maxpool.core.cost import Behind, Terms, Weigher
from maxpool.core.decisions import SHOWN_CANDIDATES
from maxpool.core.eligibility import (
    ELIGIBLE,
    Context,
    Reason,
    Unavailable,
    check,
    check_open,
    mismatch,
)
from maxpool.core.strategy import STRATEGIES, Asking, Strategy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from maxpool.core.account import Account
    from maxpool.core.binding import Binding
    from maxpool.core.lanes import Lane
    from maxpool.core.select import Selector
    from maxpool.core.state import AccountState

FEW = 32
"""So few accounts that offer a model are weighed one by one, rather than looked for in their lanes."""
COUNTED = 256
"""Of a lane, whose accounts do not offer a model: so many are counted at most."""

Rank = tuple[Any, ...]
"""(what comes before cost, the strategy's word, lease order, cost, id): the lowest serves."""


@dataclass(slots=True)
class Field:
    """All accounts that may serve a request, as far as they had to be weighed."""

    ranks: list[Rank] = field(default_factory=list)
    behind: list[Behind] = field(default_factory=list)
    terms: Terms | None = None
    closed: dict[str, int] = field(default_factory=dict)

    def best(self) -> list[Rank]:
        """The weighed accounts that are shown, best first."""
        return sorted(self.ranks)[:SHOWN_CANDIDATES] if len(self.ranks) > 1 else self.ranks

    def with_parked(self, parked: Mapping[str, int]) -> dict[str, int]:
        """How many accounts cannot serve, by reason: those closed as a whole, and those met here."""
        counts = dict(parked)
        for name, n in self.closed.items():
            counts[name] = counts.get(name, 0) + n
        return counts

    def miss(self, block: Unavailable, n: int = 1) -> None:
        """Accounts that are open, and yet cannot carry this request.

        Logins of other clients are there for those alone: to this request there is no such account.
        """
        if block.reason is not Reason.OTHER_LOGIN:
            self.closed[block.reason.value] = self.closed.get(block.reason.value, 0) + n


def before_cost(selector: Selector, account: Account, ctx: Context) -> tuple[object, ...]:
    """What comes before cost, lower first."""
    return (
        account.id != selector.preferred,
        account.priority,
        account.paid and ctx.settings.key_price != "always",
        account.tier,
    )


def median(selector: Selector, state: AccountState, ctx: Context) -> float:
    """What an unknown weekly use of the account counts as."""
    return selector.index.median_week(state.account.plan, ctx.settings.unknown_utilization)


def rank_of(selector: Selector, state: AccountState, weigher: Weigher, ctx: Context) -> Rank:
    """The rank of one account by cost, in full."""
    cost = weigher.cost(state, median(selector, state, ctx))
    account = state.account
    before = before_cost(selector, account, ctx)
    return (before, (cost.total,), state.lease_order, cost, account.id)


def field_of(
    selector: Selector,
    weigher: Weigher,
    binding: Binding | None,
    exclude: frozenset[str],
    ctx: Context,
) -> Field:
    """The accounts that may serve, weighed as far as it takes to know the best."""
    found = Field()
    strategy = STRATEGIES[ctx.settings.strategy]
    if strategy is not None:
        asking = Asking(weigher.now, binding, selector.leased)
        return _by_strategy(selector, (strategy, asking), weigher, exclude, ctx)
    alone = _at_home(selector, weigher)
    index, request, offering = selector.index, weigher.request, None
    if request.part is not None or index.mixed:  # else the lanes tell who offers a model
        offering = index.offers.of(request)
    if offering is not None and len(offering) <= FEW and request.owner is None:
        special = index.special
        alone += [n for n in sorted(offering) if n not in special and n not in alone]
    names = dict.fromkeys((*alone, *selector.index.special))
    _weigh(selector, found, names, (weigher, exclude, ctx))
    if not _settled(selector, found, ctx):
        others = _related(selector, weigher, alone)
        _weigh(selector, found, others, (weigher, exclude, ctx))
        alone += others
    if weigher.request.owner is None:
        skip = exclude.union(alone) if alone else exclude
        mean = selector.prices.session_mean
        found.terms = Terms(weigher.weeks, weigher.cold_weight, mean, skip)
        _lanes(selector, found, (weigher, offering), ctx)
    return found


def _weigh(
    selector: Selector,
    found: Field,
    names: Iterable[str],
    asked: tuple[Weigher, frozenset[str], Context],
) -> None:
    """Weigh these accounts one by one, as far as they may serve."""
    (weigher, exclude, ctx), index = asked, selector.index
    for account_id in names:
        place = index.places.get(account_id)
        if place is None or account_id in exclude:
            continue
        if place.parked is not None:
            found.closed |= {place.parked: 1} if place.private else {}
            continue
        state = selector.states[account_id]
        block = check_open(state, weigher.request, weigher.now, ctx)
        if block is ELIGIBLE:
            found.ranks.append(rank_of(selector, state, weigher, ctx))
        elif isinstance(block, Unavailable) and (place.private or account_id in index.special):
            found.miss(block)


def _settled(selector: Selector, found: Field, ctx: Context) -> bool:
    """Whether nobody else can cost less: without a warm cache no sum is below the small bonuses."""
    if not found.ranks:
        return False
    s, best = ctx.settings, min(found.ranks)
    if best[1][0] >= -(s.parent_bonus + s.opening_bonus):
        return False
    return all(lane.before >= best[0] for lane in selector.index.lanes.values())


def _lanes(
    selector: Selector,
    found: Field,
    asked: tuple[Weigher, Collection[str] | None],
    ctx: Context,
) -> None:
    """Add the best of each lane; a lane ends where quota alone costs more than the best so far."""
    weigher, offering = asked
    part = weigher.request.part
    best = min((r[:3] for r in found.ranks), default=None)
    for lane in selector.index.lanes.values():
        if best is not None and lane.before > best[0]:
            continue
        if offering is not None and (part is not None or lane.mixed):
            if len(offering) <= FEW:  # each of them was weighed by itself
                name = Reason.MODEL if part is None else Reason.TARGET
                others = sum(entry[2] not in offering for entry in lane.entries[:COUNTED])
                found.miss(Unavailable(name), others) if others else None
                continue
            best = _lane(selector, found, lane, best, _Each(weigher, offering, ctx))
            continue
        block = _lane_block(lane, weigher, ctx)
        if block is not None:
            found.miss(block, len(lane.entries))
        else:
            best = _lane(selector, found, lane, best, None)
    if len(found.behind) > SHOWN_CANDIDATES:  # no more of them can be shown
        found.behind = nsmallest(SHOWN_CANDIDATES, found.behind, key=_first_cost)


@dataclass(slots=True)
class _Each:
    """Asks the accounts of a lane one by one, where they are not all alike to the request."""

    weigher: Weigher
    offering: Collection[str]
    ctx: Context

    def serves(self, selector: Selector, account_id: str, found: Field) -> bool:
        """Whether this account may serve; where not, the field knows why."""
        weigher = self.weigher
        if account_id not in self.offering:
            return False
        block = check_open(selector.states[account_id], weigher.request, weigher.now, self.ctx)
        if isinstance(block, Unavailable):
            found.miss(block)
            return False
        return True


def _first_cost(behind: Behind) -> tuple[Any, ...]:
    lane, shift, entries = behind
    return (lane.before, lane.congestion + lane.failures, entries[0][0] + shift)


def _lane_block(lane: Lane, weigher: Weigher, ctx: Context) -> Unavailable | None:
    """Why nobody in a lane can serve: its accounts are open, and have nothing set aside."""
    sample, request = lane.sample, weigher.request
    never = mismatch(sample.account, request)
    if never is not None:
        return Unavailable(never)
    broke = ctx.broke is not None and sample.account.paid
    if (ctx.throttle is None or ctx.throttle.idle) and not broke:
        full = sample.in_flight >= sample.slots(ctx.settings)
        if not full and (sample.account.paid or ctx.plan_in_flight < ctx.settings.slots_total):
            return None
    block = check_open(sample, request, weigher.now, ctx)
    return block if isinstance(block, Unavailable) else None


def _lane(
    selector: Selector,
    found: Field,
    lane: Lane,
    best: tuple[Any, ...] | None,
    each: _Each | None,
) -> tuple[Any, ...] | None:
    terms = found.terms
    if terms is None:
        return best
    median = 0.0
    if lane.median_of is not None:
        unknown = selector.prices.settings.unknown_utilization
        median = selector.index.median_week(lane.median_of[0], unknown)
    shift = terms.weeks.shift(lane.form, median, lane.length_s)
    weighed, entries = 0, lane.entries
    fixed, before = lane.congestion + lane.failures + lane.opening, lane.before
    for order, lease_order, account_id, room in entries:
        if account_id not in terms.skip:
            if best is not None and before == best[0]:
                dearer = best[1][0] < fixed  # whatever its quota
                least = fixed if dearer else fixed + terms.weeks.price(order + shift) * terms.weight
                if ((least,), lease_order) >= best[1:]:
                    break
            if each is not None and not each.serves(selector, account_id, found):
                weighed += 1
                continue
            cost = terms.cost(lane, shift, order, room)
            rank = (before, (cost.total,), lease_order, cost, account_id)
            found.ranks.append(rank)
            best = rank[:3] if best is None or rank[:3] < best else best
        weighed += 1
    if weighed < len(entries):
        rest = entries[weighed : weighed + SHOWN_CANDIDATES]
        behind = rest if each is None else [e for e in rest if e[2] in each.offering]
        found.behind.append(Behind(lane, shift, behind)) if behind else None
    return best


def _by_strategy(
    selector: Selector,
    asked: tuple[Strategy, Asking],
    weigher: Weigher,
    exclude: frozenset[str],
    ctx: Context,
) -> Field:
    """Every account that may serve, ranked by the strategy; costs are for those that are shown."""
    found, ranked = Field(), []
    strategy, asking = asked
    part = weigher.request.part
    states = selector.states
    for account_id in states if part is None else selector.index.offers.of(weigher.request):
        state = states[account_id]
        if account_id in exclude:
            continue
        block = check(state, weigher.request, weigher.now, ctx)
        if isinstance(block, Unavailable):
            found.miss(block)
            continue
        before = before_cost(selector, state.account, ctx)
        ranked.append((before, strategy.rank(state, asking), state.lease_order, account_id))
    for before, rank, order, account_id in nsmallest(SHOWN_CANDIDATES, ranked):
        state = selector.states[account_id]
        cost = weigher.cost(state, median(selector, state, ctx))
        found.ranks.append((before, rank, order, cost, account_id))
    return found


def _at_home(selector: Selector, weigher: Weigher) -> list[str]:
    """Accounts that no lane speaks for: warm ones, the preferred, the client's own login."""
    if weigher.request.owner is not None:
        return [weigher.request.owner]
    special = selector.index.special
    names = [name for name in weigher.warm if name not in special]
    own = weigher.request.own
    if own is not None and own.account_id not in names:  # it stands in no lane at all
        names.append(own.account_id)
    preferred = selector.preferred
    if preferred is not None and preferred not in special and preferred not in names:
        names.append(preferred)
    return names


def _related(selector: Selector, weigher: Weigher, known: list[str]) -> list[str]:
    """The same for small preferences: where the parent runs, where the system prefix is warm."""
    if weigher.request.owner is not None:
        return []
    names = [] if weigher.parent_id is None else [weigher.parent_id]
    if weigher.prefix is not None and weigher.prefix.tokens:
        names += weigher.prefix.warm
    special = selector.index.special
    return [n for n in dict.fromkeys(names) if n not in special and n not in known]
