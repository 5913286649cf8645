from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any

import pytest

from maxpool.adapters.upstream import HttpUpstream
from maxpool.errors import MaxpoolError, StreamCut
from maxpool.ports import Reply, Unreachable
from tests.adapters.peers import OK, call, peer, replying


@pytest.fixture
async def client():
    one = HttpUpstream(proxy_for=lambda scheme, host: None)
    yield one
    await one.aclose()
    await asyncio.sleep(0)


async def body(reply) -> bytes:
    assert isinstance(reply, Reply), reply
    return b"".join([chunk async for chunk in reply.stream])


def reset(writer) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_method_target_headers_and_body_arrive_unchanged(client):
    async with peer(replying(OK)) as one:
        url = f"{one.url}/pre%2Ffix/v1/a%41%7e/../b;x=1?beta=true&q=%20%2B+"
        headers = [(b"X-Twice", b"1"), (b"X-Twice", b"2"), (b"Content-Length", b"999")]
        reply = await client.send(call(url, body=b"\x00body", headers=headers))
        assert await body(reply) == b"ok"
    host = f"127.0.0.1:{one.port}".encode()
    assert one.bodies == [b"\x00body"]
    assert one.heads == [
        b"POST /pre%2Ffix/v1/a%41%7e/../b;x=1?beta=true&q=%20%2B+ HTTP/1.1\r\n"
        b"Host: " + host + b"\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 5\r\n\r\n"
    ]


async def test_nothing_but_the_host_is_added_to_a_bare_get(client):
    async with peer(replying(OK)) as one:
        await body(await client.send(call(one.url, method="GET", body=b"")))
    assert one.heads == [b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % one.port]


async def test_status_and_headers_come_back_in_order_with_duplicates(client):
    data = b"HTTP/1.1 429 Slow\r\nX-A: 1\r\nx-b:  2 \r\nX-A: 3\r\nContent-Length: 0\r\n\r\n"
    async with peer(replying(data)) as one:
        reply = await client.send(call(one.url))
        assert await body(reply) == b""
    assert reply.status == 429
    assert list(reply.headers)[:3] == [(b"X-A", b"1"), (b"x-b", b"2"), (b"X-A", b"3")]


async def test_a_redirect_is_an_answer_like_any_other(client):
    data = b"HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with peer(replying(data)) as one:
        assert (await client.send(call(one.url))).status == 307


async def test_a_read_answer_leaves_its_connection_for_the_next_request(client):
    async with peer(replying(OK)) as one:
        for _ in range(5):
            assert await body(await client.send(call(one.url))) == b"ok"
        assert one.connections == 1


async def test_hundreds_of_streams_at_once_are_not_capped(client):
    async with peer(replying(OK)) as one:
        replies = await asyncio.gather(*(client.send(call(one.url)) for _ in range(300)))
        assert one.connections == 300
        for reply in replies:
            assert await body(reply) == b"ok"


async def test_an_idle_connection_is_closed_when_it_expires():
    client = HttpUpstream(keepalive_expiry_s=0.05, proxy_for=lambda scheme, host: None)

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(OK)
        await one.left(reader)

    async with peer(script) as one:
        await body(await client.send(call(one.url)))
        async with asyncio.timeout(1):
            await one.gone.wait()
        await client.aclose()


async def test_a_connection_the_peer_closed_while_idle_is_never_used_again(client):
    async with peer(replying(OK, then_close=True)) as one:
        for _ in range(3):
            assert await body(await client.send(call(one.url))) == b"ok"
            await asyncio.sleep(0.02)
        assert one.connections == 3


async def test_a_kept_connection_that_dies_on_the_next_request_may_have_been_processed(client):
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(OK)
        await one.request(reader)

    async with peer(script) as one:
        await body(await client.send(call(one.url)))
        answer = await client.send(call(one.url))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent, one.connections) == ("reset", True, 1)


async def test_refused_was_never_sent(client):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        answer = await client.send(call(f"http://127.0.0.1:{sock.getsockname()[1]}"))
    assert isinstance(answer, Unreachable)
    assert (answer.kind, answer.sent) == ("refused", False)


