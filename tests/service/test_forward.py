from __future__ import annotations

import asyncio

import pytest

from maxpool.adapters.server import Server
from maxpool.ports import Secret
from maxpool.sim import faults
from maxpool.sim.faults import HangFault
from tests.adapters.peers import peer, replying
from tests.rig import ask, key, request_bytes, rig, until


async def test_a_lease_ends_once_on_every_way_out():
    async with rig() as it:
        for fault in (
            None,
            faults.status(500),
            faults.bad_request(),
            faults.CutFault(after="delta"),
        ):
            if fault is not None:
                it.sim.inject(fault, "a")
            await it.post()
            await until(it.idle)
        assert it.proxy.pool.leased == 5


async def test_a_secret_that_cannot_be_read_once_costs_seconds_and_the_next_serves():
    async with rig() as it:
        references = dict(it.proxy.tokens.references)
        references[next(iter(references))] = "env:gone"
        it.proxy.tokens.refer(references)
        got = await it.post()
        assert (got.account, got.fields["x-maxpool-attempts"]) == ("b", "1")
        assert (await it.state("a"))["unavailable"]["reason"] == "network"
        assert it.proxy.stats.internal_errors == 0


async def test_a_key_rotated_in_its_place_is_found_after_a_401():
    class Rotating:
        value = "sk-ant-api03-the-old-one"

        def resolve(self, reference: str) -> Secret:
            return Secret(self.value)

    async with rig(key("a")) as it:
        it.proxy.tokens.source = rotating = Rotating()
        await it.proxy.tokens.bearer(
            next(iter(it.proxy.destinations)),
            it.proxy.destinations[next(iter(it.proxy.destinations))],
        )
        rotating.value = key("a").secret
        answers = await asyncio.gather(*(it.post() for _ in range(5)))
        assert all(got.whole for got in answers)
        assert (await it.state("a"))["state"] == "ready"


async def test_an_account_that_is_removed_meanwhile_harms_nobody():
    async with rig(limits={"retry_same_s": (1.0, 1.0)}) as it:
        it.sim.inject(faults.overloaded(), "a")
        answer = asyncio.ensure_future(it.post())
        await until(lambda: it.asked() == ["a"])
        await asyncio.sleep(0.05)
        gone = next(iter(it.proxy.destinations))
        it.proxy.pool.remove(gone, it.proxy.clock.now())
        del it.proxy.destinations[gone]
        got = await answer
        assert got.whole
        assert got.account in ("b", "c")
        assert it.proxy.stats.internal_errors == 0
        await until(it.idle)


async def test_a_step_of_the_clock_is_no_time_that_was_spent_trying():  # O7
    async with rig(upstream={"header_timeout_stream": 0.3}) as it:
        it.sim.inject(HangFault(after=None), "a")
        it.sim.inject(faults.status(500), "b", times=3)
        answer = asyncio.ensure_future(it.post())
        await until(lambda: it.asked() == ["a"])
        it.proxy.probing.clock.follow(3600.0)
        assert ((await answer).account, it.proxy.waiting.held_s) == ("c", 0.0)


@pytest.mark.parametrize("kind", ["before headers", "after headers"])
async def test_a_try_that_hung_longer_than_all_trying_may_take_still_fails_over(kind):
    fault = HangFault(after=None if kind == "before headers" else 0)
    times = {"header_timeout_stream": 0.3, "idle_timeout": 0.3, "trying_limit": 0.1}
    async with rig(upstream=times) as it:
        it.sim.inject(fault, "a")
        assert (await it.post()).account in ("b", "c")


async def test_the_number_of_sends_is_bounded():
    async with rig(upstream={"max_sends": 4}) as it:
        it.sim.inject(faults.status(500), None, times=None)
        assert (await it.post()).status == 500
        assert len(it.asked()) == 4


async def test_a_network_that_fails_everywhere_ends_within_its_budget():
    async with rig(upstream={"network_budget": 0.2}, pool={"network": 0.05}) as it:
        it.sim.inject(faults.CutFault(), None, times=None)
        got = await it.post()
        assert got.error == (502, "api_error")
        assert (await it.state("a"))["failures_in_a_row"] == 0


async def test_a_failing_upstream_that_comes_back_is_waited_for():
    async with rig(key("a"), pool={"network": 0.1}) as it:
        it.sim.inject(faults.CutFault(), "a", times=2)
        got = await it.post()
        assert got.whole
        assert got.fields["x-maxpool-attempts"] == "3"


async def test_our_own_failure_is_a_500_in_the_apis_shape_and_harms_no_account(caplog):
    async with rig() as it:
        it.proxy.forwarder.tokens = None  # type: ignore[assignment]
        got = await it.post(ask("never to be logged"))
        assert got.error == (500, "api_error")
        assert got.json["request_id"] in caplog.text
        assert "AttributeError" in caplog.text
        assert "never to be logged" not in caplog.text
        await until(it.idle)
        assert it.proxy.stats.internal_errors == 1
        assert (await it.state("a"))["failures_in_a_row"] == 0


async def test_what_an_open_path_answers_is_not_judged_and_nothing_is_sent_twice():
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n" % len(png)
    async with (
        peer(replying(answer + png)) as one,
        rig(entries={"a": {"base_url": one.url}}, server={"allowed_paths": ["/v1/pictures"]}) as it,
    ):
        got = await it.get("/v1/pictures?x=1")
        assert (got.status, got.body) == (200, png)
        assert one.heads[-1].startswith(b"GET /v1/pictures?x=1 HTTP/1.1\r\n")
        assert (await it.state("a"))["failures_in_a_row"] == 0
        it.sim.inject(faults.status(500), None, times=None, when=lambda _: True)
        it.proxy.pool.remove(next(iter(it.proxy.destinations)), it.proxy.clock.now())
        it.sim.requests.clear()
        made = await it.post(b"{}", "/v1/pictures")
        assert (made.status, len(it.asked())) == (500, 1)


async def test_the_request_that_waits_is_sent_with_its_own_bytes():
    async with rig(key("a"), pool={"slots_per_key": 1}) as it:
        it.sim.inject(HangFault(seconds=0.2), "a")
        bodies = [ask(f"number {n}") for n in range(3)]
        await asyncio.gather(*(it.post(body) for body in bodies))
        assert sorted(seen.body for seen in it.sim.requests) == sorted(bodies)
        client = await it.connect()
        await client.send(request_bytes(connection="close"))
        assert b"message_stop" in await client.rest()


async def test_an_upstream_that_restarts_is_waited_for_by_every_request():
    async with rig(pool={"network": 0.05}) as it:
        port = it.upstream.port
        await it.upstream.stop(0.0)
        answers = [asyncio.ensure_future(it.post(ask(f"number {n}"))) for n in range(10)]
        await until(lambda: all(s.cooldowns for s in it.proxy.pool.states.values()))
        await asyncio.sleep(0.6)
        again = Server(it.sim.app, port=port, graceful_s=0.0)
        await again.start()
        try:
            assert all(got.whole for got in await asyncio.gather(*answers))
        finally:
            await again.stop(0.0)
