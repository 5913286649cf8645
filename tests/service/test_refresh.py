"""Logins are refreshed in time and once, whoever needs it; what is not to be refreshed is not."""

from __future__ import annotations

import asyncio

import pytest

from maxpool.errors import StateError
from maxpool.sim import faults
from tests.refreshing import LIFE_S, LOGIN, is_refresh, login_rig, world
from tests.rig import until


async def test_a_login_is_refreshed_before_it_expires_and_serves_with_its_new_token(tmp_path):
    async with login_rig(tmp_path) as it:
        before = it.stored()
        assert (await it.post()).account == "max"
        await it.due()
        after = it.stored()
        assert it.world.refreshes() == [before.refresh_token]
        assert after.secret != before.secret
        assert after.granted_at == before.granted_at
        assert (await it.post()).account == "max"
        assert it.sim.requests[-1].header("authorization") == f"Bearer {after.secret}"


async def test_nothing_is_refreshed_while_there_is_time(tmp_path):
    async with login_rig(tmp_path) as it:
        await it.tick()
        assert (await it.post()).account == "max"
        assert it.world.refreshes() == []


async def test_ten_requests_at_the_same_time_cause_one_refresh(tmp_path):  # T3
    async with login_rig(tmp_path) as it:
        it.clock.passed_s += LIFE_S + 5.0
        got = await asyncio.gather(*(it.post() for _ in range(10)))
        assert [one.account for one in got] == ["max"] * 10
        assert len(it.world.refreshes()) == 1


async def test_two_runs_on_one_folder_cause_one_refresh(tmp_path):  # T3
    async with world() as of, login_rig(tmp_path, of) as one, login_rig(tmp_path, of) as two:
        of.clock.passed_s += LIFE_S - 300.0
        await asyncio.gather(one.tick(), two.tick())
        assert len(of.refreshes()) == 1
        assert (await one.post()).account == (await two.post()).account == "max"
        assert one.stored().secret in (one.sim.requests[-1].header("authorization") or "")


async def test_a_refused_token_is_refreshed_and_the_same_account_answers(tmp_path):  # T7
    async with login_rig(tmp_path) as it:
        it.sim.inject(faults.unauthorized(), "max")
        assert (await it.post()).account == "max"
        assert len(it.world.refreshes()) == 1


async def test_a_token_refused_twice_lets_another_account_answer(tmp_path):  # T7
    async with login_rig(tmp_path) as it:
        it.sim.inject(faults.unauthorized(), "max", times=None)
        got = await it.post()
        assert (got.status, got.account) == (200, "spare")
        assert it.asked() == ["max", "max", "max", "spare"], "one refresh between two tries"
        assert len(it.world.refreshes()) == 1
        assert (await it.state("max"))["state"] == "locked_out"


async def test_a_token_refused_right_after_its_refresh_is_tried_again_without_another(
    tmp_path,
):  # T7
    async with login_rig(tmp_path) as it:
        for _ in range(3):
            it.sim.inject(faults.unauthorized(), "max")
            assert (await it.post()).account == "max"
        assert len(it.world.refreshes()) == 1


async def test_many_refused_requests_cause_one_refresh(tmp_path):  # T3 T7
    async with login_rig(tmp_path) as it:
        it.sim.inject(faults.unauthorized(), "max", times=5)
        got = await asyncio.gather(*(it.post() for _ in range(5)))
        assert {one.status for one in got} == {200}
        assert len(it.world.refreshes()) == 1


async def test_a_disabled_account_is_never_refreshed(tmp_path):  # T8
    async with login_rig(tmp_path) as it:
        await it.admin("POST", "/accounts/max/disable")
        await it.due()
        it.clock.passed_s += LIFE_S
        await it.tick()
        assert (await it.admin("POST", "/accounts/max/refresh")).status == 409
        assert it.world.refreshes() == []
        await it.admin("POST", "/accounts/max/enable")
        await it.tick()
        assert len(it.world.refreshes()) == 1


async def test_an_account_disabled_while_it_serves_is_not_refreshed_by_a_401(tmp_path):  # T8
    async with login_rig(tmp_path) as it:
        hold = faults.HangFault(seconds=0.2)
        it.sim.inject(hold, "max")
        asking = asyncio.ensure_future(it.post())
        await until(lambda: it.asked())
        await it.admin("POST", "/accounts/max/disable")
        stored = it.stored()
        await it.refresher.renew(LOGIN, stored)
        await asking
        assert it.world.refreshes() == []


async def test_the_admin_api_refreshes_now_and_says_so(tmp_path):
    async with login_rig(tmp_path) as it:
        got = await it.admin("POST", "/accounts/max/refresh")
        assert (got.status, len(it.world.refreshes())) == (200, 1)
        assert "max: it has new tokens." in got.body.decode()
        assert (await it.admin("POST", "/accounts/spare/refresh")).status == 409


async def test_a_new_login_in_the_vault_is_used_at_once_when_the_server_is_told(tmp_path):  # T12
    async with login_rig(tmp_path) as it:
        await it.post()
        fresh = it.sign_in()
        assert (await it.admin("POST", "/accounts/max/refresh")).status == 200
        assert it.world.refreshes() == []
        await it.post()
        assert it.sim.requests[-1].header("authorization") == f"Bearer {fresh.secret}"


async def test_a_reload_finds_a_new_login_too(tmp_path):  # T12
    async with login_rig(tmp_path) as it:
        await it.post()
        fresh = it.sign_in()
        await it.proxy.revival.look()
        await it.post()
        assert it.sim.requests[-1].header("authorization") == f"Bearer {fresh.secret}"


