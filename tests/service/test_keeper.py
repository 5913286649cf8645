from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from maxpool.adapters.store import SqliteStateStore
from maxpool.core.snapshot import VERSION
from maxpool.errors import StateError
from maxpool.service.keeper import Keeper
from maxpool.service.origins import Origins
from maxpool.sim.clock import HandClock
from tests.make import pool


class Slow:
    """A store that writes only when it may, and may fail."""

    set_aside = None

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()
        self.kept: list[dict[str, Any]] = []
        self.broken = False

    def load(self):
        return self.kept[-1] if self.kept else None

    def save(self, snapshot) -> None:
        self.may.wait(60)
        if self.broken:
            raise StateError("the disk is full", "Free some space.")
        self.kept.append(dict(snapshot))

    def close(self) -> None:
        pass


def keeper(store) -> Keeper:
    return Keeper(pool("a"), store, HandClock(), Origins({"a": "https://x.example"}))


async def test_what_is_saved_comes_back(tmp_path):
    store = SqliteStateStore(tmp_path / "state.db", newest_version=VERSION)
    one = keeper(store)
    await one.save()
    found = store.load()
    assert found is not None
    assert found["origins"] == {"a": "https://x.example"}
    assert one.report()["saves"] == 1
    store.close()


async def test_a_save_that_comes_during_another_is_not_lost():
    store = Slow()
    one = keeper(store)
    store.may.clear()
    first = asyncio.ensure_future(one.save())
    await asyncio.sleep(0.01)
    one.pool.revision += 7
    second = asyncio.ensure_future(one.save())
    store.may.set()
    await asyncio.gather(first, second)
    assert [kept["revision"] for kept in store.kept][1] == one.pool.revision


async def test_nothing_is_saved_while_nothing_is_due():
    store = Slow()
    one = keeper(store)
    await one.save()
    await one.tick()
    assert len(store.kept) == 1


async def test_a_failing_disk_is_said_once_and_stops_nothing(caplog):
    store = Slow()
    one = keeper(store)
    store.broken = True
    for _ in range(3):
        await one.save()
    assert (one.saves, one.failures, one.last_error) == (0, 3, "the disk is full")
    assert one.notices() == ("The state is not saved now: the disk is full. Free some space.",)
    assert caplog.text.count("the disk is full. Free some space.") == 1
    store.broken = False
    await one.save()
    assert (one.report()["last_error"], one.notices()) == (None, ())
    assert caplog.text.count("is saved again") == 1


async def test_an_error_of_another_kind_is_not_swallowed():
    class Odd(Slow):
        def save(self, snapshot) -> None:
            raise ZeroDivisionError

    one = keeper(Odd())
    with pytest.raises(ZeroDivisionError):
        await one.save()
    assert not one.saving.locked()


async def test_after_the_last_save_another_process_saves():
    store = Slow()
    one = keeper(store)
    seen: list[int] = []
    await one.save_last(lambda: seen.append(one.pool.revision))
    one.pool.revision += 1
    await one.save()
    assert [kept["revision"] for kept in store.kept] == seen
    one.handed_over = False
    await one.save()
    assert len(store.kept) == 2
