from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from maxpool.app.vault import lazy_vault
from maxpool.cli.group import maxpool
from maxpool.config.load import load
from maxpool.ports import Secret

NEW_KEY = "cd" * 32


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a `maxpool secrets` command on a machine without a keyring."""
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text('[[accounts]]\nid = "a"\nname = "console"\n')

    def go(*arguments: str):
        return CliRunner().invoke(maxpool, ["secrets", *arguments])

    return go


def put() -> None:
    lazy_vault(load().config).put("a", Secret("sk-secret"))
    lazy_vault(load().config).put("gone", Secret("sk-secret"))


def test_where_tells_why_no_place_works_and_what_to_do(run):  # X4
    told = run("where").stdout.splitlines()
    assert told[0] == "There is no place for secrets yet."
    assert told[1].startswith("  the OS keyring: no (the keyring is set to keyring.backends.null")
    assert told[2].startswith("  the encrypted file: no (there is no key for")
    assert told[-1].endswith("maxpool secrets init")


def test_after_init_where_tells_the_place_its_key_and_whose_secrets_it_holds(run, tmp_path):
    assert run("init").stdout.startswith(f"Made {tmp_path}/secret.key.\nKeep a copy of it")
    put()
    told = run("where").stdout
    assert told.startswith(
        f"Secrets are kept in the encrypted file {tmp_path}/state/secrets.sealed"
    )
    assert f"works, its key is in {tmp_path}/secret.key" in told
    assert "2 accounts with an entry:\n  console: the encrypted file\n" in told
    assert "gone (no account of the config)" in told
    assert "sk-secret" not in told
    data = json.loads(run("where", "--json").stdout)
    assert [entry["name"] for entry in data["entries"]] == ["console", None]


def test_init_twice_keeps_the_key(run, tmp_path):
    run("init")
    key = (tmp_path / "secret.key").read_text()
    assert run("init").stdout.startswith("There is a key already, and it stays")
    assert json.loads(run("init", "--json").stdout)["made"] is False
    assert (tmp_path / "secret.key").read_text() == key


def test_a_pass_phrase_is_explained_and_never_stored(run, tmp_path):
    assert "export MAXPOOL_SECRET_KEY=" in run("init", "--passphrase").stdout
    assert not (tmp_path / "secret.key").exists()


def test_rekey_keeps_every_entry(run, tmp_path):
    run("init")
    put()
    old = (tmp_path / "secret.key").read_text()
    assert run("rekey").exit_code == 0
    assert (tmp_path / "secret.key").read_text() != old
    assert lazy_vault(load().config).get("a") == Secret("sk-secret")


def test_rekey_takes_the_new_key_from_a_file_and_tells_where_to_put_it(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", "ab" * 32)
    put()
    fresh = tmp_path / "fresh"
    fresh.write_text(NEW_KEY)
    fresh.chmod(0o600)
    told = run("rekey", "--new-key", str(fresh)).stdout
    assert "the old one came from MAXPOOL_SECRET_KEY" in told
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", NEW_KEY)
    assert lazy_vault(load().config).get("a") == Secret("sk-secret")


def test_without_a_terminal_nothing_is_asked(run):
    result = run("rekey", "--ask")
    assert result.exit_code == 2
    assert "give --new-key FILE" in result.stderr


def test_move_lets_new_logins_go_to_another_place(run):
    run("init")
    put()
    assert (
        run("move", "file").stdout
        == "No login moved. Secrets are kept in the encrypted file now.\n"
    )
    assert json.loads(run("move", "file", "--json").stdout) == {"place": "file", "moved": []}
    assert run("move", "keyring").exit_code == 1


def test_a_key_can_be_made_before_there_is_a_config(run, tmp_path):
    (tmp_path / "config.toml").unlink()
    assert run("init").exit_code == 0
    assert run("where").stdout.startswith("Secrets are kept in the encrypted file")
