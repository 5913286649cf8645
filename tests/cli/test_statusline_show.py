"""`maxpool statusline` at a prompt: any input, no server needed, one line, exit code 0."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxpool.cli.statusline_show import FRESH_S, shown
from maxpool.config.homes import glance_path, usage_path
from maxpool.wire.statusline import Window, usage_in
from tests.make import DAY, HOUR, NOW

if TYPE_CHECKING:
    from pathlib import Path

GLANCE = {
    "version": 1,
    "at": NOW,
    "ready": 2,
    "total": 3,
    "pool": {"5h": {"used": 0.4, "reset_at": NOW + HOUR}},
    "homes": {"5h": {"used": 0.6, "reset_at": NOW + HOUR}},
    "homes_count": 2,
    "accounts": {"a-1": {"name": "max", "windows": {"5h": {"used": 0.1, "reset_at": NOW + 60}}}},
    "sessions": {"s-1": "a-1"},
}


def around(tmp_path: Path, **more: str) -> dict[str, str]:
    (tmp_path / "c.toml").write_text("[[accounts]]\nname = 'laptop'\nkind = 'home'\nid = 'h'\n")
    return {
        "MAXPOOL_HOME": str(tmp_path),
        "MAXPOOL_CONFIG": str(tmp_path / "c.toml"),
        "NO_COLOR": "1",
        **more,
    }


def told(used: float | None = None, **more: Any) -> bytes:
    limits = {"five_hour": {"used_percentage": used, "resets_at": NOW + HOUR}}
    return json.dumps(
        {"model": {"id": "m"}, "rate_limits": limits if used else None, **more}
    ).encode()


def run(data: bytes, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "maxpool", "statusline"]
    around = {**os.environ, **env}
    return subprocess.run(command, input=data, env=around, capture_output=True, check=False)


def test_without_a_server_it_shows_what_the_client_says(tmp_path: Path):
    assert shown(told(), around(tmp_path), NOW) == "m"


def test_the_servers_numbers_are_shown_and_the_account_of_the_session(tmp_path: Path):
    glance_path(tmp_path).write_text(json.dumps(GLANCE))
    line = shown(told(session_id="s-1"), around(tmp_path), NOW)
    assert line == "m · max 5h 10 % · pool 2/3 5h 40 % · 5h resets in 1 min"


def test_numbers_of_a_server_that_is_gone_are_not_shown(tmp_path: Path):
    glance_path(tmp_path).write_text(json.dumps({**GLANCE, "at": NOW - FRESH_S - 1}))
    assert shown(told(session_id="s-1"), around(tmp_path), NOW) == "m"


def test_in_a_home_its_quota_is_kept_for_the_pool(tmp_path: Path):
    env = around(tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "homes" / "h"))
    assert shown(told(50.0), env, NOW) == "m · laptop 5h 50 % · 5h resets in 1 h"
    kept = usage_path(tmp_path, "h")
    assert usage_in(kept.read_bytes()) == {"five_hour": Window(0.5, NOW + HOUR)}
    assert kept.stat().st_mode & 0o777 == 0o600


def test_in_a_home_with_others_their_numbers_are_the_pools(tmp_path: Path):
    glance_path(tmp_path).write_text(json.dumps(GLANCE))
    env = around(tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "homes" / "h"))
    assert "laptop 5h 50 % · homes 5h 60 %" in shown(told(50.0), env, NOW)


def test_a_session_that_was_told_less_does_not_take_back_what_another_was(tmp_path: Path):
    env = around(tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "homes" / "h"))
    shown(told(50.0), env, NOW)
    assert "5h 50 %" in shown(told(40.0), env, NOW + 5)
    assert "5h 50 %" in shown(told(), env, NOW + 6)


def test_outside_a_home_nothing_is_written(tmp_path: Path):
    env = around(tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "elsewhere"))
    assert "login 5h 50 %" in shown(told(50.0), env, NOW)
    assert not usage_path(tmp_path, "h").exists()


def test_a_session_that_ends_its_writing_in_that_moment_spoils_no_line(tmp_path: Path):
    env = around(tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "homes" / "h"))
    kept = usage_path(tmp_path, "h")
    kept.parent.mkdir()
    kept.with_name(f"{kept.name}.new").symlink_to(tmp_path / "gone")  # there, and then not
    assert "50 %" in shown(told(50.0), env, NOW)


def test_a_writer_that_was_killed_holds_nobody_up_for_long(tmp_path: Path):
    env = around(tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "homes" / "h"))
    kept = usage_path(tmp_path, "h")
    left = kept.with_name(f"{kept.name}.new")
    left.parent.mkdir()
    left.write_text("{")
    os.utime(left, (NOW - DAY, NOW - DAY))
    shown(told(50.0), env, NOW)
    shown(told(50.0), env, NOW)
    assert usage_in(kept.read_bytes())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300), glance=st.binary(max_size=100))
def test_any_bytes_give_one_line(data: bytes, glance: bytes, tmp_path: Path):
    glance_path(tmp_path).write_bytes(glance)
    line = shown(data, around(tmp_path), NOW)
    assert line
    assert "\n" not in line


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"null", b"{", b"\xff\xfe", os.urandom(4096), b"[" * 99_999, b" " * (17 << 20)],
    ids=["empty", "object", "null", "cut", "no text", "binary", "deep", "17 MB"],
)
def test_any_input_ends_well(data: bytes, tmp_path: Path):
    done = run(data, around(tmp_path))
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 1, b"")


def test_a_state_folder_that_cannot_be_used_is_no_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "homes" / "h"
    env = {
        **around(tmp_path),
        "MAXPOOL_HOME": str(tmp_path / "file"),
        "CLAUDE_CONFIG_DIR": str(home),
    }
    assert run(told(50.0), env).returncode == 0


def test_a_client_that_does_not_wait_sees_no_error(tmp_path: Path):
    around_it = {**os.environ, **around(tmp_path)}
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "maxpool", "statusline"]
    done = subprocess.run(
        command, input=b"{}", env=around_it, stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_starts_with_the_standard_library_alone(tmp_path: Path):
    code = (
        "import sys; sys.argv[1:] = ['statusline']\n"
        "from maxpool.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    env = {**os.environ, **around(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", code], input=b"{}", env=env, capture_output=True, check=True
    )
    loaded = set(answer.stderr.decode().split())
    foreign = {m for m in loaded if m not in sys.stdlib_module_names and not m.startswith("_")}
    assert foreign == {"maxpool"}
    assert not {"dataclasses", "tomllib", "socket", "asyncio"} & loaded  # each is slow to load


def test_a_state_folder_named_in_the_config_is_used(tmp_path: Path):
    env = around(tmp_path)
    (tmp_path / "c.toml").write_text(f"[storage]\nfolder = '{tmp_path / 'there'}'\n")
    (tmp_path / "there").mkdir()
    glance_path(tmp_path / "there").write_text(json.dumps(GLANCE))
    assert "pool 2/3 5h 40 %" in shown(told(), env, NOW)
