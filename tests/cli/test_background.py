"""A server that is started on the side: waited for, or its last words told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from maxpool.adapters.lock import lock_state_folder
from maxpool.cli import background
from maxpool.errors import MaxpoolError, NotRunning
from tests.cli.stub import serving

if TYPE_CHECKING:
    from pathlib import Path


def tell(folder: Path, url: str) -> None:
    (folder / "server.json").write_text(json.dumps({"url": url, "pid": os.getpid()}))


def test_no_server_is_none(tmp_path: Path):
    assert background.answering(tmp_path) is None


def test_a_server_that_answers_is_used(tmp_path: Path):
    with serving({"ok": True}) as stub:
        tell(tmp_path, stub.url)
        found = background.answering(tmp_path)
    assert found is not None
    assert (found.url, stub.asked[0][0]) == (stub.url, "/healthz")


def test_a_server_that_lives_and_does_not_answer_is_an_error(tmp_path: Path):
    tell(tmp_path, "http://127.0.0.1:1")
    with lock_state_folder(tmp_path), pytest.raises(NotRunning):
        background.answering(tmp_path)


def test_the_pid_of_a_server_that_was_killed_may_be_anothers_by_now(tmp_path: Path):
    lock_state_folder(tmp_path).release()
    tell(tmp_path, "http://127.0.0.1:1")
    assert background.answering(tmp_path) is None


def test_the_last_words_of_a_server_that_did_not_start_are_told_and_no_older_ones(tmp_path: Path):
    config = tmp_path / "c.toml"
    config.write_text("[server]\nprot = 1\n")
    (tmp_path / background.LOG_NAME).write_text("of an earlier start\n")
    with pytest.raises(MaxpoolError, match="prot") as caught:
        background.start(tmp_path, config, dict(os.environ), None)
    assert "earlier" not in caught.value.message


def test_a_long_log_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background, "MAX_LOG_BYTES", 10)
    log = tmp_path / background.LOG_NAME
    log.write_text("x" * 11)
    config = tmp_path / "c.toml"
    config.write_text("broken")
    with pytest.raises(MaxpoolError):
        background.start(tmp_path, config, dict(os.environ), None)
    assert log.with_name("serve.log.1").read_text() == "x" * 11
    assert "broken" in log.read_text()


def test_whoever_started_a_server_at_the_same_time_serves_both(tmp_path: Path):
    config = tmp_path / "c.toml"
    config.write_text("broken")
    with serving({"ok": True}) as stub, lock_state_folder(tmp_path):
        tell(tmp_path, stub.url)
        assert background.start(tmp_path, config, dict(os.environ), None).url == stub.url


def test_what_a_server_that_was_killed_left_is_taken_away(tmp_path: Path):
    lock_state_folder(tmp_path).release()
    tell(tmp_path, "http://127.0.0.1:1")
    config = tmp_path / "c.toml"
    config.write_text("broken")
    with pytest.raises(MaxpoolError, match="did not start"):
        background.start(tmp_path, config, dict(os.environ), None)
    assert not (tmp_path / "server.json").exists()


def test_a_taken_port_gives_way_to_the_next_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = background.free_port("127.0.0.1", port)
    assert port < found < port + background.PORTS_TRIED
    assert background.free_port("127.0.0.1", port) == port


def test_where_ten_ports_are_taken_the_server_says_who_has_the_first(
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[int] = []

    def taken(_host: str, port: int) -> bool:
        asked.append(port)
        return False

    monkeypatch.setattr(background, "_is_free", taken)
    assert background.free_port("127.0.0.1", 4000) == 4000
    assert asked == list(range(4000, 4010))


def test_it_is_loaded_with_the_standard_library_alone():
    code = "import sys, maxpool.cli.background; print(*{m.split('.')[0] for m in sys.modules})"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"click", "pydantic", "msgspec"} & set(answer.stdout.split())
