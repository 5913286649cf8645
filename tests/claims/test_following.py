"""Commands that change accounts while a real `maxpool serve` runs, and without one (T12, X8, X10, S12)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app import accounts
from maxpool.cli.group import maxpool
from maxpool.sim.faults import HangFault
from tests.claims.test_operations import ROOT, Patient, Running, place, serving
from tests.rig import Rig, until

if TYPE_CHECKING:
    from tests.claims.test_operations import Place

pytestmark = pytest.mark.slow


SOON_S = 5.0
"""A second on a machine that has nothing else to do, and all it may take on one that has."""


def say(one: Place, *arguments: str) -> Result:
    """Run a command as the owner of that place would."""
    env = {
        "MAXPOOL_CONFIG": str(one.config),
        "MAXPOOL_HOME": str(one.state),
        "MAXPOOL_ADMIN_KEY": "",
        "MAXPOOL_KEY": "",
    }
    return CliRunner(env=env).invoke(maxpool, list(arguments))


async def run(one: Place, *arguments: str) -> Result:
    """The same, beside whatever else runs; it must succeed."""
    result = await asyncio.to_thread(say, one, *arguments)
    assert result.exit_code == 0, result.output
    return result


async def listed(rig: Rig) -> dict[str, dict[str, Any]]:
    return {a["name"]: a for a in (await rig.status())["accounts"]}


async def test_the_server_follows_each_command_at_once_and_a_running_stream_never_feels_it(
    tmp_path,
):  # T12 S12
    clock = Patient()
    async with place(tmp_path, clock=clock) as one, serving(one) as (_, rig):
        one.sim.inject(HangFault(after="delta"), "a")
        stream = asyncio.ensure_future(rig.post())
        await until(lambda: one.sim.truth("a").in_flight)
        steps: list[tuple[list[str], str, Any]] = [
            (["priority", "b", "-5"], "b", lambda a: a["priority"] == -5),
            (["prefer", "c"], "c", lambda a: a["state"] == "ready"),
            (["automatic"], "c", lambda a: a["state"] == "ready"),
            (["drain", "a"], "a", lambda a: a["state"] == "draining" and a["in_flight"] == 1),
            (["enable", "a"], "a", lambda a: a["state"] in ("ready", "busy")),
            (["disable", "a"], "a", lambda a: a["state"] == "disabled" and a["in_flight"] == 1),
            (["reset", "b"], "b", lambda a: a["state"] == "ready"),
            (["rename", "a", "first"], "first", lambda a: a["in_flight"] == 1),
            (["enable", "first"], "first", lambda a: a["enabled"]),
            (["remove", "c", "--yes"], "b", lambda a: a["enabled"]),
            (["remove", "first", "--yes"], "b", lambda a: a["enabled"]),
        ]
        for arguments, name, holds in steps:
            await run(one, "accounts", *arguments)
            assert holds((await listed(rig))[name]), arguments  # at once: the command has waited
        assert set(await listed(rig)) == {"b"}
        assert not stream.done()
        clock.over.set()
        assert (await stream).whole


async def test_an_entry_that_another_program_writes_is_followed_within_a_second(tmp_path):  # T12
    async with place(tmp_path) as one, serving(one) as (_, rig):
        await asyncio.to_thread(
            accounts.add_entry, one.config, {"name": "new", "secret": "env:SECRET_B_TOO"}
        )
        async with asyncio.timeout(SOON_S):
            while "new" not in await listed(rig):  # noqa: ASYNC110 - a server beside this process
                await asyncio.sleep(0.02)


async def test_a_server_that_started_without_a_config_follows_the_first_one(tmp_path):  # T12
    place_of = {"MAXPOOL_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "etc")}
    kept = {k: v for k, v in os.environ.items() if k != "MAXPOOL_CONFIG"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "maxpool", "serve", "--port", "0"),
        env={**kept, **place_of, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    running = await Running(process).ready()
    config = tmp_path / "etc" / "maxpool" / "config.toml"
    await asyncio.to_thread(accounts.add_entry, config, {"name": "first", "secret": "env:NONE"})
    client = HttpUpstream()
    rig = Rig(None, None, SimpleNamespace(url=running.url), None, client)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(SOON_S):
            while "first" not in await listed(rig):  # noqa: ASYNC110 - a server beside this process
                await asyncio.sleep(0.02)
    finally:
        await client.aclose()
        assert await running.end() == 0


async def test_what_is_ordered_without_a_server_holds_when_it_starts(tmp_path):  # T12
    async with place(tmp_path) as one:
        for order in (["drain", "b"], ["disable", "c"], ["prefer", "b"], ["priority", "a", "3"]):
            said = await run(one, "accounts", *order)
            assert "The server is not running; it starts with that." in said.stdout
        async with serving(one) as (_, rig):
            found = await listed(rig)
            assert [found[n]["state"] for n in "abc"] == ["ready", "draining", "disabled"]
            assert (found["a"]["priority"], (await rig.post()).account) == (3, "a")


async def test_enable_ends_a_disable_that_only_the_saved_state_knows(tmp_path):
    async with place(tmp_path) as one:
        async with serving(one) as (running, rig):
            key = (one.state / "admin.key").read_text().strip()
            headers = {"x-maxpool-admin-key": key, "content-type": "application/json"}
            for action in ("disable", "drain"):
                got = await rig.send("POST", f"/admin/accounts/a/{action}", headers, b"")
                assert got.status == 200
            assert await running.end() == 0
        assert "enabled" not in one.config.read_text()
        assert "disabled" in (await run(one, "accounts", "show", "a")).stdout
        assert "now ready" in (await run(one, "accounts", "enable", "a")).stdout
        async with serving(one) as (_, rig):
            assert (await listed(rig))["a"]["state"] == "ready"


async def test_a_renamed_account_keeps_its_sessions_and_its_past(tmp_path):  # S12
    session = {"x-claude-code-session-id": "5f0e1c3a-2a8e-4a3c-9d43-6f9f6d7c1b11"}
    async with place(tmp_path) as one:
        async with serving(one) as (running, rig):
            assert (await rig.post(headers=session)).account == "a"
            await run(one, "accounts", "rename", "a", "first")
            assert await running.end() == 0
        await run(one, "accounts", "rename", "first", "again")
        async with serving(one) as (_, rig):
            found = (await listed(rig))["again"]
            assert (found["total"]["requests"], found["sessions"]) == (1, 1)
            assert (await rig.post(headers=session)).account == "again"


async def test_without_a_server_the_list_says_so_and_shows_what_is_kept(tmp_path):
    async with place(tmp_path) as one:
        async with serving(one) as (running, rig):
            await rig.post()
            assert await running.end() == 0
        said = (await run(one, "accounts")).stdout
        assert said.startswith("The server is not running.")
        told = json.loads((await run(one, "accounts", "--json")).stdout)
        assert told["running"] is False
        (first, *_) = told["accounts"]
        assert (first["name"], first["total"]["requests"]) == ("a", 1)


async def test_a_state_folder_in_use_is_not_written_to_and_its_process_is_named(tmp_path):  # X8
    async with place(tmp_path) as one:
        before = one.config.read_text()
        with lock_state_folder(one.state):  # a server that has not told its address, or is stuck
            for order in (["disable", "a"], ["drain", "a"], ["rename", "a", "z"], ["automatic"]):
                result = await asyncio.to_thread(say, one, "accounts", *order)
                assert result.exit_code == 1
                assert f"pid {os.getpid()}" in result.stderr
            assert "a" in (await run(one, "accounts", "list")).stdout
        assert one.config.read_text() == before
        assert not (one.state / "state.db").exists()


# -- client keys -------------------------------------------------------------------------------------


async def test_a_client_key_opens_and_closes_the_running_server(tmp_path):
    async with place(tmp_path) as one:
        one.config.write_text(
            one.config.read_text().replace("[server]", "[server]\nrequire_key = true")
        )
        async with serving(one) as (_, rig):
            key = (await run(one, "keys", "add", "laptop")).stdout.strip()
            assert (await rig.post(headers={"x-api-key": key})).whole
            assert "laptop" in (await run(one, "keys", "list")).stdout
            await run(one, "keys", "revoke", "laptop")
            assert (await rig.post(headers={"x-api-key": key})).status == 401
            assert key not in one.config.read_text()


async def test_the_key_of_the_first_start_is_enough_where_keys_are_required(tmp_path):  # X10
    async with place(tmp_path) as one:
        one.config.write_text(
            one.config.read_text().replace("[server]", "[server]\nrequire_key = true")
        )
        async with serving(one) as (running, rig):
            path = one.state / "client.key"
            key = path.read_text().strip()
            assert path.stat().st_mode & 0o777 == 0o600
            assert (await rig.post()).status == 401
            assert (await rig.post(headers={"authorization": f"Bearer {key}"})).whole
            told = await rig.get("/admin/keys", {"x-maxpool-admin-key": key})
            assert told.status == 401, "a client key opens nothing of the admin API"
            assert (await run(one, "status")).exit_code == 0
            said = running.said + (tmp_path / "stderr").read_text()
            assert key not in said


async def test_that_every_local_user_can_spend_the_quota_is_said_once(tmp_path):  # X10
    async with place(tmp_path) as one:
        said = []
        for _ in range(2):
            async with serving(one) as (running, _rig):
                assert await running.end() == 0
            said.append(re.findall("every user of this machine", running.said))
        assert [len(found) for found in said] == [1, 0]
        assert (one.state / "client.key").exists()
