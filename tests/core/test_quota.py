"""All windows and buckets of one account: merging, room for families, verdicts."""

from __future__ import annotations

import math

import pytest

from maxpool.core.lease import BucketReading, Reading
from maxpool.core.quota import Look, Quota
from maxpool.core.settings import PoolSettings
from maxpool.core.slope import Yardstick
from tests.make import DAY, HOUR, NOW

SETTINGS = PoolSettings(max_families=2, max_buckets=2)


def look(q: Quota, now: float = NOW, yardstick: Yardstick | None = None) -> Look:
    return q.look(now, SETTINGS, yardstick or Yardstick(), 20.0)


def changes(q: Quota, now: float) -> float | None:
    return look(q, now).changes_at


def quota(*readings: Reading) -> Quota:
    q = Quota()
    q.merge(readings, NOW, "headers", SETTINGS)
    return q


def test_families_full_of_invented_names_never_shut_the_account_windows_out():
    q = quota(*(Reading(f"7d:x{i}", 0.1) for i in range(50)))
    q.merge([Reading("5h", 1.0, NOW + HOUR), Reading("7d", 0.5)], NOW, "headers", SETTINGS)
    assert q.account_closed(NOW, SETTINGS) == NOW + HOUR
    assert len(q.windows) == 4


def test_a_new_family_takes_the_place_of_the_oldest_without_a_verdict():
    q = quota(Reading("7d:opus", 0.1))
    q.close("7d:opus", NOW + DAY, SETTINGS)
    for i in range(9):
        q.merge([Reading(f"7d:x{i}", 0.1)], NOW + i, "headers", SETTINGS)
    assert set(q.windows) == {"7d:opus", "7d:x8"}
    assert q.closed("7d:opus", NOW, SETTINGS) == NOW + DAY


def test_an_unlisted_length_counts_as_a_week():
    assert quota(Reading("30d", 0.1)).windows["30d"].length_s == 7 * DAY


def test_buckets_are_bounded_and_keep_the_last_numbers():
    q = Quota()
    q.merge_buckets([BucketReading(n, 10, 5) for n in ("a", "b", "c")], SETTINGS)
    q.merge_buckets([BucketReading("a", 10, 4), BucketReading("d")], SETTINGS)
    assert {n: b.remaining for n, b in q.buckets.items()} == {"a": 4, "b": 5}


def test_an_allowed_answer_speaks_for_the_account_windows_only():
    q = quota(Reading("5h", 1.0, NOW + HOUR), Reading("7d:opus", 1.0, NOW + DAY, "rejected"))
    assert q.account_closed(NOW, SETTINGS) == NOW + HOUR
    q.allow()
    assert q.account_closed(NOW, SETTINGS) is None
    assert q.windows["7d:opus"].status == "rejected"


def test_an_allowed_answer_keeps_a_warning():
    q = quota(Reading("7d", 0.9, NOW + DAY, "allowed_warning"))
    q.allow()
    assert q.windows["7d"].status == "allowed_warning"


def test_an_account_closed_by_both_windows_opens_with_the_later_one():
    q = quota(Reading("5h", 1.0, NOW + HOUR), Reading("7d", 1.0, NOW + DAY))
    assert q.account_closed(NOW, SETTINGS) == NOW + DAY
    assert q.account_closed(NOW + DAY, SETTINGS) is None


def test_an_empty_bucket_closes_and_is_never_shortened():
    q = Quota()
    q.close_buckets(NOW + 50)
    q.close_buckets(NOW + 5)
    assert q.bucket_closed_until == NOW + 50


@pytest.mark.parametrize("used", [0.999, 1.0, 1.3])
def test_a_reset_by_hand_reopens_verdicts_and_full_numbers(used):
    q = quota(Reading("5h", used, NOW + HOUR), Reading("7d", 0.4, NOW + DAY))
    q.close("7d", NOW + DAY, SETTINGS)
    q.close_buckets(NOW + DAY)
    q.reopen(SETTINGS.full_at)
    assert q.account_closed(NOW, SETTINGS) is None
    assert (q.bucket_closed_until, q.utilization("7d", NOW)) == (None, 0.4)


