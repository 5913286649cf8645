"""The generator of scenarios: hidden accounts, sessions with all their turns, incidents.

Draws from `random.Random` seeded by family and seed alone, so that a scenario is the same wherever
and whenever it is made. Plays nothing: that is `run`.
"""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from maxpool.core.account import Account
from maxpool.errors import MaxpoolError
from maxpool.sim import families as f
from maxpool.sim.bundles import least_work
from maxpool.sim.scenario import HiddenAccount, Scenario, SessionPlan, Span, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def scenario(family: str, seed: int, weeks: float = 3.0) -> Scenario:
    """One scenario of a family; the same arguments always give the same one.

    Raises `MaxpoolError` for an unknown family.
    """
    traits = f.FAMILIES.get(family)
    if traits is None:
        raise MaxpoolError(f"no family {family!r}", f"Families: {', '.join(f.FAMILIES)}.")
    horizon_s = weeks * f.WEEK_S
    rng = Random(f"{family}:{seed}")  # a string, so that no hash takes part
    hours = Hours(traits.demand, horizon_s, rng)
    accounts = tuple(_accounts(traits, hours, horizon_s, rng))
    crowd = Crowd(rng, hours, horizon_s, traits.cache_life_s)
    held = sum(a.capacity_7d for a in accounts if not a.account.paid)
    crowd.fill(traits.load * held * weeks)
    return Scenario(
        family=family,
        seed=seed,
        horizon_s=horizon_s,
        accounts=accounts,
        sessions=tuple(sorted(crowd.sessions, key=lambda s: (s.starts_s, s.id, s.agent or ""))),
        cache_life_s=traits.cache_life_s,
        storms=_storms(traits.incidents, hours, horizon_s, rng),
        loaded=traits.loaded,
    )


def draw(rng: Random, of: f.Lognormal) -> float:
    """A number from a distribution of the table."""
    return min(of.median * math.exp(of.sigma * rng.gauss(0.0, 1.0)), of.most)


def _tokens(rng: Random, of: f.Lognormal) -> int:
    return max(int(draw(rng, of)), f.LEAST_TOKENS)


# -- when ------------------------------------------------------------------------------------------


