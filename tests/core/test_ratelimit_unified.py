"""core/ratelimit_unified: which windows a rejection closes, and until when."""

from __future__ import annotations

import pytest

from maxpool.core.lease import Reading
from maxpool.core.ratelimit_unified import Rejection, by_window, claim_window, worse
from tests.core.test_ratelimit import NOW, RESET, read, unified


def test_a_rejected_claim_outranks_a_utilization():
    claim = {"status": "rejected", "representative-claim": "five_hour", "7d-utilization": 1.0}
    report = read(unified(**claim, reset=RESET))
    assert report.rejections == (Rejection("5h", RESET),)


@pytest.mark.parametrize(
    ("claim", "closed"),
    [
        ("five_hour", "5h"),
        ("seven_day", "7d"),
        ("seven_day_opus", "7d:opus"),
        ("seven_day_sonnet", "7d:sonnet"),
        ("seven_day_overage_included", "7d:fable"),
        ("seven_day_fallback", "7d:fable"),
    ],
)
def test_a_rejection_closes_what_its_claim_names(claim: str, closed: str):
    headers = unified(**{"status": "rejected", "representative-claim": claim})
    assert read(headers, "claude-fable-1").rejections == (Rejection(closed),)


def test_without_a_claim_every_window_that_says_rejected_is_closed():
    headers = unified(**{"status": "rejected", "5h-status": "rejected", "7d-status": "rejected"})
    assert {one.window for one in read(headers).rejections} == {"5h", "7d"}


def test_a_rejection_that_names_nothing_is_the_familys_when_both_windows_are_low():
    low = {"status": "rejected", "5h-utilization": 0.3, "7d-utilization": 0.6}
    assert read(unified(**low)).rejections == (Rejection("7d:opus", None, inferred=True),)
    assert read(unified(**low), None).rejections == ()


def test_a_rejection_that_names_nothing_is_the_fuller_windows_when_one_is_nearly_full():
    near = {"status": "rejected", "5h-utilization": 0.3, "7d-utilization": 0.97}
    assert read(unified(**near)).rejections == (Rejection("7d", None, inferred=True),)


def test_a_bare_rejection_is_told_apart_by_how_far_its_reset_lies():
    for ahead, name in ((3600, "5h"), (3 * 86_400, "7d")):
        report = read(unified(status="rejected", reset=NOW + ahead))
        assert report.rejections == (Rejection(name, NOW + ahead, inferred=True),)


def test_an_overage_claim_names_no_window():
    headers = {"status": "rejected", "representative-claim": "overage", "5h-utilization": 0.1}
    report = read(unified(**headers | {"7d-utilization": 0.2, "overage-status": "rejected"}))
    assert [one.window for one in report.rejections] == ["7d:opus"]


def test_a_rejection_lasts_until_its_windows_reset_else_the_unified_one_else_retry_after():
    claim = {"status": "rejected", "representative-claim": "seven_day"}
    own = unified(**claim, **{"7d-reset": RESET + 5, "reset": RESET})
    assert read(own).rejections[0].until == RESET + 5
    assert (
        read(unified(**claim, **{"7d-reset": NOW - 5, "reset": RESET})).rejections[0].until == RESET
    )
    assert read(unified(**claim) | {"retry-after": "90"}).rejections[0].until == NOW + 90
    assert read(unified(**claim)).rejections[0].until is None


def test_of_two_readings_each_field_is_the_worse_one():
    one = Reading("7d", 0.2, RESET, "allowed_warning")
    other = Reading("7d", None, RESET - 5, "allowed")
    assert worse(one, other) == worse(other, one) == Reading("7d", 0.2, RESET, "allowed_warning")
    assert by_window([one, None, other]) == {"7d": worse(one, other)}


@pytest.mark.parametrize("claim", ["", "overage", "seven_day_oauth_apps", "seven_day-opus", "5h"])
def test_a_word_that_is_no_window_names_none(claim: str):
    assert claim_window(claim, "claude-opus-5-5") is None
