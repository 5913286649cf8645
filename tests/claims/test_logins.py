"""`maxpool login` and `logout` beside a real `maxpool serve` (T10-T12, S13, X5)."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from maxpool.sim.faults import HangFault
from tests.claims.test_operations import Place, serving
from tests.cli.terminals import typing
from tests.logins import as_person, command, entries, kept, visit, world
from tests.rig import CLAUDE_CODE, Rig, ask, key, plan, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from maxpool.sim.plans import SimAccount

pytestmark = pytest.mark.slow

CONSOLE, SPARE = key("console"), key("spare")
FOLLOWS_S = 1.0


@asynccontextmanager
async def running(tmp_path, monkeypatch, *people: SimAccount) -> AsyncIterator[tuple[Place, Rig]]:
    async with world(tmp_path, monkeypatch, *people) as one, serving(one) as (_, rig):
        yield one, rig


async def signs_in(tmp_path, name: str, person: str) -> str:
    """Log in with a browser; what the terminal showed."""
    with typing("login", name, "--oauth", "demo", env={}, cwd=tmp_path) as it:
        await asyncio.to_thread(it.until, "address (hidden): ")
        found = re.search(r"http://\S+/oauth/authorize\S+", it.seen)
        assert found is not None
        await visit(as_person(found[0], person))
        assert await asyncio.to_thread(it.end) == 0, it.seen
    return it.seen


async def test_a_new_account_serves_as_soon_as_its_login_has_ended(tmp_path, monkeypatch):  # T12
    async with running(tmp_path, monkeypatch, CONSOLE) as (_, rig):
        refused = await rig.post()
        assert refused.json["maxpool"]["reason"] == "no_accounts"
        done = await command("login", "console", "--api-key", "--stdin", given=CONSOLE.secret)
        assert done.code == 0, done.err
        assert "The running server uses it now" in done.out
        async with asyncio.timeout(FOLLOWS_S):
            assert (await rig.post()).account == "console"


async def test_a_login_harms_no_running_stream(tmp_path, monkeypatch):  # T12
    async with running(tmp_path, monkeypatch, CONSOLE, SPARE) as (one, rig):
        await command("login", "console", "--api-key", "--stdin", given=CONSOLE.secret)
        one.sim.inject(HangFault(after="delta", seconds=4.0), "console")
        stream = asyncio.ensure_future(rig.post(ask()))
        await until(lambda: one.sim.truth("console").in_flight)
        await command("login", "spare", "--api-key", "--stdin", given=SPARE.secret)
        await command("logout", "console", "--yes")
        assert (await stream).whole
        assert (await rig.post()).account == "spare"


async def test_a_browser_login_serves_claude_code_through_a_bearer(tmp_path, monkeypatch):
    async with running(tmp_path, monkeypatch, plan("juniper")) as (one, rig):
        await signs_in(tmp_path, "work", "juniper")
        got = await rig.post(headers=CLAUDE_CODE)
        assert (got.account, got.whole) == ("work", True)
        sent = {n.lower(): v for n, v in one.sim.requests[-1].headers}
        assert sent[b"authorization"].startswith(b"Bearer sk-ant-oat01-")
        assert b"x-api-key" not in sent


async def test_a_dead_login_serves_again_after_a_new_one(tmp_path, monkeypatch):  # T12
    async with running(tmp_path, monkeypatch, plan("juniper")) as (one, rig):
        await signs_in(tmp_path, "work", "juniper")
        first = entries(one)["work"].id
        one.sim.oauth.revoke_person("juniper")
        assert not (await rig.post(headers=CLAUDE_CODE)).whole
        assert "work has a new login." in await signs_in(tmp_path, "work", "juniper")
        async with asyncio.timeout(FOLLOWS_S):
            assert (await rig.post(headers=CLAUDE_CODE)).account == "work"
        assert entries(one)["work"].id == first


async def test_the_same_login_twice_is_one_account(tmp_path, monkeypatch):  # S13
    async with running(tmp_path, monkeypatch, plan("juniper")) as (one, rig):
        await signs_in(tmp_path, "work", "juniper")
        before = kept(one, "work")
        assert "This is already work; it has the new login." in await signs_in(
            tmp_path, "again", "juniper"
        )
        assert list(entries(one)) == ["work"]
        assert kept(one, "work") != before
        assert (await rig.post(headers=CLAUDE_CODE)).whole
        assert len((await rig.status())["accounts"]) == 1


async def test_two_organisations_of_one_person_are_two_accounts(tmp_path, monkeypatch):  # S13
    mine = (plan("at-work", person="me"), plan("at-home", person="me"))
    assert mine[0].person_id == mine[1].person_id
    async with running(tmp_path, monkeypatch, *mine) as (one, rig):
        await signs_in(tmp_path, "work", "at-work")
        await signs_in(tmp_path, "home", "at-home")
        assert len({entry.id for entry in entries(one).values()}) == 2
        assert len((await rig.status())["accounts"]) == 2


async def test_a_login_for_a_new_address_is_the_owners_word_for_it(tmp_path, monkeypatch):  # X5
    async with running(tmp_path, monkeypatch, CONSOLE) as (one, rig):
        asked = ("login", "console", "--api-key", "--stdin")
        await command(*asked, given=CONSOLE.secret)
        assert (await rig.post()).account == "console"
        there = one.upstream_url.replace("127.0.0.1", "localhost")
        done = await command(*asked, "--base-url", there, given=CONSOLE.secret)
        assert "The running server uses it now" in done.out, done.err
        stored = kept(one, "console")
        assert stored is not None
        assert stored.origin == there
        assert (await rig.post()).account == "console"


async def test_a_logout_ends_the_login_at_the_provider_and_here(tmp_path, monkeypatch):  # T12
    async with running(tmp_path, monkeypatch, plan("juniper")) as (one, rig):
        await signs_in(tmp_path, "work", "juniper")
        assert (await rig.post(headers=CLAUDE_CODE)).whole
        done = await command("logout", "work", "--yes", "--json")
        said = json.loads(done.out)
        assert (said["at_provider"], said["server"]) == ("revoked", "follows")
        async with asyncio.timeout(FOLLOWS_S):
            assert (await rig.status())["accounts"] == []
        assert all(one.sim.oauth.refreshes[t].grant.revoked for t in one.sim.oauth.refreshes)


async def test_no_secret_is_seen_anywhere_but_in_the_vault(tmp_path, monkeypatch):  # O6
    async with running(tmp_path, monkeypatch, CONSOLE, plan("juniper")) as (one, rig):
        done = await command(
            *("--debug", "login", "console", "--api-key", "--stdin"), given=CONSOLE.secret
        )
        seen = done.out + done.err + await signs_in(tmp_path, "work", "juniper")
        await rig.post(headers=CLAUDE_CODE)
        seen += (tmp_path / "stderr").read_text() + json.dumps(await rig.status())
        tokens = [*one.sim.oauth.accesses, *one.sim.oauth.refreshes, CONSOLE.secret]
        files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        for token in tokens:
            assert token not in seen
            assert not any(token.encode() in data for data in files)
