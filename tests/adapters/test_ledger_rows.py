"""A batch of records on its way into the database."""

from __future__ import annotations

import pytest

from maxpool.adapters.ledger_rows import CHUNK_ROWS, Batch, counts_of
from maxpool.adapters.ledger_schema import COUNTS
from maxpool.core.records import AccountRecord, LedgerQuery, ReadingRecord
from tests.ledgers import keep, reading
from tests.make import request_record

TOKENS = ("tokens_in", "tokens_out", "cache_read", "cache_write_5m", "cache_write_1h")


def told(row):
    return dict(zip(COUNTS, counts_of(row), strict=True))


def test_a_request_counts_once_with_all_its_tokens():
    found = told(request_record(1, failed=True))
    assert (found["requests"], found["failed"], found["cache_write"]) == (1, 1, 45)


@pytest.mark.parametrize(
    ("changed", "unpriced"),
    [
        ({"cost_usd": 0.0}, 0),
        ({"cost_usd": None}, 1),
        ({"cost_usd": None, "tokens_in": 0, "tokens_out": 0, "cache_read": 0}, 1),
        ({"cost_usd": None, **dict.fromkeys(TOKENS, 0)}, 0),
    ],
)
def test_zero_never_means_that_nobody_knows(changed, unpriced):
    assert told(request_record(1, **changed))["unpriced"] == unpriced


def test_the_last_of_two_equal_readings_and_names_holds():
    batch = Batch.of(
        [
            *(ReadingRecord("a", "5h", 1.0, used, None, "x") for used in (0.1, 0.2)),
            *(AccountRecord("a", name) for name in ("old", "new")),
        ]
    )
    assert [row.utilization for row in batch.readings.values()] == [0.2]
    assert batch.names == {"a": "new"}


def test_a_session_tells_its_first_and_last_request_in_whatever_order_they_come(database):
    rows = [request_record(1, at=at, account=f"a-{at}") for at in (200.0, 100.0, 300.0)]
    keep(database, rows[:1])
    keep(database, rows[1:])
    with reading(database) as views:
        (line,) = views.usage(LedgerQuery(by="session"))
    assert (line.requests, line.first_at, line.last_at, line.account) == (
        3,
        100.0,
        300.0,
        "a-300.0",
    )


def test_an_older_row_that_comes_late_does_not_set_a_session_back(database):
    keep(database, [request_record(1, at=300.0, account="new")])
    keep(database, [request_record(2, at=100.0, account="old")])
    with reading(database) as views:
        (line,) = views.usage(LedgerQuery(by="session"))
    assert (line.first_at, line.last_at, line.account) == (100.0, 300.0, "new")


def test_every_field_comes_back_as_it_was(database):
    row = request_record(1, cost_usd=None, ttfb_ms=None, skipped="ä:überlast", streamed=False)
    keep(database, [row, *(request_record(i) for i in range(2, CHUNK_ROWS * 2 + 5))])
    with reading(database) as views:
        found = views.request("req_1")
        assert found == row
        assert type(found.streamed) is bool