async def test_an_unknown_name_is_a_dns_failure(client):
    answer = await client.send(call("http://no-such-host.invalid/"))
    assert isinstance(answer, Unreachable)
    assert (answer.kind, answer.sent) == ("dns", False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/v1",
        "ftp://x/",
        "http://",
        "http://u:p@x/",
        "http://x:99999/",
        "http://x/a b",
        "http://x/\r\n",
    ],
)
async def test_what_is_no_http_url_is_refused_before_anything_is_sent(client, url):
    answer = await client.send(call(url))
    assert isinstance(answer, Unreachable)
    assert (answer.kind, answer.sent) == ("protocol", False)


async def test_a_header_that_would_split_the_request_is_never_sent_nor_told(client):
    async with peer(replying(OK)) as one:
        headers = [(b"authorization", b"Bearer sk-secret\r\nX: y")]
        answer = await client.send(call(one.url, headers=headers))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent, one.heads) == ("protocol", False, [])
        assert "sk-secret" not in answer.detail


async def test_a_connect_that_hangs_ends_at_its_own_limit(client):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        clogs = [socket.socket() for _ in range(4)]
        for clog in clogs:
            clog.setblocking(False)
            clog.connect_ex(("127.0.0.1", port))
        answer = await client.send(call(f"http://127.0.0.1:{port}", connect=0.1))
        for clog in clogs:
            clog.close()
    assert isinstance(answer, Unreachable)
    assert (answer.kind, answer.sent) == ("timeout", False)


async def hang(one, reader, writer):
    await one.request(reader)
    await one.left(reader)


async def test_headers_that_do_not_come_end_in_a_timeout_and_a_close(client):
    async with peer(hang) as one:
        answer = await client.send(call(one.url, header=0.1))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent) == ("timeout", True)
        async with asyncio.timeout(1):
            await one.gone.wait()


async def test_interim_answers_are_skipped_and_do_not_extend_the_header_limit(client):
    async def script(one, reader, writer):
        await one.request(reader)
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            await asyncio.sleep(0.02)

    async with peer(script) as one:
        start = time.perf_counter()
        answer = await client.send(call(one.url, header=0.2))
        assert isinstance(answer, Unreachable)
        assert answer.kind == "timeout"
        assert time.perf_counter() - start < 1
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + OK
    async with peer(replying(data)) as one:
        assert await body(await client.send(call(one.url))) == b"ok"


@pytest.mark.parametrize("rst", [True, False])
async def test_a_peer_that_leaves_before_headers_is_a_reset_that_may_have_been_processed(
    client, rst
):
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX-Half:")
        if rst:
            reset(writer)

    async with peer(script) as one:
        answer = await client.send(call(one.url))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent) == ("reset", True)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 10_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX-A: sk-secret\x00\r\n\r\n",
        b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
    ids=["nonsense", "10 MB value", "100,000 lines", "two lengths", "NUL", "101"],
)
async def test_a_hostile_head_is_a_protocol_failure(client, data):
    async with peer(replying(data)) as one:
        answer = await client.send(call(one.url))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent) == ("protocol", True)
        assert "sk-secret" not in answer.detail


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def cutting(tail, rst=False) -> Any:
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(HEAD + b"5\r\nfirst\r\n" + tail)
        await writer.drain()
        await asyncio.sleep(0.02)
        if rst:
            reset(writer)
        elif tail == b"":
            await one.left(reader)

    return script


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (cutting(b"5\r\nsec"), "truncated"),
        (cutting(b"5\r\nsec", rst=True), "reset"),
        (cutting(b"nonsense\r\n"), "protocol"),
        (cutting(b""), "idle"),
    ],
    ids=["truncated", "reset", "protocol", "idle"],
)
async def test_a_body_that_ends_early_is_cut_after_all_that_arrived(client, script, kind):
    async with peer(script) as one:
        reply = await client.send(call(one.url, idle=0.1))
        chunks = aiter(reply.stream)
        assert (await anext(chunks)).startswith(b"first")
        with pytest.raises(StreamCut) as caught:
            await body(reply)
        assert caught.value.kind == kind
        await reply.stream.aclose()


