"""The ledger's writing end, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import os
import sqlite3
import stat

import pytest
from sqlalchemy import func, select, text

from maxpool.adapters.ledger import Ledger
from maxpool.adapters.ledger_engine import open_engine, sqlite_url
from maxpool.adapters.ledger_schema import HOURS, READINGS, REQUESTS, SESSIONS
from maxpool.core.records import AccountRecord, EventRecord, Keep, LedgerQuery, ReadingRecord
from tests.ledgers import keep, reading, wait, writing
from tests.make import request_record


def count(url, table):
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar()
    finally:
        engine.dispose()


def test_rows_and_sums_are_one_transaction(database):
    keep(database, [request_record(i, session=f"s-{i % 3}") for i in range(250)])
    assert count(database, REQUESTS) == 250
    assert count(database, SESSIONS) == 3
    with reading(database) as views:
        (line,) = views.usage(LedgerQuery(by="account"))
    assert (line.requests, line.tokens_in, line.cache_write) == (250, 2500, 250 * 45)
    assert line.cost_usd == pytest.approx(62.5)


def test_sums_go_on_where_the_last_run_left_them(database):
    for run in range(3):
        keep(database, [request_record(run), ReadingRecord("a", "5h", 1.0, 0.1 * run, None, "x")])
    assert count(database, HOURS) == 1
    assert count(database, READINGS) == 1
    with reading(database) as views:
        assert views.usage(LedgerQuery(by="day"))[0].requests == 3
        assert views.readings(0.0)[0].utilization == pytest.approx(0.2)


@pytest.mark.parametrize("wrong", [{"status": None}, {"model": None}, {"tokens_in": "many"}])
def test_what_no_database_takes_is_lost_alone_and_counted(database, wrong):
    broken = request_record(7, **wrong)
    with writing(database) as ledger:
        for row in (request_record(1), broken, request_record(2)):
            ledger.record(row)
        wait(lambda: ledger.report().written == 2)
        assert ledger.report().lost == 1
    assert count(database, REQUESTS) == 2


def test_a_full_queue_loses_rows_with_count_and_never_blocks(tmp_path):  # O4
    ledger = Ledger(sqlite_url(tmp_path / "l.sqlite"), float, capacity=10)
    for i in range(25):
        ledger.record(request_record(i))
    assert (ledger.report().waiting, ledger.report().lost) == (10, 15)
    ledger.close()
    assert ledger.report().lost == 25


def test_a_locked_database_delays_rows_and_loses_none(tmp_path, caplog):  # O4
    path = tmp_path / "l.sqlite"
    keep(sqlite_url(path), [request_record(0)])
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with writing(sqlite_url(path)) as ledger:
        for i in range(5):
            ledger.record(request_record(i))
        wait(lambda: ledger.report().trouble)
        assert ledger.report().waiting == 5
        assert ledger.report().since is not None
        blocker.execute("ROLLBACK")
        blocker.close()
        wait(lambda: ledger.report().written == 5)
        assert ledger.report().trouble == ""
    assert count(sqlite_url(path), REQUESTS) == 6
    assert caplog.text.count("cannot be written") == 1


def test_a_server_that_is_away_is_tried_again(tmp_path):  # O4
    url = f"postgresql://nobody@/none?host={tmp_path}"
    with writing(url) as ledger:
        ledger.record(request_record(1))
        wait(lambda: ledger.report().trouble)
        assert ledger.report().waiting == 1


def test_what_waits_is_written_at_the_end(database):
    ledger = Ledger(database, float, flush_s=60.0)
    ledger.start()
    for i in range(3):
        ledger.record(request_record(i))
    ledger.close()
    assert count(database, REQUESTS) == 3


def test_what_is_too_old_goes_and_the_sums_by_the_hour_stay(database):
    rows = [request_record(i, at=1000.0 * i, session=f"s-{i}") for i in range(10)]
    readings = [ReadingRecord("a", "5h", 1000.0 * i, 0.5, None, "probe") for i in range(10)]
    keep(database, [*rows, *readings, EventRecord(1.0, "login", "a", "{}")])
    with writing(database) as ledger:
        ledger.prune(Keep(requests_from=5000.0, readings_from=8000.0, now=10_000.0))
        wait(lambda: (count(database, REQUESTS), count(database, READINGS)) == (5, 2))
        wait(lambda: count(database, SESSIONS) == 5)
    with reading(database) as views:
        assert sum(line.requests for line in views.usage(LedgerQuery(by="day"))) == 10
        assert views.events(0.0) == []


def test_names_of_accounts_outlive_them(database):
    keep(database, [AccountRecord("a-1", "old"), AccountRecord("a-1", "work"), request_record(1)])
    with reading(database) as views:
        assert views.names() == {"a-1": "work"}
        (line,) = views.usage(LedgerQuery(by="account"))
        assert (line.key, line.name) == ("a-1", "work")


def test_its_file_is_its_owners_alone(tmp_path):  # X4
    path = tmp_path / "state" / "l.sqlite"
    keep(sqlite_url(path), [request_record(1)])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700


def test_kill_minus_nine_leaves_a_ledger_that_can_be_read(tmp_path):  # O3
    import subprocess
    import sys

    path = tmp_path / "l.sqlite"
    code = (
        "import os, sys\nfrom tests.ledgers import *\nfrom tests.make import request_record\n"
        "ledger = Ledger(sys.argv[1], time.time, flush_s=0.01)\nledger.start()\n"
        "[ledger.record(request_record(i)) for i in range(500)]\n"
        "wait(lambda: not ledger.report().waiting)\n"
        "[ledger.record(request_record(i)) for i in range(500, 5000)]\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, sqlite_url(path)], check=False, timeout=60)
    assert done.returncode == -9
    assert count(sqlite_url(path), REQUESTS) >= 500
    with reading(sqlite_url(path)) as views:
        engine = open_engine(sqlite_url(path))
        with engine.connect() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        engine.dispose()
        summed = sum(line.requests for line in views.usage(LedgerQuery(by="day")))
        assert summed == count(sqlite_url(path), REQUESTS)
