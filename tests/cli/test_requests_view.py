from __future__ import annotations

import pytest

from maxpool.cli.requests_view import line, listed, took
from maxpool.cli.tables import Table, plain
from tests.make import request_record

NOW = 1_800_000_100.0


def one(**changed):
    row = request_record(1, **changed)
    return {"number": 1, **row._asdict(), "account_name": "work"}


def table_of(parts):
    """The lines of the table below the first sentence."""
    (table,) = (part for part in parts if isinstance(part, Table))
    return plain(table)


def told(*rows, before=None):
    return {"requests": list(rows), "before": before, "now": NOW}


LONG = one(
    model="a-very-long-name-of-a-model-that-somebody-made-up",
    status=529,
    failed=True,
    outcome="overloaded_for_good",
    cost_usd=1234.5,
    tokens_out=123_456,
    at=NOW - 86_400,
)


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_terminal_gets_what_fits(width):
    lines = table_of(listed(told(LONG, one()), width))
    assert max(map(len, lines)) <= width


def test_a_wide_one_gets_ids_and_notes_as_well():
    row = one(skipped="a:overloaded", waited_ms=2500.0, kind="count_tokens", device="laptop")
    text = table_of(listed(told(row), 200))[1]
    assert "req_1" in text
    assert text.endswith("a:overloaded; waited 2.5 s; count_tokens; on laptop")


def test_a_caller_that_left_and_a_cost_that_nobody_knows():
    text = table_of(listed(told(one(status=0, cost_usd=None)), 100))[1]
    assert "gone" in text.split()
    assert text.endswith("?")


def test_how_many_there_are_is_said():
    assert listed(told(one()))[0] == "1 request."
    assert listed(told(one(), one(), before=1))[0] == "2 requests, the latest."
    assert listed(told()) == ["No such request is known."]


def test_lines_that_follow_each_other_are_aligned():
    short, long = line(one(), NOW), line(LONG, NOW)
    assert short.index("work") <= long.index("work")
    assert "$0.25" in short


@pytest.mark.parametrize(
    ("ms", "shown"), [(0.4, "0 ms"), (45, "45 ms"), (3200, "3.2 s"), (720_000, "12 min")]
)
def test_spans_are_short(ms, shown):
    assert took(ms) == shown
