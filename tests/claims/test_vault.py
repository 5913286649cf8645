"""A real `maxpool serve` whose vault cannot be used, and how it gets over that (X4, O4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from maxpool.app.vault import lazy_vault, make_key
from maxpool.config.load import load
from maxpool.ports import Secret
from maxpool.wire.credential import StoredCredential, encode
from tests import desktop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = """
[upstream]
base_url = "http://127.0.0.1:9"
[secrets]
timeout = "2s"
[[accounts]]
id = "outside"
name = "outside"
secret = "env:OUTSIDE_KEY"
[[accounts]]
id = "inside"
name = "inside"
"""
STORED = Secret(encode(StoredCredential(secret="sk-inside", origin="http://127.0.0.1:9")))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A machine without a keyring and without a key, and a config that needs one of them."""
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("OUTSIDE_KEY", "sk-outside")
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


@contextmanager
def server(folder: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """A running server; gives its status document."""
    log = folder / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "maxpool", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ,
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        try:
            yield lambda: json.loads(urlopen(f"{url}/status").read())
        finally:
            process.terminate()
            assert process.wait(20) == 0
    assert "Traceback" not in log.read_text()
    assert "sk-" not in log.read_text()


def states(status: dict[str, Any]) -> dict[str, str]:
    return {account["id"]: account["state"] for account in status["accounts"]}


def until(condition: Callable[[], bool]) -> None:
    """Wait for a process beside this one to notice something."""
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not notice")


@pytest.mark.slow
def test_without_a_vault_only_the_accounts_in_it_are_locked_until_there_is_one(home):  # O4
    with server(home) as status:
        found = status()
        assert states(found) == {"outside": "ready", "inside": "locked_out"}
        config = load().config
        make_key(config)
        lazy_vault(config).put("inside", STORED)
        until(lambda: states(status()) == {"outside": "ready", "inside": "ready"})


@pytest.mark.slow
def test_a_spoilt_vault_is_told_on_the_status_page_with_what_to_do(home):  # O4
    config = load().config
    make_key(config)
    lazy_vault(config).put("inside", STORED)
    whole = (home / "state" / "secrets.sealed").read_bytes()
    (home / "state" / "secrets.sealed").write_bytes(whole[:50])
    with server(home) as status:
        found = status()
        assert states(found) == {"outside": "ready", "inside": "locked_out"}
        assert "the sealed text is damaged" in str(found["notices"])
        (home / "state" / "secrets.sealed").write_bytes(whole)
        until(lambda: states(status())["inside"] == "ready")


@pytest.mark.slow
@desktop.needs_desktop
def test_a_locked_keyring_locks_its_accounts_until_it_is_unlocked(home, monkeypatch):  # O4
    with desktop.keyring_session(home / "session", monkeypatch):
        lazy_vault(load().config).put("inside", STORED)
        desktop.lock_keyring()
        with server(home) as status:
            found = status()
            assert states(found) == {"outside": "ready", "inside": "locked_out"}
            assert "the keyring is locked" in str(found["notices"])
            desktop.unlock_keyring()
            until(lambda: states(status())["inside"] == "ready")
