"""What `maxpool simulate` has to tell, before it is words, JSON, Markdown or a page. Pure.

The same plan and results always give the same report: no clock, no machine, no order of completion.
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from maxpool.core.settings import PoolSettings
from maxpool.sim.summary import LOADED, MEASURES, tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.app.simulate import Ground, Plan, Played
    from maxpool.sim.scenario import Result
    from maxpool.sim.summary import Spread, Table

SCHEMA = 1
BASES = {
    "strict": "the bound: the most that any policy could serve",
    "nominal": "the nominal bound: the most that could be served if delays did not add up",
    None: "what was offered",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A plan, what came of it, and the tables that compare its strategies."""

    plan: Plan
    played: Played
    tables: tuple[Table, ...]

    @classmethod
    def of(cls, plan: Plan, played: Played) -> Report:
        """The report on what was played."""
        offered = {(run.family, run.seed): run.value_offered for run in played.results}
        most = {(g.family, g.seed): _most(g, offered) for g in played.grounds}
        loaded = [ground.family for ground in played.grounds if ground.loaded]
        return cls(plan=plan, played=played, tables=tuple(tables(played.results, most, loaded)))

    @property
    def basis(self) -> str:
        """What shares are shares of."""
        return BASES[self.plan.bound]

    @property
    def changed(self) -> dict[str, Any]:
        """The pool settings that are not the defaults."""
        usual, chosen = PoolSettings(), self.plan.settings
        names = [field.name for field in fields(PoolSettings) if field.name != "strategy"]
        return {n: getattr(chosen, n) for n in names if getattr(chosen, n) != getattr(usual, n)}

    @property
    def overall(self) -> Table:
        """The table that says it all: over the loaded families, else the first."""
        return next((t for t in self.tables if t.name == LOADED), self.tables[0])

    @property
    def charted(self) -> Result | None:
        """The run whose hours were kept, if any."""
        return next((run for run in self.played.results if run.samples), None)

    def accounts(self, run: Result) -> tuple[str, ...]:
        """The names of the accounts of a run, in the order of its samples."""
        grounds = self.played.grounds
        return next(g.accounts for g in grounds if (g.family, g.seed) == (run.family, run.seed))

    def headline(self) -> str:
        """What was played, in one line."""
        plan = self.plan
        parts = [
            _count(len(plan.families), "family", "families"),
            _count(len(plan.strategies), "strategy", "strategies"),
            _count(len(plan.seeds), "seed", "seeds"),
            _weeks(plan.weeks),
        ]
        return ", ".join(parts)

    def notes(self) -> list[str]:
        """What a reader must know to read the numbers."""
        found = [f"share: value served, as a share of {self.basis}."]
        if len(self.plan.seeds) > 1:
            found.append("+-: standard error over the seeds; differences are taken seed by seed.")
        if self.changed:
            told = ", ".join(f"{name} = {_told(value)}" for name, value in self.changed.items())
            found.append(f"Changed settings: {told}.")
        if self.plan.add:
            found.append(f"Added accounts: {', '.join(self.plan.add)}.")
        return found

    def command(self, *extra: str) -> str:
        """The command line that plays the same again."""
        plan = self.plan
        words = ["maxpool", "simulate"]
        words += [word for name in plan.families for word in ("--family", name)]
        words += [word for name in plan.strategies for word in ("--strategy", name)]
        if plan.seeds == tuple(range(1, len(plan.seeds) + 1)):
            words += ["--seeds", str(len(plan.seeds))]
        else:
            words += [word for seed in plan.seeds for word in ("--seed", str(seed))]
        words += ["--weeks", f"{plan.weeks:g}"]
        words += [word for name in plan.add for word in ("--add", name)]
        for name, value in self.changed.items():
            words += ["--set", f"{name}={_told(value)}"]
        if plan.bound != "strict":
            words += ["--bound", plan.bound or "none"]
        return shlex.join([*words, *extra])

    def document(self, *, timing: bool = False) -> dict[str, Any]:
        """All of it as JSON; the machine's own times only if asked, for they differ each time."""
        plan = self.plan
        return {
            "schema": SCHEMA,
            "plan": {
                "families": list(plan.families),
                "strategies": list(plan.strategies),
                "seeds": list(plan.seeds),
                "weeks": plan.weeks,
                "bound": plan.bound or "none",
                "add": list(plan.add),
                "settings": self.changed,
                "command": self.command("--json"),
            },
            "measures": {measure.key: self.meaning(measure.meaning) for measure in MEASURES},
            "scenarios": [asdict(ground) for ground in self.played.grounds],
            "runs": [_run(result, timing=timing) for result in self.played.results],
            "tables": [_table(table) for table in self.tables],
        }

    def meaning(self, text: str) -> str:
        """A measure's meaning, with what shares are shares of."""
        return text.format(most=self.basis.partition(":")[0])


def _most(ground: Ground, offered: Mapping[tuple[str, int], float]) -> float:
    """No more can be served than the bound, nor than there is."""
    given = offered[ground.family, ground.seed]
    return given if ground.bound is None else min(ground.bound, given)


def _run(result: Result, *, timing: bool) -> dict[str, Any]:
    left_out = {"samples"} if timing else {"samples", "took_s"}
    return {k: v for k, v in asdict(result).items() if k not in left_out} | {
        "overhead": result.overhead
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "families": list(table.families),
        "seeds": table.seeds,
        "strategies": [
            {
                "strategy": line.strategy,
                "values": _spreads(line.values),
                "against_first": line.against_first and _spreads(line.against_first),
            }
            for line in table.lines
        ],
    }


def _spreads(values: Mapping[str, Spread]) -> dict[str, Any]:
    return {key: {"mean": found.mean, "error": found.error} for key, found in values.items()}


def _told(value: object) -> str:
    """A setting as `--set` takes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_told(part)}' for key, part in value.items()) + "}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_told, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _weeks(weeks: float) -> str:
    return f"{weeks:g} week{'' if weeks == 1 else 's'} each"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
