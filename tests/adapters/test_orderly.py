from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest

from maxpool.adapters import orderly
from maxpool.adapters.server import Server

HEAD = b"Host: x\r\n"
GET = b"GET /%s HTTP/1.1\r\n" + HEAD + b"\r\n"


def post(length: int, *lines: bytes, version: bytes = b"1.1") -> bytes:
    more = b"".join(line + b"\r\n" for line in lines)
    return b"POST / HTTP/%s\r\n%scontent-length: %d\r\n%s\r\n" % (version, HEAD, length, more)


async def early(scope, receive, send) -> None:
    """Answer without looking at the body."""
    body = b"no: " + scope["path"].encode()
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 401, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def echo(scope, receive, send) -> None:
    """Answer with the body, in pieces of unknown number."""
    body = b""
    more = True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in (b"<", body, b">"):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving(app):
    server = Server(app, lifespan="off")
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


@asynccontextmanager
async def connected(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(5):
            yield reader, writer
    finally:
        writer.transport.abort()


class Waiting:
    """An application that holds every request until its client has left."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.left: list[str] = []
        self.news = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        self.begun.append(scope["path"])
        self.news.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.append(scope["path"])
        self.news.set()


async def test_a_client_that_leaves_behind_pipelined_requests_has_left_the_first_too():
    app = Waiting()
    async with serving(app) as server:
        async with connected(server) as (_, writer):
            writer.write(GET % b"1" + GET % b"2" + GET % b"3")
            await app.news.wait()
            app.news.clear()
        async with asyncio.timeout(1):
            await app.news.wait()
        assert (app.begun, app.left) == (["/1"], ["/1"])


@pytest.mark.parametrize("behind", [1, 3, 100])
async def test_requests_that_come_later_hide_no_leaving(behind):
    begun, left = asyncio.Event(), asyncio.Event()
    reading = 0

    async def app(scope, receive, send):
        scope["extensions"]["maxpool.on_leave"](left.set)
        begun.set()
        await left.wait()

    async with serving(app) as server:
        async with connected(server) as (_, writer):
            writer.write(GET % b"1")
            await begun.wait()
            for n in range(behind):
                writer.write(GET % b"%d" % n)
                await asyncio.sleep(0.01 if n < 5 else 0)
            (one,) = server._open
            reading = one.transport.is_reading()
        assert reading == (behind < 100)  # what is read ahead is bounded
        if reading:
            async with asyncio.timeout(1):
                await left.wait()
        left.set()


async def test_broken_framing_behind_a_request_never_stands_inside_its_answer():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(app) as server, connected(server) as (reader, writer):
        writer.write(GET % b"1")
        await reader.readuntil(b"begun\r\n")
        writer.write(GET % b"2" + b"no HTTP\r\n\r\n")
        with suppress(ConnectionResetError):
            assert b"400" not in await reader.read()


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_an_early_answer_arrives_though_the_body_is_still_being_sent(version):
    async with serving(early) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))

        def talk() -> bytes:
            """As a plain client does: everything is sent before anything is read."""
            sock.settimeout(5)
            sock.sendall(post(8 << 20, b"connection: close", version=version))
            for _ in range(8):
                sock.sendall(bytes(1 << 20))
            got = b""
            while piece := sock.recv(65536):
                got += piece
            return got

        got = await asyncio.to_thread(talk)
        sock.close()
        assert got.startswith(b"HTTP/1.1 401 ")
        assert got.endswith(b"no: /")


async def test_a_client_that_never_ends_its_body_is_closed_after_an_early_answer(monkeypatch):
    monkeypatch.setattr(orderly, "LINGER_S", 0.1)
    async with serving(early) as server, connected(server) as (reader, writer):
        writer.write(post(1000, b"connection: close") + b"some")
        assert (await reader.read()).endswith(b"no: /")
        await server._open.none_left.wait()


async def test_a_kept_connection_serves_on_after_an_early_answer_to_a_body_it_then_takes():
    async with serving(early) as server, connected(server) as (reader, writer):
        writer.write(post(300_000) + bytes(1000))
        assert b" 401 " in await reader.readuntil(b"no: /")
        writer.write(bytes(299_000) + GET % b"next")
        assert b" 401 " in await reader.readuntil(b"no: /next")


@pytest.mark.parametrize("app", [early, echo])
async def test_a_body_that_waits_to_be_asked_for_keeps_the_connection_only_if_it_was(app):
    async with serving(app) as server, connected(server) as (reader, writer):
        writer.write(post(2, b"Expect: 100-continue"))
        if app is early:
            got = await reader.read()
            assert b"connection: close\r\n" in got
            assert b" 100 " not in got
            return
        assert b" 100 Continue\r\n\r\n" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hi")
        assert b"connection: close" not in await reader.readuntil(b"0\r\n\r\n")
        writer.write(GET % b"")
        assert b" 200 " in await reader.readuntil(b"0\r\n\r\n")


@pytest.mark.parametrize("keep", [b"connection: keep-alive", b"x: y"])
async def test_an_old_client_gets_a_body_without_chunks_that_ends_with_its_connection(keep):
    async with serving(echo) as server, connected(server) as (reader, writer):
        writer.write(post(2, keep, version=b"1.0") + b"hi")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert body == b"<hi>"
        assert b"chunked" not in head
        assert b"connection: close" in head


async def test_an_old_client_gets_a_length_where_there_is_one():
    async with serving(early) as server, connected(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        got = await reader.read()
        assert b"content-length: 5\r\n" in got
        assert got.endswith(b"\r\n\r\nno: /")


@pytest.mark.parametrize(
    "half",
    [
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        post(9) + b"half",
        post(9),
        post(300_000) + bytes(100_000),
    ],
    ids=["line", "head", "body", "no body", "much of a body"],
)
async def test_half_a_request_is_not_waited_on_without_end(half):
    app = Waiting()
    async with serving(app) as server, connected(server) as (reader, writer):
        server._uvicorn.config.timeout_keep_alive = 0.1
        async with connected(server) as (reader, writer):
            writer.write(half)
            assert await reader.read() == b""
        assert app.left == app.begun


async def test_half_a_request_behind_another_is_waited_on_from_that_ones_end():
    begun, go = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        if scope["method"] == "GET":
            begun.set()
            await go.wait()
        await echo(scope, receive, send)

    async with serving(app) as server:
        server._uvicorn.config.timeout_keep_alive = 0.1
        async with connected(server) as (reader, writer):
            writer.write(GET % b"" + post(300_000) + bytes(100_000))
            await begun.wait()
            await asyncio.sleep(0.25)
            go.set()
            assert (await reader.read()).endswith(b"0\r\n\r\n")


async def test_a_body_that_was_asked_for_does_not_keep_a_connection_that_is_to_close():
    begun, go = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        begun.set()
        await go.wait()
        await echo(scope, receive, send)

    async with serving(app) as server, connected(server) as (reader, writer):
        writer.write(post(2, b"Expect: 100-continue"))
        await begun.wait()
        stopping = asyncio.ensure_future(server.stop(60.0))
        await asyncio.sleep(0)
        go.set()
        await reader.readuntil(b" 100 Continue\r\n\r\n")
        writer.write(b"hi")
        assert b"connection: close" in await reader.read()
        await stopping


async def test_a_request_that_is_whole_is_waited_on():
    app = Waiting()
    async with serving(app) as server:
        server._uvicorn.config.timeout_keep_alive = 0.05
        async with connected(server) as (_, writer):
            writer.write(post(2) + b"hi")
            await app.news.wait()
            await asyncio.sleep(0.2)
            assert app.left == []


async def test_a_client_that_does_not_take_the_end_of_its_answer_is_let_go():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(32 << 20)})

    async with serving(app) as server:
        server._uvicorn.config.timeout_keep_alive = 0.1
        async with connected(server) as (_, writer):
            writer.transport.pause_reading()
            writer.write(GET % b"")
            await asyncio.sleep(0)
            while not server._open:  # noqa: ASYNC110 - the server's own set has no event for that
                await asyncio.sleep(0.01)
            await server._open.none_left.wait()


@pytest.mark.parametrize("answered", [True, False])
async def test_leaving_is_told_once_and_only_to_whom_an_answer_is_owed(answered):
    told: list[str] = []
    over, left = asyncio.Event(), asyncio.Event()

    def leave() -> None:
        told.append("left")
        left.set()

    async def app(scope, receive, send) -> None:
        scope["extensions"]["maxpool.on_leave"](leave)
        if answered:
            await early(scope, receive, send)
        over.set()
        if not answered:
            await left.wait()

    async with serving(app) as server:
        async with connected(server) as (reader, writer):
            writer.write(b"GET /a HTTP/1.1\r\nhost: localhost\r\n\r\n")
            await over.wait()
            if answered:
                await reader.readuntil(b"no: /a")
        await server.stop(1)
    assert told == ([] if answered else ["left"])
