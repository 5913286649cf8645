"""What is known of refreshes is on the disk when a call returns, and a broken file stops nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading

import pytest

from maxpool.adapters.journal import KEPT, SqliteRefreshJournal
from maxpool.errors import StateError
from maxpool.ports import Begun

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "logins.db"


def test_what_was_begun_is_there_for_the_next_run_until_it_has_ended(path):
    SqliteRefreshJournal(path).begin("a", "00000001", NOW)
    second = SqliteRefreshJournal(path)
    assert second.begun() == (Begun(account_id="a", fingerprint="00000001", at=NOW),)
    second.end("a")
    assert SqliteRefreshJournal(path).begun() == ()


def test_every_token_of_an_account_is_known_until_its_end(path):
    journal = SqliteRefreshJournal(path)
    for n in range(3):
        journal.begin("a", f"0000000{n}", NOW + n)
    journal.begin("b", "00000009", NOW)
    journal.begin("a", "00000001", NOW + 9)
    assert [one.fingerprint for one in journal.begun() if one.account_id == "a"] == [
        "00000000",
        "00000002",
        "00000001",
    ]
    journal.end("a")
    assert [one.account_id for one in journal.begun()] == ["b"]


def test_a_dead_token_is_remembered_by_its_digest_with_the_first_reason(path):
    journal = SqliteRefreshJournal(path)
    journal.bury("a", "d1", "invalid_grant", NOW)
    journal.bury("a", "d1", "something else", NOW + 1)
    journal.close()
    assert SqliteRefreshJournal(path).dead("d1") == "invalid_grant"
    assert journal.dead("d2") is None


def test_the_oldest_dead_tokens_are_forgotten(path):
    journal = SqliteRefreshJournal(path)
    journal.open()
    with sqlite3.connect(path) as db:
        rows = [(f"d{n}", "a", "x", NOW + n) for n in range(KEPT)]
        db.executemany("INSERT INTO dead VALUES (?, ?, ?, ?)", rows)
    db.close()
    journal.bury("a", "new", "x", NOW + KEPT)
    journal = SqliteRefreshJournal(path)
    assert (journal.dead("d0"), journal.dead("d1"), journal.dead("new")) == (None, "x", "x")


def test_only_its_owner_can_read_it(path):
    before = os.umask(0)
    try:
        SqliteRefreshJournal(path).open()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b"no database at all", b"\0" * 9000])
def test_a_broken_file_is_set_aside_and_says_when_it_was_written(path, damage):  # O2
    SqliteRefreshJournal(path).begin("a", "00000001", NOW)
    path.write_bytes(damage)
    os.utime(path, (NOW, NOW))
    journal = SqliteRefreshJournal(path)
    journal.open()
    assert journal.set_aside == f"{path}.broken-1"
    assert (journal.broken_at, journal.begun()) == (NOW, ())


def test_a_file_torn_in_its_middle_is_set_aside(path):  # O2
    journal = SqliteRefreshJournal(path)
    journal.open()
    with sqlite3.connect(path) as db:
        rows = [("a" * 50 + str(n), "00000001", NOW) for n in range(500)]
        db.executemany("INSERT INTO begun VALUES (?, ?, ?)", rows)
    db.close()
    journal.close()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    torn = SqliteRefreshJournal(path)
    torn.open()
    assert torn.set_aside is not None
    torn.begin("a", "00000001", NOW)
    assert len(torn.begun()) == 1


def test_a_file_of_a_newer_program_is_not_written_into(path):
    SqliteRefreshJournal(path).open()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    journal = SqliteRefreshJournal(path)
    journal.open()
    assert journal.set_aside is not None


def test_what_cannot_be_written_is_an_error_and_works_again_later(path):  # O4
    journal = SqliteRefreshJournal(path, busy_s=0.05)
    journal.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateError, match="locked"):
        journal.begin("a", "00000001", NOW)
    other.rollback()
    other.close()
    journal.begin("a", "00000001", NOW)
    assert len(journal.begun()) == 1


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        SqliteRefreshJournal(tmp_path / "file" / "logins.db").open()


def test_any_thread_may_call(path):
    journal = SqliteRefreshJournal(path)

    def work(n: int) -> None:
        journal.begin(f"a{n}", "00000001", NOW)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.begun()) == 8


def test_a_token_buried_before_a_login_says_nothing_of_that_login(tmp_path):  # T5
    journal = SqliteRefreshJournal(tmp_path / "logins.db")
    journal.bury("a", "digest", "not allowed", 5.0)
    assert journal.dead("digest", 5.0) == journal.dead("digest") == "not allowed"
    assert journal.dead("digest", 6.0) is None
    journal.bury("a", "digest", "not allowed", 7.0)
    assert journal.dead("digest", 6.0) == "not allowed"
    journal.close()
