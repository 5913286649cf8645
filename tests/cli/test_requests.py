from __future__ import annotations

import asyncio
import json
import os

from maxpool.sim import faults
from tests.cli.operate import run, say, tell
from tests.cli.terminals import typing
from tests.ledgers import keep
from tests.make import request_record
from tests.rig import MODEL
from tests.web.test_admin_ledger import kept, written


async def test_the_latest_requests_are_listed_and_narrowed(tmp_path):
    async with kept(tmp_path) as it:
        got = await it.post()
        for name in "abc":
            it.sim.inject(faults.bad_request(), name)
        await it.post()
        await written(it, 2)
        shown = (await run(it, tmp_path, "requests")).stdout.splitlines()
        assert shown[0] == "2 requests."
        assert len(shown) == 5
        assert got.fields["x-request-id"] in shown[4]
        failed = (await run(it, tmp_path, "requests", "--status", "failed")).stdout
        assert "400 request reje" in failed
        assert failed.count(MODEL) == 1


def test_without_a_server_the_file_itself_is_read(tmp_path):
    (tmp_path / "none.toml").write_text("version = 1\n")
    keep(f"sqlite:///{tmp_path / 'ledger.sqlite'}", [request_record(i) for i in range(5)])
    result = say(tmp_path, "requests", "--limit", "2", "--json")
    assert [one["request_id"] for one in json.loads(result.stdout)["requests"]] == [
        "req_4",
        "req_3",
    ]


def test_what_makes_no_sense_is_an_error_of_use(tmp_path):
    for arguments in (["--status", "odd"], ["--since", "soon"], ["--limit", "0"]):
        assert say(tmp_path, "requests", *arguments).exit_code == 2


async def test_following_shows_each_request_as_it_ends(tmp_path):
    async with kept(tmp_path) as it:
        await it.post()
        await written(it, 1)
        tell(tmp_path, it.url)
        around = {"MAXPOOL_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        with typing("requests", "--follow", env=around, cwd=tmp_path) as typed:
            await asyncio.to_thread(typed.until, "sonnet")
            await it.post()
            await asyncio.to_thread(typed.until, "sonnet")
            typed.type("\x03")
            assert await asyncio.to_thread(typed.end) == 0


def test_following_needs_a_server(tmp_path):
    assert say(tmp_path, "requests", "--follow").exit_code == 3
