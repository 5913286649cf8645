import json
import os
import subprocess
import sys

import pytest

from maxpool.adapters.lock import lock_state_folder
from maxpool.config.running import Running, admin_key, held, running, used


def test_a_living_server_is_found(tmp_path):
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://x:1", "pid": os.getpid()}))
    assert running(tmp_path) == Running(url="http://x:1", pid=os.getpid())


def test_the_address_of_a_server_that_was_killed_is_none(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://x:1", "pid": gone.pid}))
    (tmp_path / "server.lock").write_text(f"{gone.pid}\n")
    assert running(tmp_path) is None
    assert not used(tmp_path)


def test_an_address_left_behind_ends_when_another_server_takes_the_folder(tmp_path):
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://x:1", "pid": os.getppid()}))
    assert running(tmp_path) is not None
    with lock_state_folder(tmp_path):
        assert running(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": "u", "pid": "x"}', "\0", '{"url": 1}'])
def test_what_is_no_address_is_none(tmp_path, text):
    (tmp_path / "server.json").write_text(text)
    assert running(tmp_path) is None
    assert running(tmp_path / "nowhere") is None


def test_a_folder_is_used_until_its_lock_is_given_up(tmp_path):
    assert not used(tmp_path)
    (tmp_path / "server.lock").write_text(f"{os.getpid()}\n")
    assert used(tmp_path)
    (tmp_path / "server.lock").write_text("")
    assert not used(tmp_path)


def test_only_a_lock_that_somebody_has_is_held_whatever_pid_it_names(tmp_path):
    assert not held(tmp_path)
    with lock_state_folder(tmp_path):
        assert held(tmp_path)
    (tmp_path / "server.lock").write_text(f"{os.getpid()}\n")
    assert not held(tmp_path)


def test_the_admin_key_is_read_where_there_is_one(tmp_path):
    assert admin_key(tmp_path) is None
    (tmp_path / "admin.key").write_text("abc\n")
    assert admin_key(tmp_path) == "abc"