def test_the_next_change_is_the_soonest_of_all_windows_and_the_buckets():
    q = quota(Reading("5h", 0.2, NOW + HOUR), Reading("7d", 0.4, NOW + DAY))
    assert changes(q, NOW) == NOW + HOUR
    q.close_buckets(NOW + 9)
    assert changes(q, NOW) == NOW + 9
    assert changes(q, NOW + HOUR) == NOW + DAY
    assert changes(Quota(), NOW) is None


def test_unknown_windows_are_unknown_not_free():
    assert (Quota().utilization("5h", NOW), Quota().closed("5h", NOW, SETTINGS)) == (None, None)


def learned(per_token: float = 1e-6, used: float = 0.5) -> Quota:
    """A quota whose 5h and 7d windows know what a token fills."""
    q = Quota()
    q.merge(
        [Reading("5h", used, NOW + HOUR), Reading("7d", used, NOW + DAY)], NOW, "headers", SETTINGS
    )
    for window in q.windows.values():
        window.slope.per_token = per_token
    return q


def test_what_was_burned_since_the_reading_and_what_leases_will_burn_is_counted_already():
    q = learned()
    q.burn("sonnet", 20_000.0)
    q.reserved = 30_000.0
    assert q.estimate("5h", NOW) == pytest.approx(0.55)
    q.merge([Reading("5h", 0.53, NOW + HOUR)], NOW + 1, "headers", SETTINGS)
    assert q.estimate("5h", NOW + 1) == pytest.approx(0.56)  # only what runs comes on top


def test_an_estimate_needs_a_reading_and_never_exceeds_a_full_window():
    assert Quota(spent=1e9).estimate("5h", NOW) is None
    q = learned()
    q.burn("sonnet", 1e9)
    assert q.estimate("7d", NOW) == 1.0
    assert q.account_closed(NOW, SETTINGS) is None  # an estimate closes nothing


def test_after_a_reset_only_what_runs_now_is_counted():
    q = learned()
    q.burn("sonnet", 200_000.0)
    q.reserved = 10_000.0
    assert q.estimate("5h", NOW + HOUR) == pytest.approx(0.01)


def test_a_familys_window_counts_its_own_tokens_only():
    q = learned()
    q.merge([Reading("7d:opus", 0.2, NOW + DAY)], NOW, "headers", SETTINGS)
    q.windows["7d:opus"].slope.per_token = 1e-6
    q.burn("sonnet", 50_000.0)
    q.burn("opus", 10_000.0)
    assert q.estimate("7d:opus", NOW) == pytest.approx(0.21)


def test_the_room_is_that_of_the_window_that_closes_first():
    q = learned(used=0.9)
    q.windows["7d"].slope.per_token = 1e-7
    assert look(q).room == pytest.approx(100_000.0)
    assert look(Quota()).room == math.inf


def test_an_account_that_learned_nothing_borrows_the_yardstick():
    q = learned()
    for window in q.windows.values():
        window.slope.per_token = None
    found = look(q, yardstick=Yardstick({"5h": 2e-5}))
    assert found.guessed
    assert found.room == pytest.approx(500_000.0)


@pytest.mark.parametrize(
    ("source", "later", "kept"),
    [("headers", 5.0, 0.5), ("headers", 61.0, 0.4), ("probe", 61.0, 0.5), ("probe", 601.0, 0.4)],
)
def test_a_lower_reading_of_the_same_window_is_an_older_one_for_a_while(source, later, kept):
    q = learned()
    q.merge([Reading("5h", 0.4, NOW + HOUR)], NOW + later, source, SETTINGS)
    assert q.utilization("5h", NOW + later) == kept


def test_what_was_restored_yields_to_the_first_reading():
    q = learned()
    q.windows["5h"].source = "restored"
    q.merge([Reading("5h", 0.4, NOW + HOUR)], NOW + 1, "probe", SETTINGS)
    assert q.utilization("5h", NOW + 1) == 0.4
