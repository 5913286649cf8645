import os
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from random import Random
from statistics import median

import pytest

from maxpool.errors import MaxpoolError
from maxpool.sim import families as f
from maxpool.sim.bundles import least_work
from maxpool.sim.workload import draw, gap, scenario

PRINT = "from maxpool.sim.workload import scenario; print(scenario('outage', 3, 0.1))"


@cache
def found_in(family, seed, weeks):
    return scenario(family, seed, weeks).sessions


def sessions(family="moderate", kind=None, weeks=1.0, seed=1):
    found = found_in(family, seed, weeks)
    return [plan for plan in found if kind in (None, plan.kind)]


def test_a_scenario_is_the_same_in_every_process():
    env = {**os.environ, "PYTHONHASHSEED": "4711"}
    other = subprocess.run([sys.executable, "-c", PRINT], env=env, capture_output=True, check=True)
    assert other.stdout.decode().strip() == repr(scenario("outage", 3, 0.1))


def test_another_seed_is_another_scenario():
    one, two = scenario("light", 1, 0.2), scenario("light", 2, 0.2)
    assert one.accounts != two.accounts
    assert one.sessions != two.sessions


@pytest.mark.parametrize("family", f.FAMILIES)
def test_a_family_offers_its_load_exactly(family):
    found = scenario(family, 1, 0.25)
    held = sum(a.capacity_7d for a in found.accounts if not a.account.paid) * 0.25
    work = [
        least_work(plan, turn, plan.ttl_s if found.cache_life_s is None else found.cache_life_s)
        for plan in found.sessions
        for turn in plan.turns
    ]
    assert 0.0 <= sum(work) - f.FAMILIES[family].load * held <= max(work)


def test_each_kind_has_its_share_of_the_work():
    found = scenario("moderate", 1, 1.0)
    work = dict.fromkeys(f.HABITS, 0.0)
    for plan in found.sessions:
        work[plan.kind] += sum(least_work(plan, turn, plan.ttl_s) for turn in plan.turns)
    for kind, habits in f.HABITS.items():
        assert work[kind] / sum(work.values()) == pytest.approx(habits.share, abs=0.02)


def test_every_turn_is_due_within_the_horizon():
    found = scenario("burst", 1, 0.3)
    for plan in found.sessions:
        at = plan.starts_s
        for turn in plan.turns:
            at += turn.think_s
            assert 0.0 <= at < found.horizon_s
            at += f.lasts_s(turn)


def test_contexts_grow_by_what_was_said_until_they_are_compacted():
    compacted = 0
    for plan in sessions():
        for one, two in pairwise(plan.turns):
            grown = one.prefix + one.new + one.output
            assert two.prefix + two.new <= f.HABITS[plan.kind].context_most
            assert two.prefix == grown or two.reusable == plan.system < two.prefix
            if two.prefix == grown:
                assert two.reusable == one.prefix + one.new
            compacted += two.prefix != grown
    assert compacted > 10


def test_a_session_begins_with_its_system_prefix_alone():
    for plan in sessions():
        first = plan.turns[0]
        low, high = f.HABITS[plan.kind].first
        assert first.prefix == first.reusable == plan.system
        assert first.think_s == 0.0
        assert low <= first.prefix + first.new <= high


def test_sessions_with_the_same_digest_share_their_system_prefix():
    sizes = {(plan.digest, plan.system) for plan in sessions()}
    assert len(sizes) == len({digest for digest, _ in sizes})
    assert len(sizes) == sum(habits.projects for habits in f.HABITS.values())


def test_sub_agents_start_together_while_their_parent_works():
    parents = {plan.id: plan for plan in sessions(kind="human")}
    groups: dict[str, list[float]] = {}
    for plan in sessions(kind="agent"):
        parent = parents[plan.id]
        ends = parent.starts_s + sum(turn.think_s + f.lasts_s(turn) for turn in parent.turns)
        assert plan.agent
        assert parent.starts_s <= plan.starts_s <= ends + 6.0
        groups.setdefault(plan.id, []).append(plan.starts_s)
    near = [two - one for starts_s in groups.values() for one, two in pairwise(sorted(starts_s))]
    assert median(near) < 2.0


