"""Plays families, seeds and strategies against each other, in as many processes as there are cores.

Every scenario is made where it is played (a seed is shorter than a scenario), its bound is computed
once, and the results come back in the order they were asked for, whoever was faster. What a run is
lives in `maxpool.sim`, which knows of no processes.
"""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from maxpool.core.settings import PoolSettings
from maxpool.sim.bound import available, bound
from maxpool.sim.bundles import offered
from maxpool.sim.whatif import with_accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from maxpool.sim.bundles import Kind
    from maxpool.sim.scenario import Result, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be played: every strategy on every seed of every family.

    `add`: plans of accounts that join each pool. `bound`: which bound is computed, None = none.
    `check_every`: events between two checks of the pool's invariants, 0 = none. `chart`: keep the
    hours of the first run.
    """

    families: tuple[str, ...]
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    weeks: float
    settings: PoolSettings = field(default_factory=PoolSettings)
    add: tuple[str, ...] = ()
    bound: Kind | None = "strict"
    check_every: int = 0
    chart: bool = False

    @property
    def grounds(self) -> list[tuple[str, int]]:
        """The scenarios, by family and seed."""
        return [(family, seed) for family in self.families for seed in self.seeds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One scenario as it was played on: its size, and what could be served of it at the very most.

    `offered` is counted as if nothing ever waited; `bound` is None when none was computed.
    """

    family: str
    seed: int
    loaded: bool
    accounts: tuple[str, ...]
    offered: float
    bound: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """All that came out: grounds by family and seed, results by family, seed and strategy."""

    grounds: tuple[Ground, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work: the bound of a scenario (`strategy` None) or one run."""

    family: str
    seed: int
    strategy: str | None

    def __str__(self) -> str:
        return f"{self.family} {self.seed} {self.strategy or 'bound'}"


def bound_available() -> bool:
    """Whether the library for the bound is installed."""
    return available()


def play(
    plan: Plan, *, jobs: int = 1, progress: Callable[[int, int, Task], None] | None = None
) -> Played:
    """Play it all; with one job in this process, else in `jobs` others.

    `progress` hears after each piece of work how many are done, how many there are, and which it was.
    Ctrl-C (KeyboardInterrupt) and any failure end the other processes at once.
    """
    tasks = list(_tasks(plan))
    found: dict[Task, Ground | Result] = {}
    steps = _here(plan, tasks) if jobs <= 1 else _elsewhere(plan, tasks, min(jobs, len(tasks)))
    for task, answer in steps:
        found[task] = answer
        if progress is not None:
            progress(len(found), len(tasks), task)
    answers = [found[task] for task in tasks]
    return Played(
        grounds=tuple(answer for answer in answers if isinstance(answer, Ground)),
        results=tuple(answer for answer in answers if not isinstance(answer, Ground)),
    )


def _tasks(plan: Plan) -> Iterator[Task]:
    for family, seed in plan.grounds:
        yield Task(family, seed, None)
        for strategy in plan.strategies:
            yield Task(family, seed, strategy)


def _here(plan: Plan, tasks: Sequence[Task]) -> Iterator[tuple[Task, Ground | Result]]:
    for task in tasks:
        yield task, perform(plan, task)


def _elsewhere(
    plan: Plan, tasks: Sequence[Task], jobs: int
) -> Iterator[tuple[Task, Ground | Result]]:
    """As `_here`, in the order of completion."""
    context = multiprocessing.get_context("spawn")
    strangers = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(jobs, mp_context=context)
    try:
        with _deaf():
            asked = {executor.submit(perform, plan, task): task for task in tasks}
        waiting: set[Future[Ground | Result]] = set(asked)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield asked[future], future.result()
    except BaseException:
        for child in set(multiprocessing.active_children()) - strangers:
            child.kill()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes started in here ignore Ctrl-C, which a terminal sends to all: this one ends them."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread, where no Ctrl-C arrives either
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def perform(plan: Plan, task: Task) -> Ground | Result:
    """One piece of work, in whatever process this is."""
    from maxpool.sim.run import simulate

    world = _scenario(task.family, task.seed, plan.weeks, plan.add)
    if task.strategy is None:
        return _ground(world, plan)
    settings = replace(plan.settings, strategy=task.strategy)
    first = Task(plan.families[0], plan.seeds[0], plan.strategies[0])
    samples = plan.chart and task == first
    return simulate(world, settings, check_every=plan.check_every, samples=samples)


def _ground(world: Scenario, plan: Plan) -> Ground:
    return Ground(
        family=world.family,
        seed=world.seed,
        loaded=world.loaded,
        accounts=tuple(hidden.account.name for hidden in world.accounts),
        offered=offered(world),
        bound=bound(world, kind=plan.bound) if plan.bound else None,
    )


@lru_cache(maxsize=1)
def _scenario(family: str, seed: int, weeks: float, add: tuple[str, ...]) -> Scenario:
    """The scenario; kept, because the tasks of one scenario come one after the other."""
    from maxpool.sim.workload import scenario

    return with_accounts(scenario(family, seed, weeks), add)
