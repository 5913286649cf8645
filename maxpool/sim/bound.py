"""The clairvoyant bound: the most value any policy could serve of a scenario, as a linear program.

Work is a fluid in bins of an hour, and the program knows the future. Whatever a real policy can do is
allowed here too: where the world is finer than a bin, the bin is generous. So a share of this bound
is never flattered, and 1.0 cannot be reached under load. Needs scipy, which maxpool itself does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from maxpool.errors import MaxpoolError
from maxpool.sim.bundles import bundles
from maxpool.sim.families import HOUR_S, WEEK_S, WINDOW_5H_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from maxpool.sim.bundles import Bundle, Kind
    from maxpool.sim.scenario import HiddenAccount, Scenario, Span

WINDOW_5H_BINS = round(WINDOW_5H_S / HOUR_S)

STRETCHES = (1, 2, 3, 5)
"""Stretches of so many times five hours are limited: each touches one 5h window more than that."""

Term = tuple[int, float]
"""(column, factor)."""


@dataclass(slots=True)
class Program:
    """A linear program in the making: minimise cost * x with rows * x <= limits, 0 <= x <= upper."""

    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    at_row: list[int] = field(default_factory=list)
    at_column: list[int] = field(default_factory=list)
    factor: list[float] = field(default_factory=list)

    def column(self, *, cost: float = 0.0, upper: float = math.inf) -> int:
        """A new variable; returns its number."""
        self.cost.append(cost)
        self.upper.append(upper)
        return len(self.cost) - 1

    def row(self, terms: Iterable[Term], limit: float = 0.0) -> None:
        """A new inequality."""
        number = len(self.limits)
        self.limits.append(limit)
        for column, factor in terms:
            self.at_row.append(number)
            self.at_column.append(column)
            self.factor.append(factor)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a program is."""

    columns: int
    rows: int
    entries: int


def available() -> bool:
    """Whether the library that the bound needs is installed."""
    return find_spec("scipy") is not None


def bound(scenario: Scenario, *, keys: bool = True, kind: Kind = "strict") -> float:
    """The most value that any policy can serve; `keys`: whether paid keys may serve.

    Raises `MaxpoolError` without scipy.
    """
    solver, sparse = _scipy()
    found = bundles(scenario, kind)
    scale = sum(bundle.value for bundle in found)
    if scale <= 0:
        return 0.0
    program = build(scenario, found, scale, keys=keys)
    rows = sparse.csr_array(
        (program.factor, (program.at_row, program.at_column)),
        shape=(len(program.limits), len(program.cost)),
    )
    upper = [(0.0, limit) for limit in program.upper]
    answer = solver.linprog(program.cost, rows, program.limits, bounds=upper, method="highs")
    if answer.status != 0:
        raise MaxpoolError(f"the bound could not be computed: {answer.message}")
    return min(float(-answer.fun), 1.0) * scale


def size(scenario: Scenario, *, keys: bool = True, kind: Kind = "strict") -> Size:
    """How large the program of a scenario is."""
    found = bundles(scenario, kind)
    program = build(scenario, found, 1.0, keys=keys)
    return Size(len(program.cost), len(program.limits), len(program.factor))


def build(
    scenario: Scenario, found: Sequence[Bundle], scale: float, *, keys: bool = True
) -> Program:
    """The program; values in units of `scale`, work in units of an average bin's."""
    program = Program()
    work = sum(work for bundle in found for work, _ in bundle.pieces)
    end = max((bundle.last for bundle in found), default=0) + 1
    unit = max(work / end, 1.0)
    sent = _offer(program, found, unit, scale)
    hourly = _flow(program, sent)
    overshoot = max((bundle.largest for bundle in found), default=0.0)
    for hidden in scenario.accounts:
        if keys or not hidden.account.paid:
            for column, hour in _serve(program, hidden, scenario, end, (unit, overshoot)):
                hourly.setdefault(hour, []).append((column, -1.0))
    for terms in hourly.values():
        program.row(terms)
    return program


