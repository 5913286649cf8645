from dataclasses import replace

import pytest

from maxpool import PoolSettings
from maxpool.sim import families as f
from maxpool.sim.bundles import offered
from maxpool.sim.run import simulate
from maxpool.sim.workload import scenario
from tests.sim.handmade import DAY, HOUR, hidden, session, turn, world


def play(*parts, settings=None, **given):
    """The result of a hand-made scenario, with every step checked."""
    return simulate(world(*parts, **given), settings or PoolSettings(), check_every=1)


def talk(count, **given):
    """A session that grows as sessions do."""
    turns = [turn(prefix=n * 700, reusable=max(n * 700 - 200, 0), new=500) for n in range(count)]
    return session(*turns, **given)


def test_with_room_for_all_everything_is_served_at_its_least():
    result = play(hidden(), talk(9))
    assert (result.served, result.late_1s, result.sessions_lost) == (9, 0, 0)
    assert result.value_served == result.value_offered == pytest.approx(9 * 1500.0)
    assert result.overhead == pytest.approx(1.0)


def test_who_has_the_patience_is_served_after_the_reset():
    held = hidden(capacity_5h=900.0)
    result = play(held, session(turn(), turn(think_s=60.0), patience_s=6 * HOUR))
    assert (result.served, result.quota_429, result.late_60s) == (2, 1, 1)
    assert result.waited_s == pytest.approx(5 * HOUR - 60.0, abs=10.0)


def test_who_has_not_loses_the_rest_of_the_session():
    result = play(hidden(capacity_5h=900.0), session(*[turn(think_s=60.0)] * 4))
    assert (result.served, result.sessions_lost, result.refused) == (1, 1, 1)
    assert result.value_served == 1000.0


def test_a_full_account_sends_its_request_on_at_once():
    tight = hidden("a", capacity_5h=900.0)
    result = play(tight, hidden("b"), session(*[turn(think_s=9.0)] * 5))
    assert (result.served, result.late_1s) == (5, 0)
    assert result.quota_429 <= 1


def test_a_move_is_counted_with_the_cache_it_leaves():
    down = hidden("a", outages=((100.0, 150.0),))
    first, second = turn(new=5000), turn(think_s=110.0, prefix=5000, reusable=5000)
    result = play(down, hidden("b", plan="pro"), session(first, second))
    assert (result.served, result.moves, result.cache_tokens_lost) == (2, 1, 5000)
    assert result.overhead > 1.5


def test_too_many_at_once_go_elsewhere_or_wait_for_a_moment():
    crowd = [session(id=f"s{n}", patience_s=HOUR) for n in range(9)]
    result = play(hidden("a", concurrency=2), hidden("b", concurrency=2), *crowd)
    assert result.served == 9
    assert result.burst_429 > 0
    assert result.sessions_lost == 0


def test_a_storm_is_waited_out():
    result = play(hidden(), session(patience_s=HOUR), storms=((0.0, 120.0),))
    assert result.served == 1
    assert result.overloads >= 2
    assert 100.0 < result.waited_s < 400.0


@pytest.mark.parametrize("outages", [((0.0, 100.0),), ((-9.0, -8.0), (0.0, 100.0))])
def test_an_outage_of_one_account_costs_nobody_a_turn(outages):
    crowd = [talk(3, id=f"s{n}", starts_s=30.0 * n) for n in range(5)]
    result = play(hidden("a", outages=outages), hidden("b"), *crowd)
    assert (result.served, result.late_60s, result.refused) == (15, 0, 0)


def test_a_key_serves_whoever_would_have_to_wait_and_is_paid_for():
    key = hidden("k", kind="api_key", plan=None)
    held = hidden(capacity_5h=900.0)
    result = play(held, key, session(turn(), turn(think_s=60.0), patience_s=HOUR))
    assert (result.served, result.key_burned) == (2, 1000.0)
    assert result.key_usd == pytest.approx(0.003)
    assert result.waited_s < 22.0


def test_a_delay_shifts_the_rest_of_a_session():
    held = hidden(capacity_5h=900.0)
    plan = session(turn(), *[turn(think_s=10.0)] * 2, patience_s=6 * HOUR)
    result = play(held, plan)
    assert (result.served, result.late_60s) == (3, 2)
    assert result.waited_s == pytest.approx(2 * 5 * HOUR, abs=60.0)


def test_nothing_is_sent_after_the_horizon():
    held = hidden(capacity_5h=900.0)
    plan = session(turn(), turn(think_s=60.0), patience_s=6 * HOUR)
    result = play(held, plan, horizon_s=4 * HOUR)
    assert (result.served, result.sessions_lost) == (1, 0)


def test_what_lapses_while_work_was_lost_is_unused():
    held = hidden(capacity_5h=900.0, capacity_7d=9000.0, week_phase_s=DAY)
    lost = session(*[turn(think_s=60.0)] * 4, patience_s=60.0)
    assert play(held, lost).unused == pytest.approx(3000.0)
    assert play(held, session(turn())).unused == 0.0


def test_samples_tell_of_every_hour():
    held = hidden(capacity_7d=10_000.0)
    result = play(held, session(starts_s=1.5 * HOUR), horizon_s=4 * HOUR)
    assert [sample.at_s for sample in result.samples] == [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]
    assert [sample.served for sample in result.samples] == [0.0, 1000.0, 0.0, 0.0]
    assert result.samples[-1].used_7d == (0.1,)


def test_the_same_scenario_has_the_same_result():
    found = scenario("few", 2, 0.1)
    one, two = (simulate(found, PoolSettings()) for _ in range(2))
    assert replace(one, took_s=0.0) == replace(two, took_s=0.0)
    assert not simulate(found, PoolSettings(), samples=False).samples


def test_under_a_light_load_everything_is_served():
    result = simulate(scenario("light", 1, 0.2), PoolSettings(), check_every=9)
    assert result.value_served >= 0.999 * result.value_offered
    assert result.late_60s == 0
    assert result.overhead < 1.05


def tight(family, seed, weeks):
    """A short scenario of a family, its quotas so small that they end within it."""
    found = scenario(family, seed, weeks)
    accounts = tuple(
        replace(a, capacity_5h=0.3 * a.capacity_5h, capacity_7d=0.3 * a.capacity_7d)
        for a in found.accounts
    )
    return replace(found, accounts=accounts)


@pytest.mark.slow
@pytest.mark.parametrize("family", f.FAMILIES)
def test_the_pool_keeps_its_invariants_in_every_family(family):
    found = tight(family, 3, 0.03 if family == "many" else 0.09)
    result = simulate(found, PoolSettings(), check_every=1)
    assert result.value_offered == pytest.approx(offered(found))
    assert 0.0 < result.value_served <= result.value_offered * (1 + 1e-9)
    assert result.quota_429 > 0
    assert len(result.samples) == int(found.horizon_s // HOUR)
