"""Scenarios small enough to be worked out by hand. A plain turn weighs and is worth 1,000."""

from __future__ import annotations

import math
from typing import Any

from maxpool import Account
from maxpool.sim.scenario import HiddenAccount, Scenario, SessionPlan, Turn

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY
SONNET = "claude-sonnet-5-5"


def hidden(name: str = "a", **given: Any) -> HiddenAccount:
    """A subscription without limits whose week ends when the second one begins."""
    kind = given.pop("kind", "subscription")
    limits = {"capacity_5h": math.inf, "capacity_7d": math.inf}
    return HiddenAccount(
        account=Account(name, name, kind, plan=given.pop("plan", "max_20x")),
        **{**limits, "week_phase_s": WEEK, "concurrency": 24, **given},
    )


def turn(output: int = 200, think_s: float = 0.0, **given: int) -> Turn:
    """A turn that is nothing but output: it weighs what it is worth, 5 per token."""
    sizes = {"prefix": 0, "reusable": 0, "new": 0, **given}
    return Turn(think_s, output=output, **sizes)


def session(
    *turns: Turn, starts_s: float = 0.0, patience_s: float = 60.0, **given: Any
) -> SessionPlan:
    """A Sonnet session, by default of one turn."""
    usual = {"id": f"s{starts_s}", "kind": "human", "model": SONNET, "ttl_s": 300.0}
    return SessionPlan(
        **{**usual, "digest": "d", "system": 0, **given},
        starts_s=starts_s,
        patience_s=patience_s,
        turns=turns or (turn(),),
    )


def world(*parts: HiddenAccount | SessionPlan, **given: Any) -> Scenario:
    """A scenario of a week, of these accounts and sessions."""
    return Scenario(
        **{"family": "handmade", "seed": 1, "horizon_s": WEEK, **given},
        accounts=tuple(part for part in parts if isinstance(part, HiddenAccount)),
        sessions=tuple(part for part in parts if isinstance(part, SessionPlan)),
    )
