from __future__ import annotations

import asyncio
import gc
import logging
import socket
import struct
import weakref
from contextlib import asynccontextmanager

import pytest

from maxpool.adapters.server import ABORT, GRACEFUL_S, MAX_HEAD_BYTES, MAX_HEADERS, Server
from maxpool.errors import BindError
from tests.rig import until

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(send, body=b"ok", more=False) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def hello(scope, receive, send) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await answer(send, b"ok:" + body + b":%d" % len(scope["headers"]))


@asynccontextmanager
async def serving(app, **kwargs):
    server = Server(app, **{"lifespan": "off", **kwargs})
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


async def talk(server, data, wait=30.0) -> bytes:
    """Send raw bytes, return everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(data)
        async with asyncio.timeout(wait):
            return await reader.read()
    finally:
        writer.transport.abort()


async def test_a_request_is_answered_on_the_port_that_was_found():
    async with serving(hello) as server:
        got = await talk(server, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"server:" not in got.lower()
        assert b"\r\ndate:" not in got.lower()


async def test_localhost_listens_on_both_families():
    async with serving(hello, host="localhost") as server:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
                continue
            reader, writer = await asyncio.open_connection(address, server.port, family=family)
            writer.write(GET)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.transport.abort()


async def test_a_taken_port_is_named_together_with_who_holds_it():
    async with serving(hello) as first:
        second = Server(hello, port=first.port)
        with pytest.raises(BindError) as caught:
            await second.start()
        assert str(first.port) in caught.value.message
        assert "--port" in caught.value.hint
        assert "pid" in caught.value.hint


async def test_given_sockets_are_served_and_closed_by_stop():
    sock = socket.create_server(("127.0.0.1", 0))
    server = Server(hello, sockets=[sock], lifespan="off")
    await server.start()
    assert server.port == sock.getsockname()[1]
    await server.stop(0)
    assert sock.fileno() == -1


async def test_a_start_up_that_raises_reaches_the_caller_and_leaves_nothing_open():
    async def app(scope, receive, send):
        await receive()
        try:
            raise ZeroDivisionError("the state folder")
        finally:
            await send({"type": "lifespan.startup.failed", "message": "x"})

    server = Server(app, lifespan="on")
    with pytest.raises(ZeroDivisionError):
        await server.start()
    assert all(sock.fileno() == -1 for sock in server.sockets)


async def test_stop_lets_a_running_answer_finish_and_refuses_new_connections():
    begun, release = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        await answer(send, b"first;", more=True)
        begun.set()
        await release.wait()
        await send({"type": "http.response.body", "body": b"last"})

    async with serving(app) as server:
        running = asyncio.create_task(talk(server, GET))
        await begun.wait()
        stopping = asyncio.create_task(server.stop(60))
        await until(lambda: all(sock.fileno() == -1 for sock in server.sockets))
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection("127.0.0.1", server.port)
        release.set()
        got = await running
        await stopping
        assert b"last" in got
        assert got.endswith(b"0\r\n\r\n")
        await server.wait()


async def test_stop_ends_within_its_limit_and_the_cut_is_visible(caplog):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        try:
            await answer(send, b"first", more=True)
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(app) as server:
        running = asyncio.create_task(talk(server, GET))
        await begun.wait()
        async with asyncio.timeout(GRACEFUL_S / 2):
            await server.stop(0.1)
        got = await running
    assert ended.is_set()
    assert b"first" in got
    assert not got.endswith(b"0\r\n\r\n")
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_a_second_stop_cuts_the_drain_of_the_first_short():
    begun = asyncio.Event()

    async def app(scope, receive, send):
        await answer(send, b"first", more=True)
        begun.set()
        await asyncio.Event().wait()

    async with serving(app) as server:
        running = asyncio.create_task(talk(server, GET))
        await begun.wait()
        first = asyncio.create_task(server.stop(60))
        await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            await server.stop(0)
            await first
        await running


async def test_the_application_shuts_down_only_after_the_last_request_ended():
    order, begun = [], asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            order.append("shutdown")
            return await send({"type": "lifespan.shutdown.complete"})
        try:
            await answer(send, b"x", more=True)
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            order.append("request")

    async with serving(app, lifespan="on") as server:
        running = asyncio.create_task(talk(server, GET))
        await begun.wait()
        await server.stop(0.05)
        await running
    assert order == ["request", "shutdown"]


@pytest.mark.parametrize("rst", [True, False])
async def test_abort_drops_the_connection_at_once_and_logs_nothing(rst, caplog):
    caplog.set_level(logging.INFO)
    seen = asyncio.Event()

    async def app(scope, receive, send):
        await answer(send, b"partial", more=True)
        await seen.wait()
        scope["extensions"][ABORT](rst=rst)
        await send({"type": "http.response.body", "body": b"never"})

    async with serving(app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        got = await reader.readuntil(b"partial\r\n")
        assert got.startswith(b"HTTP/1.1 200")
        seen.set()
        async with asyncio.timeout(30):
            if rst:
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            else:
                assert await reader.read() == b""
        writer.transport.abort()
        await asyncio.sleep(0.02)
    assert not [r for r in caplog.records if "ASGI" in r.getMessage() or r.exc_info]


async def test_an_exception_of_the_application_is_logged_and_answered_with_500(caplog):
    async def app(scope, receive, send):
        raise ZeroDivisionError

    async with serving(app) as server:
        got = await talk(server, GET)
    assert got.startswith(b"HTTP/1.1 500")
    assert any(r.exc_info for r in caplog.records)


async def test_a_client_that_leaves_is_told_to_the_application():
    begun, gone = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        await answer(send, b"x", more=True)
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async with serving(app) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        await begun.wait()
        writer.transport.abort()
        async with asyncio.timeout(30):
            await gone.wait()


def post(*headers: bytes, body: bytes = b"") -> bytes:
    lines = [b"POST /a HTTP/1.1", b"Host: x", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
HOSTILE = {
    "two lengths": post(b"Content-Length: 3", b"Content-Length: 5", body=b"abcde"),
    "length list": post(b"Content-Length: 3, 3", body=b"abc"),
    "signed length": post(b"Content-Length: +3", body=b"abc"),
    "length and chunked": post(b"Content-Length: 3", CHUNKED, body=b"0\r\n\r\n"),
    "chunked and length": post(CHUNKED, b"Content-Length: 3", body=b"0\r\n\r\n"),
    "chunked twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "unknown coding": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "coding before chunked": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "coding after chunked": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "space before colon": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk without CR": post(CHUNKED, body=b"3\nabc\n0\n\n"),
    "chunk size overflow": post(CHUNKED, body=b"f" * 20 + b"\r\n"),
    "NUL": post(b"X-A: a\x00b"),
    "bare CR": post(b"X-A: a\rb"),
    "bare LF": post(b"X-A: a\nX-B: b"),
    "folded": post(b"X-A: a\r\n b"),
    "control": post(b"X-A: a\x01b"),
    "no name": post(b": b"),
    "space in name": post(b"X A: b"),
    "no host": b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "two hosts": post(b"Host: y"),
    "long value": post(b"X-A: " + b"a" * (MAX_HEAD_BYTES + 1)),
    "10 MB value": post(b"X-A: " + b"a" * 10_000_000),
    "many lines": post(*[b"X: y"] * (MAX_HEADERS + 1)),
    "100,000 lines": post(*[b"X: y"] * 100_000),
    "long url": b"GET /" + b"a" * (MAX_HEAD_BYTES + 1) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "control in url": b"GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT evil:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "upgrade with body": post(
        b"Connection: upgrade", b"Upgrade: h2c", b"Content-Length: 3", body=b"abc"
    ),
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no http": b"hello\r\n\r\n",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_head_ends_in_a_clean_400_and_a_close(data):
    async with serving(hello) as server:
        got = await talk(server, data)
    assert got.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert got.count(b"HTTP/1.1") == 1


async def test_trailers_never_become_headers():
    body = b"3\r\nabc\r\n0\r\nX-Evil: 1\r\n\r\n"
    data = post(CHUNKED, b"Connection: close", body=body)

    async def app(scope, receive, send):
        await asyncio.sleep(0.02)
        await hello(scope, receive, send)

    async with serving(app) as server:
        assert b"ok:abc:3" in await talk(server, data)


async def test_broken_framing_after_an_answer_began_resets_instead_of_mixing_answers():
    async def app(scope, receive, send):
        await answer(send, b"begun", more=True)
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serving(app) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post(CHUNKED, body=b"3\r\nabc\r\n"))
        await reader.readuntil(b"begun\r\n")
        writer.write(b"nonsense\r\n")
        async with asyncio.timeout(30):
            assert b"400" not in await reader.read()
        writer.transport.abort()


async def test_pipelined_requests_are_answered_in_order():
    async with serving(hello) as server:
        last = post(b"Connection: close", b"Content-Length: 1", body=b"2")
        got = await talk(server, post(b"Content-Length: 1", body=b"1") + last)
    assert got.index(b"ok:1") < got.index(b"ok:2")


async def test_a_connection_is_reused_for_the_next_request():
    async with serving(hello) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            writer.write(GET)
            assert b"200 OK" in await reader.readuntil(b"0\r\n\r\n")
        writer.transport.abort()


@pytest.fixture
def _nothing_is_collected():
    """What goes is let go by its last user."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_nothing_is_collected")
