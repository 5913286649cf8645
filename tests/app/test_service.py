"""Which manager, what it runs, and when it is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from maxpool.adapters.launchd import Launchd
from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.systemd import Systemd
from maxpool.app.service import Service, check, job, manager, service
from maxpool.config.load import load
from maxpool.errors import MaxpoolError
from tests.managers import fake

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no such managers here")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configs"))
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    path = tmp_path / "c.toml"
    path.write_text("[server]\ndrain = '60s'\n")
    return path


def made(config: Path) -> Service:
    loaded, folder = load(config), config.parent / "state"
    found = manager(folder, "linux", config.parent)
    return Service(found, job(loaded, folder), folder)


def test_each_system_has_its_manager_in_the_users_own_folders(config):
    linux, mac = (manager(config.parent, name, Path("/home/a")) for name in ("linux", "darwin"))
    assert isinstance(linux, Systemd)
    assert isinstance(mac, Launchd)
    assert linux.path == config.parent / "configs/systemd/user/maxpool.service"
    assert mac.path == Path("/home/a/Library/LaunchAgents/local.maxpool.plist")


def test_it_runs_this_very_program_with_that_config_and_time_to_drain(config):
    found = service(load(config)).job
    assert found.serve == (sys.executable, "-P", "-m", "maxpool", "serve", "--config", str(config))
    assert found.reload[-4:] == ("reload", "--exec", "--config", str(config))
    assert found.stop_s == 75.0
    assert found.variables_file == config.parent / "environment"


def test_the_shells_proxy_and_folder_are_kept_and_its_secrets_are_not(config, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", "pass phrase")
    found = service(load(config)).job.variables
    assert found["HTTPS_PROXY"] == "http://127.0.0.1:9"
    assert found["MAXPOOL_HOME"] == str(config.parent / "state")
    assert "pass phrase" not in found.values()


def test_a_server_that_runs_by_hand_is_not_doubled(config, monkeypatch):
    fake(config.parent, monkeypatch, "systemctl")
    one = made(config)
    with lock_state_folder(one.folder):
        told = {"url": "http://127.0.0.1:1", "pid": os.getpid()}
        (one.folder / "server.json").write_text(json.dumps(told))
        with pytest.raises(MaxpoolError, match=f"process {os.getpid()}") as caught:
            one.install()
    assert caught.value.hint.endswith("maxpool stop")
    assert not one.manager.path.exists()
    one.install()
    assert one.manager.path.exists()


def test_a_service_that_runs_is_installed_anew(config, monkeypatch):
    said = f"ActiveState=active\nMainPID={os.getpid()}"
    fake(config.parent, monkeypatch, "systemctl", said)
    one = made(config)
    one.install()
    with lock_state_folder(one.folder):
        told = {"url": "http://127.0.0.1:1", "pid": os.getpid()}
        (one.folder / "server.json").write_text(json.dumps(told))
        one.install()


def test_where_there_is_no_manager_it_says_what_to_do_instead(config, monkeypatch):
    fake(config.parent, monkeypatch, "systemctl", code=1)
    with pytest.raises(MaxpoolError, match="no service can be installed here") as caught:
        check(made(config).manager)
    assert "maxpool serve --detach" in caught.value.hint
