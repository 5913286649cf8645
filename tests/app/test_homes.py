"""Homes put together: with a server, without one, and in the client's settings."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from maxpool.app import homes
from maxpool.app.build import build
from maxpool.config.homes import glance_path, usage_path
from maxpool.config.load import load
from maxpool.core.lease import LeaseRequest
from maxpool.wire.statusline import Window, usage_text
from tests.make import HOUR, MODEL

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[[accounts]]
name = "laptop"
kind = "home"
id = "h-1"
[[accounts]]
name = "desk"
kind = "home"
id = "h-2"
[[accounts]]
name = "key"
secret = "env:NOBODY"
"""
ASKED = LeaseRequest(MODEL, program="claude-code", home=True)
FAR = time.time() + 2 * HOUR


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(f"[storage]\nfolder = '{tmp_path / 'state'}'\n{CONFIG}")
    (tmp_path / "state" / "homes").mkdir(parents=True)
    return path


def tell(folder: Path, account_id: str, used: float) -> None:
    path = usage_path(folder / "state", account_id)
    windows = {"five_hour": Window(used, FAR), "seven_day": Window(used, FAR)}
    path.write_bytes(usage_text(windows, None, FAR - 2 * HOUR))


def test_without_a_server_homes_are_weighed_by_what_they_told(config: Path, tmp_path: Path):
    tell(tmp_path, "h-1", 0.9)
    tell(tmp_path, "h-2", 0.1)
    told = homes.choice(config, ASKED)
    assert [c["account_id"] for c in told["candidates"]] == ["h-2", "h-1"]
    assert [(u["account"], u["reason"]) for u in told["unavailable"]] == [("key", "home")]


def test_a_full_home_is_unavailable_until_its_reset(config: Path, tmp_path: Path):
    tell(tmp_path, "h-1", 1.0)
    told = homes.choice(config, ASKED)
    assert [c["account_id"] for c in told["candidates"]] == ["h-2"]
    assert {"account": "laptop", "account_id": "h-1", "reason": "quota", "until": FAR} in told[
        "unavailable"
    ]


async def test_a_server_takes_in_what_homes_tell_and_shows_a_glance(config: Path, tmp_path: Path):
    loaded = load(config)
    built = build(loaded.config, config_path=loaded.path)
    files = homes.watch(built, tmp_path / "state")
    tell(tmp_path, "h-1", 0.25)
    await homes.of(built, files).tick()
    assert built.pool.states["h-1"].quota.windows["7d"].utilization == 0.25
    shown = json.loads(glance_path(tmp_path / "state").read_text())
    assert (shown["homes"]["5h"]["used"], shown["total"]) == (0.25, 1)
    await built.upstream.aclose()


def test_the_installed_command_is_this_installations(tmp_path: Path):
    assert homes.install_statusline(tmp_path).done == "installed"
    held = json.loads((tmp_path / "settings.json").read_text())["statusLine"]
    assert held == {"type": "command", "command": homes.statusline_command()}
    assert os.path.isabs(held["command"].split()[0])
    assert homes.uninstall_statusline(tmp_path).done == "removed"
