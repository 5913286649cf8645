"""What a simulated stretch of days consists of, and what came of it: values only.

A scenario is complete before it is played: hidden accounts, sessions with every turn they would
make, and incidents. Nothing in it depends on a policy, so that policies can be compared on it.
Times are seconds from the start of the scenario, sizes tokens, work price-weighted tokens (one
Sonnet input token = 1), values the same unit counted without re-sent prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from maxpool.core.account import Account

Span = tuple[float, float]
"""[from, to) in seconds from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenAccount:
    """An account and the truth about it that the pool has to find out.

    `capacity_5h`, `capacity_7d`: work until the window is full (infinite for a paid key).
    `week_phase_s`: when its first weekly window ends. `concurrency`: more at once get a short 429.
    `used_7d`: share of that first window that was spent before the start.
    """

    account: Account
    capacity_5h: float
    capacity_7d: float
    week_phase_s: float
    concurrency: int
    outages: tuple[Span, ...] = ()
    used_7d: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a session.

    `think_s`: pause after the answer before it. `prefix`: context it re-sends, of which `reusable`
    was sent before in the same form (less right after a compaction). `new`: what it adds. `output`:
    what the answer has. The request is `prefix + new` tokens long. `slow_s`: what chance adds to the
    duration of the answer, whoever gives it.
    """

    think_s: float
    prefix: int
    reusable: int
    new: int
    output: int
    slow_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """A session: `turns` follow each other as long as each is answered within `patience_s`.

    `system`: the first tokens of every prefix, alike in all sessions with the same `digest`, so that
    their cache is shared on one account. `agent` is set for a sub-agent of session `id`.
    """

    id: str
    kind: Literal["human", "agent", "batch"]
    starts_s: float
    model: str
    patience_s: float
    ttl_s: float
    digest: str
    system: int
    turns: tuple[Turn, ...]
    agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything a run needs. `cache_life_s`: how long the upstream really keeps a prefix, None = as
    long as the request asked for. `storms`: spans in which every answer is a 529.
    """

    family: str
    seed: int
    horizon_s: float
    accounts: tuple[HiddenAccount, ...]
    sessions: tuple[SessionPlan, ...]
    cache_life_s: float | None = None
    storms: tuple[Span, ...] = ()
    loaded: bool = True  # whether it counts among the families under load


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The run at one hour, for charts: work served in the hour, requests waiting, shares used."""

    at_s: float
    served: float
    waiting: int
    used_7d: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a policy made of a scenario.

    `late_1s`, `late_60s`: turns whose first send came later than that for lack of quota or room.
    `burned`: work charged; `least`: the least the served turns could have cost. `unused`: weekly
    work that lapsed at resets while requests waited. `took_s` is the machine's time, not simulated.
    """

    family: str
    seed: int
    strategy: str
    turns: int
    served: int
    value_offered: float
    value_served: float
    burned: float
    least: float
    late_1s: int
    late_60s: int
    waited_s: float
    refused: int
    sessions_lost: int
    quota_429: int
    burst_429: int
    overloads: int
    moves: int
    cache_tokens_lost: int
    unused: float
    key_burned: float
    key_usd: float
    took_s: float
    samples: tuple[Sample, ...] = ()

    @property
    def overhead(self) -> float:
        """Work burned over the least possible for what was served; 1 when nothing was."""
        return self.burned / self.least if self.least > 0 else 1.0