def _offer(
    program: Program, found: Sequence[Bundle], unit: float, scale: float
) -> dict[tuple[int, int], list[Term]]:
    """A column per piece; returns, by (first, last) hour, what they weigh.

    Within a session the served share never rises from one bundle to the next: who is lost stays lost.
    """
    sent: dict[tuple[int, int], list[Term]] = {}
    before: tuple[int, list[Term]] | None = None
    for bundle in found:
        if bundle.value <= 0:
            continue
        shares: list[Term] = []
        weights = sent.setdefault((bundle.first, bundle.last), [])
        for work, value in bundle.pieces:
            column = program.column(cost=-value / scale, upper=1.0)
            weights.append((column, work / unit))
            shares.append((column, value / bundle.value))
        if before is not None and before[0] == bundle.session:
            program.row([*shares, *((column, -share) for column, share in before[1])])
        before = bundle.session, shares
    return sent


def _flow(program: Program, sent: dict[tuple[int, int], list[Term]]) -> dict[int, list[Term]]:
    """Spread what is sent over the hours in which it may be; returns the terms of each hour's sum."""
    hourly: dict[int, list[Term]] = {}
    for (first, last), weights in sent.items():
        columns = [program.column() for _ in range(first, last + 1)]
        program.row([*weights, *((column, -1.0) for column in columns)])
        for hour, column in enumerate(columns, first):
            hourly.setdefault(hour, []).append((column, 1.0))
    return hourly


def _serve(
    program: Program,
    hidden: HiddenAccount,
    scenario: Scenario,
    end: int,
    measures: tuple[float, float],
) -> Iterator[tuple[int, int]]:
    """Columns of what an account serves, with their hours; one hour has two where a week ends in it."""
    unit, overshoot = measures
    hours: list[list[int]] = []
    weeks: dict[int, list[Term]] = {}
    for hour in range(end):
        down = _inside(hour, (*hidden.outages, *scenario.storms))
        columns = []
        for week in sorted(
            {_week(hidden, hour * HOUR_S), _week(hidden, (hour + 1) * HOUR_S - 1e-6)}
        ):
            column = program.column(upper=0.0 if down else math.inf)
            columns.append(column)
            weeks.setdefault(week, []).append((column, 1.0))
            yield column, hour
        hours.append(columns)
    if not math.isinf(hidden.capacity_7d):
        for week, terms in weeks.items():
            spent = hidden.used_7d if week < 0 else 0.0  # week 0 begins at the first reset
            program.row(terms, ((1.0 - spent) * hidden.capacity_7d + overshoot) / unit)
    if not math.isinf(hidden.capacity_5h):
        for times in STRETCHES:
            limit = (times + 1) * (hidden.capacity_5h + overshoot) / unit
            for terms in _stretches(hours, times * WINDOW_5H_BINS):
                program.row(terms, limit)


def _stretches(hours: Sequence[Sequence[int]], length: int) -> Iterator[list[Term]]:
    for start in range(max(1, len(hours) - length + 1)):
        yield [(column, 1.0) for columns in hours[start : start + length] for column in columns]


def _week(hidden: HiddenAccount, at_s: float) -> int:
    return math.floor((at_s - hidden.week_phase_s) / WEEK_S)


def _inside(hour: int, spans: Iterable[Span]) -> bool:
    """Whether the whole bin lies in one of the spans."""
    start, end = hour * HOUR_S, (hour + 1) * HOUR_S
    return any(since <= start and end <= until for since, until in spans)


def _scipy() -> tuple[Any, Any]:
    try:
        from scipy import optimize, sparse
    except ImportError as error:
        raise MaxpoolError(
            "the bound needs scipy, which is not installed",
            "Install it with: pip install '.[simulate]' in maxpool's folder (or leave the bound out: --no-bound)",
        ) from error
    return optimize, sparse
