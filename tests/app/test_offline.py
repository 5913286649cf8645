"""Accounts while no server runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.store import SqliteStateStore
from maxpool.app import offline
from maxpool.core.lease import Command, CredentialChange
from maxpool.errors import MaxpoolError, StateError
from maxpool.service.clientlogin import ORIGIN

if TYPE_CHECKING:
    from maxpool.config.load import Loaded

TWO = """
[storage]
folder = "state"
[[accounts]]
name = "a"
secret = "env:A"
[[accounts]]
name = "b"
secret = "env:B"
base_url = "https://b.example"
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(TWO)
    return path


def states(config):
    return {a["name"]: a["state"] for a in offline.resting(config).accounts()["accounts"]}


def test_looking_needs_no_lock_and_makes_nothing(config):
    with lock_state_folder(config.parent / "state"):
        assert states(config) == {"a": "ready", "b": "ready"}
    assert not (config.parent / "state" / "state.db").exists()


def test_what_is_changed_is_there_at_the_next_look_and_the_next_start(config):
    with offline.changing(config) as pool:
        pool.command("drain", pool.find("a").stable_id)
        pool.command("prefer", pool.find("b").stable_id)
    found = offline.resting(config).accounts()
    assert [a["state"] for a in found["accounts"]] == ["draining", "ready"]
    assert (found["preferred"], found["running"]) == (
        offline.resting(config).find("b").stable_id,
        False,
    )


def test_a_folder_in_use_is_not_changed_and_its_process_is_named(config):  # X8
    edited: list[Loaded] = []
    with (
        lock_state_folder(config.parent / "state"),
        pytest.raises(StateError, match=f"pid {os.getpid()}"),
        offline.changing(config, edited.append),
    ):
        pass
    assert edited == []


def test_an_edit_is_made_first_and_counts(config):
    def edit(loaded: Loaded) -> None:
        assert loaded.path is not None
        loaded.path.write_text(TWO.replace('name = "a"', 'name = "a"\nenabled = false'))

    with offline.changing(config, edit) as pool:
        pool.command("reset", pool.find("a").stable_id)
    assert states(config) == {"a": "disabled", "b": "ready"}


def test_a_state_that_cannot_be_read_leaves_the_config_as_it_is(config):
    (config.parent / "state" / "state.db").mkdir(parents=True)
    text = config.read_text()
    with (
        pytest.raises(StateError),
        offline.changing(config, lambda _: config.write_text("") and None),
    ):
        pass
    assert config.read_text() == text


def test_what_fails_saves_nothing(config):
    def drain_two(*names: str) -> None:
        with offline.changing(config) as pool:
            for name in names:
                pool.command("drain", pool.find(name).stable_id)

    with pytest.raises(MaxpoolError, match="no account 'c'"):
        drain_two("a", "c")
    assert states(config) == {"a": "ready", "b": "ready"}


def test_a_name_that_nobody_has_is_answered_with_the_nearest(config):
    with pytest.raises(MaxpoolError) as caught:
        offline.resting(config).find("bb")
    assert caught.value.hint == "Did you mean b?"


def test_a_moved_account_is_confirmed_and_one_that_has_not_moved_is_not(config):  # X5
    with offline.changing(config) as pool:
        account_id = pool.find("b").stable_id
        pool.origins.bound[account_id] = "https://b.example"
        with pytest.raises(MaxpoolError, match="nothing to confirm"):
            pool.confirm(pool.find("b"))
    config.write_text(TWO.replace("b.example", "c.example"))
    assert states(config) == {"a": "ready", "b": "locked_out"}
    with offline.changing(config) as pool:
        with pytest.raises(MaxpoolError, match="locked"):
            pool.command("reset", account_id)
        pool.confirm(pool.find("b"))
    with offline.changing(config) as pool:
        assert pool.origins.bound[account_id] == "https://c.example"
    assert states(config) == {"a": "ready", "b": "ready"}


def test_clients_own_logins_are_confirmed_while_no_server_runs(config):  # X5
    config.write_text('[upstream]\nbase_url = "https://new.example"\n' + TWO)
    with offline.changing(config) as pool:
        with pytest.raises(MaxpoolError, match="nothing to confirm"):
            pool.confirm_logins()
        pool.origins.bound[ORIGIN] = "https://old.example"
        assert pool.confirm_logins() == "https://new.example"
    with offline.changing(config) as pool:
        assert pool.origins.bound[ORIGIN] == "https://new.example"


def test_a_reset_vouches_for_no_dead_login(config):
    with offline.changing(config) as pool:
        account_id = pool.find("a").stable_id
        pool.pool.credential(account_id, CredentialChange("dead", reason="revoked"), pool.now)
        with pytest.raises(MaxpoolError, match="does not lift that"):
            pool.command("reset", account_id)
        assert not pool.pool.command(Command("reset", account_id), pool.now)


def test_a_broken_state_is_shown_as_none_and_named_once_it_is_written_anew(config):  # O2
    folder = config.parent / "state"
    folder.mkdir()
    (folder / "state.db").write_bytes(b"no database at all" * 100)
    assert states(config) == {"a": "ready", "b": "ready"}
    assert (folder / "state.db").read_bytes().startswith(b"no database")
    with offline.changing(config) as pool:
        pool.command("drain", pool.find("a").stable_id)
    assert states(config)["a"] == "draining"
    assert [p.name for p in folder.glob("state.db.broken-*")]


def test_client_keys_are_listed_with_the_state_folders_own(config):  # X10
    assert offline.client_keys(config) == []
    own = config.parent / "state" / "client.key"
    own.parent.mkdir()
    own.write_text(f"mpk-{'x' * 43}\n")
    own.chmod(0o600)
    assert [key["name"] for key in offline.client_keys(config)] == ["local"]


async def test_an_account_that_cannot_be_asked_for_its_usage_is_named(config):
    with pytest.raises(MaxpoolError, match="usage of a cannot be asked"):
        await offline.probe(config, "a")
    assert SqliteStateStore(config.parent / "state" / "state.db").load() is not None
