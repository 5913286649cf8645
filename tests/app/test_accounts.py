from __future__ import annotations

import pytest

from maxpool.app import accounts
from maxpool.app.vault import open_vault
from maxpool.config.load import load
from maxpool.errors import ConfigError, MaxpoolError, SecretError
from maxpool.ports import Secret
from maxpool.wire.credential import StoredCredential, encode


def test_an_account_is_added_changed_and_removed(tmp_path):
    path = tmp_path / "folder" / "config.toml"
    accounts.add_entry(path, {"name": "a", "secret": "env:A", "plan": None})
    accounts.set_entry(path, "a", {"priority": 3, "tier": 2})
    accounts.set_entry(path, "a", {"tier": None})
    (held,) = load(path).config.accounts
    assert (held.name, held.priority, held.tier) == ("a", 3, 0)
    accounts.remove_entry(path, "a")
    assert load(path).config.accounts == ()


def test_a_key_of_a_section_is_set(tmp_path):
    path = tmp_path / "config.toml"
    accounts.set_value(path, "pool", "strategy", "sticky")
    assert load(path).config.pool.strategy == "sticky"
    accounts.set_value(path, "pool", "strategy", None)
    assert load(path).config.pool.strategy == "cost"


@pytest.mark.parametrize(
    "wrong", [{"priority": "high"}, {"colour": "blue"}, {"kind": "provider"}, {"name": "b"}]
)
def test_an_edit_that_would_be_wrong_leaves_the_file_as_it_is(tmp_path, wrong):
    path = tmp_path / "config.toml"
    accounts.add_entry(path, {"name": "a", "secret": "env:A"})
    accounts.add_entry(path, {"name": "b", "secret": "env:B"})
    before = path.read_text()
    with pytest.raises(ConfigError):
        accounts.set_entry(path, "a", wrong)
    assert path.read_text() == before


def test_a_file_that_is_wrong_already_is_not_written_to(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[server]\nprot = 1\n[[accounts]]\nname = "a"\n')
    with pytest.raises(ConfigError) as caught:
        accounts.set_entry(path, "a", {"priority": 1})
    assert "prot" in caught.value.problems[0].message
    with pytest.raises(MaxpoolError, match="no account called 'b'"):
        accounts.remove_entry(path, "b")


def test_a_renamed_account_keeps_its_id(tmp_path):
    path = tmp_path / "config.toml"
    accounts.add_entry(path, {"name": "a", "secret": "env:A"})
    before = load(path).config.accounts[0].stable_id
    accounts.rename(path, "a", "b")
    accounts.rename(path, "b", "c")
    (held,) = load(path).config.accounts
    assert (held.name, held.stable_id, path.read_text().count("id =")) == ("c", before, 1)


def test_a_name_that_is_taken_renames_nothing(tmp_path):
    path = tmp_path / "config.toml"
    for name in "ab":
        accounts.add_entry(path, {"name": name, "secret": f"env:{name.upper()}"})
    before = path.read_text()
    with pytest.raises(MaxpoolError, match="there is an account called 'b' already"):
        accounts.rename(path, "a", "b")
    assert path.read_text() == before


def test_being_in_service_is_written_only_where_it_changes(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[[accounts]]\nname = "a"\nsecret = "env:A"\n')
    before = path.read_text()
    accounts.enable(path, "a", on=True)
    assert path.read_text() == before
    accounts.enable(path, "a", on=False)
    assert not load(path).config.accounts[0].enabled
    accounts.enable(path, "a", on=True)
    assert load(path).config.accounts[0].enabled


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A config whose account has its secret in an encrypted file."""
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", "ab" * 32)
    path = tmp_path / "config.toml"
    path.write_text('[secrets]\nstore = "file"\n[[accounts]]\nname = "a"\nid = "x-1"\n')
    vault = open_vault(load(path).config)
    vault.put("x-1", Secret(encode(StoredCredential(secret="sk-1", origin="https://a.example"))))
    return path, vault


def test_removing_an_account_removes_its_secret(kept):
    path, vault = kept
    said = accounts.remove_account(path, "a")
    assert said == f"a is removed from {path}. Its secret is removed from {vault.place}."
    assert vault.get("x-1") is None


def test_a_secret_may_be_kept(kept):
    path, vault = kept
    assert accounts.remove_account(path, "a", keep_secret=True) == f"a is removed from {path}."
    assert vault.get("x-1") is not None


def test_a_vault_that_cannot_be_used_is_found_out_before_anything_changes(kept, monkeypatch):  # O4
    path, _ = kept
    before = path.read_text()
    monkeypatch.setenv("MAXPOOL_SECRET_KEY", "cd" * 32)
    with pytest.raises(SecretError) as caught:
        accounts.remove_account(path, "a")
    assert "--keep-secret" in caught.value.hint
    assert path.read_text() == before
    accounts.remove_account(path, "a", keep_secret=True)
