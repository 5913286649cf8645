"""`maxpool serve --detach` with real processes: one server per folder, its log, its port, its end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from maxpool.config.running import held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


def say(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of its own process: what it starts is not this one's child."""
    return subprocess.run(
        [sys.executable, "-m", "maxpool", *arguments],
        env={**os.environ, "MAXPOOL_HOME": str(folder), "MAXPOOL_ADMIN_KEY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    say(tmp_path, "stop")


def told(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "server.json").read_text())
    return found


def config(folder: Path, port: int) -> str:
    path = folder / "c.toml"
    path.write_text(f"[server]\nport = {port}\n[logging]\nlevel = 'info'\n")
    return str(path)


def test_it_runs_on_is_found_again_and_stops(folder: Path):
    first = say(folder, "serve", "--detach", "--config", config(folder, 0))
    assert first.returncode == 0, first.stdout
    url, pid = told(folder)["url"], told(folder)["pid"]
    assert f"maxpool listens on {url} (process {pid})" in first.stdout
    again = say(folder, "serve", "--detach", "--config", config(folder, 0))
    assert again.stdout == f"maxpool runs already at {url} (process {pid}).\n"
    assert f"listens on {url}" in (folder / "serve.log").read_text()
    assert say(folder, "stop").stdout.endswith("Stopped.\n")
    assert not (folder / "server.json").exists()
    assert not held(folder)


def test_a_taken_port_of_the_config_gives_way_and_one_that_was_named_does_not(folder: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = say(
            folder, "serve", "--detach", "--config", config(folder, 0), "--port", str(port)
        )
        found = say(folder, "serve", "--detach", "--config", config(folder, port))
    assert refused.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in refused.stdout
    assert found.returncode == 0, found.stdout
    assert found.stdout.startswith(f"Port {port} is taken: port ")
    assert not str(told(folder)["url"]).endswith(f":{port}")


def test_a_wrong_config_is_said_before_anything_starts(folder: Path):
    path = folder / "c.toml"
    path.write_text("[server]\nprot = 1\n")
    found = say(folder, "serve", "--detach", "--config", str(path))
    assert found.returncode == 2
    assert "prot" in found.stdout
    assert not (folder / "serve.log").exists()
