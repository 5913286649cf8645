"""The ledger's tables, and how an older database becomes a newer one."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, insert, select, text, update
from sqlalchemy.engine import make_url

from maxpool.adapters import ledger_schema
from maxpool.adapters.ledger_engine import open_engine
from maxpool.adapters.ledger_schema import META, METADATA, REQUESTS, VERSION, migrate, tables_in
from maxpool.core.records import EventRecord, LedgerQuery, RequestRecord
from maxpool.errors import StateError
from tests.ledgers import keep, reading
from tests.make import request_record


def version_in(url):
    engine = open_engine(url)
    with engine.connect() as connection:
        found = connection.execute(select(META.c.value).where(META.c.key == "version")).scalar()
    engine.dispose()
    return int(found or 0)


def test_a_fresh_database_has_every_table_and_this_version(database):
    engine = open_engine(database)
    with engine.connect() as connection:
        assert tables_in(connection) == set(METADATA.tables)
    engine.dispose()
    assert version_in(database) == VERSION


def test_a_row_has_the_columns_of_a_record_and_its_number():
    assert tuple(REQUESTS.c.keys()) == ("seq", *RequestRecord._fields)


def test_opening_again_changes_nothing(database):
    keep(database, [request_record(1)])
    for _ in range(2):
        assert version_in(database) == VERSION
    with reading(database) as views:
        assert views.request("req_1") == request_record(1)


def test_a_later_step_is_taken_once_and_keeps_every_row(database, monkeypatch):
    keep(database, [request_record(1), EventRecord(1.0, "started", "", "{}")])
    taken = []

    def step(connection):
        taken.append(1)
        connection.execute(text("ALTER TABLE requests ADD COLUMN region VARCHAR DEFAULT 'here'"))

    monkeypatch.setattr(ledger_schema, "MIGRATIONS", (*ledger_schema.MIGRATIONS, step))
    monkeypatch.setattr(ledger_schema, "VERSION", VERSION + 1)
    for _ in range(2):
        assert version_in(database) == VERSION + 1
    assert taken == [1]
    keep(database, [request_record(2)])
    with reading(database) as views:
        assert views.request("req_1") == request_record(1)
        assert views.usage(LedgerQuery(by="day"))[0].requests == 2
    engine = open_engine(database)
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT region FROM requests")).scalars()) == {"here"}
    engine.dispose()


def test_a_step_that_fails_leaves_the_old_version(database, monkeypatch):
    keep(database, [request_record(1)])

    def step(connection):
        connection.execute(update(META).values(value="spoilt"))
        raise StateError("half way")

    with monkeypatch.context() as patched:
        patched.setattr(ledger_schema, "MIGRATIONS", (*ledger_schema.MIGRATIONS, step))
        patched.setattr(ledger_schema, "VERSION", VERSION + 1)
        with pytest.raises(StateError, match="half way"):
            open_engine(database)
    assert version_in(database) == VERSION


def test_a_newer_database_is_named_and_left_alone(database):
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(update(META).where(META.c.key == "version").values(value="99"))
    engine.dispose()
    with pytest.raises(StateError, match="version 99"):
        open_engine(database)


def test_a_database_from_before_the_first_step_gets_all(tmp_path):
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    engine = create_engine(make_url(url))
    with engine.begin() as connection:
        META.create(connection)
        connection.execute(insert(META).values(key="note", value="kept"))
        assert migrate(connection) == 0
        assert tables_in(connection) == set(METADATA.tables)
        assert connection.execute(select(META.c.value).where(META.c.key == "note")).scalar()
    engine.dispose()
