"""Making room in the ledger."""

from __future__ import annotations

from maxpool.adapters.ledger_engine import open_engine
from maxpool.adapters.ledger_prune import PRUNED_ROWS, chores
from maxpool.adapters.ledger_schema import REQUESTS
from maxpool.core.records import Keep, ReadingRecord
from tests.adapters.test_ledger import count
from tests.ledgers import keep, reading
from tests.make import request_record

DAY_S = 86_400.0
NOW = 20_000 * DAY_S


def tidy(url, now=NOW):
    engine = open_engine(url)
    try:
        wanted = Keep(requests_from=now - 90 * DAY_S, readings_from=now - 35 * DAY_S, now=now)
        return sum(1 for _ in chores(engine, wanted))
    finally:
        engine.dispose()


def readings(account, first, last, step_s):
    number = int((last - first) // step_s)
    return [
        ReadingRecord(account, "5h", first + i * step_s, i / number, None, "headers")
        for i in range(number)
    ]


def test_old_readings_grow_fewer_and_the_last_of_each_span_stays(database):
    keep(
        database,
        [
            *readings("a", NOW - DAY_S, NOW, 60.0),
            *readings("a", NOW - 3 * DAY_S, NOW - 3 * DAY_S + 7200.0, 60.0),
            *readings("a", NOW - 20 * DAY_S, NOW - 20 * DAY_S + 7200.0, 60.0),
            *readings("b", NOW - 20 * DAY_S, NOW - 20 * DAY_S + 60.0, 60.0),
        ],
    )
    tidy(database)
    with reading(database) as views:
        found = views.readings(0.0, account="a")
        ages = [(NOW - row.at) / DAY_S for row in found]
        assert sum(age < 2 for age in ages) == 1440
        assert sum(2 < age < 4 for age in ages) == 12
        old = [row for row in found if NOW - row.at > 14 * DAY_S]
        assert [(row.at - (NOW - 20 * DAY_S)) / 60 for row in old] == [59, 119]
        assert len(views.readings(0.0, account="b")) == 1


def test_what_is_thinned_is_not_looked_at_again(database):
    keep(database, readings("a", NOW - 5 * DAY_S, NOW - 3 * DAY_S, 300.0))
    assert tidy(database) > 10
    assert tidy(database) == 0
    assert 0 < tidy(database, NOW + 3600.0) <= 2


def test_much_is_deleted_in_short_transactions(tmp_path):
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    keep(url, [request_record(i, at=1000.0) for i in range(2 * PRUNED_ROWS + 1)])
    assert tidy(url) == 2
    assert count(url, REQUESTS) == 0


def test_an_empty_ledger_needs_no_tidying(database):
    assert tidy(database) == 0
