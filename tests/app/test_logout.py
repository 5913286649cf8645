from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.app.keep import keep
from maxpool.app.login import Wish, prepare, sign_in_oauth
from maxpool.app.logins import LOCKS_FOLDER
from maxpool.app.logout import forget, prepare_logout, revoke, take_out, undisturbed
from maxpool.app.signin import Ways
from maxpool.app.vault import open_vault
from maxpool.config.load import load
from maxpool.errors import MaxpoolError
from maxpool.sim.faults import StatusFault
from maxpool.sim.problems import Problem
from maxpool.wire.credential import StoredCredential
from tests.logins import Browser, entries, kept, world
from tests.rig import plan


async def signed_in(one) -> None:
    login = prepare(Wish(name="work", kind="oauth", profile="demo"), one.config)
    credential, _ = await sign_in_oauth(login, Browser("juniper"), Ways(browser=False))
    keep(login, credential)


async def test_a_login_is_ended_at_the_provider_and_forgotten(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        await signed_in(one)
        account_id = entries(one)["work"].stable_id
        logout = prepare_logout("work", one.config)
        take_out(logout)
        assert not entries(one)["work"].enabled  # while it is being ended
        assert await revoke(logout) == "revoked"
        assert all(refresh.grant.revoked for refresh in one.sim.oauth.refreshes.values())
        forget(logout, keep_entry=False)
        assert entries(one) == {}
        assert open_vault(load(one.config).config).get(account_id) is None


async def test_what_the_provider_did_not_confirm_is_said_and_forgotten_here(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        await signed_in(one)
        down = StatusFault(problem=Problem(status=500, kind="api_error", message="down"))
        one.sim.inject(down, when=lambda seen: "revoke" in seen.path)
        logout = prepare_logout("work", one.config)
        assert await revoke(logout) == "failed"
        forget(logout, keep_entry=True)
        assert kept(one, "work") is None
        assert "work" in entries(one)


async def test_an_ended_login_can_be_logged_out_again(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        await signed_in(one)
        for _ in range(2):
            logout = prepare_logout("work", one.config)
            take_out(logout)
            await revoke(logout)
            forget(logout, keep_entry=True)
        assert await revoke(prepare_logout("work", one.config)) == "nothing to revoke"


async def test_the_token_that_is_ended_is_the_one_that_holds_now(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        await signed_in(one)
        early = prepare_logout("work", one.config)
        await signed_in(one)  # as a server's refresh would: another pair, of another grant
        with undisturbed(early) as now:
            assert now.credential == kept(one, "work") != early.credential
            locks = FileRefreshLocks(one.state / LOCKS_FOLDER)
            assert locks.acquire(now.entry.stable_id, 0.0) is None  # nobody renews it meanwhile
        freed = locks.acquire(now.entry.stable_id, 0.0)
        assert freed is not None
        freed.release()


async def test_a_key_has_no_endpoint_that_ends_it(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        login = prepare(Wish(name="k", kind="api_key"), one.config)
        keep(login, StoredCredential(secret="k", origin="http://127.0.0.1:9"))
        assert await revoke(prepare_logout("k", one.config)) == "no endpoint"


async def test_a_referenced_secret_is_left_where_it_is(tmp_path, monkeypatch):
    secret = tmp_path / "key"
    secret.write_text("the-key\n")
    more = f'[[accounts]]\nname = "filed"\nsecret = "file:{secret}"\n'
    async with world(tmp_path, monkeypatch, more=more) as one:
        logout = prepare_logout("filed", one.config)
        assert logout.vault is None
        assert await revoke(logout) == "nothing to revoke"
        forget(logout, keep_entry=False)
        assert entries(one) == {}
        assert secret.read_text() == "the-key\n"


async def test_a_wrong_name_touches_nothing_and_the_nearest_is_told(tmp_path, monkeypatch):
    more = '[[accounts]]\nname = "console"\nsecret = "env:X"\n'
    async with world(tmp_path, monkeypatch, more=more) as one:
        before = one.config.read_text()
        with pytest.raises(MaxpoolError, match="no account called 'consle'") as caught:
            prepare_logout("consle", one.config)
        assert caught.value.hint == "Did you mean console?"
        assert one.config.read_text() == before


async def test_a_login_is_ended_only_where_it_came_from(tmp_path, monkeypatch):  # X5
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        await signed_in(one)
        logout = prepare_logout("work", one.config)
        assert logout.credential is not None
        elsewhere = replace(logout.credential, issuer="https://far.example")
        assert await revoke(replace(logout, credential=elsewhere)) == "failed"
        assert not [seen for seen in one.sim.requests if "revoke" in seen.path]
