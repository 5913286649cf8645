"""What a provider told of a quota, and whether it closes the account."""

from __future__ import annotations

import pytest

from maxpool.core.quotareading import UNKNOWN_RESET_S, ProbedQuota, QuotaReading, dump, load
from tests.make import NOW


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ({"used": 3, "limit": 10}, (3, 10, 7)),
        ({"used": 3, "remaining": 7}, (3, 10, 7)),
        ({"limit": 10, "remaining": 7}, (3, 10, 7)),
        ({"limit": 10, "used": 12}, (12, 10, 0)),
        ({"used": 3}, (3, None, None)),
        ({}, (None, None, None)),
    ],
)
def test_any_two_amounts_give_the_third(given, whole):
    found = QuotaReading(**given).whole()
    assert (found.used, found.limit, found.remaining) == whole


def told(remaining: float, reset_at: float | None = None, *, gates: bool = True) -> ProbedQuota:
    quota = ProbedQuota(gates)
    quota.told(QuotaReading(remaining=remaining, reset_at=reset_at), NOW)
    return quota


def test_nothing_left_closes_until_the_reset():
    assert told(0, NOW + 50).closed(NOW) == NOW + 50
    assert told(0, NOW + 50).closed(NOW + 50) is None
    assert told(0).closed(NOW) == NOW + UNKNOWN_RESET_S
    assert told(0.01, NOW + 50).closed(NOW) is None


def test_what_is_only_observed_closes_nothing():
    assert told(0, gates=False).closed(NOW) is None


def test_a_failed_question_changes_nothing_of_what_was_known():
    quota = told(0, NOW + 50)
    quota.failed("500", NOW + 10)
    assert quota.closed(NOW + 10) == NOW + 50
    assert (quota.failures, quota.last_result, quota.asked_at) == (1, "500", NOW + 10)
    never = ProbedQuota()
    never.failed("network", NOW)
    assert never.closed(NOW) is None


def test_a_told_reset_stands_when_the_clock_is_set():
    quota = told(0, NOW + 50)
    quota.step(-20.0)
    assert (quota.read_at, quota.closed(NOW - 20)) == (NOW - 20, NOW + 50)


def test_a_restart_keeps_the_last_good_reading():
    quota = told(4, NOW + 50)
    again = load(dump(quota))
    assert (again.reading, again.read_at) == (quota.reading, NOW)
    assert load(dump(ProbedQuota())).reading is None
    with pytest.raises(TypeError):
        load({**dump(quota), "remaining": "x"})
