"""`maxpool logout` as a person and as a script runs it."""

from __future__ import annotations

import asyncio
import json

import pytest

from maxpool.sim.faults import StatusFault
from maxpool.sim.problems import Problem
from tests.app.test_logout import signed_in
from tests.cli.terminals import typing
from tests.logins import command, entries, kept, world
from tests.rig import key, plan

pytestmark = pytest.mark.slow

CONSOLE = key("console")


async def test_a_login_is_ended_everywhere(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        await signed_in(one)
        done = await command("logout", "work", "--yes")
        assert done.code == 0, done.err
        lines = done.out.splitlines()
        assert lines[0] == "The provider has ended the login."
        assert "secrets.sealed" in lines[1]
        assert lines[2] == "work is removed from the config."
        assert entries(one) == {}


async def test_an_entry_that_is_kept_is_disabled_until_the_next_login(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        await command("login", "console", "--api-key", "--stdin", given=CONSOLE.secret)
        account_id = entries(one)["console"].id
        done = await command("logout", "console", "--keep-entry", "--json")
        data = json.loads(done.out)
        assert (data["entry"], data["at_provider"]) == ("disabled", "no endpoint")
        assert not entries(one)["console"].enabled
        assert kept(one, "console") is None
        again = await command("login", "console", "--stdin", given=CONSOLE.secret)
        assert "enabled again" in again.out
        assert (entries(one)["console"].id, entries(one)["console"].enabled) == (account_id, True)


async def test_a_login_that_the_provider_did_not_end_is_said_with_1(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, plan("juniper")) as one:
        await signed_in(one)
        down = StatusFault(problem=Problem(status=500, kind="api_error", message="down"))
        one.sim.inject(down, when=lambda seen: "revoke" in seen.path)
        done = await command("logout", "work", "--yes")
        assert done.code == 1
        assert "did not confirm" in done.out
        assert entries(one) == {}


async def test_a_script_must_say_what_becomes_of_the_entry(tmp_path, monkeypatch):
    more = '[[accounts]]\nname = "x"\nsecret = "env:THE_KEY"\n'
    async with world(tmp_path, monkeypatch, more=more) as one:
        done = await command("logout", "x")
        assert (done.code, "--keep-entry" in done.err) == (2, True)
        assert entries(one)["x"].enabled
        done = await command("logout", "x", "--keep-entry")
        assert "not maxpool's to remove: it is still in the variable THE_KEY" in done.out


async def test_a_person_is_asked_whether_the_entry_goes_too(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        await command("login", "console", "--api-key", "--stdin", given=CONSOLE.secret)

        def hands() -> tuple[int, str]:
            with typing("logout", "console", env={}, cwd=tmp_path) as it:
                it.until("[Y/n]: ")
                it.type("n\n")
                return it.end(), it.seen

        code, seen = await asyncio.to_thread(hands)
        assert (code, "stays in the config, disabled" in seen) == (0, True)
        assert not entries(one)["console"].enabled
