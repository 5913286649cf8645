"""Every number of the simulated workloads in one place: plans, people, prices, incidents, families.

Parameters only, each named with its unit; who draws from them is `workload`, who enforces the hidden
ones is `world`. Sizes are tokens, work is price-weighted tokens (one Sonnet input token = 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.sim.scenario import Turn

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S
WEEK_S: Final = 7 * DAY_S
WINDOW_5H_S: Final = 5 * HOUR_S

START_AT: Final = 1_767_571_200.0
"""Epoch seconds of second 0 of every scenario: Monday, 5 January 2026, 00:00 UTC."""

Kind = Literal["human", "agent", "batch"]
Demand = Literal["even", "surges", "gap"]


@dataclass(frozen=True, slots=True)
class Plan:
    """`weight`: capacity relative to Pro. `concurrency`: more at once get a short 429."""

    weight: float
    concurrency: int


PLANS: Final[Mapping[str, Plan]] = MappingProxyType(
    {"max_20x": Plan(20.0, 24), "max_5x": Plan(5.0, 12), "pro": Plan(1.0, 6)}
)
KEY_CONCURRENCY: Final = 500
KEY_USD_PER_MILLION: Final = 3.0  # price-weighted tokens: what a million Sonnet input tokens cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Hidden quota. A typical turn weighs about 15,000, so Pro holds some 45 of them in 5 h."""

    pro_5h: float = 650_000.0
    noise: float = 0.12  # sigma of the lognormal factor: no two accounts of a plan measure alike
    week_ratio: tuple[float, float] = (8.0, 12.0)  # weekly over 5h capacity, evenly drawn


CAPACITY: Final = Capacity()


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A lognormal distribution by its median and sigma, cut off at `most`."""

    median: float
    sigma: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How one kind of session behaves; tokens and seconds as the names say.

    `bursts`: mean number of stretches of work, with a pause before each but the first;
    `burst_turns`: mean number of turns in one, with a short `think_s` between them. `first`: tokens of
    the first request, `system` of these are the shared beginning. `context_most`: compacted then.
    """

    share: float  # of the offered work
    models: tuple[tuple[str, float], ...]
    projects: int  # sessions of the same kind and project share their system prefix
    bursts: float
    burst_turns: float
    pause_s: Lognormal
    think_s: Lognormal
    system: tuple[int, int]
    first: tuple[int, int]
    new: Lognormal
    output: Lognormal
    patience_s: Lognormal
    context_most: int
    together: tuple[int, int] = (1, 1)  # sessions that start at once,
    within_s: float = 0.0  # or nearly so


SONNET: Final = "claude-sonnet-5-5"
OPUS: Final = "claude-opus-5-5"
HAIKU: Final = "claude-haiku-5-5"

HABITS: Final[Mapping[Kind, Habits]] = MappingProxyType(
    {
        "human": Habits(
            share=0.6,
            models=((SONNET, 0.7), (OPUS, 0.2), (HAIKU, 0.1)),
            projects=3,
            bursts=5.0,
            burst_turns=8.0,
            pause_s=Lognormal(181.0, 1.1, 2 * HOUR_S),
            think_s=Lognormal(3.0, 0.9, 60.0),
            system=(9_000, 13_000),
            first=(14_000, 24_000),
            new=Lognormal(1_200.0, 1.0, 20_000.0),
            output=Lognormal(350.0, 0.9, 8_000.0),
            patience_s=Lognormal(20 * 60.0, 0.5, 2 * HOUR_S),
            context_most=150_000,
        ),
        "agent": Habits(
            share=0.2,
            models=((SONNET, 0.7), (HAIKU, 0.3)),
            projects=3,
            bursts=1.0,
            burst_turns=14.0,
            pause_s=Lognormal(30.0, 0.5, 300.0),
            think_s=Lognormal(2.0, 0.8, 60.0),
            system=(6_000, 9_000),
            first=(10_000, 14_000),
            new=Lognormal(1_800.0, 1.0, 20_000.0),
            output=Lognormal(300.0, 0.9, 8_000.0),
            patience_s=Lognormal(40 * 60.0, 0.5, 4 * HOUR_S),
            context_most=150_000,
            together=(5, 11),
            within_s=6.0,
        ),
        "batch": Habits(
            share=0.2,
            models=((SONNET, 0.6), (HAIKU, 0.4)),
            projects=2,
            bursts=1.0,
            burst_turns=50.0,
            pause_s=Lognormal(30.0, 0.5, 300.0),
            think_s=Lognormal(5.0, 0.8, 120.0),
            system=(9_000, 13_000),
            first=(14_000, 24_000),
            new=Lognormal(1_800.0, 1.0, 20_000.0),
            output=Lognormal(600.0, 0.9, 8_000.0),
            patience_s=Lognormal(6 * HOUR_S, 0.0, 6 * HOUR_S),
            context_most=150_000,
        ),
    }
)
TTL_S: Final = 300.0
TTL_LONG_S: Final = 3600.0
LONG_TTL_SHARE: Final = 0.2  # of human sessions announce the long cache life
SUMMARY_TOKENS: Final = (6_000, 12_000)  # what is left of a conversation after a compaction
LEAST_TOKENS: Final = 20  # of anything new, and of any answer

