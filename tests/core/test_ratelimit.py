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
    read_headers,
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


# -- evidence --------------------------------------------------------------------------------------


def test_an_allowed_account_is_not_closed_whatever_its_numbers_say():
    headers = unified(**{"status": "allowed", "5h-utilization": 1.0, "7d_oi-status": "rejected"})
    report = read(headers | unified(**{"representative-claim": "five_hour"}))
    assert (report.allowed, report.rejections, report.suspects) == (True, (), ())
    assert evidence(report, 429) is None


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


@pytest.mark.parametrize("prefix", ["x-ratelimit-", "x-rate-limit-", "ratelimit-"])
@pytest.mark.parametrize("kind", ["", "requests", "tokens"])
@pytest.mark.parametrize("kind_first", [True, False])
def test_every_generic_family_is_read_whole(prefix: str, kind: str, kind_first: bool):
    def name(field: str) -> str:
        return prefix + "-".join(p for p in ((kind, field) if kind_first else (field, kind)) if p)

    told = {name("limit"): "100, 100;w=60", name("remaining"): "7", name("reset"): "6m0s"}
    expected = BucketReading(kind or "requests", 100.0, 7.0, NOW + 360)
    assert read(told).buckets == (expected,)
    assert evidence(read(told), 429) is None
    assert evidence(read(told | {name("remaining"): "0"}), 429) is not None


def test_a_remaining_that_cannot_be_read_is_not_replaced_by_the_next_of_its_list():
    assert read({"x-ratelimit-remaining": "NaN, 50"}).buckets == (BucketReading("requests"),)


NAMES = st.sampled_from(
    [
        *(U + name for name in ("status", "reset", "5h-status", "5h-utilization", "7d_opus-reset")),
        *(
            U + name
            for name in ("representative-claim", "overage-status", "7d-surpassed-threshold")
        ),
        *("retry-after", "anthropic-ratelimit-requests-remaining", "x-ratelimit-reset-tokens"),
        *("anthropic-ratelimit-tokens-reset", "ratelimit-remaining", "x-ratelimit-limit-requests"),
    ]
)
WORDS = st.sampled_from(
    [*VALUES, "\xb2", "rejected", "allowed", "five_hour", "1h2m3s", "-5", "2026-11-21T20:00:00Z"]
)
TOLD = st.dictionaries(
    NAMES | st.text(max_size=12),
    WORDS | st.text(st.characters(max_codepoint=255), max_size=30),
    max_size=12,
)


@given(TOLD, st.sampled_from([200, 429, 529]), st.none() | st.text(max_size=30))
def test_whatever_an_upstream_says_of_its_limits_is_survived(told, status, model):
    report = read(told, model)
    for reading in report.readings:
        assert reading.reset_at is None or math.isfinite(reading.reset_at)
    proof = evidence(report, status)
    until = getattr(proof, "until", None)
    assert until is None or math.isfinite(until)


def test_of_two_names_for_one_thing_the_first_counts():
    told = {"x-ratelimit-remaining": "3", "ratelimit-remaining": "0"}
    assert read(told).buckets == (BucketReading("requests", remaining=3.0),)
    turned = dict(reversed(told.items()))
    assert read(turned).buckets == (BucketReading("requests", remaining=0.0),)
