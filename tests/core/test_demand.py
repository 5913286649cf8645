"""The demand clock: shares of a week, learned hour by hour."""

from __future__ import annotations

import pytest

from maxpool.core.demand import HOUR_S, HOURS, Demand

WEEK_S = HOURS * HOUR_S
MONDAY = 4 * 24 * HOUR_S + 3000 * WEEK_S


def work_week(demand: Demand, weeks: int, start: float = MONDAY) -> float:
    """Work of 10 from 9 to 17 on five days, nothing else; returns the end."""
    for hour in range(weeks * HOURS):
        at = start + hour * HOUR_S
        busy = hour % HOURS < 120 and 9 <= hour % 24 < 17
        demand.add(10.0 if busy else 0.0, at)
    end = start + weeks * WEEK_S
    demand.add(0.0, end)
    return end


def test_a_week_is_even_until_work_was_seen():
    demand = Demand()
    for share in (0.0, 0.25, 0.5, 1.0, 1.75):
        passed = demand.at(MONDAY + share * WEEK_S) - demand.at(MONDAY)
        assert passed == pytest.approx(share)


def test_hours_with_work_count_for_more_than_nights():
    demand = Demand()
    end = work_week(demand, 2)
    morning, night = end + 10 * HOUR_S, end + 2 * HOUR_S
    day = demand.at(morning + HOUR_S) - demand.at(morning)
    dark = demand.at(night + HOUR_S) - demand.at(night)
    assert day > 10 * dark > 0.0  # no hour counts as surely idle


@pytest.mark.parametrize("offset", [0.0, 1.5, 50.25, 167.9])
def test_any_stretch_of_seven_days_is_one_week(offset):
    demand = Demand()
    end = work_week(demand, 1) + offset * HOUR_S
    assert demand.at(end + WEEK_S) - demand.at(end) == pytest.approx(1.0)


def test_a_repeated_hour_counts_half_new_half_old():
    demand = Demand()
    demand.add(8.0, MONDAY)
    demand.add(4.0, MONDAY + WEEK_S)
    demand.add(0.0, MONDAY + WEEK_S + HOUR_S)
    # 0 h of Monday: 8, then (8 ... idle hours between) and 4: half of each
    assert demand.learned[int(MONDAY // HOUR_S) % HOURS] == pytest.approx(6.0)


def test_an_hour_never_seen_borrows_the_same_hour_of_other_days():
    demand = Demand()
    for hour in range(24):
        demand.add(100.0 if hour == 10 else 1.0, MONDAY + hour * HOUR_S)
    demand.add(0.0, MONDAY + 24 * HOUR_S)
    friday_ten = MONDAY + (4 * 24 + 10) * HOUR_S
    ten = demand.at(friday_ten + HOUR_S) - demand.at(friday_ten)
    noon = demand.at(friday_ten + 3 * HOUR_S) - demand.at(friday_ten + 2 * HOUR_S)
    assert ten > 3 * noon


def test_only_the_end_of_an_hour_sets_the_clock_anew():
    demand = Demand()
    assert [demand.add(1.0, MONDAY + s) for s in (0.0, 600.0, 3599.0)] == [False] * 3
    assert (demand.add(1.0, MONDAY + 3600.0), demand.version) == (True, 1)


def test_a_clock_that_goes_back_or_far_ahead_loses_nothing_and_stays_bounded():
    demand = Demand()
    demand.add(5.0, MONDAY)
    assert demand.add(5.0, MONDAY - 7200.0) is False
    assert demand.add(1.0, MONDAY + 100 * WEEK_S) is False  # nothing is learned from such a gap
    assert demand.learned.count(None) == HOURS
    demand.add(1.0, MONDAY)  # and back: it goes on at once
    assert demand.add(1.0, MONDAY + 3600.0) is True
    assert len(demand.learned) == HOURS
    assert demand.cumulative == sorted(demand.cumulative)
