from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from maxpool.adapters.store import SqliteStateStore, saved_in
from maxpool.errors import StateError

SNAPSHOT = {"version": 1, "accounts": {"a": {"until": 1.5, "name": "über"}}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "pool.db"


def saved(path, snapshot=SNAPSHOT) -> None:
    store = SqliteStateStore(path)
    store.save(snapshot)
    store.close()


def loaded(path) -> object:
    store = SqliteStateStore(path)
    try:
        return store.load()
    finally:
        store.close()


def test_what_was_saved_is_loaded_by_the_next_run(path):
    assert loaded(path) is None
    saved(path, {"version": 1})
    saved(path)
    assert loaded(path) == SNAPSHOT


def test_file_and_folder_are_for_their_owner_alone(path):
    store = SqliteStateStore(path)
    store.save(SNAPSHOT)
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()}
    store.close()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"half a snapsh" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096),
    ],
    ids=["no database", "cut", "overwritten"],
)
def test_a_broken_file_is_set_aside_and_a_fresh_one_used(path, spoil):
    saved(path)
    spoil(path)
    store = SqliteStateStore(path)
    assert store.load() is None
    assert store.set_aside == str(path) + ".broken-1"
    assert Path(store.set_aside).exists()
    store.save(SNAPSHOT)
    store.close()
    assert loaded(path) == SNAPSHOT


@pytest.mark.parametrize("text", ["[1]", "{", "", "[" * 100_000])
def test_a_snapshot_that_is_no_json_object_is_set_aside(path, text):
    saved(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE snapshot SET saved = ?", (text,))
    db.close()
    store = SqliteStateStore(path)
    assert store.load() is None
    assert (store.set_aside or "").endswith(".broken-1")
    store.close()


def test_a_newer_snapshot_and_a_newer_layout_are_set_aside_as_newer(path):
    saved(path, {"version": 3})
    store = SqliteStateStore(path, newest_version=2)
    assert store.load() is None
    assert (store.set_aside or "").endswith("pool.db.newer-1")
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    store = SqliteStateStore(path, newest_version=2)
    assert store.load() is None
    assert (store.set_aside or "").endswith("pool.db.newer-2")
    store.close()


def test_an_older_snapshot_is_loaded_for_the_caller_to_migrate(path):
    saved(path, {"version": 1})
    store = SqliteStateStore(path, newest_version=2)
    assert store.load() == {"version": 1}
    assert store.set_aside is None
    store.close()


def test_a_full_disk_is_told_and_leaves_the_last_snapshot(path):
    store = SqliteStateStore(path)
    store.save(SNAPSHOT)
    store._opened().execute("PRAGMA max_page_count = 3")
    with pytest.raises(StateError) as caught:
        store.save({"version": 1, "text": "a" * 1_000_000})
    assert "full" in caught.value.hint
    assert store.load() == SNAPSHOT
    store.close()


def test_a_locked_file_is_told_and_saving_works_again_afterwards(path):
    store = SqliteStateStore(path, busy_s=0.05)
    store.save(SNAPSHOT)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="locked"):
        store.save({"version": 1})
    other.close()
    store.save({"version": 1})
    assert store.load() == {"version": 1}
    store.close()


def test_a_number_that_is_none_is_saved_as_unknown(path):
    store = SqliteStateStore(path)
    store.save({"version": 1, "x": float("nan")})
    assert store.load() == {"version": 1, "x": None}
    store.close()


@pytest.mark.parametrize("value", [object(), {1, object()}])
def test_what_is_no_json_is_never_saved(path, value):
    store = SqliteStateStore(path)
    store.save(SNAPSHOT)
    with pytest.raises(StateError):
        store.save({"version": 1, "x": value})
    assert store.load() == SNAPSHOT
    store.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StateError) as caught:
        SqliteStateStore(tmp_path / "pool.db").load()
    assert caught.value.hint


def test_a_worker_thread_may_use_a_store_opened_elsewhere(path):
    store = SqliteStateStore(path)
    store.load()
    thread = threading.Thread(target=store.save, args=(SNAPSHOT,))
    thread.start()
    thread.join()
    assert store.load() == SNAPSHOT
    store.close()