class Hours:
    """The demand of each hour of the horizon, to draw starting times from."""

    def __init__(self, demand: f.Demand, horizon_s: float, rng: Random) -> None:
        self.horizon_s = horizon_s
        count = math.ceil(horizon_s / f.HOUR_S)
        factors = _factors(demand, count, horizon_s, rng)
        self.office = self._sums(f.OFFICE_HOURS, factors)
        self.evening = self._sums(f.EVENINGS, factors)

    def _sums(self, profile: Sequence[float], factors: Sequence[float]) -> list[float]:
        weekday = (f.WEEKDAYS[hour // 24 % 7] * profile[hour % 24] for hour in range(len(factors)))
        return list(accumulate(w * x for w, x in zip(weekday, factors, strict=True)))

    def draw(self, rng: Random, kind: f.Kind) -> float:
        """A starting time, seconds."""
        sums = self.evening if kind == "batch" else self.office
        hour = bisect(sums, rng.random() * sums[-1])
        return min((hour + rng.random()) * f.HOUR_S, self.horizon_s - 1.0)


def _factors(demand: f.Demand, count: int, horizon_s: float, rng: Random) -> list[float]:
    factors = [1.0] * count
    if demand == "surges":
        for _ in range(max(round(f.SURGES_PER_WEEK * horizon_s / f.WEEK_S), 1)):
            day = rng.randrange(max(count // 24, 1))
            hour = day * 24 + rng.randrange(f.SURGE_FROM_H, f.SURGE_UNTIL_H)
            factors[min(hour, count - 1)] = f.SURGE_FACTOR
    elif demand == "gap":
        starts_s, ends_s = gap(horizon_s)
        for hour in range(count):
            at_s = hour * f.HOUR_S
            if starts_s <= at_s < ends_s:
                factors[hour] = 0.0
            elif ends_s <= at_s < ends_s + f.SURGE_AFTER_GAP_S:
                factors[hour] = f.SURGE_AFTER_GAP
    return factors


def gap(horizon_s: float) -> Span:
    """When nobody works: a long weekend, with the surge on the Monday after it."""
    step_s = f.WEEK_S if horizon_s >= 2 * f.WEEK_S else f.DAY_S
    ends_s = round(f.GAP_UNTIL * horizon_s / step_s) * step_s
    return ends_s - min(f.GAP_S, f.GAP_MOST * horizon_s), ends_s


# -- accounts and incidents ------------------------------------------------------------------------


def _accounts(
    traits: f.Family, hours: Hours, horizon_s: float, rng: Random
) -> Iterator[HiddenAccount]:
    for number, plan in enumerate(traits.plans, 1):
        weight = f.PLANS[plan].weight
        five = f.CAPACITY.pro_5h * weight * rng.lognormvariate(0.0, f.CAPACITY.noise)
        phase_s = rng.uniform(0.0, f.WEEK_S)
        name = f"{plan.removeprefix('max_')}-{number}"
        yield HiddenAccount(
            account=Account(id=name, name=name, kind="subscription", plan=plan),
            capacity_5h=five,
            capacity_7d=five * rng.uniform(*f.CAPACITY.week_ratio),
            week_phase_s=phase_s,
            concurrency=f.PLANS[plan].concurrency,
            outages=_outages(traits.incidents, hours, horizon_s, rng),
            used_7d=1.0 - phase_s / f.WEEK_S,  # an even burn until now
        )
    for number in range(1, traits.keys + 1):
        yield HiddenAccount(
            account=Account(id=f"key-{number}", name=f"key-{number}", kind="api_key"),
            capacity_5h=math.inf,
            capacity_7d=math.inf,
            week_phase_s=f.WEEK_S,
            concurrency=f.KEY_CONCURRENCY,
        )


def _outages(
    incidents: f.Incidents | None, hours: Hours, horizon_s: float, rng: Random
) -> tuple[Span, ...]:
    if incidents is None:
        return ()
    count = round(incidents.outages_per_week * horizon_s / f.WEEK_S)
    starts = [hours.draw(rng, "human") for _ in range(count)]
    return _apart((start, start + draw(rng, incidents.outage_s)) for start in starts)


def _storms(
    incidents: f.Incidents | None, hours: Hours, horizon_s: float, rng: Random
) -> tuple[Span, ...]:
    if incidents is None:
        return ()
    count = round(incidents.storms_per_week * horizon_s / f.WEEK_S)
    starts = [hours.draw(rng, "human") for _ in range(count)]
    return _apart((start, start + rng.uniform(*incidents.storm_s)) for start in starts)


def _apart(spans: Iterator[Span]) -> tuple[Span, ...]:
    """The spans in order, without those that begin inside another."""
    found: list[Span] = []
    for span in sorted(spans):
        if not found or span[0] > found[-1][1]:
            found.append(span)
    return tuple(found)


# -- sessions --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Parent:
    """A human session that may start sub-agents."""

    id: str
    project: int
    starts_s: float
    lasts_s: float


@dataclass(slots=True)
class Crowd:
    """Everybody who offers work, made session by session until there is enough of it."""

    rng: Random
    hours: Hours
    horizon_s: float
    cache_life_s: float | None
    sessions: list[SessionPlan] = field(default_factory=list)
    parents: list[Parent] = field(default_factory=list)
    offered: dict[f.Kind, float] = field(default_factory=dict)
    systems: dict[tuple[f.Kind, int], int] = field(default_factory=dict)
    missing: float = 0.0

    def fill(self, work: float) -> None:
        """Offer that much work at its least cost, each kind its share; exact within one turn."""
        self.missing = work
        self.offered = dict.fromkeys(f.HABITS, 0.0)
        while self.missing > 0.0:
            kind = max(
                f.HABITS, key=lambda k: f.HABITS[k].share * (work - self.missing) - self.offered[k]
            )
            if kind == "agent" and self.parents:
                self._agents()
            else:
                self._lone("batch" if kind == "batch" else "human")

    def _lone(self, kind: f.Kind) -> None:
        rng = self.rng
        starts_s = self.hours.draw(rng, kind)
        name = f"{kind[0]}{len(self.sessions)}"
        project = rng.randrange(f.HABITS[kind].projects)
        long = kind == "human" and self.cache_life_s is None and rng.random() < f.LONG_TTL_SHARE
        plan = self._session(kind, name, None, starts_s, (project, long))
        ends_s = starts_s + sum(turn.think_s + f.lasts_s(turn) for turn in plan.turns)
        if kind == "human":
            self.parents.append(Parent(name, project, starts_s, ends_s - starts_s))

    def _agents(self) -> None:
        rng = self.rng
        parent = self.parents[rng.randrange(len(self.parents))]
        starts_s = parent.starts_s + rng.random() * parent.lasts_s
        first = len(self.sessions)
        habits = f.HABITS["agent"]
        for number in range(rng.randint(*habits.together)):
            at_s = min(starts_s + rng.random() * habits.within_s, self.horizon_s - 1.0)
            if self.missing > 0.0:
                agent = f"a{first + number}"
                self._session("agent", parent.id, agent, at_s, (parent.project, False))

    def _session(
        self,
        kind: f.Kind,
        name: str,
        agent: str | None,
        starts_s: float,
        habit: tuple[int, bool],
    ) -> SessionPlan:
        """Add one session; `habit`: its project, and whether it announces the long cache life."""
        rng, habits = self.rng, f.HABITS[kind]
        project, long = habit
        system = self.systems.setdefault((kind, project), rng.randint(*habits.system))
        names, shares = zip(*habits.models, strict=True)
        plan = SessionPlan(
            id=name,
            kind=kind,
            starts_s=starts_s,
            model=rng.choices(names, shares)[0],
            patience_s=draw(rng, habits.patience_s),
            ttl_s=f.TTL_LONG_S if long else f.TTL_S,
            digest=f"{kind}-{project}",
            system=system,
            turns=(),
            agent=agent,
        )
        turns = tuple(self._within(plan, _turns(rng, habits, system)))
        plan = _with_turns(plan, turns)
        self.sessions.append(plan)
        return plan

    def _within(self, plan: SessionPlan, turns: Iterator[Turn]) -> Iterator[Turn]:
        """The turns that begin within the horizon, as long as work is missing."""
        at_s = plan.starts_s
        life_s = plan.ttl_s if self.cache_life_s is None else self.cache_life_s
        for turn in turns:
            at_s += turn.think_s
            if at_s >= self.horizon_s or self.missing <= 0.0:
                return
            at_s += f.lasts_s(turn)
            work = least_work(plan, turn, life_s)
            self.missing -= work
            self.offered[plan.kind] += work
            yield turn


def _with_turns(plan: SessionPlan, turns: tuple[Turn, ...]) -> SessionPlan:
    return SessionPlan(
        id=plan.id,
        kind=plan.kind,
        starts_s=plan.starts_s,
        model=plan.model,
        patience_s=plan.patience_s,
        ttl_s=plan.ttl_s,
        digest=plan.digest,
        system=plan.system,
        turns=turns,
        agent=plan.agent,
    )


def _turns(rng: Random, habits: f.Habits, system: int) -> Iterator[Turn]:
    """The turns of one session: a growing context, now and then compacted."""
    prefix = reusable = system
    new = max(rng.randint(*habits.first) - system, f.LEAST_TOKENS)
    for pause_s in _thinks(rng, habits):
        output = _tokens(rng, habits.output)
        slow_s = min(rng.expovariate(1.0 / f.SLOW_MEAN_S), f.SLOW_MOST_S)
        yield Turn(pause_s, prefix, reusable, new, output, slow_s)
        reusable = prefix + new
        prefix = reusable + output
        new = _tokens(rng, habits.new)
        if prefix + new > habits.context_most:
            prefix, reusable = system + rng.randint(*f.SUMMARY_TOKENS), system


def _thinks(rng: Random, habits: f.Habits) -> Iterator[float]:
    """The pause before each turn: long ones between bursts, short ones within."""
    for burst in range(_count(rng, habits.bursts)):
        yield draw(rng, habits.pause_s) if burst else 0.0
        for _ in range(_count(rng, habits.burst_turns) - 1):
            yield draw(rng, habits.think_s)


def _count(rng: Random, mean: float) -> int:
    """A whole number of at least 1 with that mean, spread like a geometric distribution."""
    return 1 if mean <= 1.0 else 1 + int(rng.expovariate(1.0 / (mean - 0.5)))
