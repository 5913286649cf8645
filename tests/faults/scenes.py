"""The lines of the fault matrix that take more than one request: clients, restarts, signals.

Each scene plays on real servers and raises AssertionError when it does not end as its words say.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxpool.adapters.server import Server
from maxpool.sim import faults
from maxpool.sim.faults import HangFault
from maxpool.sim.plans import SimSettings
from tests.adapters.peers import peer
from tests.claims.test_operations import place, serving
from tests.faults.tap import Tap
from tests.rig import ask, key, request_bytes, rig, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from maxpool.config.fields import HttpClient
    from maxpool.sim.faults import Fault
    from tests.claims.test_operations import Place
    from tests.rig import Got, Rig, Wire

STREAMS = 100
AT_ONCE_S = 2.0  # on a busy machine, too
"""Within this time a client that left is gone upstream, too."""

PACED = SimSettings(time_to_first_token_s=0.05, tokens_per_s=200.0, answer_tokens=(100, 200))
"""An upstream whose answers take half a second to a second."""

SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
DELTA = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One scene; its words are the table's, its `play` proves them in a folder of its own, with that client."""

    happens: str
    sees: str
    fate: str
    play: Callable[[Path, HttpClient], Awaitable[None]]


# -- clients ---------------------------------------------------------------------------------------


async def slow_client(_: Path, http: HttpClient) -> None:
    """Twelve megabytes go to a client that takes its time; hardly any of it waits here."""
    event = DELTA % (b"x" * 8000)

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(SSE_HEAD)
        for _ in range(1500):
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(STOP), STOP))
        await one.left(reader)

    async with (
        peer(script) as one,
        rig(key("a"), entries={"a": {"base_url": one.url}}, upstream={"client": http}) as it,
    ):
        client = await it.connect(receive_buffer=8192)
        await client.send(request_bytes(connection="close"))
        parts: list[bytes] = []
        most = 0
        while chunk := await client.read(1 << 20):
            parts.append(chunk)
            most = max(most, sum(c.transport.get_write_buffer_size() for c in it.server._open))
        body = unchunked(b"".join(parts).partition(b"\r\n\r\n")[2])
        assert body == event * 1500 + STOP
        assert most <= 256 * 1024, most
        await until(it.idle)


async def stalled_client(_: Path, http: HttpClient) -> None:
    """A client that takes nothing is dropped after its deadline, and upstream with it."""

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(SSE_HEAD)
        event = DELTA % (b"x" * 8000)
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()

    async with (
        peer(script) as one,
        rig(
            key("a"),
            entries={"a": {"base_url": one.url}},
            server={"stall": 0.3},
            queue={"heartbeat": 0.1},
            upstream={"client": http},
        ) as it,
    ):
        client = await it.connect(receive_buffer=4096)
        await client.send(request_bytes())
        await client.until(b"content_block_delta")
        await until(it.idle)
        assert it.proxy.stats.client_gone == 1
        assert (await it.state("a"))["failures_in_a_row"] == 0


PHASES: tuple[tuple[str, Fault | None], ...] = (
    ("while it sends", None),
    ("before headers", HangFault()),
    ("before content", HangFault(after=1)),
    ("inside a block", HangFault(after="delta")),
    ("between blocks", HangFault(after="block")),
    ("between two tries", faults.status(500)),
    ("in the queue", HangFault()),
)


async def leaving_client(_: Path, http: HttpClient) -> None:
    """A client that resets its connection, in each phase of a request."""
    for phase, fault in PHASES:
        slow = {"backoff_s": (30.0, 30.0)} if phase == "between two tries" else {}
        sections: dict[str, Any] = {"pool": {"slots_per_key": 1}, "upstream": {"client": http}}
        async with rig(key("a"), key("b"), limits=slow, **sections) as it:
            if fault is not None:
                it.sim.inject(fault, "a")
            await _leave(it, phase)


async def _leave(it: Rig, phase: str) -> None:
    first: list[Wire] = []
    if phase == "in the queue":
        it.sim.inject(HangFault(), "b")
        first = [await asked(it), await asked(it)]
        await until(lambda: all(it.sim.truth(name).in_flight for name in "ab"))
    client = await it.connect()
    await client.send(request_bytes()[: -10 if phase == "while it sends" else None])
    if phase == "in the queue":
        await until(lambda: it.proxy.waiting.parked)
    elif phase != "while it sends":
        await until(lambda: it.sim.requests)
    await asyncio.sleep(0.05)  # on into the phase
    client.reset()
    await until(lambda: not it.proxy.waiting.parked, AT_ONCE_S)
    for wire in first:
        wire.reset()
    await until(lambda: it.idle() and not it.sim.truth("a").in_flight, AT_ONCE_S)
    asked_of = {"while it sends": [], "in the queue": ["a", "b"]}.get(phase, ["a"])
    assert sorted(filter(None, it.asked())) == asked_of  # two that come at once may change places
    failed = 1 if phase == "between two tries" else 0
    assert (await it.state("a"))["failures_in_a_row"] == failed, phase
    assert (await it.post()).whole


