"""A client that leaves, by RST or FIN, in every phase of a request: upstream hears of it, nothing stays (R11, R12)."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest

from tests.adapters.peers import peer
from tests.claims.answers import BODY, CHUNKED, EVENTS, JSON, SSE, chunks, head, length
from tests.rig import Rig, Wire, ask, key, request_bytes, rig, until

EARLY = {"commit_after": 0.05, "heartbeat": 0.05}
WAYS = pytest.mark.parametrize("way", ["rst", "fin"])


def leave(wire: Wire, way: str) -> None:
    if way == "rst":
        wire.reset()
    else:
        wire.close()


def saying_only(data: bytes):
    """An upstream that says that much and then nothing, until its client leaves."""

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(data)
        await writer.drain()
        one.said.set()
        await one.left(reader)

    return script


@asynccontextmanager
async def behind(data: bytes, **sections):
    async with peer(saying_only(data)) as one:
        one.said = asyncio.Event()
        async with rig(key("a"), entries={"a": {"base_url": one.url}}, **sections) as it:
            yield it, one


async def nothing_stays(it: Rig) -> None:
    await until(it.idle)
    assert it.proxy.stats.client_gone == 1
    assert it.proxy.stats.internal_errors == 0
    assert (await it.state("a"))["state"] == "ready"
    assert (await it.state("a"))["failures_in_a_row"] == 0
    await until(lambda: not it.proxy.pulse.open)


PHASES = {
    "before headers": b"",
    "after half a head": b"HTTP/1.1 200 OK\r\ncontent-ty",
    "after hints": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "after headers": head(SSE, CHUNKED),
    "before content": head(SSE, CHUNKED) + chunks(*EVENTS[:2]),
    "in a block": head(SSE, CHUNKED) + chunks(*EVENTS[:3]),
    "in an event": head(SSE, CHUNKED) + chunks(*EVENTS[:3], EVENTS[3][:9]),
    "between blocks": head(SSE, CHUNKED) + chunks(*EVENTS[:4]),
    "before the last chunk": head(SSE, CHUNKED) + chunks(*EVENTS),
    "in a body": head(JSON, length(BODY)) + BODY[:9],
    "in an error": head(JSON, length(BODY), status=b"500 No") + BODY[:9],
    "in a long answer": head(SSE, length(bytes(9 << 20))) + b"".join(EVENTS[:3]),
}


@WAYS
@pytest.mark.parametrize("said", PHASES.values(), ids=PHASES.keys())
async def test_a_client_that_leaves_while_upstream_is_silent_cancels_it(said, way):  # R11
    async with behind(said) as (it, one):
        wire = await it.connect()
        await wire.send(request_bytes())
        await one.said.wait()
        await asyncio.sleep(0.02)
        leave(wire, way)
        async with asyncio.timeout(1):
            await one.gone.wait()
        await nothing_stays(it)
        assert one.connections == 1


@WAYS
@pytest.mark.parametrize("said", ["before headers", "before content"])
async def test_a_client_that_leaves_after_early_headers_cancels_it(said, way):
    async with behind(PHASES[said], queue=EARLY) as (it, one):
        wire = await it.connect()
        await wire.send(request_bytes())
        await wire.until(b"event: ping")
        leave(wire, way)
        async with asyncio.timeout(1):
            await one.gone.wait()
        await nothing_stays(it)


@WAYS
@pytest.mark.parametrize("sent", [0.0, 0.5], ids=["no body", "half a body"])
async def test_a_client_that_leaves_before_its_body_was_read_asks_nobody(sent, way):
    async with behind(b"") as (it, one):
        wire = await it.connect()
        whole = request_bytes(ask("x" * 300_000))
        start = whole.index(b"\r\n\r\n") + 4
        await wire.send(whole[: start + int((len(whole) - start) * sent)])
        await asyncio.sleep(0.02)
        leave(wire, way)
        await until(lambda: not it.server._open, 1)
        assert it.idle()
        assert (one.connections, it.proxy.pool.leased) == (0, 0)


@asynccontextmanager
async def full():
    """A port whose queue of connections is full: to connect there takes for ever."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=0)
    held = []
    try:
        for _ in range(64):
            one = socket.socket()
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(listening.getsockname())
            held.append(one)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        for one in (*held, listening):
            one.close()


@WAYS
async def test_a_client_that_leaves_while_connecting_ends_that(way):
    async with full() as url, rig(key("a"), entries={"a": {"base_url": url}}) as it:
        wire = await it.connect()
        await wire.send(request_bytes())
        await until(lambda: it.proxy.pool.running)
        await asyncio.sleep(0.02)
        leave(wire, way)
        await nothing_stays(it)


@WAYS
async def test_a_client_that_leaves_while_its_body_is_sent_on_ends_that(way):
    async def script(one, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        one.said.set()
        await one.read_on.wait()
        await one.left(reader)

    async with peer(script) as one:
        one.said, one.read_on = asyncio.Event(), asyncio.Event()
        async with rig(key("a"), entries={"a": {"base_url": one.url}}) as it:
            wire = await it.connect()
            await wire.send(request_bytes(ask("x" * (24 << 20))))
            await one.said.wait()
            await asyncio.sleep(0.05)
            leave(wire, way)
            await nothing_stays(it)
            one.read_on.set()
            async with asyncio.timeout(2):
                await one.gone.wait()


@WAYS
async def test_a_client_that_leaves_the_queue_is_forgotten(way):
    async with behind(b"", pool={"slots_per_key": 1}) as (it, one):
        first, second = await it.connect(), await it.connect()
        await first.send(request_bytes())
        await one.said.wait()
        await second.send(request_bytes())
        await until(lambda: len(it.proxy.pool.queue) == 1)
        leave(second, way)
        await until(lambda: not len(it.proxy.pool.queue) and not it.proxy.waiting.bytes, 1)
        leave(first, way)
        await until(it.idle)
        assert one.connections == 1


@WAYS
async def test_a_client_that_leaves_with_its_whole_answer_has_not_left(way):
    async with rig(key("a")) as it:
        wire = await it.connect()
        await wire.send(request_bytes())
        await wire.until(b"0\r\n\r\n")
        leave(wire, way)
        await until(it.idle)
        assert it.proxy.stats.client_gone == 0
        assert (await it.state("a"))["total"]["tokens_out"] > 0