def test_no_two_sessions_have_the_same_name():
    names = [(plan.id, plan.agent) for plan in sessions("many", weeks=0.2)]
    assert len(names) == len(set(names))


def test_batches_run_in_the_evening_and_are_patient():
    for plan in sessions(kind="batch"):
        hour = plan.starts_s // 3600 % 24
        assert hour >= 18 or hour == 0
        assert plan.patience_s == 6 * 3600


def test_weekends_are_quiet():
    begun = [plan.starts_s for plan in sessions("overload")]
    days = [start // f.DAY_S % 7 for start in begun]
    weekend = sum(day >= 5 for day in days) / 2
    assert weekend < 0.4 * sum(day < 5 for day in days) / 5


def test_the_gap_is_a_long_weekend_and_a_surge_follows_it():
    since, until = gap(3 * f.WEEK_S)
    assert (since // f.DAY_S % 7, until // f.DAY_S % 7) == (3, 0)  # Thursday to Monday
    begun = [plan.starts_s for plan in sessions("weekend", weeks=3.0) if plan.kind != "agent"]
    assert not [start for start in begun if since <= start < until]
    surge = sum(until <= start < until + f.DAY_S for start in begun)
    usual = sum(start < f.DAY_S for start in begun)
    assert surge > 1.5 * usual


def test_a_short_horizon_has_its_gap_and_its_surge_as_well():
    since, until = gap(f.WEEK_S)
    assert 0.0 < since < until < f.WEEK_S - f.DAY_S


def test_surges_are_busier_than_any_hour_of_an_even_week():
    def busiest(family):
        found = [plan for plan in sessions(family) if plan.kind == "human"]
        hours = Counter(plan.starts_s // 3600 for plan in found)
        return max(hours.values()) / len(found)

    assert busiest("burst") > 2.0 * busiest("moderate")


def test_incidents_strike_only_where_they_belong():
    for family in ("moderate", "burst", "outage"):
        found = scenario(family, 1, 0.7)
        assert bool(found.storms) == any(a.outages for a in found.accounts) == (family == "outage")


def test_outages_of_an_account_do_not_overlap():
    for hidden in scenario("outage", 5, 1.5).accounts:
        assert all(one[0] < one[1] < two[0] for one, two in pairwise(hidden.outages))


def test_an_account_has_spent_what_an_even_burn_would_have():
    for hidden in scenario("hetero", 1, 0.1).accounts:
        assert hidden.used_7d == pytest.approx(1.0 - hidden.week_phase_s / f.WEEK_S)
        assert 8.0 <= hidden.capacity_7d / hidden.capacity_5h <= 12.0


def test_a_true_cache_life_is_announced_to_nobody():
    found = scenario("longcache", 1, 0.2)
    assert found.cache_life_s == 3600.0
    assert {plan.ttl_s for plan in found.sessions} == {300.0}
    assert {plan.ttl_s for plan in sessions("moderate")} == {300.0, 3600.0}


def test_a_key_is_there_in_addition_to_the_plans():
    paid = [a for a in scenario("apikey", 1, 0.1).accounts if a.account.paid]
    assert [a.account.kind for a in paid] == ["api_key"]


def test_draws_are_lognormal_about_their_median():
    rng = Random("1")
    drawn = [draw(rng, f.Lognormal(181.0, 1.1, 7200.0)) for _ in range(4000)]
    assert median(drawn) == pytest.approx(181.0, rel=0.1)
    assert max(drawn) <= 7200.0


def test_an_unknown_family_is_an_error_that_names_the_known_ones():
    with pytest.raises(MaxpoolError) as raised:
        scenario("modest", 1)
    assert "moderate" in str(raised.value.hint)
