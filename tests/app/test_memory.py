"""What the last run left: taken back where it can be read, never lost where it cannot."""

from __future__ import annotations

import json
import sqlite3

import pytest

from maxpool import Forbidden
from maxpool.adapters.store import SqliteStateStore
from maxpool.app.build import build
from maxpool.config.load import parse
from maxpool.core.snapshot import VERSION
from tests.make import lease

ONE = '[[accounts]]\nname = "a"\nsecret = "env:A"\nbase_url = "https://a.example"\n'


@pytest.fixture
def config(tmp_path):
    return parse(ONE, tmp_path / "config.toml")


def store_in(tmp_path) -> SqliteStateStore:
    return SqliteStateStore(tmp_path / "state" / "state.db", newest_version=VERSION, busy_s=0.05)


async def saved(config, tmp_path) -> None:
    """A run that benches its account, saves and ends."""
    store = store_in(tmp_path)
    built = build(config, store=store)
    built.pool.release(lease(built.pool, built.clock.now()), Forbidden(), built.clock.now())
    assert built.keeper is not None
    await built.keeper.save()
    store.close()
    await built.upstream.aclose()


def reasons(built) -> list[str]:
    view = built.pool.view(built.clock.now())
    return [a.unavailable.reason.value for a in view.accounts if a.unavailable is not None]


async def test_what_was_saved_is_taken_back(config, tmp_path):  # S18
    await saved(config, tmp_path)
    built = build(config, store=store_in(tmp_path))
    assert (reasons(built), built.notices) == (["forbidden"], [])
    await built.upstream.aclose()


async def test_a_memory_out_of_reach_is_said_and_never_overwritten(config, tmp_path):  # O4
    await saved(config, tmp_path)
    path = tmp_path / "state" / "state.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    store = store_in(tmp_path)
    built = build(config, store=store)
    assert reasons(built) == []
    assert "The saved state is not used" in built.notices[0]
    other.close()
    assert built.keeper is not None
    await built.keeper.save()
    assert store.set_aside == f"{path}.unread-1"
    with sqlite3.connect(f"{path}.unread-1") as db:
        kept = json.loads(db.execute("SELECT saved FROM snapshot").fetchone()[0])
    (account,) = kept["accounts"].values()
    assert account["cooldowns"].keys() == {"forbidden"}
    store.close()
    await built.upstream.aclose()


@pytest.mark.parametrize(
    ("snapshot", "why"),
    [
        ({"version": VERSION + 1}, "newer than this maxpool"),
        ({"version": VERSION, "accounts": 7}, "cannot be read"),
        ({"version": "x"}, "has version 'x'"),
    ],
)
async def test_a_memory_that_is_none_is_set_aside_by_a_telling_name(
    config, tmp_path, snapshot, why
):  # O2
    store = store_in(tmp_path)
    store.save(snapshot)
    store.close()
    store = store_in(tmp_path)
    built = build(config, store=store)
    assert why in built.notices[0]
    assert store.set_aside is not None
    assert store.set_aside in built.notices[0]
    await built.upstream.aclose()
