"""Strategies of routes: in which order the targets of a level are asked, and whose turn it is.

Which account serves a target, and whether any can, is decided elsewhere (`core/routing`); the default
strategy, the pool's own cost, needs no order and is not among these.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from maxpool.core.health import HealthState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from maxpool.core.binding import Binding
    from maxpool.core.pool import Pool
    from maxpool.core.routes import Level, Part, Route, Target
    from maxpool.core.state import AccountState

KEPT_TURNS = 4096
"""Targets of routes whose turns are remembered."""
FRESH = 64
"""Levels of so many targets are looked at anew for each request; of longer ones what is slow to reckon
(use, latency) is kept for `KEPT_S`. Whether a target can serve is asked each time."""
KEPT_S = 1.0
KEPT_LEVELS = 256
UNKNOWN = 0.5
"""What counts for a term of the score that nothing is known of."""
LATENCY, SUCCESS, PRIORITY = 0.4, 0.4, 0.2
"""Shares of the score by which the fastest is found."""


@dataclass(slots=True)
class Turn:
    """When a target of a route had its last turn: the number of the lease, and by weighted turns."""

    number: int = 0
    at: float = 0.0


@dataclass(slots=True)
class Turns:
    """The turns of every route's targets, the longest unused first; bounded."""

    by_target: OrderedDict[tuple[str, str], Turn] = field(default_factory=OrderedDict)
    clock: dict[str, float] = field(default_factory=dict)  # by route: when its last turn was
    kept: dict[Level, tuple[float, list[Any]]] = field(default_factory=dict)  # see `FRESH`
    keys: dict[Level, tuple[str, list[tuple[str, str]]]] = field(default_factory=dict)

    def keys_of(self, route: str, level: Level) -> list[tuple[str, str]]:
        """Under which the turns of a level's targets are kept."""
        found = self.keys.get(level)
        if found is None or found[0] != route:
            if len(self.keys) >= KEPT_LEVELS:
                self.keys.clear()
            made = [_key(route, target) for target in level.targets]
            found = self.keys[level] = (route, made)
        return found[1]

    def taken(self, route: str, target: Target, number: int) -> None:
        """A lease of that number was given to a target.

        Whoever had no turn for long (or never) does not make up for those that it missed.
        """
        key = _key(route, target)
        known = self.by_target.get(key)
        at = (0.0 if known is None else known.at) + 1.0 / target.weight
        at = max(at, self.clock.get(route, 0.0))
        self.by_target[key] = Turn(number, at)
        self.by_target.move_to_end(key)
        self.clock[route] = at
        while len(self.by_target) > KEPT_TURNS:
            self.by_target.popitem(last=False)
        while len(self.clock) > KEPT_TURNS:
            del self.clock[next(iter(self.clock))]


def _key(route: str, target: Target) -> tuple[str, str]:
    return route, target.label or target.model


@dataclass(slots=True)
class Dealer:
    """What an order of targets may depend on."""

    pool: Pool
    route: Route
    binding: Binding | None
    now: float

    def accounts(self, part: Part) -> Iterator[tuple[AccountState, Target]]:
        """Who may serve a part, each with what it would be asked for."""
        states = self.pool.states
        for account_id, target in self.pool.index.offers.members(part).items():
            yield states[account_id], target


def in_order(dealer: Dealer, level: Level) -> Iterator[Part]:
    """The parts of a level, which have one target each, as the route's strategy would ask them."""
    parts = level.parts
    ranks = _RANKS[dealer.route.strategy](dealer, level)
    if ranks is None:
        yield from parts
        return
    first = ranks.index(min(ranks))  # mostly the only one that is asked
    yield parts[first]
    yield from (parts[n] for n in sorted(range(len(parts)), key=ranks.__getitem__) if n != first)


Ranks = list[Any] | None
"""One for each part of a level, the lowest is asked first; of equals, and without any, the first."""


def _ordered(_dealer: Dealer, _level: Level) -> Ranks:
    """As their owner wrote them."""
    return None


def _round_robin(dealer: Dealer, level: Level) -> list[int]:
    """Whose last turn is longest ago."""
    turns = dealer.pool.routing.turns
    found = map(turns.by_target.get, turns.keys_of(dealer.route.name, level))
    return [0 if turn is None else turn.number for turn in found]