async def test_a_short_body_with_a_length_is_truncated(client):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
    async with peer(replying(data, then_close=True)) as one:
        with pytest.raises(StreamCut, match="truncated"):
            await body(await client.send(call(one.url)))


async def test_any_byte_counts_as_life(client):
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(HEAD)
        for _ in range(10):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.03)
        writer.write(b"0\r\n\r\n")

    async with peer(script) as one:
        assert await body(await client.send(call(one.url, idle=0.15))) == b"x" * 10


async def test_a_compressed_body_stays_compressed(client):
    raw = b"\x1f\x8b not really gzip"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(raw)
    async with peer(replying(head + raw)) as one:
        assert await body(await client.send(call(one.url))) == raw


async def drip(one, reader, writer):
    await one.request(reader)
    writer.write(HEAD + b"5\r\nfirst\r\n")
    await one.left(reader)


async def test_closing_a_half_read_body_reaches_the_peer_within_100_ms(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))
        assert await anext(aiter(reply.stream)) == b"first"
        start = time.perf_counter()
        await reply.stream.aclose()
        await reply.stream.aclose()
        await one.gone.wait()
        assert time.perf_counter() - start < 0.1


async def test_a_cancelled_close_still_closes(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))
        task = asyncio.create_task(reply.stream.aclose())
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(1):
            await one.gone.wait()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_reader_cancelled_in_the_middle_of_a_body_closes_through_aclose(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))

        async def relay() -> None:
            try:
                await body(reply)
            finally:
                await reply.stream.aclose()

        task = asyncio.create_task(relay())
        await asyncio.sleep(0.05)
        task.cancel()
        async with asyncio.timeout(0.5):
            await one.gone.wait()
        assert isinstance(
            (await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError
        )


async def test_closing_from_elsewhere_wakes_a_waiting_reader(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))
        reading = asyncio.create_task(body(reply))
        await asyncio.sleep(0.05)
        await reply.stream.aclose()
        with pytest.raises(StreamCut):
            await reading


async def test_cancelling_send_closes_the_connection(client):
    async with peer(hang) as one:
        task = asyncio.create_task(client.send(call(one.url)))
        await asyncio.sleep(0.05)
        task.cancel()
        async with asyncio.timeout(0.5):
            await one.gone.wait()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def test_an_answer_before_the_request_was_complete_is_still_an_answer(client):
    data = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"

    async def script(one, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await asyncio.sleep(0.2)

    async with peer(script) as one:
        reply = await client.send(call(one.url, body=b"a" * 30_000_000))
        assert reply.status == 413
        assert await body(reply) == b"big"


async def test_a_large_body_arrives_whole(client):
    sent = bytes(range(256)) * 40_000
    async with peer(replying(OK)) as one:
        assert await body(await client.send(call(one.url, body=sent))) == b"ok"
    assert one.bodies == [sent]


async def test_an_unread_body_is_held_back_at_the_peer(client):
    written = 0

    async def script(one, reader, writer):
        nonlocal written
        await one.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a" * 65536)
            written += 65536
            await writer.drain()

    async with peer(script) as one:
        reply = await client.send(call(one.url))
        await asyncio.sleep(0.2)
        held = written
        await asyncio.sleep(0.1)
        assert written == held  # what the kernel buffers on both sides, and no more
        await reply.stream.aclose()


async def test_closing_the_client_ends_running_bodies_and_refuses_new_requests(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))
        reading = asyncio.create_task(body(reply))
        await asyncio.sleep(0.05)
        await client.aclose()
        with pytest.raises(StreamCut):
            await reading
        answer = await client.send(call(one.url))
        assert isinstance(answer, Unreachable)
        assert not answer.sent


def test_a_ca_file_that_cannot_be_read_is_told_with_a_hint(tmp_path):
    with pytest.raises(MaxpoolError) as caught:
        HttpUpstream(ca_file=str(tmp_path / "none.pem"))
    assert "none.pem" in caught.value.message
    assert caught.value.hint
