from __future__ import annotations

import pytest

from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.adapters.secretfile import Keys, SecretFile
from maxpool.app.vault import (
    key_file,
    lazy_vault,
    make_key,
    open_vault,
    read_phrase,
    rekey,
    report,
    secret_source,
    service,
    warnings,
)
from maxpool.config.load import parse
from maxpool.errors import SecretError
from maxpool.ports import Secret
from maxpool.wire.credential import StoredCredential, encode
from tests import desktop

ACCOUNTS = '[[accounts]]\nid = "a"\nname = "console"\n'
NO_KEYRING = "keyring.backends.null.Keyring"
PHRASE = "correct horse battery"
KEY, NEW_KEY = "ab" * 32, "cd" * 32


@pytest.fixture
def env(tmp_path, monkeypatch):
    """A machine without a keyring."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", NO_KEYRING)
    return {
        "MAXPOOL_HOME": str(tmp_path / "state"),
        "MAXPOOL_CONFIG": str(tmp_path / "config" / "config.toml"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def config(tmp_path):
    return parse(ACCOUNTS, tmp_path / "config.toml")


def test_without_keyring_and_key_a_command_is_told_what_to_do_before_it_begins(config, env):  # X4
    with pytest.raises(SecretError) as caught:
        open_vault(config, environment=env)
    assert NO_KEYRING in caught.value.message
    assert "maxpool secrets init" in caught.value.hint


def test_the_server_can_always_compose_its_vault_and_asks_it_later(config, env):  # O4
    vault = lazy_vault(config, environment=env)
    assert vault.place.startswith("the OS keyring or an encrypted file")
    source = secret_source(config, None, vault)
    with pytest.raises(SecretError, match="nobody has logged in"):
        source.resolve("vault:a")


def test_after_init_the_encrypted_file_takes_logins(config, env, tmp_path):
    assert make_key(config, env) == (str(tmp_path / "config" / "secret.key"), True)
    assert make_key(config, env)[1] is False
    vault = open_vault(config, environment=env)
    stored = encode(StoredCredential(secret="sk-1", origin="https://a"))
    vault.put("a", Secret(stored))
    assert secret_source(config, None, vault).resolve("vault:a").reveal() == "sk-1"
    found = report(config, env)
    assert [(e.id, e.name, e.place) for e in found.entries] == [("a", "console", "file")]
    assert [(p.place, p.usable, p.chosen) for p in found.places] == [
        ("keyring", False, False),
        ("file", True, True),
    ]
    assert found.key == str(tmp_path / "config" / "secret.key")


def test_a_new_key_is_not_made_where_the_old_one_is_only_missing(config, env, tmp_path):
    make_key(config, env)
    open_vault(config, environment=env).put("a", Secret("x"))
    (tmp_path / "config" / "secret.key").unlink()
    with pytest.raises(SecretError, match="with a key that is not here"):
        make_key(config, env)


def test_rekey_changes_the_key_file_and_nothing_is_lost(config, env, tmp_path):
    make_key(config, env)
    open_vault(config, environment=env).put("a", Secret("x"))
    before = (tmp_path / "config" / "secret.key").read_text()
    rekey(config, environment=env)
    assert (tmp_path / "config" / "secret.key").read_text() != before
    assert lazy_vault(config, environment=env).get("a") == Secret("x")


def test_a_key_from_elsewhere_is_changed_only_to_one_that_is_given(config, env):
    env["MAXPOOL_SECRET_KEY"] = KEY
    open_vault(config, environment=env).put("a", Secret("x"))
    with pytest.raises(SecretError, match="comes from MAXPOOL_SECRET_KEY") as caught:
        rekey(config, environment=env)
    assert "--new-key" in caught.value.hint
    assert rekey(config, NEW_KEY, env) == "MAXPOOL_SECRET_KEY"
    env["MAXPOOL_SECRET_KEY"] = NEW_KEY
    assert lazy_vault(config, environment=env).get("a") == Secret("x")


def test_without_a_key_there_is_none_to_change(config, env):
    with pytest.raises(SecretError, match="no key to change"):
        rekey(config, environment=env)


def test_files_that_others_can_reach_are_told_at_start(config, env, tmp_path):  # X4
    make_key(config, env)
    open_vault(config, environment=env).put("a", Secret("x"))
    assert warnings(config, env) == []
    (tmp_path / "state").chmod(0o755)
    (tmp_path / "state" / "secrets.sealed").chmod(0o640)
    told = warnings(config, env)
    assert [line.split(". ")[-1].split(" ")[:3] for line in told] == [
        ["Run:", "chmod", "700"],
        ["Run:", "chmod", "600"],
    ]


def test_two_installations_share_no_login_in_the_keyring(tmp_path):
    usual = tmp_path / ".local" / "state" / "maxpool"
    env = {"HOME": str(tmp_path)}
    assert service(usual, env) == "maxpool"
    assert service(usual, {**env, "MAXPOOL_HOME": str(usual)}) == "maxpool"
    assert service(tmp_path / "other", env) == f"maxpool {tmp_path / 'other'}"


def test_the_key_file_lies_beside_the_config_and_not_beside_the_sealed_file(env, tmp_path):
    assert key_file(env) == tmp_path / "config" / "secret.key"


def test_a_pass_phrase_is_read_only_from_a_file_of_its_owners_alone(tmp_path):
    path = tmp_path / "phrase"
    path.write_text(f"{PHRASE}\n")
    path.chmod(0o644)
    with pytest.raises(SecretError, match="can be read by others"):
        read_phrase(path)
    path.chmod(0o600)
    assert read_phrase(path) == PHRASE


@desktop.needs_desktop
def test_on_a_desktop_logins_go_into_its_keyring(config, env, tmp_path, monkeypatch):  # X4
    with desktop.keyring_session(tmp_path / "session", monkeypatch):
        open_vault(config, environment=env).put("a", Secret("sk-secret"))
        found = report(config, env)
        assert found.places[0].chosen
        assert found.places[0].usable
        assert lazy_vault(config, environment=env).get("a") == Secret("sk-secret")
        files = [p for p in (tmp_path / "state").rglob("*") if p.is_file()]
        assert not any(b"sk-secret" in path.read_bytes() for path in files)


def test_the_limits_of_the_config_reach_the_stores(tmp_path, env):
    text = "[secrets]\ntimeout = '1s'\nstore = 'file'\n"
    vault = lazy_vault(parse(text, tmp_path / "c.toml"), environment=env)
    assert (vault.keyring.timeout_s, vault.file.timeout_s, vault.preferred) == (1.0, 1.0, "file")
    assert isinstance(vault.file, SecretFile)
    assert isinstance(vault.file.keys, Keys)


def test_a_refresh_that_runs_is_waited_for_before_its_key_goes(config, env, monkeypatch):  # T6
    monkeypatch.setattr("maxpool.app.secretmove.LOCK_S", 0.1)
    env["MAXPOOL_SECRET_KEY"] = KEY
    vault = open_vault(config, environment=env)
    login = Secret(encode(StoredCredential(secret="at", origin="https://a", refresh_token="rt")))
    vault.put("a", login)
    held = FileRefreshLocks(lazy_vault(config, environment=env).folder / "locks").acquire("a", 1.0)
    assert held is not None
    with pytest.raises(SecretError, match="is being refreshed"):
        rekey(config, NEW_KEY, env)
    assert vault.get("a") == login
    held.release()
    rekey(config, NEW_KEY, env)
