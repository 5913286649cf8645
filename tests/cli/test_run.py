"""`maxpool run` becomes a `claude` that knows where to go; here a script that says what it got."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from maxpool.cli.server import ask
from maxpool.config.running import Running, running, used
from tests.cli.stub import account, picture, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAYS = """#!/bin/sh
env | grep -E '^(ANTHROPIC|CLAUDE_CONFIG|MAXPOOL_CONFIG|ENABLE)'
for a in "$@"; do echo "arg=$a"; done
test "$1" = wait && { echo ready; exec sleep 60; }
exit 7
"""
HOMES = "[[accounts]]\nname = 'laptop'\nkind = 'home'\nid = 'h'\n"


def around(folder: Path) -> dict[str, str]:
    """The environment of a person with a `claude` on the PATH."""
    path = folder / "bin" / "claude"
    if not path.exists():
        path.parent.mkdir()
        path.write_text(SAYS)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {
        "PATH": f"{path.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MAXPOOL_HOME": str(folder / "state"),
        "MAXPOOL_CONFIG": str(folder / "c.toml"),
    }


def say(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "maxpool", "run", *arguments]
    return subprocess.run(
        command, env={**around(folder), **env}, capture_output=True, text=True, check=False
    )


def end(folder: Path) -> None:
    """Stop the server of that state folder and wait until it is gone."""
    command = [sys.executable, "-m", "maxpool", "stop"]
    subprocess.run(command, env=around(folder), capture_output=True, check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def config(folder: Path, text: str) -> None:
    (folder / "c.toml").write_text(text)
    (folder / "state").mkdir(exist_ok=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """What looks like the running server of the state folder."""
    config(tmp_path, HOMES)
    with serving(picture(account("max"), account("laptop", "home", kind="home"))) as stub:
        told = {"url": stub.url, "pid": os.getpid()}
        (tmp_path / "state" / "server.json").write_text(json.dumps(told))
        yield stub.url


def test_it_becomes_claude_with_the_running_servers_address(tmp_path: Path, server: str):
    (tmp_path / "state" / "client.key").write_text("the-key\n")
    done = say(tmp_path, "--", "-p", "two words", "--", "x")
    lines = done.stdout.splitlines()
    assert done.returncode == 7
    assert [line for line in lines if line.startswith("arg")] == [
        "arg=-p",
        "arg=two words",
        "arg=--",
        "arg=x",
    ]
    assert {f"ANTHROPIC_BASE_URL={server}", "ANTHROPIC_AUTH_TOKEN=the-key"} <= set(lines)
    assert "ENABLE_PROMPT_CACHING_1H=1" in lines
    assert done.stderr == ""


def test_a_config_of_its_own_is_told_to_the_status_line(tmp_path: Path, server: str):
    other = tmp_path / "other.toml"
    other.write_text("")
    done = say(tmp_path, "--config", str(other), "-p", "x")
    assert f"MAXPOOL_CONFIG={other}" in done.stdout.splitlines()


def test_one_account_is_asked_for_by_name(tmp_path: Path, server: str):
    done = say(tmp_path, "--account", "max", "-p", "x")
    assert "ANTHROPIC_CUSTOM_HEADERS=x-maxpool-account: max" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("name", "said"), [("mux", "Did you mean max?"), ("laptop", "maxpool run --home")]
)
def test_an_account_that_cannot_be_used_is_an_error_before_claude_starts(
    name: str, said: str, tmp_path: Path, server: str
):
    done = say(tmp_path, "--account", name, "-p", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


@pytest.mark.parametrize("login", ["first", "last"])
def test_a_client_whose_own_login_is_forwarded_keeps_it(login: str, tmp_path: Path, server: str):
    config(tmp_path, f"[pool]\nclient_login = '{login}'\n")
    lines = say(tmp_path, ANTHROPIC_API_KEY="mine").stdout.splitlines()
    assert f"ANTHROPIC_BASE_URL={server}" in lines
    assert "ANTHROPIC_API_KEY=mine" in lines
    assert not [line for line in lines if line.startswith("ANTHROPIC_AUTH_TOKEN")]


def test_without_claude_it_says_how_to_install_it(tmp_path: Path):
    done = say(tmp_path, MAXPOOL_CLAUDE="no-such-claude")
    assert done.returncode == 127
    assert "npm install -g @anthropic-ai/claude-code" in done.stderr


def test_a_program_that_the_system_cannot_run_is_told(tmp_path: Path, server: str):
    broken = tmp_path / "broken"
    broken.write_text("")
    broken.chmod(0o755)
    done = say(tmp_path, "--claude", str(broken))
    assert done.returncode == 126
    assert "cannot run" in done.stderr


def test_a_server_that_is_named_and_does_not_run_is_not_started(tmp_path: Path):
    config(tmp_path, "")
    done = say(tmp_path, "--url", "http://127.0.0.1:1", "--account", "max")
    assert done.returncode == 3
    assert not (tmp_path / "state" / "serve.log").exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path):
    config(tmp_path, "[server]\nprot = 1\n")
    done = say(tmp_path)
    assert done.returncode == 1
    assert "the server did not start" in done.stderr
    assert "prot" in done.stderr


@pytest.mark.slow
def test_a_server_that_does_not_run_is_started_and_stays(tmp_path: Path):
    config(tmp_path, f"[server]\nport = {free_port()}\n")
    done = say(tmp_path, "-p", "x")
    alive = running(tmp_path / "state")
    assert alive is not None, done.stderr
    try:
        assert done.returncode == 7
        assert f"maxpool now runs at {alive.url} and stays" in done.stderr
        assert "maxpool stop" in done.stderr
        assert ask(alive.url, "GET", "/healthz", headers={})[0] == 200
        assert say(tmp_path, "-p", "x").stderr == ""
        assert (tmp_path / "state" / "serve.log").stat().st_mode & 0o777 == 0o600
    finally:
        end(tmp_path)


@pytest.mark.slow
def test_two_at_once_share_the_server_that_one_of_them_starts(tmp_path: Path):
    slow = tmp_path / "secret"  # the server tells its address once it has looked up its secrets
    slow.write_text("#!/bin/sh\nsleep 1.5\necho x\n")
    slow.chmod(0o700)
    entry = f"[[accounts]]\nname = 'a'\nsecret = 'command:{slow}'\n"
    config(tmp_path, f"[server]\nport = 0\n{entry}")
    command = [sys.executable, "-m", "maxpool", "run", "--", "-p", "x"]
    with subprocess.Popen(command, env=around(tmp_path), stdout=subprocess.PIPE) as first:
        while not used(tmp_path / "state"):
            assert first.poll() is None
        second = say(tmp_path, "-p", "x")
        first.communicate()
    try:
        assert (first.returncode, second.returncode) == (7, 7), second.stderr
    finally:
        end(tmp_path)


@pytest.mark.slow
def test_an_address_left_behind_keeps_no_server_from_being_started(tmp_path: Path):
    port = free_port()
    config(tmp_path, f"[server]\nport = {port}\n")
    url = f"http://127.0.0.1:{port}"
    left = json.dumps({"url": url, "pid": os.getpid()})  # its pid is another program's now
    (tmp_path / "state" / "server.json").write_text(left)
    (tmp_path / "state" / "server.lock").write_text(f"{os.getpid()}\n")
    done = say(tmp_path, "-p", "x")
    try:
        alive = running(tmp_path / "state")
        assert (done.returncode, alive is not None) == (7, True), done.stderr
        assert alive != Running(url=url, pid=os.getpid())
    finally:
        end(tmp_path)


def test_ctrl_c_is_claudes_own(tmp_path: Path, server: str):
    command = [sys.executable, "-m", "maxpool", "run", "--", "wait"]
    child = subprocess.Popen(command, env=around(tmp_path), stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as lines:
        assert any(line == "ready\n" for line in lines)
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == -signal.SIGINT


def test_in_a_home_claude_talks_to_its_provider_itself(tmp_path: Path):
    config(tmp_path, HOMES)
    where = tmp_path / "state" / "homes" / "h"
    where.mkdir(parents=True)
    (where / ".credentials.json").write_text("{}")
    done = say(tmp_path, "--home", "-p", "x", ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL="http://x")
    lines = done.stdout.splitlines()
    assert done.returncode == 7
    assert f"CLAUDE_CONFIG_DIR={where}" in lines
    assert not [line for line in lines if line.startswith("ANTHROPIC")]
    assert "maxpool: home laptop" in done.stderr


def test_without_a_home_it_says_how_to_make_one(tmp_path: Path):
    config(tmp_path, "")
    done = say(tmp_path, "--home")
    assert done.returncode == 1
    assert "maxpool login NAME --home" in done.stderr


def test_home_goes_past_the_proxy_so_a_server_cannot_be_named(tmp_path: Path):
    assert say(tmp_path, "--home", "--url", "http://127.0.0.1:1").returncode == 2
