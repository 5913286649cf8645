"""Opening the ledger's database, and what is made of its errors."""

from __future__ import annotations

import logging
import os
import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from maxpool.adapters.ledger_engine import (
    MAX_SET_ASIDE,
    broken,
    first_line,
    open_engine,
    open_for_reading,
    passing,
    put_aside,
    sqlite_url,
)
from maxpool.errors import StateError
from tests.ledgers import keep, reading, wait, writing
from tests.make import request_record


def test_a_file_that_is_no_database_is_set_aside_and_named(tmp_path, caplog):  # O2
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    keep(sqlite_url(path), [request_record(1)])
    with reading(sqlite_url(path)) as views:
        assert views.request("req_1") is not None
    assert (tmp_path / "ledger.sqlite.broken").read_bytes().startswith(b"this is no")
    assert "ledger.sqlite.broken" in caplog.text


def test_a_file_that_breaks_while_it_is_written_is_set_aside_and_no_row_is_lost(tmp_path):  # O2
    path = tmp_path / "ledger.sqlite"
    keep(sqlite_url(path), [request_record(i) for i in range(2000)])
    data = bytearray(path.read_bytes())
    data[8192:] = os.urandom(len(data) - 8192)
    path.write_bytes(bytes(data))
    with writing(sqlite_url(path)) as ledger:
        for i in range(50):
            ledger.record(request_record(i))
        wait(lambda: ledger.report().written == 50)
        assert ledger.report().lost == 0
    assert (tmp_path / "ledger.sqlite.broken").exists()


def test_whoever_only_reads_makes_and_moves_nothing(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(StateError, match="no ledger yet"):
        open_for_reading(sqlite_url(path))
    assert not path.exists()
    path.write_bytes(b"this is no database at all" * 100)
    with reading(sqlite_url(path)) as views, pytest.raises(StateError, match="cannot be read"):
        views.names()
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_broken_files_are_kept_apart_up_to_a_bound(tmp_path):
    path = tmp_path / "l"
    names = []
    for _ in range(MAX_SET_ASIDE):
        path.write_bytes(b"x")
        names.append(put_aside(sqlite_url(path)))
    assert len(set(names)) == MAX_SET_ASIDE
    path.write_bytes(b"x")
    with pytest.raises(StateError, match="so are"):
        put_aside(sqlite_url(path))


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://me:pass-word@host/db", "oracle+x://h/d"])
def test_a_wrong_url_is_said_without_its_password(url):
    with pytest.raises(StateError) as caught:
        open_engine(url)
    assert "pass-word" not in f"{caught.value.message} {caught.value.hint}"


def test_a_locked_file_passes_and_a_wrong_value_does_not(tmp_path):
    path = tmp_path / "l.sqlite"
    engine = open_engine(sqlite_url(path))
    with engine.connect() as connection:
        with pytest.raises(IntegrityError) as wrong:
            connection.execute(text("INSERT INTO meta (key, value) VALUES ('x', NULL)"))
        with pytest.raises(OperationalError) as gone:
            connection.execute(text("SELECT * FROM nowhere"))
    engine.dispose()
    assert not passing(wrong.value)
    assert passing(gone.value)
    assert not broken(gone.value)
    assert first_line(gone.value) == "no such table: nowhere"
    assert "SELECT" not in first_line(gone.value)


def test_readers_and_a_second_writer_do_not_wait_for_each_other(tmp_path):
    url = sqlite_url(tmp_path / "l.sqlite")
    with writing(url) as one, writing(url) as other, reading(url) as views:
        for i in range(200):
            (one if i % 2 else other).record(request_record(i))
        wait(lambda: one.report().written + other.report().written == 200)
        assert views.request("req_7") is not None
        assert (one.report().lost, other.report().lost) == (0, 0)


def test_the_log_of_the_driver_is_not_ours(tmp_path, caplog):  # O6
    caplog.set_level(logging.DEBUG)
    keep(sqlite_url(tmp_path / "l.sqlite"), [request_record(1, client="a-name-in-a-row")])
    assert "a-name-in-a-row" not in caplog.text
    assert sqlite3.sqlite_version_info >= (3, 24)  # the first with upserts
