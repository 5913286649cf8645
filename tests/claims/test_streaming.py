"""Streams over real sockets: late commit, pings, clients that leave, stall or read slowly (R2, R11-R16)."""

from __future__ import annotations

import asyncio
import time

import pytest

from maxpool.sim import faults
from maxpool.sim.faults import GarbageFault, HangFault
from maxpool.sim.plans import SimSettings
from tests.adapters.peers import peer
from tests.rig import ask, key, request_bytes, rig, until

EARLY = {"commit_after": 0.1, "heartbeat": 0.1}
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n'


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


# -- late commit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 2, 3])
async def test_nothing_reaches_the_client_before_content(after):  # R2
    async with rig() as it:
        it.sim.inject(HangFault(after=after), "a")
        client = await it.connect()
        await client.send(request_bytes())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.read()
        client.reset()
        await until(it.idle)


async def test_late_headers_and_pings_go_out_and_message_start_stays_held():
    async with rig(queue=EARLY) as it:
        it.sim.inject(HangFault(after=2, seconds=1.2), "a")
        client = await it.connect()
        await client.send(request_bytes(connection="close"))
        got = await client.until(b"event: ping")
        head = got.partition(b"\r\n\r\n")[0].lower()
        assert b"x-maxpool-account" not in head
        assert b"x-request-id" in head
        assert b"text/event-stream" in head
        assert b"message_start" not in got
        got += await client.rest()
        assert got.count(b"event: ping") >= 4
        assert got.count(b"event: message_start") == 1
        assert b"message_stop" in got
        assert got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "fault",
    [HangFault(), HangFault(after=0), HangFault(after=2)],
    ids=["no headers", "no events", "no content"],
)
async def test_failover_is_possible_after_early_headers(fault):
    times = {"idle_timeout": 0.4, "header_timeout_stream": 0.4}
    async with rig(queue=EARLY, upstream=times) as it:
        it.sim.inject(fault, "a")
        got = await it.post()
        assert not got.cut
        assert next(e for e in got.events if e != "ping") == "message_start"
        assert got.events.count("message_start") == 1
        assert got.events[-1] == "message_stop"
        assert got.events[:2] == ["ping", "ping"]
        assert it.asked() == ["a", "b"]


async def test_early_headers_promise_identity_and_keep_it():
    async with rig(queue=EARLY, sim=SimSettings(gzip=True)) as it:
        it.sim.inject(HangFault(after=2, seconds=0.8), "a")
        got = await it.post(headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in got.fields
        assert got.events[0] == "ping"
        assert got.events[-1] == "message_stop"


@pytest.mark.parametrize("hold", [8 << 20, 100], ids=["short", "long"])
async def test_json_is_never_written_into_a_stream_that_has_begun(hold):  # R16
    body = b'{"type":"message","content":[{"type":"text","text":"%s"}]}' % (b"x" * 1000)

    async def script(one, reader, writer):
        await one.request(reader)
        await asyncio.sleep(0.8)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
            % (len(body), body)
        )
        await writer.drain()

    async with (
        peer(script) as one,
        rig(
            key("a"),
            key("b"),
            entries={"a": {"base_url": one.url}},
            queue=EARLY,
            limits={"hold_json_bytes": hold},
        ) as it,
    ):
        got = await it.post()
        assert b'"xxx' not in got.body
        assert got.events[-1] == "message_stop"
        assert it.asked() == ["b"]


async def test_giving_up_after_early_headers_is_an_overloaded_event():
    async with rig(queue=EARLY, upstream={"header_timeout_stream": 0.3, "max_sends": 2}) as it:
        it.sim.inject(HangFault(), None, times=None)
        got = await it.post()
        assert (got.status, got.cut) == (200, False)
        assert got.events[-1] == "error"
        assert b'"overloaded_error"' in got.body


async def test_a_bad_request_after_early_headers_is_told_as_an_event():
    async with rig(queue=EARLY) as it:
        it.sim.inject(HangFault(seconds=0.25), "a")
        got = await it.post(ask(max_tokens=0))
        assert it.asked() == ["a"]
        if got.status == 200:
            assert got.events[-1] == "error"
            assert b'"invalid_request_error"' in got.body


@pytest.mark.parametrize("coding", [b"", b"content-encoding: gzip\r\n"])
async def test_a_page_instead_of_an_error_is_told_as_a_proper_event(coding):
    async def script(one, reader, writer):
        await one.request(reader)
        await asyncio.sleep(0.8)
        page = b"<html>no\n\n</html>"
        writer.write(
            b"HTTP/1.1 422 No\r\n%scontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s"
            % (coding, len(page), page)
        )
        await writer.drain()

    async with (
        peer(script) as one,
        rig(key("a"), entries={"a": {"base_url": one.url}}, queue=EARLY) as it,
    ):
        got = await it.post()
        assert got.events[-1] == "error"
        assert b"<html>" not in got.body


