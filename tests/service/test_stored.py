"""The vault's entries, and what it could not take: nothing is lost, nothing is overwritten blindly."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from maxpool.errors import SecretError
from maxpool.ports import Secret
from maxpool.service.stored import StoredLogins
from maxpool.wire.credential import StoredCredential, encode
from tests.refreshing import FolderVault
from tests.rig import until

if TYPE_CHECKING:
    from pathlib import Path

OLD = StoredCredential(secret="at-1", origin="http://x", refresh_token="rt-1")
NEW = replace(OLD, secret="at-2", refresh_token="rt-2")
OTHER = replace(OLD, secret="at-9", refresh_token="rt-9")


@pytest.fixture
def stored(tmp_path):
    found = StoredLogins(FolderVault(tmp_path / "vault"))
    put(found, OLD)
    return found


def put(stored: StoredLogins, credential: StoredCredential) -> None:
    stored.vault.put("a", Secret(encode(credential)))


async def test_a_new_pair_replaces_the_one_it_was_got_with(stored):
    assert await stored.write("a", NEW, OLD, 0.0) == NEW
    assert await stored.read("a") == NEW
    assert stored.unsaved == {}


async def test_what_somebody_else_wrote_meanwhile_stays(stored):
    put(stored, OTHER)
    assert await stored.write("a", NEW, OLD, 0.0) == OTHER
    assert await stored.read("a") == OTHER


async def test_a_login_that_was_taken_away_meanwhile_stays_away(stored):
    stored.vault.delete("a")
    assert await stored.write("a", NEW, OLD, 0.0) is None
    assert await stored.read("a") is None


@pytest.mark.parametrize("trouble", ["full", "broken"])
async def test_what_cannot_be_stored_holds_all_the_same(stored, trouble):  # T6
    setattr(stored.vault, trouble, True)
    assert await stored.write("a", NEW, OLD, 0.0) == NEW
    assert await stored.read("a") == NEW
    setattr(stored.vault, trouble, False)
    await stored.store("a", 1.0)
    assert (stored.unsaved, await StoredLogins(stored.vault).read("a")) == ({}, NEW)


async def test_storing_is_tried_again_after_growing_pauses(stored):
    stored.vault.full = True
    await stored.write("a", NEW, OLD, 0.0)
    pauses = []
    for _ in range(8):
        at = stored.unsaved["a"].try_at
        await stored.store("a", at)
        pauses.append(stored.unsaved["a"].try_at - at)
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


async def test_an_unsaved_pair_gives_way_to_a_new_login(stored):
    stored.vault.full = True
    await stored.write("a", NEW, OLD, 0.0)
    stored.vault.full = False
    put(stored, OTHER)
    assert await stored.read("a") == OTHER
    await stored.store("a", 9.0)
    assert (await stored.read("a"), stored.unsaved) == (OTHER, {})


async def test_the_next_unsaved_pair_still_replaces_what_the_vault_has(stored):
    stored.vault.full = True
    await stored.write("a", NEW, OLD, 0.0)
    await stored.write("a", OTHER, NEW, 1.0)
    stored.vault.full = False
    await stored.store("a", 9.0)
    assert await StoredLogins(stored.vault).read("a") == OTHER


async def test_an_entry_that_is_no_credential_is_an_error_that_quotes_nothing(stored):
    stored.vault.put("a", Secret('{"version": 1, "secret": ["very-secret"]}'))
    with pytest.raises(SecretError) as caught:
        await stored.read("a")
    assert "very-secret" not in str(caught.value)


async def test_whatever_breaks_while_storing_the_only_pair_stays_in_memory(
    stored, monkeypatch
):  # T6
    def break_down(name: str, value: Secret) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(stored.vault, "put", break_down)
        assert await stored.write("a", NEW, OLD, 0.0) == NEW
    assert "RuntimeError" in stored.unsaved["a"].error
    await stored.store("a", 1.0)
    assert (stored.unsaved, await stored.read("a")) == ({}, NEW)


class SlowVault(FolderVault):
    """Its first answer comes when somebody lets it: `go` to look, `come` to say what was there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.slow, self.go, self.seen, self.come = False, *(threading.Event() for _ in range(3))

    def get(self, name: str) -> Secret | None:
        if not self.slow:
            return super().get(name)
        self.slow = False
        self.go.wait(60)
        found = super().get(name)
        self.seen.set()
        self.come.wait(60)
        return found


async def test_a_read_that_was_overtaken_drops_no_pair_that_waits(tmp_path):  # T6
    vault = SlowVault(tmp_path / "vault")
    stored = StoredLogins(vault)
    put(stored, OLD)
    vault.full = True
    await stored.write("a", NEW, OLD, 0.0)
    vault.slow = True
    reading = asyncio.ensure_future(stored.read("a"))
    await until(lambda: not vault.slow)
    vault.full = False
    await stored.store("a", 1.0)
    vault.go.set()
    await asyncio.to_thread(vault.seen.wait, 5)
    vault.full = True
    await stored.write("a", OTHER, NEW, 2.0)
    vault.come.set()
    await reading
    assert stored.unsaved["a"].credential == OTHER
