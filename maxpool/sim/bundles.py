"""The turns of a scenario as bundles of one session and hour: the rows of the clairvoyant bound.

Everything here errs on the generous side: a turn weighs the least it can weigh under any policy, may
be sent at any time at which some policy could send it, and of an hour's turns the best part counts
first. Knows nothing of accounts and of linear programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain, groupby, pairwise
from typing import TYPE_CHECKING, Literal

from maxpool.core.family import family_of
from maxpool.core.settings import PoolSettings
from maxpool.sim.families import HOUR_S, TTL_LONG_S, lasts_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from maxpool.sim.scenario import Scenario, SessionPlan, Turn

WINDOWS_H = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48, 72, 96, 144, 216, 336)
"""Delays in whole hours that are told apart; one between two of them counts as the longer."""

SLACK_S = 60.0
"""Per turn: tries that fail and are repeated take time that patience does not count."""

_SETTINGS = PoolSettings()

Kind = Literal["strict", "nominal"]
"""How late a turn may be. `nominal`: one patience after it would be sent if nothing ever waited.
`strict`: n patiences for the n-th turn, because a turn that waits shifts all that follow; only this
one can never be beaten."""

Point = tuple[float, float]
"""(work, value)."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Turns of session number `session` that fall due in hour `first`; may be served until hour `last`.

    `pieces`: (work, value) of parts of falling worth, in the order in which a bound takes them.
    """

    session: int
    first: int
    last: int
    pieces: tuple[Point, ...]
    largest: float  # the work of its largest turn

    @property
    def value(self) -> float:
        """What all its turns are worth."""
        return sum(value for _, value in self.pieces)


@dataclass(frozen=True, slots=True)
class Due:
    """One turn: when it is sent if nothing ever waits, and when it is sent at the very latest."""

    at_s: float
    latest_s: float
    work: float
    value: float


def model_price(model: str) -> float:
    """A model's price relative to Sonnet's."""
    return _SETTINGS.model_prices.get(family_of(model), 1.0)


def value_of(plan: SessionPlan, turn: Turn) -> float:
    """What an answered turn is worth: re-sent prefix earns nothing."""
    return model_price(plan.model) * (turn.new + _SETTINGS.output_price * turn.output)


def least_work(plan: SessionPlan, turn: Turn, life_s: float) -> float:
    """The least a turn can cost anywhere: all that can still be warm is read from the cache.

    After a pause longer than `life_s`, the cache life, only the shared system prefix can be.
    """
    s = _SETTINGS
    warm = turn.reusable if turn.think_s <= life_s else 0
    cached = min(turn.prefix, max(warm, plan.system))
    write = s.cache_write_price_1h if plan.ttl_s >= TTL_LONG_S else s.cache_write_price_5m
    written = turn.prefix - cached + turn.new
    tokens = s.cache_read_price * cached + write * written + s.output_price * turn.output
    return model_price(plan.model) * tokens


def dues(plan: SessionPlan, scenario: Scenario, kind: Kind = "strict") -> Iterator[Due]:
    """The turns of a session that fall within the horizon, behind which nothing is sent."""
    life_s = scenario.cache_life_s if scenario.cache_life_s is not None else plan.ttl_s
    at = plan.starts_s
    for nth, turn in enumerate(plan.turns, 1):
        at += turn.think_s
        if at >= scenario.horizon_s:
            return
        late = (nth if kind == "strict" else 1) * plan.patience_s + nth * SLACK_S
        latest = max(at, min(at + late, scenario.horizon_s))
        yield Due(at, latest, least_work(plan, turn, life_s), value_of(plan, turn))
        at += lasts_s(turn)


def bundles(scenario: Scenario, kind: Kind = "strict") -> list[Bundle]:
    """All bundles, those of a session in order of time."""
    found: list[Bundle] = []
    for number, plan in enumerate(scenario.sessions):
        hours = groupby(dues(plan, scenario, kind), key=lambda due: int(due.at_s // HOUR_S))
        found += (_bundle(number, hour, list(turns)) for hour, turns in hours)
    return found


def offered(scenario: Scenario) -> float:
    """What all turns within the horizon are worth."""
    turns = chain.from_iterable(dues(plan, scenario) for plan in scenario.sessions)
    return sum(due.value for due in turns)


def _bundle(session: int, hour: int, turns: Sequence[Due]) -> Bundle:
    latest = int(turns[-1].latest_s // HOUR_S)
    return Bundle(
        session, hour, hour + _rounded_up(latest - hour), _pieces(turns), max(t.work for t in turns)
    )


def _rounded_up(hours: int) -> int:
    return next((told for told in WINDOWS_H if told >= hours), hours)


def _pieces(turns: Sequence[Due]) -> tuple[Point, ...]:
    """The upper hull of (work, value) served after each turn, as steps.

    Who stops in the middle of an hour may have served its best turns: a straight line from nothing
    to all would ask too much work for their value.
    """
    works = accumulate((due.work for due in turns), initial=0.0)
    values = accumulate((due.value for due in turns), initial=0.0)
    return tuple(_steps(_upper_hull(zip(works, values, strict=True))))


def _upper_hull(points: Iterable[Point]) -> list[Point]:
    hull: list[Point] = []
    for x, y in points:
        while len(hull) > 1 and _below(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    return hull


def _below(left: Point, middle: Point, right: Point) -> bool:
    """Whether the middle point lies on or under the line between the others."""
    across = (middle[0] - left[0]) * (right[1] - left[1])
    return across >= (middle[1] - left[1]) * (right[0] - left[0])


def _steps(hull: Sequence[Point]) -> Iterator[Point]:
    for (x0, y0), (x1, y1) in pairwise(hull):
        yield x1 - x0, y1 - y0
