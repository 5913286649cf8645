"""`maxpool stop` against a real server process."""

from __future__ import annotations

import asyncio
import json

import pytest

from maxpool.sim.faults import HangFault
from tests.claims.test_operations import Patient, place, serving
from tests.cli.operate import run, say
from tests.rig import ask, rig, until


async def test_a_server_that_cannot_be_stopped_says_why(tmp_path):
    async with rig() as it:
        result = await run(it, tmp_path, "stop")
        assert result.exit_code == 1
        assert "ends with the program that started it" in result.stderr


async def without_end(ask_again) -> None:
    while True:
        await ask_again()


@pytest.mark.slow
async def test_stopping_lets_a_running_stream_finish_and_leaves_nothing_behind(tmp_path):
    clock = Patient()
    async with place(tmp_path, clock=clock) as one, serving(one) as (running, rig):
        key = (one.state / "admin.key").read_text()
        assert json.loads((one.state / "server.json").read_text())["url"] == running.url
        one.sim.inject(HangFault(after="delta"), "a")
        answer = asyncio.ensure_future(rig.post(ask()))
        await until(lambda: one.sim.truth("a").in_flight)
        stop = asyncio.to_thread(say, tmp_path, "stop", "--config", str(one.config))
        stopping = asyncio.ensure_future(stop)
        with pytest.raises(AssertionError, match="Unreachable"):  # it takes nothing new any more
            await without_end(rig.status)
        clock.over.set()
        result = await stopping
        assert result.exit_code == 0, result.output
        assert result.stdout == "Stopping; 1 running answer may finish.\nStopped.\n"
        assert (await answer).whole
        assert await running.end(None) == 0
        assert not (one.state / "server.json").exists()
        assert (one.state / "admin.key").read_text() == key
        again = await asyncio.to_thread(say, tmp_path, "stop", "--config", str(one.config))
        assert again.exit_code == 3


@pytest.mark.slow
async def test_commands_find_a_server_that_took_any_free_port(tmp_path):
    async with place(tmp_path) as one, serving(one):
        found = await asyncio.to_thread(say, tmp_path, "accounts", "--config", str(one.config))
        assert found.exit_code == 0
