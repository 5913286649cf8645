"""Readings and names for the ledger, and when old rows go."""

from __future__ import annotations

import pytest

from maxpool.core.records import AccountRecord, Keep, ReadingRecord, Row
from maxpool.service.history import Pruner, Sampler
from maxpool.sim.clock import HandClock
from tests.make import NOW, pool, unified


class Rows(list[Row]):
    record = list.append

    def of(self, kind):
        return [row for row in self if isinstance(row, kind)]


@pytest.fixture
def sampler():
    return Sampler(pool("a", "b"), Rows(), HandClock(NOW))


def shown(sampler, used, at):
    sampler.clock.advance(at - sampler.clock.now())
    sampler.pool.observe("a", unified(at, five=used, five_reset=NOW + 9000.0), at)
    sampler.look()


def test_a_window_is_told_when_it_changed_and_only_then(sampler):
    for used, minute in ((0.2, 0), (0.2, 1), (0.2, 2), (0.3, 3)):
        shown(sampler, used, NOW + minute * 60.0)
    rows = sampler.ledger.of(ReadingRecord)
    five = [(row.utilization, row.at) for row in rows if row.window == "5h"]
    assert five == [(0.2, NOW), (0.3, NOW + 180.0)]


def test_a_window_that_began_anew_is_told_as_empty(sampler):
    shown(sampler, 0.9, NOW)
    sampler.clock.advance(9001.0)
    sampler.look()
    last = [row for row in sampler.ledger.of(ReadingRecord) if row.window == "5h"][-1]
    assert (last.utilization, last.at) == (0.0, NOW + 9001.0)


def test_names_are_told_once_and_again_when_they_change(sampler):
    sampler.look()
    sampler.look()
    assert sampler.ledger.of(AccountRecord) == [AccountRecord(a, a) for a in ("a", "b")]
    sampler.pool.remove("b", NOW)
    sampler.look()
    assert set(sampler.names) == {"a"}


async def test_what_is_too_old_is_told_by_the_settings_of_now():
    said: list[Keep] = []

    class Ledger:
        def prune(self, keep: Keep) -> None:
            said.append(keep)

    pruner = Pruner(Ledger(), HandClock(NOW), 90.0, 30.0)
    pruner.requests_s = 50.0
    await pruner.tick()
    assert (said[0].requests_from, said[0].readings_from, said[0].now) == (NOW - 50, NOW - 30, NOW)
