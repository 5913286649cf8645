from __future__ import annotations

import pytest

from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.app import secretmove
from maxpool.app.secretmove import move
from maxpool.app.vault import lazy_vault, make_key
from maxpool.config.load import parse
from maxpool.errors import SecretError
from maxpool.ports import Secret
from tests import desktop


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The config of a machine with a key file."""
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "config.toml"))
    config = parse("", tmp_path / "config.toml")
    make_key(config)
    return config


@desktop.needs_desktop
def test_logins_move_from_the_keyring_to_the_file_and_back(config, tmp_path, monkeypatch):
    with desktop.keyring_session(tmp_path / "session", monkeypatch):
        vault = lazy_vault(config)
        for name in ("a", "b"):
            vault.put(name, Secret(f"sk-{name}"))
        assert vault.chosen() == "keyring"
        for place in ("file", "keyring"):
            assert move(config, place) == ["a", "b"]
            assert set(vault.listed().values()) == {place}
            assert vault.chosen() == place
            assert [vault.get(n) for n in ("a", "b")] == [Secret("sk-a"), Secret("sk-b")]
        assert vault.file.names() == []
        assert move(config, "keyring") == []


def test_before_the_first_login_it_only_chooses(config):
    assert move(config, "file") == []
    assert lazy_vault(config).chosen() == "file"


def test_to_a_place_that_does_not_work_nothing_moves(config):
    lazy_vault(config).put("a", Secret("sk-a"))
    with pytest.raises(SecretError, match="which is not safe to use"):
        move(config, "keyring")
    assert lazy_vault(config).get("a") == Secret("sk-a")
    assert lazy_vault(config).chosen() == "file"


def test_against_the_config_nothing_moves(tmp_path, config):
    named = parse('[secrets]\nstore = "file"\n', tmp_path / "config.toml")
    with pytest.raises(SecretError, match='store = "file"'):
        move(named, "keyring")


@desktop.needs_desktop
def test_a_login_that_is_being_refreshed_is_waited_for(config, tmp_path, monkeypatch):  # T1
    monkeypatch.setattr(secretmove, "LOCK_S", 0.1)
    with desktop.keyring_session(tmp_path / "session", monkeypatch):
        vault = lazy_vault(config)
        vault.put("a", Secret("sk-a"))
        held = FileRefreshLocks(tmp_path / "state" / "locks").acquire("a", 1.0)
        assert held is not None
        with pytest.raises(SecretError, match="is being refreshed"):
            move(config, "file")
        held.release()
        assert move(config, "file") == ["a"]