def _weighted(dealer: Dealer, level: Level) -> list[float]:
    """Whose next turn comes first: turns are the closer together the larger its weight."""
    turns, name = dealer.pool.routing.turns, dealer.route.name
    known, latest = turns.by_target, turns.clock.get(name, 0.0)
    ranks: list[float] = []
    for key, target in zip(turns.keys_of(name, level), level.targets, strict=True):
        turn = known.get(key)
        at = (0.0 if turn is None else turn.at) + 1.0 / target.weight
        ranks.append(at if at > latest else latest)
    return ranks


def _least_used(dealer: Dealer, level: Level) -> list[tuple[float, float]]:
    """Who has used the least of its quota for its weight; where nothing tells, whose turn it is."""
    unknown = dealer.pool.settings.unknown_utilization

    def used_of(part: Part) -> float:
        used = 1.0
        for state, _ in dealer.accounts(part):
            told = state.quota.estimate("7d", dealer.now) if state.quota.windows else None
            used = min(used, unknown if told is None else told)
        return used

    used = _kept(dealer, level, lambda: [used_of(part) for part in level.parts])
    each = zip(used, level.targets, _weighted(dealer, level), strict=True)
    return [(share / target.weight, turn) for share, target, turn in each]


def _sticky(dealer: Dealer, level: Level) -> Ranks:
    """Where the session was last, with the same model; a new one goes on in turn."""
    turns, binding = _round_robin(dealer, level), dealer.binding
    state = None if binding is None else dealer.pool.states.get(binding.current)
    if binding is None or state is None:
        return turns
    account, warmth = state.account, binding.warm.get(binding.current)
    model = "" if warmth is None else warmth.model
    return [
        (model not in ("", target.model) or part.target_of(account) is None, turn)
        for part, target, turn in zip(level.parts, level.targets, turns, strict=True)
    ]


def _fastest(dealer: Dealer, level: Level) -> list[Rank]:
    """The best score of latency, success and priority; a breaker that is closed before any other."""
    return _kept(dealer, level, lambda: _scores(dealer, level))


Rank = tuple[float, ...]


def _scores(dealer: Dealer, level: Level) -> list[Rank]:
    looks = [_look(dealer, part) for part in level.parts]
    slowest = max((one.p95_s for one in looks if one.p95_s is not None), default=0.0)
    places = [one.priority for one in looks]
    first, last = min(places, default=0), max(places, default=0)

    def rank(one: _Look) -> Rank:
        speed = UNKNOWN if one.p95_s is None or not slowest else 1.0 - one.p95_s / slowest
        share = UNKNOWN if first == last else (last - one.priority) / (last - first)
        success = UNKNOWN if one.success is None else one.success
        score = LATENCY * speed + SUCCESS * success + PRIORITY * share
        return (0.0 if one.closed else 1.0, -score)

    return [rank(one) for one in looks]


def _kept(dealer: Dealer, level: Level, reckon: Callable[[], list[Any]]) -> list[Any]:
    """Something of each part, reckoned anew for few of them, else now and then."""
    kept, now = dealer.pool.routing.turns.kept, dealer.now
    if len(level.parts) <= FRESH:
        return reckon()
    found = kept.get(level)
    if found is None or not 0.0 <= now - found[0] < KEPT_S:
        if len(kept) >= KEPT_LEVELS:
            kept.clear()
        found = kept[level] = (now, reckon())
    return found[1]


class _Look(NamedTuple):
    """What is known of a target: means over its accounts, the best of their priorities."""

    p95_s: float | None
    success: float | None
    priority: int
    closed: bool


def _look(dealer: Dealer, part: Part) -> _Look:
    timings, priorities, closed = dealer.pool.latency.by_target, [], False
    speeds: list[float] = []
    shares: list[float] = []
    for state, target in dealer.accounts(part):
        priorities.append(state.account.priority)
        closed = closed or state.health.state is HealthState.READY
        timing = timings.get((state.account.id, target.model))
        if timing is not None and timing.success is not None:
            shares.append(timing.success)
            speeds += [] if timing.p95_s is None else [timing.p95_s]
    return _Look(_mean(speeds), _mean(shares), min(priorities, default=0), closed)


def _mean(known: list[float]) -> float | None:
    return sum(known) / len(known) if known else None


_RANKS: Mapping[str, Callable[[Dealer, Level], Ranks]] = {
    "ordered": _ordered,
    "round-robin": _round_robin,
    "weighted": _weighted,
    "least-used": _least_used,
    "sticky": _sticky,
    "fastest": _fastest,
}
