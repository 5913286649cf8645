"""The ledger of one proxy: where it is, its life, its trouble."""

from __future__ import annotations

import sqlite3

import pytest

from maxpool.app.ledger import FILE_NAME, found_url, url_of
from maxpool.config.model import Config
from maxpool.errors import SecretError
from tests.ledgers import reading
from tests.rig import rig, until
from tests.web.test_admin_ledger import kept, written


def config(**ledger):
    return Config.model_validate({"ledger": ledger})


def test_it_is_a_file_in_the_state_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path))
    assert url_of(Config(), None) == f"sqlite:///{tmp_path / FILE_NAME}"
    assert url_of(config(enabled=False), None) == ""
    assert url_of(config(url="postgresql://h/d"), None) == "postgresql://h/d"


def test_a_url_with_a_password_comes_from_elsewhere(tmp_path, monkeypatch):  # X4
    monkeypatch.setenv("LEDGER_URL", "postgresql://me:sesame@h/d")
    assert url_of(config(url="env:LEDGER_URL"), None) == "postgresql://me:sesame@h/d"
    monkeypatch.delenv("LEDGER_URL")
    with pytest.raises(SecretError):
        url_of(config(url="env:LEDGER_URL"), None)
    notices: list[str] = []
    assert found_url(config(url="env:LEDGER_URL"), None, notices) == ""
    assert "LEDGER_URL" in notices[0]


async def test_everything_that_waits_is_written_at_the_end(tmp_path):
    async with kept(tmp_path) as it:
        it.proxy.books.ledger._flush_s = 60.0
        ids = {(await it.post()).fields["x-request-id"] for _ in range(5)}
    with reading(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as views:
        assert all(views.request(one) is not None for one in ids)
        assert [row.kind for row in views.events(0.0)] == ["stopped", "started"]
        assert set(views.names().values()) == {"a", "b", "c"}


async def test_a_database_in_trouble_is_said_and_nothing_else_changes(tmp_path):  # O4
    async with kept(tmp_path) as it:
        await it.post()
        await written(it, 1)
        blocker = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        assert (await it.post()).whole
        ledger = it.proxy.books.ledger
        await until(lambda: ledger.report().trouble)
        told = await it.status()
        assert told["jobs"]["ledger"]["trouble"] == "database is locked"
        assert any("The ledger cannot be written" in notice for notice in told["notices"])
        assert (await it.get("/readyz")).status == 200
        blocker.execute("ROLLBACK")
        blocker.close()
        await until(lambda: not ledger.report().waiting)
        assert len((await it.admin("GET", "/requests")).json["requests"]) == 2


async def test_every_request_is_counted_for_the_metrics_with_or_without_a_ledger():
    async with rig() as it:
        await it.post()
        assert sum(it.proxy.stats.meters.requests.values()) == 1
        assert it.proxy.books.jobs() == {}


async def test_how_long_rows_are_kept_is_a_hot_key(tmp_path):
    async with kept(tmp_path) as it:
        it.proxy.books.follow(config(keep_requests="5s"))
        assert it.proxy.books.pruner.requests_s == 5.0
