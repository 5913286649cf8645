"""The questions people ask of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from maxpool.adapters.ledger_views import MAX_ROWS, span_of, thinned
from maxpool.core.records import EventRecord, LedgerQuery, ReadingRecord, RequestFilter
from tests.ledgers import keep, reading
from tests.make import request_record

MONDAY = datetime(2026, 11, 16, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def filled(database):
    """Thirty requests in three days, of two accounts, models and clients."""
    keep(
        database,
        [
            request_record(
                i,
                at=MONDAY + i * 8640.0,
                account=f"a-{i % 2}",
                model=("opus", "haiku")[i % 3 == 0],
                client="ci" if i % 5 == 0 else "",
                session=f"s-{i % 4}",
                status=(200, 0, 429)[(i % 10 == 0) + (i % 10 == 5) * 2],
                failed=i % 10 == 5,
                device="laptop" if i % 7 == 0 else "",
            )
            for i in range(30)
        ],
    )
    with reading(database) as views:
        yield views


def numbers(found):
    return [int(row.request_id[4:]) for _, row in found]


def test_requests_come_newest_first_and_page_by_page(filled):
    seen, before = [], None
    while page := filled.requests(RequestFilter(limit=7, before=before)):
        seen += numbers(page)
        before = page[-1][0]
    assert seen == list(range(29, -1, -1))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"account": "a-1"}, range(29, 0, -2)),
        ({"model": "haiku", "account": "a-0"}, range(24, -1, -6)),
        ({"client": "ci"}, range(25, -1, -5)),
        ({"session": "s-3"}, range(27, 2, -4)),
        ({"status": "failed"}, (25, 15, 5)),
        ({"status": "429"}, (25, 15, 5)),
        ({"status": "gone"}, (20, 10, 0)),
        ({"status": "200", "since": MONDAY + 27 * 8640.0}, (29, 28, 27)),
        ({"until": MONDAY + 3 * 8640.0}, (2, 1, 0)),
        ({"account": "nobody"}, ()),
    ],
)
def test_filters_narrow(filled, wanted, expected):
    assert numbers(filled.requests(RequestFilter(**wanted))) == list(expected)


def test_what_is_answered_is_neither_failed_nor_gone(filled):
    assert len(filled.requests(RequestFilter(status="ok"))) == 24


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("account", {"a-0", "a-1"}),
        ("model", {"opus", "haiku"}),
        ("client", {"", "ci"}),
        ("device", {"", "laptop"}),
        ("day", {"2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"}),
        ("week", {"2026-11-16"}),
        ("month", {"2026-11"}),
        ("session", {"s-0", "s-1", "s-2", "s-3"}),
    ],
)
def test_sums_by_anything_are_all_requests(filled, by, keys):
    lines = filled.usage(LedgerQuery(by=by))
    assert {line.key for line in lines} == keys
    assert sum(line.requests for line in lines) == 30
    assert sum(line.failed for line in lines) == 3
    assert all(type(line.tokens_in) is int for line in lines)


def test_sums_are_narrowed_like_requests(filled):
    lines = filled.usage(LedgerQuery(by="day", account="a-1", client="", device="laptop"))
    wanted = RequestFilter(account="a-1", client="")
    rows = [row for _, row in filled.requests(wanted) if row.device == "laptop"]
    assert sum(line.requests for line in lines) == len(rows) == 2


def test_days_are_those_of_the_reader(filled):
    east = filled.usage(LedgerQuery(by="day", offset_s=lambda _: 13 * 3600))
    assert [line.key for line in east] == ["2026-11-17", "2026-11-18", "2026-11-19"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        *(("hour", "2026-11-16 12:00"), ("day", "2026-11-16")),
        *(("week", "2026-11-16"), ("month", "2026-11")),
    ],
)
def test_a_moment_lies_in_its_span(by, expected):
    assert span_of(MONDAY + 60, by, lambda _: 0) == expected


def test_a_week_begins_on_monday():
    assert span_of(MONDAY + 6 * 86_400, "week", lambda _: 0) == "2026-11-16"
    assert span_of(MONDAY + 7 * 86_400, "week", lambda _: 0) == "2026-11-23"


def test_readings_come_oldest_first_and_as_many_as_a_chart_can_show(database):
    rows = [
        ReadingRecord(a, w, t, t / 100, None, "x")
        for a in "ab"
        for w in ("5h", "7d")
        for t in (2.0, 1.0)
    ]
    keep(database, rows)
    with reading(database) as views:
        found = views.readings(0.0, account="a", window="7d")
        assert [row.at for row in found] == [1.0, 2.0]
        assert len(views.readings(1.5)) == 4
    many: Any = range(MAX_ROWS * 3 + 1)
    assert len(list(thinned(many, MAX_ROWS))) <= MAX_ROWS


def test_events_come_newest_first(database):
    keep(database, [EventRecord(float(i), "started", "", "{}") for i in range(5)])
    with reading(database) as views:
        assert [row.at for row in views.events(2.0)] == [4.0, 3.0, 2.0]
        assert len(views.events(0.0, limit=2)) == 2
