"""A scenario with something changed: the same sessions on a larger pool.

The added accounts are as large as the scenario's own accounts of that plan, so that nothing but their
number changes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core.account import Account
from maxpool.sim import families as f
from maxpool.sim.scenario import HiddenAccount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.sim.scenario import Scenario

KEY = "key"
PLANS = (*f.PLANS, KEY)
"""What can be added; a key is paid for by the token and has no limit."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it lie spread over the unit interval, however many there are."""


def with_accounts(scenario: Scenario, plans: Iterable[str]) -> Scenario:
    """The scenario with an account more for each of the plans."""
    pro = _capacity_of_pro(scenario)
    added = tuple(_account(nth, plan, pro) for nth, plan in enumerate(plans, 1))
    return replace(scenario, accounts=scenario.accounts + added)


def _account(nth: int, plan: str, pro: float) -> HiddenAccount:
    name = f"added-{nth}-{plan}"
    if plan == KEY:
        return HiddenAccount(
            account=Account(id=name, name=name, kind="api_key"),
            capacity_5h=math.inf,
            capacity_7d=math.inf,
            week_phase_s=f.WEEK_S,
            concurrency=f.KEY_CONCURRENCY,
        )
    traits = f.PLANS[plan]
    usual_week = sum(f.CAPACITY.week_ratio) / 2
    phase = nth * GOLDEN % 1.0
    return HiddenAccount(
        account=Account(id=name, name=name, kind="subscription", plan=plan),
        capacity_5h=pro * traits.weight,
        capacity_7d=pro * traits.weight * usual_week,
        week_phase_s=phase * f.WEEK_S,
        concurrency=traits.concurrency,
        used_7d=1.0 - phase,  # an even burn until now, as the others had
    )


def _capacity_of_pro(scenario: Scenario) -> float:
    """What one Pro unit holds in 5 h, on average over the plans of the scenario."""
    plans = [hidden for hidden in scenario.accounts if not hidden.account.paid]
    weight = sum(hidden.account.plan_weight for hidden in plans)
    if not weight:
        return f.CAPACITY.pro_5h
    return sum(hidden.capacity_5h for hidden in plans) / weight
