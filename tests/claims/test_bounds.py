"""What is held, buffered and waited for has its bound: late commit, slow readers, deadlines (R2, R13, R14)."""

from __future__ import annotations

import asyncio
import time
import tracemalloc

import pytest

from maxpool.config.model import Config
from maxpool.service.limits import limits_of
from maxpool.sim.faults import HangFault
from tests.claims.answers import (
    CHUNKED,
    END,
    EVENTS,
    JSON,
    SSE,
    behind,
    chunks,
    head,
    length,
)
from tests.rig import Rig, ask, request_bytes, rig, until

STREAM_BYTES = 256 * 1024
"""The most that maxpool holds of one stream for its client."""
TOOL = b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}\n\n'
THINKING = TOOL.replace(b"tool_use", b"thinking")
QUIET = b"event: ping\ndata: %s\n\n"


def test_the_bounds_are_what_they_are_said_to_be():
    limits = limits_of(Config.model_validate({}))
    assert (limits.hold_bytes, limits.commit_after_s, limits.heartbeat_s) == (64 << 10, 20, 10)
    assert (limits.connect_timeout_s, limits.idle_timeout_s, limits.stall_s) == (10, 240, 60)
    deadlines = (
        limits.header_timeout_stream_s,
        limits.header_timeout_json_s,
        limits.header_timeout_count_s,
    )
    assert deadlines == (90, 270, 8)


def pausing_behind(*parts: bytes, then: bytes = b""):
    """An upstream that goes on, with `then`, only when told to; it never ends its answer itself."""

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(head(SSE, CHUNKED) + chunks(*parts))
        one.more = getattr(one, "more", asyncio.Event())
        await one.more.wait()
        writer.write(then)
        await writer.drain()
        writer.close()

    return script


# -- late commit -----------------------------------------------------------------------------------


COMMITS = {
    "a delta": EVENTS[:3],
    "half an event behind a delta": (*EVENTS[:3], EVENTS[3][:20]),
    "a tool call that opens": (EVENTS[0], TOOL),
    "64 KB of anything": (EVENTS[0], THINKING, *[QUIET % (b"x" * 1000)] * 66),
    "64 KB of one event": (EVENTS[0], b"data: " + b"x" * 70_000),
    "64 KB of comments": (b": %s\n" % (b"x" * 70_000),),
    "a stop before content": (EVENTS[0], EVENTS[4]),
}
HOLDS = {
    "the start": EVENTS[:1],
    "a text block that opens": EVENTS[:2],
    "a thinking block that opens": (EVENTS[0], THINKING),
    "pings": (EVENTS[0], QUIET % b"{}", QUIET % b"{}"),
    "half of a delta": (*EVENTS[:2], EVENTS[2][:-1]),
    "60 KB of anything": (EVENTS[0], THINKING, *[QUIET % (b"x" * 1000)] * 55),
}


@pytest.mark.parametrize("parts", COMMITS.values(), ids=COMMITS.keys())
async def test_an_answer_is_committed_by(parts):  # R2
    async with behind(pausing_behind(*parts)) as (it, _):
        wire = await it.connect()
        await wire.send(request_bytes())
        got = await wire.until(parts[-1][-10:])
        assert got.startswith(b"HTTP/1.1 200 ")
        assert all(part[:80] in got for part in parts[:2])
        wire.reset()
        await until(it.idle)


@pytest.mark.parametrize("parts", HOLDS.values(), ids=HOLDS.keys())
async def test_an_answer_is_held_through(parts):  # R2
    async with behind(pausing_behind(*parts)) as (it, one):
        asked = asyncio.ensure_future(it.post())
        await until(lambda: hasattr(one, "more"))
        await asyncio.sleep(0.05)
        assert not asked.done()
        one.more.set()  # it breaks: nothing of it was seen
        got = await asked
        assert got.whole
        assert got.account == "b"


# -- slow readers ----------------------------------------------------------------------------------


def buffered(it: Rig) -> int:
    """Bytes that the proxy's own connections hold for clients."""
    return sum(c.transport.get_write_buffer_size() for c in it.server._open)


async def standstill(it: Rig, one) -> int:
    """Wait until upstream can send no more; the most that was held for the client meanwhile."""
    await until(lambda: buffered(it), 10)
    most, before, since = 0, -1, time.monotonic()
    async with asyncio.timeout(10):
        while time.monotonic() - since < 0.3:
            most = max(most, buffered(it))
            if one.taken != before:
                before, since = one.taken, time.monotonic()
            await asyncio.sleep(0.01)
    return most


