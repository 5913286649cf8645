from __future__ import annotations

from hashlib import sha256

import pytest

from maxpool.app import keys
from maxpool.config.load import load
from maxpool.errors import ConfigError, MaxpoolError


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    return tmp_path / "config.toml"


def test_the_file_gets_the_hash_and_the_caller_the_key(path):
    key = keys.add(path, "laptop", 10)
    (held,) = load(path).config.client_keys
    assert (held.name, held.priority) == ("laptop", 10)
    assert held.sha256 == sha256(key.reveal().encode()).hexdigest()
    assert key.reveal() not in path.read_text()
    assert key.reveal().startswith("mpk-")
    assert len(key.reveal()) == 47  # 256 random bits


def test_two_keys_differ_and_one_is_revoked_alone(path):
    assert keys.add(path, "a") != keys.add(path, "b")
    keys.revoke(path, "a")
    assert [key.name for key in load(path).config.client_keys] == ["b"]


@pytest.mark.parametrize("name", ["a", "local"])
def test_a_name_is_used_once(path, name):
    keys.add(path, "a")
    with pytest.raises(MaxpoolError):
        keys.add(path, name)
    assert len(load(path).config.client_keys) == 1


@pytest.mark.parametrize("priority", [-1, 101])
def test_a_priority_out_of_bounds_writes_nothing(path, priority):
    with pytest.raises(ConfigError):
        keys.add(path, "a", priority)
    assert not path.exists()


def test_the_key_of_the_state_folder_is_revoked_by_its_own_name(path):  # X10
    path.write_text("version = 1\n")
    own = path.parent / "state" / "client.key"
    own.parent.mkdir()
    own.write_text("mpk-x\n")
    keys.revoke(path, "local")
    assert not own.exists()
    with pytest.raises(MaxpoolError, match="no 'local' key"):
        keys.revoke(path, "local")


def test_the_last_key_stays_where_other_machines_need_one(path):  # X2
    path.write_text('[server]\nhost = "0.0.0.0"\n[[client_keys]]\nname = "k"\nkey = "env:K"\n')
    with pytest.raises(ConfigError):
        keys.revoke(path, "k")
    assert 'name = "k"' in path.read_text()
