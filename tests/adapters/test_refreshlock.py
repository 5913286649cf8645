"""One refresh at a time over all processes, and a process that is killed holds nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.errors import StateError

HOLD = """
import sys, time
from pathlib import Path
from maxpool.adapters.refreshlock import FileRefreshLocks
held = FileRefreshLocks(Path(sys.argv[1])).acquire("a", 0.0)
print("held" if held is not None else "no", flush=True)
sys.stdin.read()
"""


def test_who_comes_second_waits_and_then_has_it(tmp_path):
    locks = FileRefreshLocks(tmp_path / "locks")
    first = locks.acquire("a", 0.0)
    assert first is not None
    assert locks.acquire("a", 0.0) is None
    threading.Timer(0.1, first.release).start()
    assert locks.acquire("a", 5.0) is not None


def test_accounts_do_not_wait_for_each_other(tmp_path):
    locks = FileRefreshLocks(tmp_path)
    assert locks.acquire("a", 0.0) is not None
    assert locks.acquire("b", 0.0) is not None


def test_giving_up_twice_gives_up_nobody_elses(tmp_path):
    locks = FileRefreshLocks(tmp_path)
    first = locks.acquire("a", 0.0)
    assert first is not None
    first.release()
    assert locks.acquire("a", 0.0) is not None
    first.release()
    assert locks.acquire("a", 0.0) is None


@pytest.mark.parametrize("odd", ["../../etc/x", "a/b", "", ".", "ä", "x" * 300])
def test_an_odd_id_stays_in_the_folder(tmp_path, odd):
    assert FileRefreshLocks(tmp_path / "locks").acquire(odd, 0.0) is not None
    (made,) = (tmp_path / "locks").iterdir()
    assert made.stat().st_mode & 0o077 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["locks"]


def test_a_killed_process_holds_nothing(tmp_path):  # T3
    locks = FileRefreshLocks(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert locks.acquire("a", 0.0) is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert locks.acquire("a", 5.0) is not None


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError):
        FileRefreshLocks(tmp_path / "file").acquire("a", 0.0)