# Duration of an answer
ANSWER_S: Final = 2.0  # until its headers come
OUTPUT_TOKEN_S: Final = 0.014
SLOW_MEAN_S: Final = 1.5
SLOW_MOST_S: Final = 15.0

FAILURE_S: Final = 0.3  # until an error answer is there
BURST_RETRY_AFTER_S: Final = 2  # what a concurrency 429 says

# The client and the way through the server, as the data path has them
MOST_SENDS: Final = 6  # of one request, over all accounts
RETRY_SAME_S: Final = 0.65  # before the one retry after an overload
BACKOFF_S: Final = 0.55  # between accounts after a failure of server or network
NETWORK_BUDGET_S: Final = 30.0  # others are tried for this long while the network fails
ALARM_LATE_S: Final = 0.005  # a waiters' alarm rings a little late rather than early
CLIENT_RETRY_S: Final = 30.0  # a refused client that was told no time asks again after this


def lasts_s(turn: Turn) -> float:
    """How long the answer to a turn takes, from sending the request."""
    return ANSWER_S + OUTPUT_TOKEN_S * turn.output + turn.slow_s


# Relative demand by hour of the day, 0..23
OFFICE_HOURS: Final = (
    *(0.03, 0.02, 0.01, 0.01, 0.01, 0.02, 0.06, 0.2, 0.6, 1.0, 1.15, 1.1),
    *(0.65, 0.8, 1.1, 1.15, 1.05, 0.85, 0.5, 0.35, 0.3, 0.25, 0.15, 0.08),
)
EVENINGS: Final = (*(0.2,) + (0.0,) * 17, *(0.4, 1.0, 1.2, 1.2, 1.0, 0.6))
WEEKDAYS: Final = (0.95, 1.05, 1.05, 1.0, 0.85, 0.2, 0.2)  # Monday first
SURGES_PER_WEEK: Final = 6
SURGE_FACTOR: Final = 8.0  # on the demand of one office hour
SURGE_FROM_H: Final = 9
SURGE_UNTIL_H: Final = 17
GAP_UNTIL: Final = 0.55  # of the horizon, about: until a Monday, in short ones until a midnight
GAP_S: Final = 4 * DAY_S
GAP_MOST: Final = 0.34  # of the horizon, in short ones
SURGE_AFTER_GAP_S: Final = 1.5 * DAY_S
SURGE_AFTER_GAP: Final = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """Outages strike single accounts, storms all of them; they fall where demand is."""

    outages_per_week: float = 1.5  # per account
    outage_s: Lognormal = Lognormal(40 * 60.0, 0.7, 4 * HOUR_S)
    storms_per_week: float = 4.0
    storm_s: tuple[float, float] = (120.0, 480.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of workload. `load`: offered work at its least cost over the plans' weekly quota."""

    load: float
    plans: tuple[str, ...] = ("max_20x", "max_20x", "max_5x", "pro")
    keys: int = 0
    demand: Demand = "even"
    incidents: Incidents | None = None
    cache_life_s: float | None = None  # the true one, told to nobody; None = as announced
    loaded: bool = True


FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "light": Family(load=0.5, loaded=False),
        "moderate": Family(load=1.05),
        "overload": Family(load=1.4),
        "burst": Family(load=0.95, demand="surges"),
        "hetero": Family(load=1.0, plans=("max_20x", "max_20x", "max_5x", "max_5x", "pro", "pro")),
        "few": Family(load=0.95, plans=("max_20x", "max_5x")),
        "many": Family(load=1.0, plans=("max_20x",) * 4 + ("max_5x",) * 8 + ("pro",) * 12),
        "weekend": Family(load=0.95, demand="gap"),
        "outage": Family(load=0.95, incidents=Incidents()),
        "apikey": Family(load=1.05, plans=("max_20x", "max_5x", "max_5x"), keys=1, loaded=False),
        "longcache": Family(load=1.05, cache_life_s=TTL_LONG_S, loaded=False),
    }
)
LOADED: Final = tuple(name for name, family in FAMILIES.items() if family.loaded)
