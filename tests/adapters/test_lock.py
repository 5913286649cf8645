from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from maxpool.adapters import process
from maxpool.adapters.lock import lock_state_folder
from maxpool.errors import StateError

HOLD = (
    "import sys, pathlib; from maxpool.adapters.lock import lock_state_folder;"
    "lock = lock_state_folder(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def test_a_second_server_is_told_which_process_runs(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    with child:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(StateError) as caught:
            lock_state_folder(tmp_path)
        child.kill()
    assert f"(pid {child.pid})" in caught.value.message
    assert f"kill {child.pid} (or Ctrl-C in its terminal)" in caught.value.hint
    lock_state_folder(tmp_path).release()  # a killed server leaves no lock behind


def test_a_released_lock_can_be_taken_again(tmp_path):
    for _ in range(2):
        with lock_state_folder(tmp_path / "state") as lock:
            with pytest.raises(StateError, match=f"pid {os.getpid()}"):
                lock_state_folder(tmp_path / "state")
            lock.release()
            lock.release()


def test_the_folder_is_made_for_its_owner_alone(tmp_path):
    lock_state_folder(tmp_path / "a" / "b").release()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError) as caught:
        lock_state_folder(tmp_path / "file" / "state")
    assert "MAXPOOL_HOME" in caught.value.hint


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StateError, match=r"cannot write .*No space left") as caught:
        lock_state_folder(tmp_path)
    assert "Make room" in caught.value.hint
    monkeypatch.undo()
    lock_state_folder(tmp_path).release()


@pytest.mark.skipif(not process.has_file_modes(), reason="no file modes here")
def test_others_lose_the_right_to_write_into_the_state_folder(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    with lock_state_folder(folder):
        assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(not process.has_file_modes(), reason="no file modes here")
def test_a_shared_folder_stays_shared(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    with lock_state_folder(folder):
        assert folder.stat().st_mode & 0o7777 == 0o1777


def test_a_lock_that_was_handed_on_is_left_as_it_is(tmp_path):
    with lock_state_folder(tmp_path) as lock:
        (tmp_path / "server.lock").write_text("4242\n")  # the process that has it now
        lock.release()
        assert (tmp_path / "server.lock").read_text() == "4242\n"
    with lock_state_folder(tmp_path) as lock:
        (tmp_path / "server.lock").write_text("123456789\n")
        lock.claim()
        assert (tmp_path / "server.lock").read_text() == f"{os.getpid()}\n"
