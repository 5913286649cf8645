import math

import pytest

from maxpool.sim.families import CAPACITY, WEEK_S
from maxpool.sim.whatif import PLANS, with_accounts
from tests.sim.handmade import hidden, session, world


def test_an_added_account_changes_nothing_else():
    before = world(hidden(capacity_5h=20.0, capacity_7d=200.0), session())
    after = with_accounts(before, ["max_5x"])
    assert after.sessions is before.sessions
    assert after.accounts[:1] == before.accounts


def test_it_holds_as_much_as_the_accounts_that_are_there():
    before = world(hidden(capacity_5h=40.0), hidden("k", kind="api_key"))  # 2 per Pro unit
    added = with_accounts(before, ["max_5x"]).accounts[-1]
    assert (added.capacity_5h, added.capacity_7d) == (10.0, 100.0)
    assert added.account.plan_weight == 5.0


def test_a_pool_without_plans_gets_usual_ones():
    added = with_accounts(world(hidden("k", kind="api_key")), ["pro"]).accounts[-1]
    assert added.capacity_5h == CAPACITY.pro_5h


def test_an_added_key_is_paid_for_and_endless():
    added = with_accounts(world(hidden()), ["key"]).accounts[-1]
    assert added.account.paid
    assert added.capacity_7d == math.inf


def test_every_plan_can_be_added_and_several_differ_in_name_and_phase():
    added = with_accounts(world(hidden(capacity_5h=20.0)), [*PLANS, "pro"]).accounts[1:]
    assert len({a.account.id for a in added}) == len(PLANS) + 1
    phases = [a.week_phase_s for a in added if not a.account.paid]
    assert len(set(phases)) == len(phases)
    assert all(0 < phase < WEEK_S for phase in phases)
    assert all(a.used_7d == pytest.approx(1 - a.week_phase_s / WEEK_S) for a in added[:3])
