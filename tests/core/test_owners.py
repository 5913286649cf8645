"""Who holds what: bounded, through restarts and removals."""

from __future__ import annotations

import json

from maxpool import Command, Pool, QuotaExceeded, Refusal
from maxpool.core import owners
from maxpool.core.commands import reconfigure
from maxpool.core.settings import PoolSettings
from tests.make import DAY, NOW, account, ask, lease, pool


def restarted(p: Pool, *names: str) -> Pool:
    saved = json.loads(json.dumps(p.snapshot(NOW)))
    return Pool.restore(saved, [account(n) for n in names], p.settings, NOW)


def test_what_an_account_made_is_known_after_a_restart():  # R19
    p = pool("a", "b")
    owners.seen(p, ["file_1", "msgbatch_1"], "a", NOW)
    owners.seen(p, ["file_2"], "b", NOW + 1)
    again = restarted(p, "a", "b").owners
    assert [again.find(f"file_{n}", NOW) for n in (1, 2, 3)] == ["a", "b", None]
    assert list(again.by_id) == ["file_1", "msgbatch_1", "file_2"]


def test_a_removed_account_is_still_known_as_the_holder_by_its_name():  # R19
    p = pool(account("a", name="work"), "b")
    owners.seen(p, ["file_1"], "a", NOW)
    p.remove("a", NOW)
    again = restarted(p, "b")
    assert (again.owners.find("file_1", NOW), again.owners.names["a"]) == ("a", "work")


def test_a_snapshot_of_before_has_none():
    saved = pool("a").snapshot(NOW)
    del saved["owned"]
    assert not Pool.restore(saved, [account("a")], None, NOW).owners.by_id


def test_the_longest_unseen_goes_first_when_there_are_too_many():
    p = pool("a", max_owned=3)
    for n in range(3):
        owners.seen(p, [f"f{n}"], "a", NOW + n)
    owners.seen(p, ["f0", "f3"], "a", NOW + 9)
    assert list(p.owners.by_id) == ["f2", "f0", "f3"]
    more = PoolSettings(max_owned=1)
    reconfigure(p, more, NOW)
    owners.seen(p, ["f4"], "a", NOW + 9)
    assert list(p.owners.by_id) == ["f4"]


def test_what_was_not_seen_for_long_is_nobodys():
    p = pool("a", owned_age_s=DAY)
    owners.seen(p, ["f1"], "a", NOW)
    assert p.owners.find("f1", NOW + DAY) == "a"
    assert p.owners.find("f1", NOW + DAY + 1) is None
    owners.seen(p, ["f2"], "a", NOW + DAY + 1)
    assert list(p.owners.by_id) == ["f2"]


def test_a_step_of_the_clock_makes_nothing_older():  # O7
    p = pool("a", owned_age_s=DAY)
    owners.seen(p, ["f1"], "a", NOW)
    p.clock_stepped(400 * DAY, NOW + 400 * DAY)
    assert p.owners.find("f1", NOW + 400 * DAY) == "a"


def test_what_was_deleted_is_forgotten_and_each_change_is_to_be_saved():
    p = pool("a")
    before = p.revision
    owners.seen(p, ["f1"], "a", NOW)
    assert p.revision > before
    before = p.revision
    owners.gone(p, ["f1", "f2"])
    assert (p.owners.find("f1", NOW), p.revision) == (None, before + 1)


def test_an_id_of_no_sane_length_is_not_kept():
    p = pool("a")
    owners.seen(p, ["", "f" * 129], "a", NOW)
    assert not p.owners.by_id


def test_who_goes_by_another_id_takes_all_along():
    p = pool("a", "b")
    owners.seen(p, ["f1"], "a", NOW)
    owners.seen(p, ["f2"], "b", NOW)
    p.owners.succeed("a", "c")
    assert [p.owners.find(f, NOW) for f in ("f1", "f2")] == ["c", "b"]


def test_who_is_used_up_still_shows_what_it_holds_and_does_no_work():  # R19
    p = pool("a", "b")
    p.release(lease(p, exclude=frozenset("b")), QuotaExceeded("7d", NOW + DAY), NOW)
    looked = ask(model="", owner="a", max_wait_s=0.0)
    assert isinstance(p.acquire(looked, NOW), Refusal)
    found = p.last_word(looked, NOW)
    assert found is not None
    assert found.account_id == "a"
    assert p.last_word(ask(owner="a"), NOW) is None
    p.command(Command("disable", "a"), NOW)
    assert p.last_word(looked, NOW) is None
