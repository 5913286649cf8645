"""All windows and buckets of one account: merging, room for families, verdicts."""

from __future__ import annotations

import pytest

from maxpool.core.lease import BucketReading, Reading
from maxpool.core.quota import Quota
from maxpool.core.settings import PoolSettings
from tests.make import DAY, HOUR, NOW

SETTINGS = PoolSettings(max_families=2, max_buckets=2)


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
    assert q.next_change(NOW, 60.0) == NOW + HOUR
    q.close_buckets(NOW + 9)
    assert q.next_change(NOW, 60.0) == NOW + 9
    assert q.next_change(NOW + HOUR, 60.0) == NOW + DAY
    assert Quota().next_change(NOW, 60.0) is None


def test_unknown_windows_are_unknown_not_free():
    assert (Quota().utilization("5h", NOW), Quota().closed("5h", NOW, SETTINGS)) == (None, None)