async def asked(it: Rig) -> Wire:
    """A client that has asked, and waits."""
    client = await it.connect()
    await client.send(request_bytes())
    return client


# -- restarts and signals --------------------------------------------------------------------------


async def upstream_restart(_: Path, http: HttpClient) -> None:
    """The upstream goes away for half a second in the middle of forty answers."""
    tap = Tap()
    async with rig(sim=PACED, pool={"network": "100ms"}, tap=tap, upstream={"client": http}) as it:
        before = [asyncio.ensure_future(it.post(ask(f"{n}"))) for n in range(40)]
        await until(lambda: sum(visit.sent.count(b"_delta") > 2 for visit in tap.visits) >= 10)
        port = it.upstream.port
        await it.upstream.stop(0.0)
        meanwhile = [asyncio.ensure_future(it.post(ask(f"m{n}"))) for n in range(20)]
        await asyncio.sleep(0.5)
        it.upstream = Server(tap(it.sim.app), port=port, graceful_s=0.0)
        await it.upstream.start()
        try:
            for got in await asyncio.gather(*before):
                assert got.whole or broken_after_content(got), got
            assert all(got.whole for got in await asyncio.gather(*meanwhile))
            await until(it.idle)
        finally:
            await it.upstream.stop(0.0)


def broken_after_content(got: Got) -> bool:
    """A visible break of an answer that had begun."""
    told = got.events[-1:] == ["error"] and b'"overloaded_error"' in got.body
    return (got.cut or told) and "content_block_delta" in got.events


async def sigterm(folder: Path, http: HttpClient) -> None:
    """A hundred streams run when the server is told to stop."""
    async with served(folder, http) as one, serving(one) as (running, it):
        answers = [asyncio.ensure_future(it.post(ask(f"{n}"))) for n in range(STREAMS)]
        await until(lambda: sum(one.sim.truth(name).in_flight for name in "abc") == STREAMS)
        stopped = asyncio.ensure_future(running.end())
        assert all(got.whole for got in await asyncio.gather(*answers))
        assert await stopped == 0


async def sigkill(folder: Path, http: HttpClient) -> None:
    """A hundred streams run when the server is killed; the next one starts, and knows what it knew."""
    async with served(folder, http) as one:
        async with serving(one) as (running, it):
            one.sim.inject(faults.payment_required(), "a")
            assert (await it.post()).whole
            await asyncio.sleep(2.2)  # what changed is on disk within a second
            answers = [asyncio.ensure_future(it.post(ask(f"{n}"))) for n in range(STREAMS)]
            await until(lambda: sum(one.sim.truth(name).in_flight for name in "abc") == STREAMS)
            await asyncio.sleep(0.4)
            await running.end(signal.SIGKILL)
            results = await asyncio.gather(*answers, return_exceptions=True)
            whole = [got for got in results if not isinstance(got, BaseException) and got.whole]
            assert len(whole) < STREAMS / 2
            assert not [got for got in results if ends_as_if_whole(got)]
        async with serving(one) as (_, it):
            assert (await it.state("a"))["unavailable"]["reason"] == "billing"
            assert (await it.post()).whole


@asynccontextmanager
async def served(folder: Path, http: HttpClient) -> AsyncIterator[Place]:
    """A place whose server asks with that client."""
    async with place(folder, settings=PACED) as one:
        text = one.config.read_text()
        one.config.write_text(text.replace("[upstream]\n", f'[upstream]\nclient = "{http}"\n'))
        yield one


def ends_as_if_whole(got: Got | BaseException) -> bool:
    """An answer that is not whole, and does not look broken."""
    return not isinstance(got, BaseException) and not got.whole and not got.cut


def unchunked(data: bytes) -> bytes:
    """The body that was sent in chunks, as far as it came."""
    parts: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) > 0:
        size = int(data[at:end], 16)
        parts.append(data[end + 2 : end + 2 + size])
        at = end + 4 + size
    return b"".join(parts)


SCENES = (
    Scene(
        happens="the client reads slowly",
        sees="every byte, at its own pace; at most 256 KB wait here",
        fate="as before",
        play=slow_client,
    ),
    Scene(
        happens="the client stops reading",
        sees="a broken connection after `[server] stall`",
        fate="as before; its request is cancelled",
        play=stalled_client,
    ),
    Scene(
        happens="the client leaves: while it sends, in the queue, between two tries, before headers, before or amid content",
        sees="nothing more",
        fate="as before; its request is cancelled within 100 ms",
        play=leaving_client,
    ),
    Scene(
        happens="the upstream restarts under load",
        sees="the answer, once it is back; a visible break only where content had begun",
        fate="`network` for 5 s",
        play=upstream_restart,
    ),
    Scene(
        happens="SIGTERM with 100 streams",
        sees="every answer, whole; exit code 0",
        fate="as before",
        play=sigterm,
    ),
    Scene(
        happens="`kill -9` with 100 streams",
        sees="broken connections, never a clean end",
        fate="as it was on disk: at most a second old",
        play=sigkill,
    ),
)
