"""`maxpool simulate`: strategies against each other on invented weeks, in virtual time.

Reads the wishes and prints the report. `maxpool.app.simulate` plays, `simulate_view` and
`simulate_page` show.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import json_option, terminal_width
from maxpool.config.environment import no_color

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from maxpool.app.simulate import Plan, Task
    from maxpool.cli.simulate_report import Report

QUICK_FAMILIES = ("moderate", "few")
QUICK_STRATEGIES = ("cost", "sticky")
QUICK_SEEDS = 2
QUICK_WEEKS = 1.0

CHECK_EVERY = 100
"""Events between two looks at the pool's invariants with `--check`: often, and not much slower."""


def _families(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:  # noqa: ANN401
    from maxpool.sim.families import FAMILIES, LOADED

    return _known(value, tuple(FAMILIES), {"all": tuple(FAMILIES), "loaded": LOADED}, parameter)


def _strategies(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:  # noqa: ANN401
    from maxpool.core.strategy import STRATEGIES

    return _known(value, tuple(STRATEGIES), {"all": tuple(STRATEGIES)}, parameter)


def _plans(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:  # noqa: ANN401
    from maxpool.sim.whatif import PLANS

    for name in value:
        _one_of(name, PLANS, parameter)
    return value


def _settings(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Any:  # noqa: ANN401
    from maxpool.cli.simulate_settings import settings_with

    try:
        return settings_with(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, parameter) from error


@click.command(
    name="simulate",
    epilog="Example: maxpool simulate --family overload --strategy cost --strategy sticky --seeds 1",
)
@click.option(
    "--family",
    "families",
    multiple=True,
    callback=_families,
    metavar="F",
    help="A kind of workload, or `loaded`, or `all`; may be repeated.  [default: moderate, few]",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    callback=_strategies,
    metavar="S",
    help="A way to choose accounts, or `all`; the first is what others are compared to.  "
    "[default: cost, sticky]",
)
@click.option(
    "--seeds", type=click.IntRange(1, 1000), help="Play seeds 1 to N.  [default: 2]", metavar="N"
)
@click.option("--seed", "seed", type=int, multiple=True, metavar="N", help="Play this seed.")
@click.option(
    "--weeks",
    type=click.FloatRange(0.1, 52),
    default=QUICK_WEEKS,
    show_default=True,
    metavar="W",
    help="How long each scenario is.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes; default: one per core.")
@click.option(
    "--bound",
    type=click.Choice(["strict", "nominal", "none"]),
    help="What shares are shares of.  [default: strict, needs scipy]",
)
@click.option("--no-bound", "bound", flag_value="none", help="The same as `--bound none`.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=_settings,
    metavar="KEY=VALUE",
    help="What if a pool setting were different; may be repeated.",
)
@click.option(
    "--add",
    multiple=True,
    callback=_plans,
    metavar="PLAN",
    help="What if there were one more: max_20x, max_5x, pro, key; may be repeated.",
)
@json_option
@click.option("--timing", is_flag=True, help="With --json: the machine's own times, too.")
@click.option("--markdown", is_flag=True, help="Print the table for a README.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Also write a page with charts, in one file.",
)
@click.option("--check", is_flag=True, help="Check the pool's invariants all along.")
def command(**wishes: Any) -> None:  # noqa: ANN401 - one keyword per option
    """Compare strategies on simulated weeks, or see what a change would do.

    Plays invented accounts and sessions against the real pool in virtual time. The same command
    gives the same output, wherever it runs. Without options: a quick look, within about a minute.

    \b
    Families:   light moderate overload burst hetero few many weekend outage
                apikey longcache
    Strategies: cost sticky drain-soonest least-used round-robin ordered
                weighted random

    \b
    What if I add an account?      maxpool simulate --family few --add max_5x
    What without stickiness?       maxpool simulate --strategy cost --strategy least-used
    What with another setting?     maxpool simulate --set warm_bonus=20
    """
    from maxpool.app.simulate import play
    from maxpool.cli.simulate_report import Report

    plan = _plan(wishes)
    jobs = wishes["jobs"] or _cores()
    with _progress() as progress:
        played = play(plan, jobs=jobs, progress=progress)
    _show(Report.of(plan, played), wishes)


def _plan(wishes: Mapping[str, Any]) -> Plan:
    from maxpool.app.simulate import Plan

    if wishes["seeds"] is not None and wishes["seed"]:
        raise click.UsageError("--seeds N plays the first N seeds, --seed N one: give one of them")
    if wishes["as_json"] and wishes["markdown"]:
        raise click.UsageError("--json and --markdown both print: give one of them")
    if wishes["timing"] and not wishes["as_json"]:
        raise click.UsageError("--timing goes into the JSON: give --json as well")
    seeds = tuple(dict.fromkeys(wishes["seed"]))
    return Plan(
        families=wishes["families"] or QUICK_FAMILIES,
        strategies=wishes["strategies"] or QUICK_STRATEGIES,
        seeds=seeds or tuple(range(1, (wishes["seeds"] or QUICK_SEEDS) + 1)),
        weeks=wishes["weeks"],
        settings=wishes["settings"],
        add=wishes["add"],
        bound=_bound(wishes["bound"]),
        check_every=CHECK_EVERY if wishes["check"] else 0,
        chart=wishes["html"] is not None,
    )


def _bound(wish: str | None) -> Any:  # noqa: ANN401 - a literal that click gives as text
    """Which bound to compute; without a wish and without scipy none, and that is said."""
    from maxpool.app.simulate import bound_available

    if wish is not None:
        return None if wish == "none" else wish
    if bound_available():
        return "strict"
    click.echo(
        "Without scipy there is no bound, so shares are of what was offered. "
        "To have it: pip install '.[simulate]' in maxpool's folder",
        err=True,
    )
    return None


def _show(report: Report, wishes: Mapping[str, Any]) -> None:
    from maxpool.cli import simulate_view

    if wishes["html"] is not None:
        _write(wishes["html"], report)
    if wishes["as_json"]:
        import json

        click.echo(json.dumps(report.document(timing=wishes["timing"]), indent=2))
    elif wishes["markdown"]:
        click.echo("\n".join(simulate_view.markdown(report)))
    elif sys.stdout.isatty() and not no_color():
        from rich.console import Console

        console = Console(highlight=False)
        console.print(simulate_view.renderable(report, console.width))
    else:
        click.echo("\n".join(simulate_view.plain(report, terminal_width())))


def _write(path: Path, report: Report) -> None:
    from maxpool.cli.simulate_page import page
    from maxpool.errors import MaxpoolError

    try:
        path.write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise MaxpoolError(f"cannot write {path}: {error.strerror}", "Name another file") from error
    click.echo(f"Wrote {path}: open it in a browser.", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, Task], None] | None]:
    """A bar on stderr for a person who looks at it; nothing otherwise."""
    if not sys.stderr.isatty() or no_color():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("starting", total=None)
        yield lambda done, total, task: bar.update(
            row, completed=done, total=total, description=f"played {task}"
        )


def _known(
    names: tuple[str, ...],
    known: tuple[str, ...],
    groups: Mapping[str, tuple[str, ...]],
    parameter: click.Parameter,
) -> tuple[str, ...]:
    """The names, groups spelled out, each once and in the order given."""
    found: dict[str, None] = {}
    for name in names:
        for member in groups.get(name) or (_one_of(name, (*known, *groups), parameter),):
            found[member] = None
    return tuple(found)


def _one_of(name: str, known: tuple[str, ...], parameter: click.Parameter) -> str:
    if name in known:
        return name
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise click.BadParameter(f"there is no {name!r}; {hint}", param=parameter)


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
