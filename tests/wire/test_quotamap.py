"""A provider's JSON to a quota reading."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.quotareading import QuotaReading
from maxpool.wire.quotamap import at, flaw, read
from tests.make import NOW

TOLD = {
    "data": {
        "used": 3,
        "cents": "1,250",
        "usd": "$12.50",
        "share": 40,
        "free": True,
        "list": [{"n": 1}, {"n": 2}],
        "when": "2027-01-15T08:00:00Z",
        "ms": 1_800_000_060_000,
        "in": "PT1H30M",
        "seconds": 90,
        "null": None,
        "text": "many",
        "debt": -4,
    }
}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("data.used", 3.0),
        ("$.data.used number", 3.0),
        ("data.list[1].n", 2.0),
        ("data.cents cents", 12.5),
        ("data.usd", 12.5),
        ("data.share percent", 0.4),
        ("data.free boolean", 1.0),
        ("data.debt", 0.0),
        ("data.free", None),
        ("data.text", None),
        ("data.null", None),
        ("data.list[9].n", None),
        ("nowhere.at.all", None),
    ],
)
def test_an_amount_stands_where_the_map_says_and_is_of_its_kind(line, value):
    assert flaw("used", line) is None
    assert read(TOLD, {"used": line}, NOW).used == value


@pytest.mark.parametrize(
    ("line", "reset_at"),
    [
        ("data.when", NOW),
        ("data.ms time", NOW + 60),
        ("data.in duration", NOW + 5400),
        ("data.seconds duration", NOW + 90),
        ("data.text", None),
        ("data.text duration", None),
        ("data.free time", None),
    ],
)
def test_a_reset_is_a_time_or_a_span(line, reset_at):
    assert flaw("reset", line) is None
    assert read(TOLD, {"used": "data.used", "reset": line}, NOW).reset_at == reset_at


def test_any_two_amounts_give_the_third():
    quota_map = {"used": "data.used", "limit": "data.list[1].n", "unit": "usd"}
    assert read(TOLD, quota_map, NOW) == QuotaReading(3, 2, 0, None, "usd")


def test_a_path_ends_where_the_answer_is_something_else():
    assert at([1, [2]], "$[1][0]") == 2
    assert at({"a": 1}, "a.b") is None
    assert at("text", "a") is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    st.sampled_from(["a", "a.b", "b[0]", "[1]", "c.a[0].b"]),
    st.sampled_from(["number", "cents", "percent", "boolean"]),
    st.sampled_from(["time", "duration"]),
)
def test_no_answer_whatever_breaks_the_reading(told, path, kind, clock):
    json.dumps(told)
    lines = {"used": f"{path} {kind}", "limit": path, "reset": f"{path} {clock}"}
    found = read(told, lines, NOW)
    for amount in (found.used, found.limit, found.remaining):
        assert amount is None or amount >= 0
