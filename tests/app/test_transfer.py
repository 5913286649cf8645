from __future__ import annotations

import stat
import tomllib
from dataclasses import replace
from hashlib import sha256

import pytest

from maxpool.adapters.journal import SqliteRefreshJournal
from maxpool.adapters.lock import lock_state_folder
from maxpool.app.transfer import export, import_bundle, read
from maxpool.app.vault import lazy_vault
from maxpool.config.load import load
from maxpool.errors import MaxpoolError, StateError
from maxpool.ports import Secret
from maxpool.wire.credential import StoredCredential, encode, fingerprint

PHRASE = "ab" * 32
"""A random key: deriving one from words is meant to take long."""
CONFIG = """# my pool
[oauth.example]
authorize_url = "https://login.example.com/authorize"
token_url = "https://login.example.com/token"
client_id = "us"
[[accounts]]
id = "k"
name = "console"
[[accounts]]
id = "o"
name = "work"
kind = "oauth"
oauth = "example"
[[accounts]]
name = "outside"
secret = "env:OUTSIDE_KEY"
[[accounts]]
name = "new"
"""


def test_a_file_that_is_no_export_is_called_that(tmp_path):
    other = tmp_path / "other"
    other.write_text("hello")
    with pytest.raises(MaxpoolError, match=r"other is no whole file of `maxpool export`"):
        read(other, PHRASE)
    with pytest.raises(MaxpoolError, match="the pass phrase is too short"):
        read(other, "short")


