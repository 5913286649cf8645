"""Clients that leave: upstream is cancelled at once, the lease is freed, nobody is blamed (R11, R12)."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, HangFault
from maxpool.sim.plans import SimSettings
from tests.rig import ask, key, request_bytes, rig, until

EARLY = {"commit_after": 0.1, "heartbeat": 0.1}
AT_ONCE_S = 3.0
"""No limit or pause of a request is as short; the storm measures how much less it is."""


async def left_at_once(it, client) -> None:
    before = it.sim.truth("a").cancelled
    client.reset()
    await until(lambda: it.sim.truth("a").cancelled == before + 1, AT_ONCE_S)
    await until(it.idle, AT_ONCE_S)
    a = await it.state("a")
    assert (a["state"], a["failures_in_a_row"], a["last_error"]) == ("ready", 0, None)
    assert it.proxy.stats.client_gone == 1
    assert it.asked() == ["a"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
async def test_a_client_that_leaves_before_headers_cancels_upstream(stream):  # R11
    async with rig() as it:
        it.sim.inject(HangFault(), "a")
        client = await it.connect()
        await client.send(request_bytes(ask(stream=stream)))
        await until(lambda: it.sim.truth("a").in_flight)
        await left_at_once(it, client)


@pytest.mark.parametrize("after", [1, 3, "delta", "block"])
async def test_a_client_that_leaves_in_the_middle_cancels_upstream(after):
    async with rig() as it:
        it.sim.inject(HangFault(after=after), "a")
        client = await it.connect()
        await client.send(request_bytes())
        await until(lambda: it.sim.requests and it.sim.requests[-1].status == 200)
        await asyncio.sleep(0.05)
        await left_at_once(it, client)


async def test_a_client_that_leaves_after_early_headers_cancels_upstream():
    async with rig(queue=EARLY) as it:
        it.sim.inject(HangFault(), "a")
        client = await it.connect()
        await client.send(request_bytes())
        await client.until(b"event: ping")
        await left_at_once(it, client)


async def test_a_client_that_closes_with_fin_has_left_too():
    async with rig() as it:
        it.sim.inject(HangFault(), "a")
        client = await it.connect()
        await client.send(request_bytes())
        await until(lambda: it.sim.truth("a").in_flight)
        client.close()
        await until(lambda: it.sim.truth("a").cancelled == 1 and it.idle())


async def test_a_client_that_leaves_the_queue_frees_its_place_and_asks_nobody():
    async with rig(key("a"), pool={"slots_per_key": 1}) as it:
        it.sim.inject(HangFault(), "a")
        first, second = await it.connect(), await it.connect()
        await first.send(request_bytes())
        await until(lambda: it.sim.truth("a").in_flight)
        await second.send(request_bytes())
        await until(lambda: len(it.proxy.pool.queue) == 1)
        assert (await it.status())["queue"][0]["cause"] == "slots_full"
        second.reset()
        await until(lambda: not it.proxy.waiting.parked, AT_ONCE_S)
        assert not len(it.proxy.pool.queue)
        assert it.proxy.waiting.bytes == 0
        first.reset()
        await until(it.idle)
        assert it.asked() == ["a"]


async def test_a_client_that_leaves_between_two_tries_asks_nobody_else():
    async with rig(limits={"backoff_s": (30.0, 30.0)}) as it:
        it.sim.inject(faults.status(500), "a")
        client = await it.connect()
        await client.send(request_bytes())
        await until(lambda: it.proxy.pool.states and it.asked() == ["a"])
        await asyncio.sleep(0.05)
        client.reset()
        await until(it.idle, AT_ONCE_S)
        assert it.asked() == ["a"]


async def test_a_client_that_leaves_while_sending_its_body_takes_no_lease():
    async with rig() as it:
        client = await it.connect()
        await client.send(request_bytes()[:-10])
        await asyncio.sleep(0.05)
        client.reset()
        await asyncio.sleep(0.05)
        assert it.idle()
        assert it.proxy.pool.leased == 0


async def test_an_unused_trial_of_a_breaker_is_handed_back():
    pool = {"breaker_threshold": 1, "breaker_initial": 0.1}
    async with rig(key("a"), pool=pool, upstream={"max_sends": 1}) as it:
        it.sim.inject(faults.status(500), "a")
        await it.post()
        await asyncio.sleep(0.15)
        it.sim.inject(HangFault(), "a")
        client = await it.connect()
        await client.send(request_bytes())
        await until(lambda: it.sim.truth("a").in_flight)
        client.reset()
        await until(it.idle)
        assert (await it.post()).whole


@pytest.mark.slow
async def test_a_storm_of_leaving_clients_leaves_nothing_behind():  # R11, R12
    settings = SimSettings(time_to_first_token_s=0.05, tokens_per_s=400.0, speed_jitter=0.9)
    chance = random.Random(7)
    async with rig(sim=settings, pool={"slots_per_key": 20}, queue=EARLY) as it:
        assert (await it.post()).whole
        await asyncio.sleep(0.05)
        tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        for name in "abc":
            it.sim.inject(faults.status(500), name, times=10)
            it.sim.inject(CutFault(after=2), name, times=10)
            it.sim.inject(faults.overloaded(), name, times=5)

        async def visit() -> None:
            await asyncio.sleep(chance.random() * 0.5)
            client = await it.connect()
            await client.send(
                request_bytes(ask(str(chance.random()), stream=chance.random() < 0.8))
            )
            await asyncio.sleep(chance.choice((0.0, 0.01, 0.05, 0.1, 0.2, 0.4)))
            client.reset()

        await asyncio.gather(*(visit() for _ in range(200)))
        await until(it.idle)
        await until(lambda: sum(it.sim.truth(n).in_flight for n in "abc") == 0)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        assert len(it.proxy.tasks) <= 2
        it.sim.clear_faults()
        assert it.proxy.stats.internal_errors == 0
        await until(lambda: len(os.listdir("/proc/self/fd")) <= files + 30)
        status = await it.status()
        assert status["summary"]["requests_in_flight"] == 0
        assert status["summary"]["queued"] == 0


@pytest.mark.slow
async def test_a_slot_is_never_lost_or_doubled_when_waiters_come_and_go():
    settings = SimSettings(time_to_first_token_s=0.01)
    chance = random.Random(3)
    async with rig(key("a"), sim=settings, pool={"slots_per_key": 2}) as it:

        async def visit(stays: bool) -> None:
            await asyncio.sleep(chance.random() * 0.3)
            if stays:
                assert (await it.post()).whole
                return
            client = await it.connect()
            await client.send(request_bytes())
            await asyncio.sleep(chance.random() * 0.1)
            client.reset()

        await asyncio.gather(*(visit(n % 2 == 0) for n in range(60)))
        await until(it.idle)
        it.sim.inject(HangFault(), "a", times=None)
        for _ in range(3):
            await (await it.connect()).send(request_bytes())
        await until(lambda: len(it.proxy.pool.queue) == 1)
        assert len(it.proxy.pool.running) == 2
