"""Logins of a whole proxy: bound to their origin, following the config, told of on the status page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool.app.logins import refreshing
from maxpool.config.model import Config
from maxpool.core.health import HealthState
from maxpool.errors import SecretError
from maxpool.ports import Destination, Secret
from maxpool.wire.credential import encode
from tests.refreshing import LOGIN, LoginRig, config_of, login_rig, world

FAR = "https://far.example"


def lead(it: LoginRig, url: str) -> None:
    """A new config leads the account elsewhere."""
    entry = {"base_url": url, "serves": ["claude-code"]}
    it.proxy.apply(config_of(it.upstream.url, entry=entry))


def locked(it: LoginRig) -> bool:
    return it.proxy.pool.states[LOGIN].health.state is HealthState.LOCKED_OUT


async def test_a_login_got_for_another_origin_locks_its_account(tmp_path):  # X5
    async with login_rig(tmp_path) as it:
        it.sign_in(origin=FAR)
        await it.proxy.revival.look()
        assert locked(it)
        assert (await it.post()).account == "spare"
        assert FAR in (await it.credential())["dead"]
        assert all(seen.account != "max" for seen in it.sim.requests if seen.method == "POST")


async def test_a_changed_base_url_sends_no_credential_there(tmp_path):  # X5
    async with login_rig(tmp_path) as it:
        it.sign_in(origin=it.upstream.url)
        lead(it, FAR)
        assert locked(it)
        with pytest.raises(SecretError, match="belongs to"):
            await it.proxy.tokens.bearer(LOGIN, Destination(base_url=FAR))


async def test_a_confirmed_origin_is_kept_with_the_login(tmp_path):  # X5
    async with world() as of, login_rig(tmp_path, of) as it:
        lead(it, FAR)
        assert (await it.admin("POST", "/accounts/max/confirm")).status == 200
        await it.tick()
        assert it.stored().origin == FAR
        assert not locked(it)
        assert of.refreshes() == []


async def test_a_new_login_for_the_new_origin_needs_no_confirmation(tmp_path):  # X5
    async with login_rig(tmp_path) as it:
        lead(it, FAR)
        await it.proxy.revival.look()
        assert locked(it)
        it.sign_in(origin=FAR)
        await it.proxy.revival.look()
        assert not locked(it)


async def test_a_login_moves_freely_on_this_machine(tmp_path):
    async with world() as of:
        async with login_rig(tmp_path, of) as it:
            it.sign_in(origin="http://localhost:1")
        async with login_rig(tmp_path, of) as it:
            assert (await it.post()).account == "max"
            await it.tick()
            assert it.stored().origin == of.url


async def test_the_status_page_tells_of_each_credential_and_counts_refreshes(tmp_path):
    async with login_rig(tmp_path) as it:
        before = await it.credential()
        assert set(before) >= {"kind", "expires_at", "refreshed_at", "grant_expires_at", "dead"}
        assert (before["kind"], before["refreshed_at"], before["dead"]) == ("oauth", None, None)
        await it.due()
        after = await it.credential()
        assert after["refreshed_at"] == pytest.approx(it.clock.now(), abs=5)
        assert after["expires_at"] > before["expires_at"]
        assert after["grant_expires_at"] == before["grant_expires_at"]
        counts = (await it.status())["jobs"]["refresh"]
        assert (counts["refreshes"], counts["failures"]) == (1, 0)


async def test_a_reload_changes_when_logins_are_refreshed(tmp_path):
    async with login_rig(tmp_path) as it:
        it.clock.passed_s += 5 * 3600.0
        await it.tick()
        assert it.world.refreshes() == []
        it.proxy.apply(config_of(it.upstream.url, refresh={"ahead": "4h"}))
        await it.tick()
        assert len(it.world.refreshes()) == 1


async def test_what_is_no_login_any_more_is_not_refreshed(tmp_path):
    async with login_rig(tmp_path) as it:
        entry = {"kind": "api_key", "oauth": None, "secret": "env:spare"}
        it.proxy.apply(config_of(it.upstream.url, entry=entry))
        await it.due()
        assert it.world.refreshes() == []
        assert it.refresher.logins.known == {}


async def test_an_oauth_login_is_sent_as_a_bearer_whatever_it_looks_like(tmp_path):
    async with login_rig(tmp_path) as it:
        it.vault.put(LOGIN, Secret(encode(replace(it.stored(), secret="plain-token"))))
        await it.proxy.revival.look()
        here = Destination(base_url=it.upstream.url)
        assert (await it.proxy.tokens.bearer(LOGIN, here)).header == (
            b"authorization",
            b"Bearer plain-token",
        )


async def test_a_subscriptions_token_is_for_claude_code_only_unless_it_is_invented(tmp_path):
    async with login_rig(tmp_path) as it:
        it.sign_in(origin=FAR)
        it.proxy.apply(config_of(it.upstream.url, entry={"base_url": FAR}))
        await it.proxy.revival.look()
        with pytest.raises(SecretError, match="subscription"):
            await it.proxy.tokens.bearer(LOGIN, Destination(base_url=FAR))
        lead(it, FAR)
        assert (await it.proxy.tokens.bearer(LOGIN, Destination(base_url=FAR))).oauth


def test_a_journal_that_cannot_be_opened_stops_no_start(tmp_path):  # O2 O4
    (tmp_path / "logins.db").mkdir()
    config = Config.model_validate({"storage": {"folder": str(tmp_path)}})
    assert "Logins cannot be refreshed" in refreshing(config, tmp_path).notice


def test_a_broken_journal_is_named(tmp_path):  # O2
    (tmp_path / "logins.db").write_bytes(b"nonsense" * 1000)
    config = Config.model_validate({"storage": {"folder": str(tmp_path)}})
    parts = refreshing(config, tmp_path)
    assert "logins.db.broken-1" in parts.notice
    assert parts.broken_at is not None


async def test_a_run_time_account_gets_no_login_out_of_the_vault(tmp_path):  # X5
    async with login_rig(tmp_path) as it:
        left = replace(it.stored(), secret="left-behind", origin=FAR)
        it.vault.put("gone", Secret(encode(left)))
        given = {"name": "new", "id": "gone", "kind": "provider", "base_url": it.upstream.url}
        assert (await it.admin("POST", "/accounts", given)).status == 201
        found = await it.proxy.tokens.bearer("gone", it.proxy.destinations["gone"])
        assert found.header is None


async def test_another_way_of_sending_a_secret_counts_from_the_reload_on(tmp_path):
    async with login_rig(tmp_path) as it:
        assert (await it.post()).account == "max"
        it.proxy.apply(config_of(it.upstream.url, entry={"auth_header": "x-token"}))
        found = await it.proxy.tokens.bearer(LOGIN, it.proxy.destinations[LOGIN])
        assert found.header == (b"x-token", it.stored().secret.encode())
