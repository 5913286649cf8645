"""`Account`: who an account is and what its owner decided about it.

Frozen, and free of anything that changes while requests run (that is `core/pool`'s state) and of
anything needed to reach it (origin, secret: config and ports).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.ratebuckets import Rule

HOME = "home"
"""The kind that is here for its quota only: its client keeps the login and talks to the provider."""

CLIENT = "client"
"""The kind of a login that comes with requests: it serves those that bring it, and no others."""

NOT_POOLED = frozenset({HOME, CLIENT})
"""Kinds that are no part of what the pool has to give to whoever asks."""

PLAN_KINDS = frozenset({"subscription", "oauth", CLIENT, HOME})
"""Kinds whose tokens are already paid for; the others cost money per token."""

UNKNOWN_PLAN_WEIGHT = 20.0
"""A key has no plan: treated like the largest one, its own headers and 429s tell its limits."""


@dataclass(frozen=True, slots=True)
class Account:
    """One login or API key, by a stable `id`; the name is only a label.

    `priority` and `tier`: lower first. `caps` and `reserve`: window name -> share 0..1 (a cap of .8
    and a reserve of .2 mean the same; `emergency` opens the reserve when all else is closed).
    `serves`: programs served, None = every program. `lacks`: needs it has no place for; `lacks_abroad`: those of
    them that are in the way of clients of another API only. `models`: pattern -> model name sent upstream,
    empty = every model as named. `context`: pattern of a name sent upstream -> tokens that fit into one
    request and its answer, empty = not known; `max_output_tokens`: no longer answer is ever asked for. `cooldowns`: cause (see `core/cooldowns`) -> seconds instead of the
    pool's setting. `slots`: most leases at once, None = the pool's setting. `limits`, `balance_usd`,
    `minimum_balance_usd`: see `core/budget`. What follows from these (`paid`: each token served here costs money; `plan_weight`: capacity relative to Pro = 1, 20x plans
    20, 5x plans 5, unknown plans 20) is worked out once: each choice asks for it many times.
    """

    id: str
    name: str
    kind: str = "api_key"
    provider: str = "anthropic"
    plan: str | None = None
    priority: int = 0
    enabled: bool = True
    tier: int = 0
    weight: float = 1.0
    caps: Mapping[str, float] = field(default_factory=dict)
    reserve: Mapping[str, float] = field(default_factory=dict)
    emergency: bool = False
    serves: frozenset[str] | None = None
    profiles: frozenset[str] | None = None
    format: str = "anthropic"
    models: Mapping[str, str] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()
    lacks_abroad: frozenset[str] = frozenset()
    context: Mapping[str, int] = field(default_factory=dict)
    max_output_tokens: int | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)  # see `core/targets`; tier -> model
    cooldowns: Mapping[str, float] = field(default_factory=dict)
    slots: int | None = None
    probes: bool = False
    limits: tuple[Rule, ...] = ()
    balance_usd: float | None = None
    minimum_balance_usd: float = 0.0
    upstream: str = ""  # a label of where it is reached: what one says of its accounts holds there
    paid: bool = field(init=False, repr=False, compare=False)
    plan_weight: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paid", self.kind not in PLAN_KINDS)
        object.__setattr__(self, "plan_weight", plan_weight(self.plan))


@cache
def plan_weight(plan: str | None) -> float:
    """Capacity of a plan by its name, relative to Pro = 1."""
    name = (plan or "").lower()
    for mark, weight in (("20x", 20.0), ("5x", 5.0), ("pro", 1.0)):
        if mark in name:
            return weight
    return UNKNOWN_PLAN_WEIGHT
