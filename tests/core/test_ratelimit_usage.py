"""core/ratelimit_usage: readings out of the usage endpoint's answer."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.lease import Reading
from maxpool.core.ratelimit_usage import read_usage

NOW = 1_787_270_000.0


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
