"""The unit as systemd itself reads it, and what is asked of `systemctl`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from maxpool.adapters.supervisor import Job
from maxpool.adapters.systemd import UNIT, Systemd, text
from tests.managers import fake

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no systemd here")

JOB = Job(
    serve=("/bin/sh", "serve", "--config", '/home/a b/100% "$x\\".toml'),
    reload=("/bin/sh", "reload", "--exec"),
    stop_s=45.0,
    log=Path("/nowhere/serve.log"),
    variables_file=Path("/nowhere/100%/environment"),
    variables={"MAXPOOL_HOME": "/home/a b/state"},
)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("user", [None, "daemon"])
def test_systemd_finds_nothing_wrong_with_the_unit(user, tmp_path):
    path = tmp_path / UNIT
    path.write_text(text(JOB, user=user))
    kind = "--user" if user is None else "--system"
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", kind, str(path)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if UNIT in line]
    assert (ours, user or done.returncode) == (
        [],
        user or 0,
    )  # the system may have units of its own


def test_what_means_something_to_systemd_is_passed_as_it_is():
    unit = text(JOB)
    assert r'"--config" "/home/a b/100%% \"$$x\\\\\".toml"'.replace(r"\\\\", r"\\") in unit
    assert 'Environment="MAXPOOL_HOME=/home/a b/state"\n' in unit
    assert "EnvironmentFile=-/nowhere/100%%/environment\n" in unit
    assert "\n\n\n" not in unit


def test_the_unit_tells_watches_drains_and_hands_over():
    lines = text(JOB).splitlines()
    assert {"Type=notify", "WatchdogSec=30", "TimeoutStopSec=45", "KillMode=mixed"} <= {*lines}
    assert 'ExecReload="/bin/sh" "reload" "--exec"' in lines
    assert "WantedBy=default.target" in lines
    assert not [line for line in lines if line.startswith(("User=", "PrivateTmp", "ProtectHome"))]


def test_install_writes_the_unit_and_starts_it_now_and_at_each_login(tmp_path, monkeypatch):
    calls = fake(tmp_path, monkeypatch, "systemctl")
    manager = Systemd(tmp_path / "units")
    assert manager.missing() == ""
    manager.install(JOB)
    assert manager.path.read_text() == text(JOB)
    assert calls()[1:] == [f"--user {w}" for w in ("daemon-reload", f"enable {UNIT}", f"restart {UNIT}")]  # fmt: skip


def test_uninstall_stops_it_takes_the_unit_away_and_asks_nothing_the_second_time(
    tmp_path, monkeypatch
):
    calls = fake(tmp_path, monkeypatch, "systemctl")
    manager = Systemd(tmp_path / "units")
    manager.install(JOB)
    before = len(calls())
    assert manager.uninstall()
    assert calls()[before:] == [f"--user disable --now {UNIT}", "--user daemon-reload"]
    assert not manager.uninstall()
    assert not manager.path.exists()


def test_standing_is_what_systemctl_shows(tmp_path, monkeypatch):
    said = "ActiveState=active\nSubState=running\nMainPID=42\nUnitFileState=enabled\nNRestarts=2\nResult=success"
    fake(tmp_path, monkeypatch, "systemctl", said)
    manager = Systemd(tmp_path)
    assert not manager.standing().installed
    manager.path.write_text("")
    found = manager.standing()
    assert (found.running, found.at_login, found.pid) == (True, True, 42)
    assert found.detail == "active (running), restarted 2 times"


def test_where_no_user_manager_answers_it_says_so(tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "systemctl", code=1)
    assert "no user manager" in Systemd(tmp_path).missing()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert Systemd(tmp_path).missing() == "there is no systemctl"