async def test_a_connection_that_was_reset_is_let_go_at_once():
    async with serving(hello) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        await reader.readuntil(b"0\r\n\r\n")
        connection = weakref.ref(*server._open)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        async with asyncio.timeout(30):
            await server._open.none_left.wait()
        await asyncio.sleep(0)
        assert connection() is None


async def test_who_connects_while_nobody_accepts_waits_and_is_answered():
    async with serving(hello) as server:
        server.pause()
        waiting = asyncio.ensure_future(talk(server, GET[:-2] + b"Connection: close\r\n\r\n"))
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
        await server.resume()
        assert (await waiting).startswith(b"HTTP/1.1 200 OK")


async def test_another_server_goes_on_with_copies_of_the_sockets():
    async with serving(hello) as first:
        first.pause()
        copies = [sock.dup() for sock in first.sockets]
        async with serving(hello, sockets=copies) as second:
            assert second.port == first.port
            await first.stop(0)
            got = await talk(second, GET[:-2] + b"Connection: close\r\n\r\n")
            assert got.startswith(b"HTTP/1.1 200 OK")


async def test_an_open_connection_is_answered_once_more_when_another_process_accepts():
    async with serving(hello) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")
        stopping = asyncio.ensure_future(server.stop(10.0, passed_on=True))
        await until(lambda: server._open.retiring)
        writer.write(GET)
        assert b"connection: close" in await reader.read()
        await stopping
        writer.close()


async def test_half_a_request_is_waited_on_as_before_when_another_process_accepts(monkeypatch):
    monkeypatch.setattr("maxpool.adapters.server.LAST_REQUEST_S", 0.05)
    async with serving(hello) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET[:9])
        await until(lambda: any(one._unfinished for one in server._open))
        stopping = asyncio.ensure_future(server.stop(10.0, passed_on=True))
        await asyncio.sleep(0.15)
        writer.write(GET[9:20])
        await asyncio.sleep(0.15)
        writer.write(GET[20:])
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        await stopping
        writer.close()


async def test_a_connection_that_rests_is_closed_soon_when_another_process_accepts(monkeypatch):
    monkeypatch.setattr("maxpool.adapters.server.LAST_REQUEST_S", 0.05)
    async with serving(hello) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(5):
            await server.stop(30.0, passed_on=True)
        writer.close()