SAVE_FOREVER = (
    "import sys, pathlib; from maxpool.adapters.store import SqliteStateStore;"
    "store = SqliteStateStore(pathlib.Path(sys.argv[1])); n = 0\n"
    "while True:\n"
    "    n += 1; store.save({'version': 1, 'n': n, 'pad': 'x' * (n % 20_000)})\n"
    "    if n == 50: print('saved', flush=True)\n"
)


def test_a_kill_in_the_middle_of_saving_loses_no_older_snapshot(path):
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, str(path)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        with child:
            child.stdout.readline()
            child.kill()
        snapshot = loaded(path)
        assert isinstance(snapshot, dict)
        assert snapshot["n"] >= 50
        assert len(snapshot["pad"]) == snapshot["n"] % 20_000


SAVE_BEYOND = (
    "import sys, pathlib, resource; from maxpool.adapters.store import SqliteStateStore\n"
    "from maxpool.errors import StateError\n"
    "store = SqliteStateStore(pathlib.Path(sys.argv[1])); store.save({'version': 1, 'n': 1})\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))\n"
    "try:\n"
    "    store.save({'version': 1, 'n': 2, 'pad': 'x' * 1_000_000}); sys.exit('saved?')\n"
    "except StateError as error: print(error.message, error.hint)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
    "store.save({'version': 1, 'n': 3}); store.close()\n"
)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_no_room_for_the_file_is_told_and_saving_recovers_by_itself(path):  # O4
    done = subprocess.run(
        [sys.executable, "-c", SAVE_BEYOND, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cannot save to" in done.stdout
    assert loaded(path) == {"version": 1, "n": 3}


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 400 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("only root may mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> None:
    descriptor = os.open(disk / "fill", os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(descriptor, b"x" * 512):
            pass
    os.close(descriptor)


def test_a_disk_that_filled_up_meanwhile_still_lets_the_memory_be_read(tiny_disk):  # O4, S18
    path = tiny_disk / "pool.db"
    store = SqliteStateStore(path)
    store.save(SNAPSHOT)
    kept = path.with_name("pool.db-wal").read_bytes()
    store.close()
    path.with_name("pool.db-wal").write_bytes(kept)  # as after a kill -9
    fill(tiny_disk)
    store = SqliteStateStore(path)
    assert store.load() == SNAPSHOT
    with pytest.raises(StateError, match=r"cannot save|cannot open"):
        store.save({"version": 1, "pad": "x" * 100_000})
    (tiny_disk / "fill").unlink()
    store.save({"version": 1})
    store.close()
    assert loaded(path) == {"version": 1}
    assert store.set_aside is None


def test_a_file_that_somebody_removed_is_made_anew(path):
    store = SqliteStateStore(path)
    store.save(SNAPSHOT)
    for one in path.parent.iterdir():
        one.unlink()
    store.save({"version": 1, "again": True})
    store.close()
    assert loaded(path) == {"version": 1, "again": True}


def test_a_file_that_may_not_be_written_is_told_and_recovers(path, monkeypatch):
    store = SqliteStateStore(path)
    store.save(SNAPSHOT)
    store._opened().execute("PRAGMA query_only = ON")  # what SQLite says of a read-only disk
    with pytest.raises(StateError, match="readonly"):
        store.save({"version": 1})
    store.save({"version": 1})  # it was opened anew
    store.close()
    assert loaded(path) == {"version": 1}


def test_a_look_reads_what_was_saved_and_changes_nothing(path):
    assert saved_in(path) is None
    assert not path.exists()
    store = SqliteStateStore(path)
    store.save(SNAPSHOT)
    store.close()
    before = path.read_bytes()
    assert saved_in(path) == SNAPSHOT
    path.write_bytes(b"no database" * 400)
    assert saved_in(path) is None
    assert path.read_bytes() == b"no database" * 400
    path.write_bytes(before)


CRASH = """
import json, os, signal, sys
from pathlib import Path
from maxpool.adapters.store import SqliteStateStore
store = SqliteStateStore(Path(sys.argv[1]))
store.save(json.loads(sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_look_finds_what_a_killed_server_saved_last(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-c", CRASH, path, json.dumps(SNAPSHOT)], check=False)
    assert saved_in(path) == SNAPSHOT
