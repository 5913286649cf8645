"""What many runs say together: means over seeds, how sure they are, and differences in pairs.

Policies are compared on the same scenarios, so the difference of two is taken seed by seed: what
makes one week harder than another cancels out. Pure arithmetic; how it is shown lives elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from maxpool.sim.scenario import Result

LOADED = "loaded"
"""The name of the table over all families under load."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a run: its key, a column title, what it is, and digits after the point.

    `of` takes the result and the most value that could be served. `more_is_better` is None where
    neither is.
    """

    key: str
    title: str
    meaning: str
    digits: int
    of: Callable[[Result, float], float]
    more_is_better: bool | None = False


MEASURES = (
    Measure("share", "share", "value served, as a share of {most}", 4, lambda r, m: _part(r.value_served, m), True),
    Measure("overhead", "overhead", "quota burned over the least possible for what was served", 3, lambda r, _: r.overhead),
    Measure("moves", "moves/100", "session moves to another account, per 100 turns", 2, lambda r, _: 100 * _part(r.moves, r.served)),
    Measure("late_1s", "late>1s %", "turns sent more than 1 s late for lack of quota or room, percent", 2, lambda r, _: 100 * _part(r.late_1s, r.turns)),
    Measure("late_60s", "late>60s %", "the same, more than 60 s", 2, lambda r, _: 100 * _part(r.late_60s, r.turns)),
    Measure("wait_s", "wait s", "seconds waited, per turn", 2, lambda r, _: _part(r.waited_s, r.turns)),
    Measure("quota_429", "quota 429", "429s for used-up quota", 0, lambda r, _: r.quota_429),
    Measure("burst_429", "burst 429", "429s for too many requests at once", 0, lambda r, _: r.burst_429),
    Measure("cache_lost", "cache lost M", "million tokens of warm prompt cache left behind by moves", 1, lambda r, _: r.cache_tokens_lost / 1e6),
    Measure("unused", "lapsed M", "million tokens of weekly quota that lapsed at a reset while work waited", 1, lambda r, _: r.unused / 1e6),
    Measure("key_usd", "key USD", "spent on paid keys", 2, lambda r, _: r.key_usd),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean and its standard error (None with fewer than two seeds)."""

    mean: float
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One strategy: each measure by its key, and its difference to the first strategy's."""

    strategy: str
    values: Mapping[str, Spread]
    against_first: Mapping[str, Spread] | None


@dataclass(frozen=True, slots=True)
class Table:
    """The strategies side by side in one family, or over all that are loaded."""

    name: str
    families: tuple[str, ...]
    seeds: int
    lines: tuple[Line, ...]


def tables(
    results: Sequence[Result], most: Mapping[tuple[str, int], float], loaded: Iterable[str]
) -> list[Table]:
    """A table per family, in the order played, and one over the loaded ones if they are several.

    `most`: by family and seed, the most value that could be served.
    """
    families = list(dict.fromkeys(result.family for result in results))
    found = [_table(family, (family,), results, most) for family in families]
    under_load = tuple(family for family in families if family in set(loaded))
    if len(under_load) > 1:
        found.append(_table(LOADED, under_load, results, most))
    return found


def spread(numbers: Sequence[float]) -> Spread:
    """Mean and standard error of numbers drawn independently."""
    if len(numbers) < 2:
        return Spread(numbers[0] if numbers else 0.0)
    return Spread(fmean(numbers), stdev(numbers) / math.sqrt(len(numbers)))


def _table(
    name: str,
    families: tuple[str, ...],
    results: Sequence[Result],
    most: Mapping[tuple[str, int], float],
) -> Table:
    by_strategy: dict[str, list[Result]] = {}
    for result in results:
        if result.family in families:
            by_strategy.setdefault(result.strategy, []).append(result)
    numbers = {strategy: _numbers(runs, most) for strategy, runs in by_strategy.items()}
    first = next(iter(numbers), None)
    lines = [
        Line(
            strategy,
            {key: spread(list(seeds.values())) for key, seeds in by_key.items()},
            None if first in (None, strategy) else _differences(by_key, numbers[first]),
        )
        for strategy, by_key in numbers.items()
    ]
    seeds = {result.seed for runs in by_strategy.values() for result in runs}
    return Table(name, families, len(seeds), tuple(lines))


def _numbers(
    runs: Sequence[Result], most: Mapping[tuple[str, int], float]
) -> dict[str, dict[int, float]]:
    """Each measure by key and seed, averaged over the families."""
    seeds = sorted({run.seed for run in runs})
    return {
        measure.key: {
            seed: fmean(
                measure.of(run, most[run.family, run.seed]) for run in runs if run.seed == seed
            )
            for seed in seeds
        }
        for measure in MEASURES
    }


def _differences(
    mine: Mapping[str, Mapping[int, float]], first: Mapping[str, Mapping[int, float]]
) -> dict[str, Spread]:
    return {
        key: spread([number - first[key][seed] for seed, number in seeds.items()])
        for key, seeds in mine.items()
    }


def _part(number: float, whole: float) -> float:
    return number / whole if whole > 0 else 0.0
