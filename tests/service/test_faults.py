from __future__ import annotations

import asyncio
import logging

import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.ports import Call, Reply, Unreachable
from maxpool.service.faults import FaultLimits, Faults
from maxpool.sim.clock import HandClock
from maxpool.sim.upstream import SimUpstream
from tests.claims.test_operations import ROOT, Place
from tests.rig import JSON, ask, key


class Counter:
    def __init__(self, most: int = 10) -> None:
        self.count, self.given_up, self.clock = 0, 0, HandClock()
        limits = FaultLimits(most, 300.0)
        self.faults = Faults(lambda: self.count, lambda: limits, self.clock, self.end)

    def end(self) -> None:
        self.given_up += 1

    async def after(self, seconds: float, failures: int) -> int:
        self.clock.advance(seconds)
        self.count += failures
        await self.faults.tick()
        return self.given_up


async def test_ten_failures_within_five_minutes_end_the_process_and_nine_do_not(caplog):
    it = Counter()
    assert await it.after(1, 9) == 0
    assert await it.after(299, 1) == 1
    assert [r.levelno for r in caplog.records] == [logging.CRITICAL]
    assert await it.after(1, 50) == 1


async def test_failures_that_are_far_apart_end_nothing():
    it = Counter()
    for _ in range(100):
        assert await it.after(34, 1) == 0


async def test_nought_means_never():
    it = Counter(most=0)
    assert await it.after(1, 5000) == 0


BROKEN = """

from maxpool.service.forward import Forwarder
async def serve(*_args):
    raise RuntimeError("broken for good")
Forwarder.serve = serve
"""


async def ask_once(client: HttpUpstream, url: str) -> int:
    headers = [(n.encode(), v.encode()) for n, v in JSON.items()]
    limits = {"connect_timeout_s": 5.0, "header_timeout_s": 20.0, "idle_timeout_s": 20.0}
    reply = await client.send(
        Call(method="POST", url=f"{url}/v1/messages", headers=headers, body=ask(), **limits)
    )
    if isinstance(reply, Unreachable):
        return 0
    assert isinstance(reply, Reply)
    await reply.stream.aclose()
    return reply.status


@pytest.mark.slow
async def test_a_process_that_fails_for_good_answers_each_time_and_then_ends_with_code_1(tmp_path):
    people = (key("a"),)
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    world, client = SimUpstream(people), HttpUpstream()
    upstream = Server(world.app, graceful_s=0.0)
    await upstream.start()
    place = Place(world, tmp_path, people, upstream.url, python_path=f"{tmp_path}:{ROOT}")
    place.write()
    server = await (await place.start()).ready()
    try:
        assert [await ask_once(client, server.url) for _ in range(10)] == [500] * 10
        async with asyncio.timeout(30):
            assert await server.process.wait() == 1
        assert "max_internal_errors" in (tmp_path / "stderr").read_text()
    finally:
        if server.process.returncode is None:
            server.process.kill()
            await server.process.wait()
        await client.aclose()
        await upstream.stop(0.0)