async def test_a_waiting_stream_is_kept_alive_and_then_served():
    async with rig(key("a"), pool={"slots_per_key": 1}, queue=EARLY) as it:
        it.sim.inject(HangFault(seconds=0.6), "a", times=1)
        first, second = await asyncio.gather(it.post(), it.post(ask("second")))
        for got in (first, second):
            assert got.events[0] == "ping"
            assert got.events[-1] == "message_stop"


async def test_a_stream_that_waits_too_long_ends_with_an_overloaded_event():
    async with rig(key("a"), pool={"slots_per_key": 1}, queue={**EARLY, "max_wait": 0.4}) as it:
        it.sim.inject(HangFault(), "a", times=1)
        first = await it.connect()
        await first.send(request_bytes())
        await until(lambda: it.sim.truth("a").in_flight)
        got = await it.post()
        assert (got.status, got.events[-1]) == (200, "error")
        assert b'"overloaded_error"' in got.body
        first.reset()
        await until(it.idle)


async def test_json_that_waits_too_long_gets_an_honest_503():
    async with rig(key("a"), pool={"slots_per_key": 1}, queue={"max_wait": 0.3}) as it:
        it.sim.inject(HangFault(), "a", times=1)
        first = await it.connect()
        await first.send(request_bytes())
        await until(lambda: it.sim.truth("a").in_flight)
        got = await it.post(ask(stream=False))
        assert got.error == (503, "overloaded_error")
        first.reset()
        await until(it.idle)


async def test_a_pause_longer_than_the_idle_limit_is_fine_while_bytes_come():  # R13
    async with rig(upstream={"idle_timeout": 0.6}) as it:
        it.sim.inject(faults.SlowFault(interval_s=0.05, size=250), "a")
        began = time.monotonic()
        assert (await it.post()).whole
        assert time.monotonic() - began > 0.6


# -- clients that read slowly ----------------------------------------------------------------------


async def flood(one, reader, writer):
    """Send deltas for as long as the connection takes them; count what was taken."""
    await one.request(reader)
    writer.write(SSE_HEAD)
    event = chunked(DELTA % (b"x" * 8000))
    while True:
        writer.write(event)
        await writer.drain()
        one.taken = getattr(one, "taken", 0) + len(event)


def buffered(it) -> int:
    """Bytes that the proxy's own connections hold for clients."""
    return sum(c.transport.get_write_buffer_size() for c in it.server._open)


async def test_a_slow_client_does_not_make_a_stream_pile_up():  # R14
    async with (
        peer(flood) as one,
        rig(key("a"), entries={"a": {"base_url": one.url}}) as it,
    ):
        client = await it.connect(receive_buffer=4096)
        await client.send(request_bytes())
        await client.until(b"content_block_delta")
        before = -1
        async with asyncio.timeout(30):
            while before != one.taken:
                before = one.taken
                await asyncio.sleep(0.2)
        assert one.taken < 16 << 20  # what the kernel's buffers of two connections take
        assert buffered(it) <= 256 * 1024
        await client.until(b"content_block_delta")
        client.reset()
        await until(it.idle)


async def test_a_stalled_client_is_dropped_and_upstream_is_cancelled():  # R14
    async with (
        peer(flood) as one,
        rig(
            key("a"),
            entries={"a": {"base_url": one.url}},
            server={"stall": 0.3},
            queue={"heartbeat": 0.1},
        ) as it,
    ):
        client = await it.connect(receive_buffer=4096)
        await client.send(request_bytes())
        await client.until(b"content_block_delta")
        await until(it.idle)
        assert it.proxy.stats.client_gone == 1
        assert (await it.state("a"))["state"] == "ready"
        client.close()


async def test_a_client_that_reads_slowly_but_reads_is_not_dropped():
    async with rig(server={"stall": 0.2}, queue={"heartbeat": 0.1}) as it:
        it.sim.inject(faults.SlowFault(interval_s=0.05, size=2000), "a")
        assert (await it.post()).whole
        assert it.proxy.stats.client_gone == 0


async def test_two_requests_sent_at_once_on_one_connection_are_both_answered():
    async with rig() as it:
        client = await it.connect()
        await client.send(request_bytes() + request_bytes(connection="close"))
        got = await client.rest()
        assert got.count(b"event: message_stop") == 2
        await until(it.idle)


async def test_a_client_that_expects_100_continue_gets_it():
    async with rig() as it:
        client = await it.connect()
        whole = request_bytes(expect="100-continue", connection="close")
        head, _, body = whole.partition(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        assert (await client.read()).startswith(b"HTTP/1.1 100 ")
        await client.send(body)
        assert b"message_stop" in await client.rest()
        assert it.sim.requests[-1].header("expect") is None


async def test_garbage_on_every_account_is_a_502_in_the_apis_shape():  # R4
    async with rig(upstream={"max_sends": 3}) as it:
        it.sim.inject(GarbageFault(kind="html"), None, times=None)
        assert (await it.post()).error == (502, "api_error")
