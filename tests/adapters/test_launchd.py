"""The property list as Python's own reader sees it, and what is asked of `launchctl`."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path

import pytest

from maxpool.adapters.launchd import LABEL, Launchd, text
from maxpool.adapters.supervisor import Job
from tests.managers import fake

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no launchd here")

LOG = Path("/nowhere/serve.log")
JOB = Job(
    serve=("/usr/bin/python3", "-m", "maxpool", "serve", "--config", "/Users/a & b/c.toml"),
    reload=(),
    stop_s=45.0,
    log=LOG,
    variables_file=Path("/nowhere/environment"),
    variables={"MAXPOOL_HOME": "/Users/a & b/state"},
)


def test_the_property_list_says_what_to_run_and_that_only_a_crash_starts_it_anew():
    found = plistlib.loads(text(JOB).encode())
    assert found["ProgramArguments"] == [*JOB.serve, "--log-file", str(LOG)]
    assert found["EnvironmentVariables"] == dict(JOB.variables)
    assert found["KeepAlive"] == {"SuccessfulExit": False}
    assert (found["RunAtLoad"], found["ExitTimeOut"], found["Umask"]) == (True, 45, 0o077)


def test_install_loads_it_into_the_users_own_domain(tmp_path, monkeypatch):
    calls = fake(tmp_path, monkeypatch, "launchctl")
    manager = Launchd(tmp_path / "agents", LOG)
    manager.install(JOB)
    domain = f"gui/{os.getuid()}"
    assert plistlib.loads(manager.path.read_bytes())["Label"] == LABEL
    assert calls()[1:] == [f"enable {domain}/{LABEL}", f"bootstrap {domain} {manager.path}"]
    assert manager.uninstall()
    assert calls()[-1] == f"bootout {domain}/{LABEL}"
    assert not manager.uninstall()


def test_standing_is_what_launchctl_prints(tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "launchctl", "local.maxpool = {\n\tstate = running\n\tpid = 42\n}")
    manager = Launchd(tmp_path, LOG)
    manager.path.write_text("")
    found = manager.standing()
    assert (found.running, found.pid, found.detail) == (True, 42, "running")


def test_one_that_is_not_loaded_is_loaded_to_start_it(tmp_path, monkeypatch):
    calls = fake(tmp_path, monkeypatch, "launchctl", code=0)
    manager = Launchd(tmp_path, LOG)
    manager.start()
    assert calls()[-1].startswith("kickstart gui/")
    manager.stop()
    assert calls()[-1].startswith("kill SIGTERM gui/")
