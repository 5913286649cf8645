import sys
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxpool import PoolSettings
from maxpool.errors import MaxpoolError
from maxpool.sim.bound import available, bound, size
from maxpool.sim.bundles import offered
from maxpool.sim.run import simulate
from maxpool.sim.workload import scenario
from tests.sim.handmade import DAY, HOUR, hidden, session, turn, world

pytest.importorskip("scipy")


def crowd(count, **kwargs):
    """Sessions of one plain turn each, all due in the same moment."""
    return [session(id=f"s{n}", **kwargs) for n in range(count)]


def test_without_limits_all_that_is_offered_can_be_served():
    found = world(hidden(), *crowd(7))
    assert bound(found) == pytest.approx(offered(found))


def test_nothing_offered_bounds_to_nothing():
    assert bound(world(hidden())) == 0.0


def test_turns_worth_nothing_bound_nothing():
    found = world(hidden(), session(turn(output=0), turn(output=0, new=100, think_s=2 * HOUR)))
    assert bound(found) == pytest.approx(100.0)


def test_a_week_holds_its_capacity_and_the_one_turn_that_overshoots():
    found = world(hidden(capacity_7d=3000.0), *crowd(10))
    assert bound(found) == pytest.approx(4000.0)


def test_what_the_first_week_has_spent_before_is_gone():
    found = world(hidden(capacity_7d=4000.0, used_7d=0.5), *crowd(10))
    assert bound(found) == pytest.approx(3000.0)


def test_two_weeks_touched_are_two_capacities():
    early, late = crowd(9), crowd(9, starts_s=2 * DAY)
    held = hidden(capacity_7d=1000.0, week_phase_s=DAY)
    assert bound(world(held, *early, *late)) == pytest.approx(4000.0)


def test_work_due_in_the_hour_of_a_reset_may_fall_on_either_side_of_it():
    held = hidden(capacity_7d=1000.0, week_phase_s=1.5 * HOUR)
    assert bound(world(held, *crowd(9, starts_s=HOUR + 60.0))) == pytest.approx(4000.0)


def test_five_hours_hold_two_windows_at_most():
    found = world(hidden(capacity_5h=2000.0), *crowd(20))
    assert bound(found) == pytest.approx(2 * (2000.0 + 1000.0))
    spread = [session(id=f"s{n}", starts_s=n * HOUR) for n in range(25)]
    assert bound(world(hidden(capacity_5h=1000.0), *spread)) == pytest.approx(6 * 2000.0)


def test_the_more_worth_per_work_the_sooner_it_is_taken():
    dear = [session(turn(output=0, new=4000), id=f"d{n}") for n in range(3)]  # weigh 5000 each
    found = world(hidden(capacity_7d=1000.0), *crowd(3), *dear)
    assert bound(found) == pytest.approx(3000.0 + (6000.0 - 3000.0) / 1.25)


def test_a_session_cannot_be_served_later_where_it_was_lost_before():
    first, rest = turn(output=0, new=8000), turn(output=2000, think_s=2 * HOUR)
    found = world(hidden(capacity_7d=0.0), session(first, rest))
    # An overshoot of 10,000 for work of 20,000: the second hour's half needs the first one's.
    assert bound(found) == pytest.approx((8000.0 + 10_000.0) / 2)


def test_patience_carries_work_over_a_reset():
    held = hidden(capacity_7d=0.0, week_phase_s=3 * HOUR)
    ends = [bound(world(held, *crowd(5, patience_s=p))) for p in (HOUR / 2, 2.5 * HOUR, 4 * HOUR)]
    assert ends == [pytest.approx(1000.0), pytest.approx(1000.0), pytest.approx(2000.0)]


def test_delays_of_a_session_add_up_but_not_in_the_nominal_bound():
    held = hidden(capacity_7d=0.0, week_phase_s=5 * HOUR)
    turns = [turn(), *(turn(think_s=HOUR) for _ in range(3))]
    found = world(held, session(*turns, patience_s=HOUR))
    assert bound(found) > bound(found, kind="nominal")


def test_hours_wholly_in_an_outage_or_a_storm_serve_nothing():
    lost = crowd(3, starts_s=HOUR + 1.0)
    assert bound(world(hidden(outages=((HOUR, 3 * HOUR),)), *lost)) == 0.0
    assert bound(world(hidden(), *lost, storms=((HOUR, 3 * HOUR),))) == 0.0
    partly = world(hidden(outages=((HOUR + 60.0, 3 * HOUR),)), *lost)
    assert bound(partly) == pytest.approx(3000.0)


def test_a_paid_key_serves_the_rest_only_if_asked():
    found = world(hidden(capacity_7d=1000.0), hidden("k", kind="api_key"), *crowd(9))
    assert bound(found) == pytest.approx(9000.0)
    assert bound(found, keys=False) == pytest.approx(2000.0)


def test_more_capacity_or_patience_never_lowers_it():
    base = scenario("overload", 1, 0.25)
    half, full, double = (bound(_scaled(base, by)) for by in (0.1, 0.2, 0.4))
    assert half < full < double <= offered(base) * (1 + 1e-9)
    patient = replace(
        base, sessions=tuple(replace(s, patience_s=2 * s.patience_s) for s in base.sessions)
    )
    assert bound(_scaled(patient, 0.2)) > full


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    strategy=st.sampled_from(["cost", "sticky", "random"]),
    starts=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    capacity=st.integers(1, 20),
    patience_h=st.sampled_from([0.01, 0.5, 6.0]),
    phase_h=st.integers(1, 40),
)
def test_no_policy_ever_serves_more(strategy, starts, capacity, patience_h, phase_h):
    turns = [turn(new=100, prefix=2000, reusable=1500), *(turn(think_s=600.0) for _ in range(4))]
    plans = [
        session(*turns, id=f"s{n}", starts_s=h * HOUR, patience_s=patience_h * HOUR)
        for n, h in enumerate(starts)
    ]
    limits = {"capacity_5h": capacity * 1500.0, "capacity_7d": capacity * 4000.0}
    accounts = [hidden(name, week_phase_s=phase_h * HOUR, **limits) for name in "ab"]
    found = world(*accounts, *plans, horizon_s=2 * DAY)
    result = simulate(found, PoolSettings(strategy=strategy), samples=False)
    assert result.value_served <= bound(found) * (1 + 1e-6) <= offered(found) * (1 + 2e-6)


def test_its_size_is_told():
    found = size(world(hidden(capacity_5h=1e6, capacity_7d=1e7), *crowd(3)))
    assert found.columns > 3
    assert found.rows > 0
    assert found.entries > found.rows


@pytest.mark.slow
def test_three_weeks_are_bounded_in_well_under_a_minute():
    found = scenario("moderate", 1, 3.0)
    assert size(found).columns < 150_000
    assert 0.9 * offered(found) < bound(found) <= offered(found) * (1 + 1e-6)


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MaxpoolError) as caught:
        bound(world(hidden(), *crowd(1)))
    assert "pip install '.[simulate]'" in caught.value.hint


def test_whether_the_library_is_there_is_known_without_loading_it():
    assert available()


def _scaled(found, by):
    accounts = [
        replace(a, capacity_5h=a.capacity_5h * by, capacity_7d=a.capacity_7d * by)
        for a in found.accounts
    ]
    return replace(found, accounts=tuple(accounts))
