"""One refresh: whatever becomes of it, no token is sent twice and no login is lost without a word."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from maxpool.adapters.journal import SqliteRefreshJournal
from maxpool.errors import StateError
from maxpool.sim import faults
from maxpool.sim.faults import CutFault, GarbageFault, HangFault
from maxpool.sim.problems import Problem
from tests.refreshing import LIFE_S, LOGIN, is_refresh, login_rig, world
from tests.rig import until

DAY = 86_400.0
QUICK = {"read_timeout": "200ms"}


def reset(*, status: int = 503, after: str | None = None) -> faults.Fault:
    headers = (("retry-after", after),) if after is not None else ()
    return faults.status(status, "later", headers=headers)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
async def test_a_busy_token_endpoint_is_asked_again_and_the_login_stays(tmp_path, status):  # T1 T9
    async with login_rig(tmp_path) as it:
        before = it.stored()
        it.sim.inject(reset(status=status), when=is_refresh)
        await it.due()
        assert it.stored() == before
        assert (await it.post()).account == "max"
        await it.tick()
        assert len(it.world.refreshes()) == 1, "not before the pause is over"
        it.clock.passed_s += 6.0
        await it.tick()
        assert it.stored().secret != before.secret
        assert await it.notices() == ""


async def test_pauses_grow_and_last_as_long_as_the_endpoint_asked(tmp_path):  # T1
    async with login_rig(tmp_path) as it:
        it.sim.inject(reset(), when=is_refresh)
        it.sim.inject(reset(status=429, after="100"), when=is_refresh)
        it.sim.inject(reset(), when=is_refresh, times=None)
        await it.due()
        tried_at = [0.0]
        for step in range(150):
            it.clock.passed_s += 2.0
            await it.tick()
            if len(it.world.refreshes()) > len(tried_at):
                tried_at.append(2.0 * (step + 1))
        assert [b - a for a, b in itertools.pairwise(tried_at)] == pytest.approx(
            [6.0, 100.0, 60.0, 120.0], abs=3.0
        )


async def test_an_endpoint_that_cannot_be_reached_costs_nothing(tmp_path):  # T1 T9
    nowhere = {"sim": _profile("http://127.0.0.1:1")}
    async with login_rig(tmp_path, oauth=nowhere) as it:
        before = it.stored()
        await it.due()
        assert it.stored() == before
        assert it.parts.journal.begun() == ()
        assert (await it.post()).account == "max"
        assert "max could not be refreshed: refused" in await it.notices()


async def test_an_expired_login_that_cannot_be_refreshed_yet_waits_for_its_time(tmp_path):  # T9
    async with login_rig(tmp_path) as it:
        it.sim.inject(reset(after="40"), when=is_refresh)
        it.clock.passed_s += LIFE_S + 5.0
        assert (await it.post()).account == "spare"
        state = await it.state("max")
        assert (state["state"], state["unavailable"]["reason"]) == ("cooling", "network")
        assert state["unavailable"]["until"] == pytest.approx(it.clock.now() + 40, abs=3)
        it.clock.passed_s += 41.0
        await it.tick()
        assert (await it.post()).account == "max"


async def test_a_failed_early_refresh_leaves_the_account_as_it_is(tmp_path):  # T4
    async with login_rig(tmp_path) as it:
        it.sim.inject(_oauth_error("invalid_grant"), when=is_refresh)
        await it.due()
        assert (await it.state("max"))["state"] == "ready"
        assert (await it.post()).account == "max"
        assert "has ended (invalid_grant" in (await it.credential())["ending"]
        it.clock.passed_s += 301.0
        await it.tick()
        assert (await it.state("max"))["state"] == "locked_out"
        assert (await it.post()).account == "spare"


async def test_a_401_brings_no_dead_token_back(tmp_path):  # T5 T7
    async with login_rig(tmp_path) as it:
        it.sim.inject(_oauth_error("invalid_grant"), when=is_refresh)
        await it.due()
        it.sim.inject(faults.unauthorized(), "max")
        assert (await it.post()).account == "max", "one 401 may be the upstream's slip"
        assert (await it.admin("POST", "/accounts/max/refresh")).status == 409
        assert len(it.world.refreshes()) == 1


async def test_a_dead_token_is_sent_once_even_over_a_restart(tmp_path):  # T5
    async with world() as of:
        async with login_rig(tmp_path, of) as it:
            it.sim.oauth.revoke_person("max")
            of.clock.passed_s += LIFE_S + 5.0
            for _ in range(3):
                assert (await it.post()).account == "spare"
                await it.tick()
                of.clock.passed_s += 600.0
        async with login_rig(tmp_path, of) as it:
            assert (await it.state("max"))["state"] == "locked_out"
            await it.tick()
            assert (await it.post()).account == "spare"
            assert len(of.refreshes()) == 1
            assert "maxpool login max" in await it.notices()


async def test_a_new_login_clears_a_dead_one(tmp_path):  # T5 T12
    async with login_rig(tmp_path) as it:
        it.sim.oauth.revoke_person("max")
        it.clock.passed_s += LIFE_S + 5.0
        await it.tick()
        assert (await it.state("max"))["state"] == "locked_out"
        it.sign_in()
        await it.tick()
        credential = await it.credential()
        assert (credential["dead"], credential["ending"], await it.notices()) == (None, None, "")
        assert (await it.post()).account == "max"


async def test_a_revoked_access_token_ends_the_login_for_good(tmp_path):  # T5 T7
    async with world() as of:
        async with login_rig(tmp_path, of) as it:
            it.sim.oauth.revoke_person("max")
            assert (await it.post()).account == "spare"
            await it.tick()
        async with login_rig(tmp_path, of) as it:
            assert (await it.state("max"))["state"] == "locked_out"
            await it.due()
            assert of.refreshes() == []


AMBIGUOUS = [
    pytest.param(CutFault(), id="reset"),
    pytest.param(HangFault(), id="silence"),
    pytest.param(HangFault(after=0), id="half an answer"),
    pytest.param(GarbageFault(kind="html"), id="html"),
    pytest.param(GarbageFault(kind="empty"), id="empty"),
    pytest.param(faults.status(504, "gateway timeout"), id="504"),
]


@pytest.mark.parametrize("fault", AMBIGUOUS)
async def test_an_answer_that_was_lost_is_never_asked_for_again(tmp_path, fault):  # T1
    async with world() as of:
        async with login_rig(tmp_path, of, refresh=QUICK) as it:
            mark = it.stored().fingerprint
            it.sim.inject(fault, when=is_refresh)
            await it.due()
            for _ in range(3):
                await it.tick()
                of.clock.passed_s += 60.0
            assert (await it.post()).account == "max", "its access token is still good"
            assert mark in await it.notices()
            of.clock.passed_s += LIFE_S
            assert (await it.post()).account == "spare"
        async with login_rig(tmp_path, of) as it:
            await it.tick()
            assert (await it.state("max"))["state"] == "locked_out"
            assert "maxpool login max" in await it.notices()
            assert it.proxy.pool.states[LOGIN].credential.generation == 0, "no new login was seen"
        assert len(of.refreshes()) == 1


async def test_new_tokens_that_cannot_be_stored_are_used_and_stored_later(tmp_path):  # T6
    async with world() as of:
        async with login_rig(tmp_path, of) as it:
            before, it.vault.full = it.stored(), True
            await it.due()
            assert it.stored() == before
            got = await it.post()
            assert (got.account, it.refresher.renewal.failures) == ("max", 0)
            assert before.secret not in (it.sim.requests[-1].header("authorization") or "")
            assert "could not be stored" in await it.notices()
            assert it.parts.journal.begun() != (), (
                "a crash now would lose the login, and it would be said"
            )
            it.vault.full = False
            of.clock.passed_s += 2.0
            await it.tick()
            assert it.stored().secret != before.secret
            assert (await it.notices(), it.parts.journal.begun()) == ("", ())
            await it.due()
        assert len(set(of.refreshes())) == len(of.refreshes()) == 2


async def test_unsaved_tokens_are_refreshed_in_their_turn_and_no_old_one_comes_back(tmp_path):  # T6
    async with world() as of:
        async with login_rig(tmp_path, of) as it:
            it.vault.full = True
            await it.due()
            await it.due()
            assert len(set(of.refreshes())) == 2
            kept = tmp_path / "vault" / LOGIN
            old = kept.read_text()
            it.vault.full = False
        assert kept.read_text() != old, "the end of the program tries once more"
        kept.write_text(old)  # as if it had been killed instead
        async with login_rig(tmp_path, of) as it:
            it.clock.passed_s += LIFE_S
            await it.tick()
        sent = of.refreshes()
        assert len(set(sent)) == len(sent)


async def test_a_new_login_counts_more_than_tokens_that_wait_to_be_stored(tmp_path):  # T6
    async with login_rig(tmp_path) as it:
        it.vault.full = True
        await it.due()
        it.vault.full = False
        fresh = it.sign_in()
        it.clock.passed_s += 2.0
        await it.tick()
        assert it.stored() == fresh
        assert await it.notices() == ""


async def test_a_login_made_while_a_refresh_runs_is_not_overwritten(tmp_path):  # T11 T12
    async with login_rig(tmp_path) as it:
        it.sim.inject(HangFault(seconds=0.3), when=is_refresh)
        it.clock.passed_s += LIFE_S - 300.0
        await it.refresher.tick()
        await until(it.world.refreshes)
        fresh = it.sign_in()
        await it.tick()
        assert it.stored() == fresh
        assert (await it.post()).account == "max"
        assert it.sim.requests[-1].header("authorization") == f"Bearer {fresh.secret}"
        assert it.parts.journal.begun() == ()


async def test_a_dead_token_that_cannot_be_buried_is_not_sent_again_either(tmp_path):  # T5 O4
    async with world() as of:
        async with login_rig(tmp_path, of) as it:
            it.sim.oauth.revoke_person("max")
            it.refresher.logins.journal = NoGraves()
            await it.due()
            await it.tick()
            assert it.parts.journal.begun() != ()
        async with login_rig(tmp_path, of) as it:
            it.clock.passed_s += LIFE_S
            await it.tick()
            assert len(of.refreshes()) == 1
            assert "maxpool login max" in await it.notices()


@pytest.mark.slow
async def test_a_login_ends_after_28_days_and_says_so_before(tmp_path):
    async with login_rig(tmp_path) as it:
        granted_at = it.stored().granted_at or 0.0
        assert (await it.credential())["grant_expires_at"] == granted_at + 28 * DAY
        for _ in range(28 * 3 + 4):
            await it.due()
        assert (await it.credential())["ending"]
        count = len(it.world.refreshes())
        it.clock.passed_s += DAY
        await it.tick()
        assert (await it.state("max"))["state"] == "locked_out"
        assert len(it.world.refreshes()) == count


async def test_an_answer_without_a_new_refresh_token_keeps_the_old_one(tmp_path):
    async with login_rig(tmp_path) as it:
        before = it.stored()
        body = b'{"access_token": "sk-ant-oat01-given-0123456789", "expires_in": "600"}'
        it.sim.inject(_answer(200, body), when=is_refresh)
        await it.due()
        after = it.stored()
        assert (after.secret, after.refresh_token) == (
            "sk-ant-oat01-given-0123456789",
            before.refresh_token,
        )
        assert after.scopes == before.scopes
        assert after.expires_at == pytest.approx(it.clock.now() + 600, abs=5)


async def test_scopes_are_sent_again_so_that_none_gets_lost(tmp_path):
    async with world(refresh_drops_profile=True) as of, login_rig(tmp_path, of) as it:
        await it.due()
        assert "user:profile" in it.stored().scopes


async def test_a_refusal_of_the_client_is_no_refusal_of_the_token(tmp_path):
    async with login_rig(tmp_path) as it:
        it.sim.inject(_oauth_error("invalid_client"), when=is_refresh)
        await it.due()
        assert "invalid_client" in await it.notices()
        it.clock.passed_s += 890.0
        await it.tick()
        assert len(it.world.refreshes()) == 1
        it.clock.passed_s += 20.0
        await it.tick()
        assert (await it.state("max"))["state"] == "ready"


async def test_a_refresh_token_goes_only_where_it_came_from(tmp_path):  # X5
    elsewhere = {"sim": _profile("https://elsewhere.invalid")}
    async with login_rig(tmp_path, oauth=elsewhere) as it:
        it.sign_in(issuer=it.upstream.url)
        await it.tick()
        await it.proxy.revival.look()
        await it.due()
        assert "its token_url leads to https://elsewhere.invalid" in await it.notices()
        assert (await it.post()).account == "max"


async def test_a_missing_profile_is_said_and_nothing_is_lost(tmp_path):
    async with login_rig(tmp_path) as it:
        before = it.stored()
        it.refresher.issuer = lambda _: None
        await it.due()
        assert "[oauth.NAME] section is missing" in await it.notices()
        assert it.stored() == before


async def test_a_journal_that_cannot_be_written_costs_refreshes_only(tmp_path):  # O4
    async with login_rig(tmp_path) as it:
        it.journal.close()
        (tmp_path / "logins.db").unlink()
        (tmp_path / "logins.db").mkdir()
        await it.due()
        assert it.world.refreshes() == []
        assert (await it.post()).account == "max"
        assert "logins.db" in await it.notices()
        (tmp_path / "logins.db").rmdir()
        it.clock.passed_s += 6.0
        await it.tick()
        assert len(it.world.refreshes()) == 1


@pytest.mark.parametrize("due", [True, False])
async def test_a_broken_journal_is_set_aside_and_doubt_falls_on_what_was_due(
    tmp_path, due
):  # O2 O3
    async with world() as of:
        async with login_rig(tmp_path, of) as it:
            if due:  # its tokens have expired as the journal is written for the last time
                it.sign_in(expires_at=of.clock.now() - 5.0)
        (tmp_path / "logins.db").write_bytes(b"this is no database" * 100)
        of.clock.passed_s += LIFE_S
        async with login_rig(tmp_path, of) as it:
            await it.tick()
            assert len(of.refreshes()) == (0 if due else 1)
            assert ("maxpool login max" in await it.notices()) is due
            assert (tmp_path / "logins.db.broken-1").exists()


class NoGraves(SqliteRefreshJournal):
    """A journal on a full disk."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))

    def bury(self, account_id: str, token_digest: str, reason: str, at: float) -> None:
        raise StateError("the disk is full")

    def dead(self, token_digest: str, since: float | None = None) -> str | None:
        return None


def _profile(url: str) -> dict[str, str]:
    return {
        "authorize_url": f"{url}/oauth/authorize",
        "token_url": f"{url}/v1/oauth/token",
        "client_id": "maxpool-demo",
        "token_body": "json",
    }


def _answer(status: int, body: bytes) -> faults.Fault:
    problem = Problem(
        status=status, kind="x", message="", body=body, content_type="application/json"
    )
    return faults.StatusFault(problem=problem)


def _oauth_error(code: str) -> faults.Fault:
    return _answer(400, b'{"error": "%s", "error_description": "so it is"}' % code.encode())