def flooding(event: bytes):
    """An upstream that sends events for as long as the connection takes them."""

    async def script(one, reader, writer):
        one.taken = 0
        await one.request(reader)
        writer.write(head(SSE, CHUNKED) + chunks(*EVENTS[:3]))
        while True:
            for at in range(0, len(event), 100_000):
                writer.write(chunks(event[at : at + 100_000]))
                await writer.drain()
                one.taken += 100_000

    return script


@pytest.mark.parametrize("size", [100, 10_000, 4_000_000])
async def test_a_fast_upstream_waits_for_a_slow_client_whatever_its_events_weigh(size):  # R14
    event = EVENTS[2].replace(b"d\xc3\xa9j\xc3\xa0", b"x" * size) * max(1, 100_000 // size)
    async with behind(flooding(event)) as (it, one):
        client = await it.connect(receive_buffer=4096)
        await client.send(request_bytes())
        await client.until(b"content_block_delta")
        tracemalloc.start()
        assert 0 < await standstill(it, one) <= STREAM_BYTES
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert held < 4 << 20  # all that this process holds, the upstream included
        assert one.taken > held
        client.reset()
        await until(it.idle)


@pytest.mark.parametrize("reads", [True, False], ids=["slow", "stalled"])
async def test_a_long_json_answer_is_given_as_it_is_taken(reads):  # R14
    text = b'{"type":"message","content":[{"type":"text","text":"%s"}],"stop_reason":"end_turn"}'
    body = text % (b"x" * 7_000_000)

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(head(JSON, length(body)) + body)
        await writer.drain()

    stall = 10 if reads else 0.3
    async with behind(script, server={"stall": stall}, queue={"heartbeat": 0.1}) as (it, _):
        client = await it.connect(receive_buffer=4096)
        await client.send(request_bytes(ask(stream=False), connection="close"))
        got = await client.until(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        assert buffered(it) <= STREAM_BYTES
        if reads:
            assert (got + await client.rest()).endswith(b'"stop_reason":"end_turn"}')
        await until(it.idle)
        await until(lambda: buffered(it) == 0)


# -- deadlines -------------------------------------------------------------------------------------

DEADLINES = {"header_timeout_stream": 0.3, "header_timeout_json": 0.7, "header_timeout_count": 0.15}


@pytest.mark.parametrize(
    ("what", "seconds"), [("stream", 0.3), ("json", 0.7), ("count_tokens", 0.15)]
)
async def test_each_kind_of_call_has_its_own_deadline_for_headers(what, seconds):
    async with rig(upstream=DEADLINES) as it:
        it.sim.inject(HangFault(), "a", when=lambda _: True)
        path = "/v1/messages/count_tokens" if what == "count_tokens" else "/v1/messages"
        began = time.monotonic()
        got = await it.post(ask(stream=what == "stream"), path)
        assert got.status == 200
        assert seconds <= time.monotonic() - began < seconds + 3
        assert it.asked()[0] == "a"


async def test_a_stream_that_drips_lives_on_and_one_that_falls_silent_does_not():  # R13
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(head(SSE, CHUNKED) + chunks(*EVENTS[:3]))
        for at in range(30):  # far beyond the idle limit, a byte at a time
            await asyncio.sleep(0.02)
            writer.write(chunks(b": comment\n\n"[at % 11 : at % 11 + 1]))
        await one.left(reader)

    async with behind(script, upstream={"idle_timeout": 0.25}) as (it, one):
        began = time.monotonic()
        got = await it.post()
        assert got.account == "a"
        assert got.cut
        assert 0.8 < time.monotonic() - began < 5
        await one.gone.wait()


async def test_idleness_before_content_is_unseen():
    async with behind(pausing_behind(*EVENTS[:2]), upstream={"idle_timeout": 0.2}) as (it, _):
        got = await it.post()
        assert got.whole
        assert got.account == "b"


async def test_an_end_that_never_comes_costs_nothing_of_the_answer():
    """All events are there, only the end of the body is missing."""
    async with behind(pausing_behind(*EVENTS, then=END), upstream={"idle_timeout": 0.2}) as (it, _):
        got = await it.post()
        assert got.whole
        assert got.account == "a"