async def test_a_login_that_went_away_locks_its_account_and_says_what_to_do(tmp_path):
    async with login_rig(tmp_path) as it:
        it.vault.delete(LOGIN)
        await it.proxy.revival.look()
        assert (await it.post()).account == "spare"
        assert "maxpool login max" in await it.notices()


async def test_what_expired_while_nothing_ran_is_refreshed_at_the_start(tmp_path):
    async with world() as of:
        async with login_rig(tmp_path, of):
            pass
        of.clock.passed_s += 3 * LIFE_S
        async with login_rig(tmp_path, of) as it:
            await until(lambda: of.refreshes() and not it.refresher.running)
            assert (await it.state("max"))["state"] == "ready"


async def test_a_refresh_that_runs_at_the_end_is_waited_for(tmp_path):
    async with world() as of:
        of.sim.inject(faults.HangFault(seconds=0.3), when=is_refresh)
        async with login_rig(tmp_path, of) as it:
            before = it.stored()
            of.clock.passed_s += LIFE_S - 300.0
            await it.refresher.tick()
            await until(lambda: of.refreshes())
        assert it.stored().secret != before.secret
        assert it.parts.journal.begun() == ()


async def test_who_is_in_a_hurry_waits_for_no_refresh_and_hears_of_it_next_time(tmp_path):  # O3 O5
    async with world() as of:
        of.sim.inject(faults.HangFault(), when=is_refresh)
        async with login_rig(tmp_path, of) as it:
            of.clock.passed_s += LIFE_S - 300.0
            await it.refresher.tick()
            await until(lambda: of.refreshes())
            it.parts.hurry.set()
        async with login_rig(tmp_path, of) as it:
            assert "was being refreshed when the program ended" in await it.notices()


async def test_a_client_that_goes_away_takes_no_refresh_along(tmp_path):
    async with login_rig(tmp_path) as it:
        it.clock.passed_s += LIFE_S + 5.0
        asking = asyncio.ensure_future(it.refresher.current(LOGIN))
        await until(lambda: it.refresher.running)
        asking.cancel()
        await until(lambda: not it.refresher.running)
        assert it.refresher.renewal.refreshes == 1


async def test_a_vault_that_hiccups_takes_no_working_login_away(tmp_path):  # O4 T9
    async with login_rig(tmp_path) as it:
        await it.post()
        it.vault.broken = True
        await it.proxy.revival.look()
        await it.due()
        assert (await it.post()).account == "max"
        assert it.world.refreshes() == [], "nothing is spent that could not be stored"
        it.vault.broken = False
        it.clock.passed_s += 30.0
        await it.tick()
        assert len(it.world.refreshes()) == 1


@pytest.mark.parametrize("given", [{"margin": "10min"}, {"ahead": "20min"}])
async def test_the_settings_say_when(tmp_path, given):
    async with login_rig(tmp_path, refresh=given) as it:
        it.clock.passed_s += LIFE_S - 900.0
        await it.tick()
        assert len(it.world.refreshes()) == ("ahead" in given)
        it.clock.passed_s += 350.0
        await it.post()
        assert len(it.world.refreshes()) == 1


async def test_a_refresh_whose_end_cannot_be_noted_has_not_failed(tmp_path, monkeypatch):  # T6
    async with login_rig(tmp_path) as it:

        def full(account_id: str) -> None:
            raise StateError("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(it.journal, "end", full)
            await it.due()
        assert (await it.status())["jobs"]["refresh"]["failures"] == 0
        assert (await it.post()).account == "max"
        it.clock.passed_s += LIFE_S
        await it.tick()
        assert len(it.world.refreshes()) == 2
        assert it.journal.begun() == ()


async def test_a_login_that_was_made_a_moment_ago_is_taken_and_not_refreshed(tmp_path):  # T12
    async with login_rig(tmp_path) as it:
        it.clock.passed_s += 600.0
        fresh = it.sign_in()
        await it.proxy.revival.look()
        got = await it.admin("POST", "/accounts/max/refresh")
        assert (got.status, it.world.refreshes(), it.stored()) == (200, [], fresh)


async def test_a_server_that_ends_waits_for_no_lock_of_another_process(tmp_path):
    async with login_rig(tmp_path) as it:
        held = it.parts.locks.acquire(LOGIN, 0.0)
        assert held is not None
        it.clock.passed_s += LIFE_S - 300.0
        await it.refresher.tick()
        await asyncio.wait_for(it.parts.aclose(), 5.0)
        held.release()
        assert it.world.refreshes() == []


async def test_a_token_that_lasts_minutes_only_is_not_refreshed_all_the_time(tmp_path):
    async with login_rig(tmp_path) as it:
        it.clock.passed_s += 60.0
        it.sign_in(expires_at=it.clock.now() + 300.0)
        await it.proxy.revival.look()
        for _ in range(3):
            it.clock.passed_s += 40.0
            await it.tick()
        assert it.world.refreshes() == []
        it.clock.passed_s += 40.0
        await it.tick()
        assert len(it.world.refreshes()) == 1


async def test_locks_that_cannot_be_used_stop_no_start(tmp_path):  # O4
    async with login_rig(tmp_path) as it:
        it.journal.begin(LOGIN, it.stored().fingerprint, it.clock.now())
        (tmp_path / "locks").write_text("in the way")
        await it.refresher.start()
        assert (await it.post()).account == "max"
        await it.due()
        assert it.world.refreshes() == []
