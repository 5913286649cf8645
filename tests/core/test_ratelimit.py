"""core/ratelimit: readings out of headers and usage reports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.lease import BucketReading, Reading
from maxpool.core.ratelimit import (
    NOTHING,
    HeaderReport,
    Rejection,
    empty_bucket,
    evidence,
    parse_reset,
    parse_retry_after,
    read_headers,
    read_usage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1_787_270_000.0
RESET = NOW + 3600
U = "anthropic-ratelimit-unified-"
VALUES = ["NaN", "1e400", "-1", "", "null", "1_0", "٣", "0x1", "9" * 5000, "a\r\nb", "inf"]


def unified(**told: object) -> dict[str, str]:
    """Unified headers; keys may hold `-` through `**{}`."""
    return {U + name: str(value) for name, value in told.items()}


def read(headers: Mapping[str, str], model: str | None = "claude-opus-5-5") -> HeaderReport:
    return read_headers(headers, NOW, model)


def window(report: HeaderReport, name: str) -> Reading:
    return next(reading for reading in report.readings if reading.window == name)


# -- readings -------------------------------------------------------------------------------------


def test_a_real_subscription_answer_is_read_whole():
    report = read(
        unified(
            **{
                "status": "allowed_warning",
                "reset": RESET,
                "5h-utilization": 0.42,
                "5h-reset": RESET,
                "5h-status": "allowed",
                "7d-utilization": 1.04,
                "overage-status": "rejected",
                "overage-disabled-reason": "org_level_disabled",
                "overage-utilization": 1.0,
                "fallback-percentage": 0.5,
            }
        )
    )
    assert report.readings == (Reading("5h", 0.42, RESET, "allowed"), Reading("7d", 1.04))
    assert (report.allowed, report.rejections) == (True, ())


def test_headers_that_say_nothing_of_limits_give_the_shared_empty_report():
    assert read({"content-type": "text/event-stream", "request-id": "r"}) is NOTHING


def test_the_models_own_bucket_is_named_by_the_family_that_answered():
    headers = unified(**{"7d_oi-utilization": 0.9, "7d_opus-utilization": 0.3})
    names = {
        reading.window: reading.utilization for reading in read(headers, "claude-fable-1").readings
    }
    assert names == {"7d:fable": 0.9, "7d:opus": 0.3}
    assert read(headers, None).readings[0].window == "7d:oi"


@pytest.mark.parametrize("value", VALUES)
def test_numbers_that_cannot_be_read_are_unknown_and_never_free(value: str):
    headers = unified(**{"5h-utilization": value, "5h-reset": value, "status": "allowed"})
    headers |= {"x-ratelimit-remaining": value, "x-ratelimit-limit": value}
    report = read(headers)
    assert window(report, "5h").utilization is None
    assert window(report, "5h").reset_at is None
    assert report.buckets[0].remaining is None
    assert empty_bucket(report) is None


def test_of_two_readings_of_one_window_the_worse_one_counts():
    report = read(unified(**{"5h-utilization": "0.9, 0.2", "5h-status": "rejected, allowed"}))
    assert (window(report, "5h").utilization, window(report, "5h").status) == (0.9, "rejected")
    both = unified(**{"7d_oi-utilization": 0.2, "7d_opus-utilization": 0.7})
    assert window(read(both), "7d:opus").utilization == 0.7


def test_a_surpassed_threshold_is_a_lower_bound_where_no_utilization_is_told():
    report = read(unified(**{"7d-surpassed-threshold": "0.75"}))
    assert window(report, "7d").utilization == 0.75
    both = unified(**{"7d-surpassed-threshold": "0.75", "7d-utilization": "0.8"})
    assert window(read(both), "7d").utilization == 0.8


@given(st.dictionaries(st.sampled_from(["5h-reset", "7d-status", "status", "reset"]), st.text()))
def test_any_values_whatever_are_survived(odd: dict[str, str]):
    headers = {U + name: value for name, value in odd.items()}
    headers |= {"retry-after": "".join(odd.values()), "x-ratelimit-reset": "".join(odd.values())}
    for reading in read(headers).readings:
        assert reading.reset_at is None or math.isfinite(reading.reset_at)


# -- verdicts -------------------------------------------------------------------------------------


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


def test_an_allowed_account_is_not_closed_whatever_its_numbers_say():
    headers = unified(**{"status": "allowed", "5h-utilization": 1.0, "7d_oi-status": "rejected"})
    report = read(headers | unified(**{"representative-claim": "five_hour"}))
    assert (report.allowed, report.rejections, report.suspects) == (True, (), ())
    assert evidence(report, 429) is None


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


def test_a_claim_without_a_verdict_is_evidence_on_a_429_only():
    report = read(unified(**{"representative-claim": "five_hour", "5h-reset": RESET}))
    assert (report.rejections, evidence(report, 200)) == ((), None)
    assert evidence(report, 429) == Rejection("5h", RESET)


def test_of_several_rejections_the_account_wide_one_that_lasts_longest_is_the_evidence():
    told = {"status": "rejected", "5h-status": "rejected", "7d-status": "rejected"}
    resets = {"5h-reset": RESET, "7d-reset": RESET + 9, "7d_oi-reset": RESET + 99}
    report = read(unified(**told, **resets, **{"7d_oi-status": "rejected"}))
    assert evidence(report, 429) == Rejection("7d", RESET + 9)


# -- buckets --------------------------------------------------------------------------------------


def test_standard_buckets_are_read_with_their_dates():
    prefix = "anthropic-ratelimit-output-tokens-"
    headers = {prefix + "limit": "8000", prefix + "remaining": "0"}
    report = read(headers | {prefix + "reset": "2026-08-21T00:00:00Z"})
    bucket = BucketReading("output-tokens", 8000.0, 0.0, 1_787_270_400.0)
    assert report.buckets == (bucket,)
    assert evidence(report, 429) == bucket
    assert evidence(report, 200) is None


def test_priority_and_fast_buckets_overflow_and_prove_nothing():
    for family in ("priority", "fast"):
        report = read({f"anthropic-{family}-input-tokens-remaining": "0"})
        assert report.buckets[0].name == f"{family}-input-tokens"
        assert evidence(report, 429) is None


@pytest.mark.parametrize(
    ("name", "bucket"),
    [
        ("x-ratelimit-remaining-requests", "requests"),
        ("x-ratelimit-tokens-remaining", "tokens"),
        ("x-rate-limit-remaining", "requests"),
        ("ratelimit-remaining", "requests"),
    ],
)
def test_generic_buckets_are_read_in_either_order(name: str, bucket: str):
    assert read({name: "0, 5"}).buckets == (BucketReading(bucket, remaining=0.0),)


def test_names_without_a_field_are_no_buckets():
    assert read({"ratelimit-policy": "100;w=60", "x-ratelimit-used": "3"}).buckets == ()


def test_a_thousand_invented_names_stay_a_bounded_report():
    report = read({f"x-ratelimit-remaining-{i}": "1" for i in range(1000)})
    assert len(report.buckets) <= 128


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("90", NOW + 90),
        ("1787270400", 1_787_270_400.0),
        ("1787270400000", 1_787_270_400.0),
        ("6m0s", NOW + 360),
        ("1h2m3.5s", NOW + 3723.5),
        ("120ms", NOW + 0.12),
        ("2d", NOW + 172_800),
        ("2026-08-21T00:00:00Z", 1_787_270_400.0),
        ("2026-08-21T02:00:00+02:00", 1_787_270_400.0),
        ("Fri, 21 Aug 2026 00:00:00 GMT", 1_787_270_400.0),
        ("60, 100;w=1", NOW + 60),
        ("", None),
        ("soon", None),
        ("2026-13-45T00:00:00Z", None),
        ("99 Feb 2026 00:00:00", None),
    ],
)
def test_a_bucket_reset_is_read_in_every_form(value: str, at: float | None):
    assert parse_reset(value, NOW) == at


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0", 1.0),
        ("1.5", 1.5),
        ("999999999", 86_400.0),
        ("Thu, 20 Aug 2026 23:54:20 GMT", 60.0),
        ("Thursday, 20-Aug-26 23:54:20 GMT", 60.0),
        ("Thu, 20 Aug 2020 23:54:20 GMT", 1.0),
        *((junk, None) for junk in (None, "", "-5", "NaN", "1e400", "later", "9" * 5000)),
    ],
)
def test_retry_after_is_clamped_and_junk_is_none(value: str | None, seconds: float | None):
    assert parse_retry_after(value, 1_787_270_000.0) == seconds


# -- the usage endpoint ---------------------------------------------------------------------------


def limit(kind: str, percent: object, model: str | None = None) -> dict[str, object]:
    scope = {"model": {"id": None, "display_name": model}, "surface": None} if model else None
    resets = "2026-08-21T00:00:00+00:00"
    return {"kind": kind, "percent": percent, "resets_at": resets, "scope": scope}


def test_the_limits_list_is_preferred_over_the_flat_keys():
    body = {
        "five_hour": {"utilization": 99.0, "resets_at": None},
        "seven_day_opus": {"utilization": 12.0, "resets_at": None},
        "seven_day_oauth_apps": {"utilization": 100.0, "resets_at": None},
        "seven_day_sonnet": None,
        "limits": [
            limit("session", 33),
            limit("weekly_all", 1),
            limit("weekly_scoped", 95, "Fable"),
        ],
    }
    at = 1_787_270_400.0
    assert set(read_usage(body, NOW).readings) == {
        Reading("5h", 0.33, at),
        Reading("7d", 0.01, at),
        Reading("7d:fable", 0.95, at),
        Reading("7d:opus", 0.12),
    }


def test_a_scope_that_is_no_model_is_not_a_quota_of_the_account():
    entry = limit("weekly_scoped", 100) | {"scope": {"model": None, "surface": "web"}}
    assert read_usage({"limits": [entry]}, NOW).readings == ()


def test_a_window_that_has_begun_anew_tells_nothing_of_the_old_one():
    assert read_usage({"limits": [limit("session", 100)]}, 1_787_270_401.0).readings == ()


@pytest.mark.parametrize("percent", [None, "x", "50", -1, True, math.nan, math.inf, 10**400, []])
def test_a_percentage_that_cannot_be_read_is_unknown_and_never_free(percent: object):
    found = read_usage({"limits": [limit("session", percent)]}, NOW).readings
    assert found == (Reading("5h", None, 1_787_270_400.0),)


JUNK = st.recursive(
    st.none() | st.integers() | st.sampled_from(["limits", "kind", "session", "scope", "model"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["limits", "five_hour", "kind", "scope", "model", "id"]), inner
        )
    ),
    max_leaves=8,
)


@given(JUNK)
def test_any_report_whatever_is_survived(body: object):
    read_usage(body, NOW)
