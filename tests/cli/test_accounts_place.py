from __future__ import annotations

import json

import pytest

from maxpool.cli.accounts_place import Found, first_answer, found, silent_server
from maxpool.cli.control import Control
from maxpool.errors import MaxpoolError, NotRunning
from tests.cli.operate import tell
from tests.cli.stub import serving


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("MAXPOOL_ADMIN_KEY", raising=False)
    return tmp_path


def account(**given):
    return {"id": "a-1", "name": "a", "in_file": True, "config_path": "/etc/c.toml", **given}


def test_without_a_server_there_is_no_answer_and_a_named_address_must_answer(folder):
    assert first_answer(None, None, "/accounts") is None
    assert silent_server(None) == ""
    with pytest.raises((NotRunning, MaxpoolError)):
        first_answer("http://127.0.0.1:9", None, "/accounts")


def test_a_server_that_does_not_answer_is_named_by_its_process(folder):
    tell(folder, "http://127.0.0.1:9")
    assert first_answer(None, None, "/accounts") is None
    pid = json.loads((folder / "server.json").read_text())["pid"]
    assert silent_server(None) == f"The server (pid {pid}) does not answer. "


def test_the_config_of_another_machine_is_not_edited_here():
    here = Control(url="http://127.0.0.1:1", key="k", local=True)
    there = Control(url="http://pool.lan:1", key="k")
    assert str(Found(server=here, account=account()).file) == "/etc/c.toml"
    assert Found(server=there, account=account()).file is None
    assert Found(server=here, account=account(in_file=False)).file is None
    assert Found(server=here, account=account(config_path=None)).file is None


def test_a_config_that_the_server_does_not_use_is_not_taken_for_its_own(folder):
    other = folder / "other.toml"
    other.write_text("")
    with serving(account(config_path=str(folder / "config.toml"))) as stub:
        tell(folder, stub.url)
        with pytest.raises(MaxpoolError, match="the running server uses") as caught:
            found(None, other, "a")
        assert caught.value.hint == "Leave --config out"
        one = found(None, folder / "config.toml", "a")
        assert one is not None
        assert one.path == "/accounts/a-1"
