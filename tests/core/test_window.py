"""One quota window: expiry, phase, merging of readings, closing, pace and burn."""

from __future__ import annotations

import math

import pytest

from maxpool.core.lease import Reading
from maxpool.core.settings import PoolSettings
from maxpool.core.window import FAR_FUTURE_S, QuotaWindow
from tests.make import DAY, HOUR, NOW

FULL, GRACE = 0.999, 60.0


def window(name: str = "7d", **given) -> QuotaWindow:
    length = 5 * HOUR if name.startswith("5h") else 7 * DAY
    return QuotaWindow(name=name, length_s=length, **given)


def merge(w: QuotaWindow, now: float = NOW, source: str = "headers", **reading) -> QuotaWindow:
    w.merge(Reading(w.name, **reading), now, source, PoolSettings())
    return w


@pytest.mark.parametrize("name", ["5h", "7d", "7d:opus"])
def test_a_reset_in_the_past_clears_utilization_for_every_kind_of_window(name):  # S16
    w = window(name, utilization=1.0, reset_at=NOW)
    assert (w.utilization_at(NOW - 1), w.utilization_at(NOW)) == (1.0, 0.0)
    assert w.closed(NOW, FULL, GRACE) is None


@pytest.mark.parametrize("jitter", [-60.0, -2.0, 3.0, 60.0])
def test_reset_stamps_that_jitter_by_seconds_are_one_window(jitter):  # S16
    w = merge(window(), utilization=0.4, reset_at=NOW + DAY)
    w.close(NOW + 100)
    merge(w, NOW + 30, status="allowed", reset_at=NOW + DAY + jitter)
    assert (w.utilization, w.reset_at, w.closed_until) == (0.4, NOW + DAY, NOW + 100)


def test_a_reset_further_off_than_jitter_is_a_new_window():
    w = merge(window(), utilization=0.9, reset_at=NOW + DAY, status="allowed_warning")
    merge(w, NOW + 1, reset_at=NOW + DAY + 61)
    assert (w.utilization, w.status, w.reset_at) == (None, None, NOW + DAY + 61)


def test_an_old_answer_about_an_ended_window_changes_nothing():
    w = merge(window(), utilization=0.1, reset_at=NOW + DAY)
    merge(w, NOW + 5, utilization=0.99, reset_at=NOW - 10)
    assert (w.utilization, w.reset_at) == (0.1, NOW + DAY)


@pytest.mark.parametrize("reset_at", [NOW + FAR_FUTURE_S, NOW - FAR_FUTURE_S, 1e300, math.nan])
def test_a_reset_beyond_a_month_counts_as_unsaid(reset_at):
    w = merge(window(), utilization=0.4, reset_at=reset_at)
    assert (w.utilization, w.reset_at) == (0.4, None)


def test_a_rejection_without_a_number_reads_as_full():
    assert merge(window("5h"), status="rejected").utilization == 1.0


def test_a_reading_without_a_number_keeps_the_last_one():
    w = merge(window(), utilization=0.3, reset_at=NOW + DAY)
    assert merge(w, NOW + 9, status="allowed").utilization == 0.3
    assert w.read_at == NOW


def test_a_second_earlier_verdict_never_shortens_the_first():  # S14
    w = window()
    w.close(NOW + DAY)
    w.close(NOW + 5)
    assert w.closed(NOW, FULL, GRACE) == NOW + DAY


@pytest.mark.parametrize(
    ("name", "used", "status", "until"),
    [
        ("5h", 0.9989, None, None),
        ("5h", 0.999, None, NOW + HOUR),
        ("5h", 1.2, "allowed_warning", None),  # S1
        ("5h", 1.0, "rejected", NOW + HOUR),
        ("7d:opus", 1.0, None, None),  # S4
        ("5h", None, None, None),
    ],
)
def test_only_a_really_full_window_without_a_contrary_word_closes(name, used, status, until):
    w = window(name, utilization=used, status=status, reset_at=NOW + HOUR, read_at=NOW)
    assert w.closed(NOW, FULL, GRACE) == until


def test_a_full_window_without_a_reset_is_tried_again_after_the_grace():
    w = merge(window("5h"), utilization=1.0)
    assert w.closed(NOW + 1, FULL, GRACE) == NOW + GRACE
    assert w.closed(NOW + GRACE, FULL, GRACE) is None
    assert w.next_change(NOW, GRACE) == NOW + GRACE


def test_of_a_verdict_and_a_full_number_the_later_end_counts():
    w = window("5h", utilization=1.0, reset_at=NOW + HOUR, read_at=NOW)
    w.close(NOW + 10)
    assert w.closed(NOW, FULL, GRACE) == NOW + HOUR
    w.close(NOW + 2 * HOUR)
    assert w.closed(NOW, FULL, GRACE) == NOW + 2 * HOUR


@pytest.mark.parametrize(
    ("passed", "ahead"), [(-1.0, 1.0), (0.0, 7 * DAY), (1.0, 7 * DAY - 1), (8 * DAY, 6 * DAY)]
)
def test_a_weekly_window_keeps_its_phase(passed, ahead):
    now = NOW + passed
    w = window(utilization=0.5, reset_at=NOW)
    assert w.next_reset(now) == pytest.approx(now + ahead, abs=1e-3)
    assert w.left_share(now) == pytest.approx(ahead / (7 * DAY))


def test_a_short_window_that_ended_starts_at_its_next_use():
    w = window("5h", utilization=0.5, reset_at=NOW)
    assert (w.next_reset(NOW), w.left_share(NOW), w.pace(NOW)) == (None, None, None)


def test_pace_is_use_over_elapsed_time():
    w = window(utilization=0.5, reset_at=NOW + 0.75 * 7 * DAY)
    assert w.pace(NOW) == pytest.approx(2.0)
    assert window(utilization=0.5, reset_at=NOW + 9 * DAY).pace(NOW) is None


def test_the_next_change_is_the_soonest_of_reset_verdict_and_full_length():
    w = window(utilization=0.1, reset_at=NOW + 8 * DAY, closed_until=NOW + 3 * DAY)
    assert w.next_change(NOW, GRACE) == NOW + DAY  # from here on less than the whole week is left
    assert w.next_change(NOW + DAY, GRACE) == NOW + 3 * DAY
    assert w.next_change(NOW + 3 * DAY, GRACE) == NOW + 8 * DAY


def test_burn_is_the_slope_of_the_last_readings():
    w = window("5h")
    for minute in range(0, 31, 5):
        merge(w, NOW + 60 * minute, utilization=0.1 + minute / 100, reset_at=NOW + 4 * HOUR)
    burn = w.burn(NOW + 1800)
    assert burn is not None
    assert burn.per_hour == pytest.approx(0.6)
    assert burn.n == 7


def test_burn_is_unknown_from_one_reading_and_never_negative():
    w = merge(window("5h"), utilization=0.5, reset_at=NOW + HOUR)
    assert w.burn(NOW) is None
    merge(w, NOW + 60, utilization=0.4, reset_at=NOW + HOUR)
    burn = w.burn(NOW + 60)
    assert burn is not None
    assert burn.per_hour == 0.0


def test_history_is_bounded_and_covers_the_last_hour_of_a_short_window():  # S19
    w = window("5h")
    for second in range(7200):
        merge(w, NOW + second, utilization=second / 10_000, reset_at=NOW + 4 * HOUR)
    assert len(w.history) == 64
    assert w.history[-1][0] - w.history[0][0] >= 900
