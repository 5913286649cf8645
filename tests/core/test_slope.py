"""What work fills a window: learned from readings, sceptical of rises we did not cause."""

from __future__ import annotations

import pytest

from maxpool.core.settings import PoolSettings
from maxpool.core.slope import Slope, Yardstick

SETTINGS = PoolSettings()
STEP = 0.10


def read(slope: Slope, *pairs: tuple[float, float]) -> list[bool]:
    """Readings (utilization, work burned in all so far)."""
    return [slope.read(used, spent, STEP, SETTINGS) for used, spent in pairs]


def lesson(slope: Slope, spent: float = 2e5, used: float = 0.3) -> Slope:
    """A slope that learned 1e-6 from two lessons that agree."""
    assert read(slope, (used - 0.2, spent - 2e5), (used - 0.1, spent - 1e5)) == [False, False]
    assert read(slope, (used, spent)) == [True]
    return slope


def test_two_rises_of_ten_points_that_agree_teach_what_a_token_fills():
    slope = lesson(Slope())
    assert slope.per_token == pytest.approx(1e-6)
    assert (slope.n, slope.spread) == (1, None)


def test_one_rise_alone_may_be_another_programs_doing():
    slope = Slope()
    read(slope, (0.30, 0.0), (0.42, 500.0), (0.53, 1.1e5), (0.64, 2.2e5))
    assert slope.per_token == pytest.approx(
        1e-6, rel=0.01
    )  # not the 240 times as much of the first


def test_later_lessons_are_smoothed_seven_to_three():
    slope = lesson(Slope())
    read(slope, (0.42, 3e5))
    assert slope.per_token == pytest.approx(0.7 * 1e-6 + 0.3 * 1.2e-6)
    assert slope.spread == pytest.approx(0.2)


def test_a_value_that_proves_far_too_large_is_given_up_not_smoothed():
    slope = lesson(Slope())
    slope.per_token = 1e-4
    read(slope, (0.41, 4e5), (0.52, 5e5))
    assert slope.per_token == pytest.approx((0.11 / 2e5 + 1.1e-6) / 2)


def test_a_jump_that_our_own_burn_cannot_explain_is_outside_use_and_teaches_nothing():
    slope = lesson(Slope())
    assert read(slope, (0.6, 3e5)) == [False]
    assert slope.per_token == pytest.approx(1e-6)
    assert slope.outside == pytest.approx(0.2)


def test_a_rise_without_any_work_of_ours_is_outside_use():
    slope = Slope()
    read(slope, (0.1, 0.0), (0.3, 0.0))
    assert slope.per_token is None
    assert slope.outside == pytest.approx(0.2)


def test_after_some_contradictions_in_a_row_the_learned_value_itself_is_doubted():
    slope = lesson(Slope())
    for i in range(1, 6):  # the plan holds a fifth of what it held
        read(slope, (0.3 + 0.12 * i, 2e5 + 2.4e4 * i))
    assert slope.per_token == pytest.approx(0.12 / 2.4e4)


def test_less_than_before_begins_anew_and_a_new_window_forgets_the_others_use():
    slope = Slope(outside=0.3, anchor_used=0.6)
    assert read(slope, (0.5, 1e5)) == [False]
    anchors = [slope.anchor_used]
    slope.begin()
    anchors.append(slope.anchor_used)
    assert anchors == [0.5, None]
    assert slope.outside == 0.0


def test_rounding_alone_is_nobodys_use():
    slope = lesson(Slope())
    read(slope, (0.31, 2.001e5))
    assert slope.outside == 0.0


def test_a_newcomer_is_guessed_from_the_size_of_its_plan():
    yardstick = Yardstick()
    assert yardstick.expected("5h", 5.0) is None
    yardstick.learn("5h", 20.0, 1e-7)
    assert yardstick.expected("5h", 5.0) == pytest.approx(4e-7)
    yardstick.learn("5h", 1.0, 4e-6)
    assert yardstick.expected("5h", 1.0) == pytest.approx(2e-6 + 0.2 * 2e-6)
