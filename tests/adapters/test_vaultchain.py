from __future__ import annotations

import json
import stat

import pytest
from keyring.errors import KeyringLocked

from maxpool.adapters.secretfile import Keys, SecretFile
from maxpool.adapters.vault import KeyringStore
from maxpool.adapters.vaultchain import INDEX_NAME, ChosenVault
from maxpool.errors import SecretError
from maxpool.ports import Secret
from tests.adapters.test_vault import Memory

SECRET = Secret("sk-secret")


class Desktop(Memory):
    """A keyring that can be locked."""

    locked = False

    def get_password(self, service, username):
        if self.locked:
            raise KeyringLocked("Failed to unlock the collection!")
        return super().get_password(service, username)

    def set_password(self, service, username, password):
        self.get_password(service, username)
        super().set_password(service, username, password)


@pytest.fixture
def desktop():
    return Desktop()


def vault(tmp_path, desktop=None, preferred="auto") -> ChosenVault:
    """A vault; without a desktop there is no keyring."""

    def find():
        if desktop is None:
            raise SecretError("there is no keyring here", "Use a file")
        return desktop

    folder = tmp_path / "state"
    file = SecretFile(folder, Keys({}, tmp_path / "config" / "secret.key"), 1.0)
    return ChosenVault(folder, KeyringStore("maxpool", 1.0, find=find), file, preferred, 1.0)


def with_key(made: ChosenVault) -> ChosenVault:
    made.file.make_key_file()
    return made


def test_a_working_keyring_is_chosen_first_and_no_file_is_made(tmp_path, desktop):
    with_key(vault(tmp_path, desktop)).put("a", SECRET)
    assert desktop.kept == {("maxpool", "a"): "sk-secret"}
    assert not (tmp_path / "state" / "secrets.sealed").exists()
    assert vault(tmp_path, desktop).get("a") == SECRET
    assert vault(tmp_path, desktop).place == "the OS keyring"


def test_without_a_keyring_the_encrypted_file_is_chosen(tmp_path):
    made = with_key(vault(tmp_path))
    made.check()
    made.put("a", SECRET)
    assert vault(tmp_path).get("a") == SECRET
    assert made.place == f"the encrypted file {tmp_path}/state/secrets.sealed"


def test_without_either_nothing_is_written_and_the_remedy_is_named(tmp_path):  # X4
    made = vault(tmp_path)
    for act in (made.check, lambda: made.put("a", SECRET)):
        with pytest.raises(
            SecretError, match="there is no place for secrets: there is no keyr"
        ) as e:
            act()
        assert e.value.hint.endswith("maxpool secrets init")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_the_first_place_takes_all_that_follow_whatever_works_later(tmp_path, desktop):
    with_key(vault(tmp_path)).put("a", SECRET)
    later = vault(tmp_path, desktop)
    later.put("b", SECRET)
    assert desktop.kept == {}
    assert later.listed() == {"a": "file", "b": "file"}


def test_a_place_that_does_not_answer_is_an_error_and_not_a_reason_to_begin_another(  # O4
    tmp_path, desktop
):
    made = with_key(vault(tmp_path, desktop))
    made.put("a", SECRET)
    desktop.locked = True
    for act in (made.get, made.delete, lambda name: made.put(name, Secret("new"))):
        with pytest.raises(SecretError, match="the keyring is locked"):
            act("a")
    assert not made.file.path.exists()
    desktop.locked = False
    assert made.get("a") == SECRET


def test_who_has_a_locked_keyring_and_no_key_is_told_both_ways_out(tmp_path, desktop):
    desktop.locked = True
    with pytest.raises(SecretError) as caught:
        vault(tmp_path, desktop).put("a", SECRET)
    assert caught.value.hint.startswith("Unlock the keyring, or use the encrypted file.")
    assert "maxpool secrets init" in caught.value.hint


def test_an_account_without_an_entry_needs_no_keyring(tmp_path, desktop):
    desktop.locked = True
    assert vault(tmp_path, desktop).get("a") is None
    assert vault(tmp_path).get("a") is None


def test_a_store_that_the_config_names_is_used_and_old_entries_stay_readable(tmp_path, desktop):
    with_key(vault(tmp_path, desktop)).put("a", SECRET)
    moved = vault(tmp_path, desktop, "file")
    assert moved.get("a") == SECRET
    moved.put("b", Secret("sk-b"))
    assert moved.listed() == {"a": "keyring", "b": "file"}


def test_an_entry_is_never_in_two_places(tmp_path, desktop):
    with_key(vault(tmp_path, desktop)).put("a", Secret("sk-old"))
    vault(tmp_path, desktop, "file").put("a", Secret("sk-new"))
    assert desktop.kept == {}
    assert vault(tmp_path, desktop, "keyring").get("a") == Secret("sk-new")


def test_an_old_entry_that_cannot_be_removed_is_not_read_again(tmp_path, desktop):
    with_key(vault(tmp_path, desktop)).put("a", Secret("sk-old"))
    desktop.locked = True
    vault(tmp_path, desktop, "file").put("a", Secret("sk-new"))
    desktop.locked = False
    assert desktop.kept
    assert vault(tmp_path, desktop).get("a") == Secret("sk-new")


def test_with_the_last_entry_gone_the_choice_is_open_again(tmp_path, desktop):
    made = with_key(vault(tmp_path, desktop))
    made.put("a", SECRET)
    made.delete("a")
    assert made.get("a") is None
    assert made.chosen() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 9}', '{"version": 1}', None])
@pytest.mark.parametrize("place", ["keyring", "file"])
def test_a_lost_or_broken_index_loses_no_entry(tmp_path, desktop, content, place):  # O2
    with_key(vault(tmp_path, desktop, place)).put("a", SECRET)
    index = tmp_path / "state" / INDEX_NAME
    index.unlink() if content is None else index.write_text(content)
    again = vault(tmp_path, desktop)
    assert again.get("a") == SECRET
    again.put("b", SECRET)
    assert again.get("a") == SECRET
    again.delete("a")
    assert again.get("a") is None


def test_the_index_holds_no_secret_and_is_its_owners_alone(tmp_path, desktop):  # X4
    vault(tmp_path, desktop).put("a", SECRET)
    index = tmp_path / "state" / INDEX_NAME
    assert stat.S_IMODE(index.stat().st_mode) == 0o600
    assert json.loads(index.read_text()) == {
        "version": 1,
        "chosen": "keyring",
        "entries": {"a": "keyring"},
    }


def test_an_entry_that_moves_while_it_is_read_is_found_where_it_went(tmp_path, desktop):
    made = with_key(vault(tmp_path, desktop))
    made.put("a", SECRET)
    read = desktop.get_password

    def slow(service, username):
        """The keyring answers a question that was asked before the move, after it."""
        desktop.get_password = read
        vault(tmp_path, desktop).move("a", "file")
        return read(service, username)

    desktop.get_password = slow
    assert made.get("a") == SECRET
    assert made.listed() == {"a": "file"}


@pytest.mark.parametrize("later", ["auto", "file", "keyring"])
def test_what_was_removed_never_comes_back_as_an_older_entry(tmp_path, desktop, later):  # T1
    made = with_key(vault(tmp_path, desktop))
    made.put("a", Secret("used up"))
    desktop.locked = True
    vault(tmp_path, desktop, "file").put("a", SECRET)
    vault(tmp_path, desktop, "file").delete("a")
    desktop.locked = False
    again = vault(tmp_path, desktop, later)
    assert again.get("a") is None
    assert "a" not in again.listed()
    again.delete("a")
    assert desktop.kept == {}
