"""`maxpool service` against a fake manager on the PATH."""

from __future__ import annotations

import configparser
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.operate import say
from tests.managers import fake

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")

RUNS = "ActiveState=active\nSubState=running\nMainPID=42\nUnitFileState=enabled\nNRestarts=0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "none.toml").write_text("")
    return tmp_path


def unit(folder: Path) -> Path:
    return folder / "systemd" / "user" / "maxpool.service"


def test_print_shows_the_unit_and_writes_nothing(folder, monkeypatch):
    calls = fake(folder, monkeypatch, "systemctl")
    found = say(folder, "service", "install", "--print")
    read = configparser.RawConfigParser(strict=False)
    read.optionxform = str  # type: ignore[method-assign,assignment]
    read.read_string(found.stdout)
    assert read["Service"]["Type"] == "notify"
    assert str(folder / "none.toml") in read["Service"]["ExecStart"]
    assert not unit(folder).exists()
    assert calls() == []


def test_system_tells_what_an_administrator_does_and_does_nothing(folder, monkeypatch):
    calls = fake(folder, monkeypatch, "systemctl")
    found = say(folder, "service", "install", "--system").stdout
    assert "/etc/systemd/system/maxpool.service" in found
    assert "\nUser=" in found
    assert "WantedBy=multi-user.target" in found
    assert calls() == []


def test_from_install_to_uninstall(folder, monkeypatch):
    calls = fake(folder, monkeypatch, "systemctl", RUNS)
    fake(folder, monkeypatch, "journalctl", RUNS)
    assert "maxpool is a service now" in say(folder, "service", "install").stdout
    status = say(folder, "service", "status")
    assert "runs as process 42 and starts at each login: active (running)" in status.stdout
    assert json.loads(say(folder, "service", "status", "--json").stdout)["pid"] == 42
    for verb in ("stop", "start"):
        assert say(folder, "service", verb).exit_code == 0
        assert f"--user {verb} maxpool.service" in calls()
    assert say(folder, "service", "logs", "-n", "7", "--follow").exit_code == 0
    assert calls()[-1] == "--user --unit=maxpool.service --lines=7 --no-pager --follow"
    assert say(folder, "service", "uninstall").stdout == "The service is gone.\n"
    assert say(folder, "service", "uninstall").stdout == "There was no service.\n"


def test_one_that_is_not_installed_is_said_with_the_way_to_it(folder, monkeypatch):
    fake(folder, monkeypatch, "systemctl")
    status, start = say(folder, "service", "status"), say(folder, "service", "start")
    assert (status.exit_code, start.exit_code) == (3, 1)
    assert "maxpool service install" in status.output
    assert "maxpool service install" in start.output


def test_in_a_container_each_verb_says_what_to_do_instead(folder, monkeypatch):
    fake(folder, monkeypatch, "systemctl", code=1)
    for verb in ("install", "uninstall", "status", "logs", "start", "stop"):
        found = say(folder, "service", verb)
        assert found.exit_code == 1, verb
        assert "maxpool serve --detach" in found.output


def test_a_wrong_config_is_no_service(folder, monkeypatch):
    calls = fake(folder, monkeypatch, "systemctl")
    (folder / "none.toml").write_text("[server]\nprot = 1\n")
    found = say(folder, "service", "install")
    assert (found.exit_code, calls()) == (2, [])
    assert os.listdir(folder / "bin") == ["systemctl"]
