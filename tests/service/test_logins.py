"""What is known of a login: new ones are noticed, dead ones stay dead, and each goes only home."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maxpool.adapters.journal import SqliteRefreshJournal
from maxpool.ports import Secret
from maxpool.service.logins import Logins, Over, digest
from maxpool.service.stored import StoredLogins
from maxpool.sim.clock import HandClock
from maxpool.wire.credential import StoredCredential, encode
from tests.make import NOW, pool, state_of
from tests.refreshing import FolderVault

DAY = 86_400.0
LOGIN = StoredCredential(
    secret="at-1",
    origin="https://api.example",
    refresh_token="rt-1",
    expires_at=NOW + 600.0,
    granted_at=NOW,
)


class Watched(Logins):
    """Logins of account `a`; what they told of is in `told`."""

    told: list[str]

    def put(self, credential: StoredCredential) -> None:
        self.stored.vault.put("a", Secret(encode(credential)))

    @property
    def credential(self) -> Any:
        return self.pool.states["a"].credential


@pytest.fixture
def logins(tmp_path):
    told: list[str] = []
    journal = SqliteRefreshJournal(tmp_path / "logins.db")
    found = Watched(
        pool=pool("a"),
        stored=StoredLogins(FolderVault(tmp_path / "vault")),
        journal=journal,
        clock=HandClock(NOW),
        changed=told.append,
        belongs=lambda _, origin: origin == LOGIN.origin,
    )
    found.told = told
    found.put(LOGIN)
    yield found
    journal.close()


async def test_the_pool_hears_when_a_login_expires_and_when_its_grant_ends(logins):
    assert await logins.look("a") == LOGIN
    kept = logins.credential
    assert (kept.expires_at, kept.granted_at) == (NOW + 600, NOW)
    assert kept.grant_expires_at == NOW + 28 * DAY


async def test_a_token_that_is_not_refreshed_has_no_grant_that_ends(logins):
    logins.put(replace(LOGIN, refresh_token=None, expires_at=None))
    await logins.look("a")
    assert logins.credential.grant_expires_at is None


async def test_only_a_change_is_told(logins):
    for _ in range(3):
        await logins.look("a")
    assert logins.told == ["a"]


async def test_newer_tokens_of_the_same_login_are_no_new_login(logins):
    await logins.look("a")
    logins.put(replace(LOGIN, secret="at-2", refresh_token="rt-2"))
    await logins.look("a")
    assert (logins.credential.generation, logins.credential.refreshed_at) == (0, NOW)


async def test_another_sign_in_is_a_new_login(logins):
    await logins.look("a")
    logins.put(replace(LOGIN, secret="at-2", refresh_token="rt-2", granted_at=NOW + 9))
    await logins.look("a")
    assert logins.credential.generation == 1


async def test_a_login_that_is_over_serves_until_its_token_expires_and_then_locks(logins):  # T4
    await logins.look("a")
    logins.end("a", Over(LOGIN.fingerprint, "The login a has ended: maxpool login a"))
    assert logins.serves("a")
    assert state_of(logins.pool, "a") == "ready"
    logins.clock.advance(600.0)
    logins.lapse("a")
    assert state_of(logins.pool, "a", logins.clock.now()) == "locked_out"
    assert await logins.look("a") is None


async def test_a_new_login_makes_up_for_one_that_is_over(logins):  # T5
    await logins.look("a")
    logins.end("a", Over(LOGIN.fingerprint, "over", final=True))
    assert state_of(logins.pool, "a") == "locked_out"
    logins.put(replace(LOGIN, secret="at-2", refresh_token="rt-2", granted_at=NOW + 9))
    await logins.look("a")
    assert (state_of(logins.pool, "a"), logins.notices(), logins.credential.ending) == (
        "ready",
        [],
        "",
    )


async def test_what_was_over_in_the_last_run_and_is_not_any_more_is_forgotten(logins):
    logins.credential.ending = "lost"
    await logins.look("a")
    assert logins.credential.ending == ""


@pytest.mark.parametrize("token", ["at-1", "rt-1"])
async def test_a_dead_token_is_known_again_by_its_value_alone(logins, token):  # T5
    logins.journal.bury("a", digest(token), "invalid_grant", NOW)
    found = await logins.look("a")
    assert (found is None) is (token == "at-1")
    assert logins.credential.ending
    assert "maxpool login a" in logins.notices()[0]
    assert logins.credential.generation == 0


async def test_no_text_holds_a_token(logins, caplog):  # O6
    await logins.look("a")
    logins.ended("a", "revoked")
    await logins.bury("a")
    shown = caplog.text + repr(logins.over) + repr(logins.known) + "".join(logins.notices())
    assert "at-1" not in shown
    assert "rt-1" not in shown
    assert LOGIN.fingerprint in caplog.text


async def test_a_read_that_was_overtaken_by_a_refresh_brings_no_old_tokens_back(logins):
    await logins.look("a")
    fresh = replace(LOGIN, secret="at-2", refresh_token="rt-2")
    read = logins.stored.read

    async def slow(account_id: str) -> object:
        found = await read(account_id)
        logins.adopt("a", fresh, refreshed=True)
        return found

    logins.stored = type("Slow", (), {"read": staticmethod(slow), "unsaved": {}})()
    assert await logins.read("a") == fresh
    assert logins.known["a"] == fresh


async def test_a_login_got_for_another_origin_is_not_here(logins):  # X5
    await logins.look("a")
    assert logins.here("a")
    logins.put(replace(LOGIN, origin="https://elsewhere.example"))
    await logins.look("a")
    assert not logins.here("a")


async def test_a_login_that_was_taken_away_is_forgotten(logins):
    await logins.look("a")
    logins.stored.vault.delete("a")
    assert await logins.look("a") is None
    assert logins.known == {}
    assert logins.told == ["a", "a"]


async def test_a_token_that_its_owner_logs_in_with_again_gets_another_chance(logins):  # T5
    token = replace(LOGIN, secret="long-lived", refresh_token=None)
    logins.put(token)
    await logins.look("a")
    logins.ended("a", "not allowed for now")
    await logins.bury("a")
    logins.clock.time = NOW + 60.0
    again = replace(token, granted_at=NOW + 60.0)
    logins.put(again)
    assert await logins.look("a") == again
    assert (state_of(logins.pool, "a"), logins.notices()) == ("ready", [])
    logins.forget("a")
    assert await logins.look("a") == again, "and after a restart, too"