def stored(secret: str, refresh: str | None = None) -> Secret:
    return Secret(
        encode(StoredCredential(secret=secret, origin="https://a", refresh_token=refresh))
    )


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Go to a machine by its name: each has folders and a key of its own."""

    def go(name: str):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        monkeypatch.setenv("MAXPOOL_HOME", str(folder / "state"))
        monkeypatch.setenv("MAXPOOL_CONFIG", str(folder / "config.toml"))
        monkeypatch.setenv("MAXPOOL_SECRET_KEY", sha256(name.encode()).hexdigest())
        return folder / "config.toml"

    path = go("old")
    path.write_text(CONFIG)
    vault = lazy_vault(load().config)
    vault.put("k", stored("sk-key"))
    vault.put("o", stored("at-1", "rt-1"))
    return go


def test_a_pool_moves_to_another_machine_with_its_keys(machine, tmp_path):
    file = tmp_path / "pool"
    found = export(file, PHRASE, move=False)
    assert (found.copied, found.rotating, found.without) == (["console"], ["work"], ["new"])
    assert found.elsewhere == {"outside": "env:OUTSIDE_KEY"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"sk-key" not in file.read_bytes()
    path = machine("new")
    done = import_bundle(read(file, PHRASE), path, replace=False)
    assert path.read_text() == CONFIG
    assert lazy_vault(load().config).get("k") == stored("sk-key")
    assert (done.credentials, done.to_log_in) == (["console"], ["work", "new"])


def test_a_login_that_rotates_is_never_on_two_machines(machine, tmp_path):  # T11
    file = tmp_path / "pool"
    export(file, PHRASE, move=False)
    assert read(file, PHRASE).credentials.keys() == {"k"}
    found = export(file, PHRASE, move=True)
    assert found.moved == ["work"]
    assert lazy_vault(load().config).get("o") is None
    path = machine("new")
    done = import_bundle(read(file, PHRASE), path, replace=False)
    assert done.moved == ["work"]
    assert lazy_vault(load().config).get("o") == stored("at-1", "rt-1")


def test_a_login_is_not_moved_from_under_a_running_server(machine, tmp_path):  # T11
    with (
        lock_state_folder(tmp_path / "old" / "state"),
        pytest.raises(StateError, match="another server"),
    ):
        export(tmp_path / "pool", PHRASE, move=True)
    assert not (tmp_path / "pool").exists()
    assert lazy_vault(load().config).get("o") is not None


def test_a_login_that_could_not_leave_is_named_with_what_to_do(machine, tmp_path):  # T11
    obstacle = tmp_path / "old" / "state" / "secrets.sealed.new" / "in the way"
    obstacle.mkdir(parents=True)
    with pytest.raises(MaxpoolError, match=r"work is in .* and still logged in here") as caught:
        export(tmp_path / "pool", PHRASE, move=True)
    assert caught.value.hint.endswith("maxpool accounts disable work")


def test_what_is_here_is_kept_and_said_so_unless_it_is_to_be_replaced(machine, tmp_path):
    file = tmp_path / "pool"
    export(file, PHRASE, move=False)
    path = machine("new")
    path.write_text('[[accounts]]\nid = "k"\nname = "console"\npriority = 1\n')
    lazy_vault(load().config).put("k", stored("sk-mine"))
    kept = import_bundle(read(file, PHRASE), path, replace=False)
    assert (kept.kept, kept.credentials_kept) == (["console"], ["console"])
    assert lazy_vault(load().config).get("k") == stored("sk-mine")
    done = import_bundle(read(file, PHRASE), path, replace=True)
    assert (done.replaced, done.credentials) == (["console"], ["console"])
    assert lazy_vault(load().config).get("k") == stored("sk-key")
    assert "priority" not in tomllib.loads(path.read_text())["accounts"][0]


def test_a_machine_without_a_place_for_secrets_takes_nothing(machine, tmp_path, monkeypatch):
    file = tmp_path / "pool"
    export(file, PHRASE, move=False)
    path = machine("new")
    monkeypatch.delenv("MAXPOOL_SECRET_KEY")
    with pytest.raises(MaxpoolError, match="no place for secrets"):
        import_bundle(read(file, PHRASE), path, replace=False)
    assert not path.exists()


@pytest.mark.parametrize("phrase", ["another pass phrase", "cd" * 32])
def test_a_wrong_pass_phrase_opens_nothing(machine, tmp_path, phrase):
    export(tmp_path / "pool", PHRASE, move=False)
    with pytest.raises(MaxpoolError, match="this pass phrase does not open"):
        read(tmp_path / "pool", phrase)


def test_a_pass_phrase_of_words_opens_what_it_sealed(machine, tmp_path):
    export(tmp_path / "pool", "correct horse battery", move=False)
    assert read(tmp_path / "pool", "correct horse battery").config == CONFIG


def test_a_vault_is_no_export(machine, tmp_path):
    with pytest.raises(MaxpoolError, match="another purpose"):
        read(tmp_path / "old" / "state" / "secrets.sealed", sha256(b"old").hexdigest())


def test_without_a_config_there_is_nothing_to_export(machine, tmp_path, monkeypatch):
    monkeypatch.delenv("MAXPOOL_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    with pytest.raises(MaxpoolError, match="there is no config file"):
        export(tmp_path / "pool", PHRASE, move=False)


@pytest.mark.parametrize("dead", [False, True])
def test_a_token_that_may_have_been_used_goes_nowhere(machine, tmp_path, dead):  # T1
    journal = SqliteRefreshJournal(tmp_path / "old" / "state" / "logins.db")
    if dead:
        journal.bury("o", sha256(b"rt-1").hexdigest(), "invalid_grant", 1.0)
    else:
        journal.begin("o", fingerprint("rt-1"), 1.0)
    journal.close()
    found = export(tmp_path / "pool", PHRASE, move=True)
    assert (found.moved, found.used) == ([], ["work"])
    assert read(tmp_path / "pool", PHRASE).credentials.keys() == {"k"}
    assert lazy_vault(load().config).get("o") == stored("at-1", "rt-1")


def test_every_login_that_could_not_leave_is_named(machine, tmp_path):  # T11
    path = tmp_path / "old" / "config.toml"
    more = '[[accounts]]\nid = "p"\nname = "play"\nkind = "oauth"\noauth = "example"\n'
    path.write_text(path.read_text() + more)
    lazy_vault(load().config).put("p", stored("at-2", "rt-2"))
    (tmp_path / "old" / "state" / "secrets.sealed.new" / "in the way").mkdir(parents=True)
    with pytest.raises(MaxpoolError, match="work, play are in") as caught:
        export(tmp_path / "pool", PHRASE, move=True)
    assert "accounts disable play" in caught.value.hint


def test_an_old_copy_never_takes_the_place_of_newer_tokens_of_the_same_login(machine, tmp_path):
    old = StoredCredential(
        secret="at-1", origin="https://a", refresh_token="rt-1", granted_at=5.0, expires_at=10.0
    )
    newer = replace(old, secret="at-2", refresh_token="rt-2", expires_at=20.0)
    lazy_vault(load().config).put("o", Secret(encode(old)))
    export(tmp_path / "pool", PHRASE, move=True)
    lazy_vault(load().config).put("o", Secret(encode(newer)))
    path = tmp_path / "old" / "config.toml"
    done = import_bundle(read(tmp_path / "pool", PHRASE), path, replace=True)
    assert done.credentials_kept == ["work"]
    assert lazy_vault(load().config).get("o") == Secret(encode(newer))
