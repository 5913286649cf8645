"""The contract of every HTTP client: which connections carry the next request, and which never."""

from __future__ import annotations

import asyncio

import pytest

from maxpool.ports import Reply
from tests.adapters.contract import failure, whole
from tests.adapters.peers import OK, call, peer, replying, reset, saying


async def settled() -> None:
    """What the peer did to an idle connection has arrived."""
    await asyncio.sleep(0.02)


async def test_a_read_answer_leaves_its_connection_for_the_next_request(client):
    async with peer(replying(OK)) as one:
        for _ in range(5):
            assert await whole(await client.send(call(one.url))) == b"ok"
        assert one.connections == 1


async def test_the_connection_used_last_is_used_next(client):
    async def script(one, reader, writer):
        number = b"%d" % one.connections
        while True:
            await one.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)

    async with peer(script) as one:
        both = await asyncio.gather(*(client.send(call(one.url)) for _ in range(2)))
        assert sorted([await whole(reply) for reply in both]) == [b"1", b"2"]
        first, *later = [await whole(await client.send(call(one.url))) for _ in range(3)]
        assert later == [first, first]


async def test_connections_are_never_shared_between_origins(client):
    async with peer(replying(OK)) as one, peer(replying(OK)) as other:
        for _ in range(2):
            for url in (one.url, other.url, one.url.replace("127.0.0.1", "localhost")):
                assert await whole(await client.send(call(url))) == b"ok"
        assert (one.connections, other.connections) == (2, 1)


async def test_an_idle_connection_is_closed_when_it_expires(connect):
    client = connect(keepalive_expiry_s=0.05)
    async with peer(saying(OK)) as one:
        await whole(await client.send(call(one.url)))
        async with asyncio.timeout(1):
            await one.gone.wait()
        assert await whole(await client.send(call(one.url))) == b"ok"


async def end_reset(writer):
    reset(writer)


async def end_close(writer):
    writer.close()


async def end_half_close(writer):
    writer.write_eof()


async def end_with_data(writer):
    writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 3\r\n\r\nbad")


async def end_with_a_byte(writer):
    writer.write(b"\n")


@pytest.mark.parametrize(
    "end", [end_reset, end_close, end_half_close, end_with_data, end_with_a_byte]
)
async def test_an_idle_connection_that_the_peer_touched_is_never_used_again(client, end):
    touched = asyncio.Event()

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(OK)
        await asyncio.sleep(0.005)
        await end(writer)
        touched.set()
        await one.left(reader)

    async with peer(script) as one:
        for _ in range(3):
            assert await whole(await client.send(call(one.url))) == b"ok"
            await touched.wait()
            touched.clear()
            await settled()
        assert (one.connections, len(one.bodies)) == (3, 3)


@pytest.mark.parametrize("tail", [b"x", OK, b"\r\n"], ids=["byte", "second answer", "empty line"])
async def test_more_than_the_answer_is_never_taken_for_the_next_one(client, tail):
    async with peer(replying(OK + tail)) as one:
        for _ in range(3):
            assert await whole(await client.send(call(one.url))) == b"ok"
        assert one.connections == 3 or tail.isspace()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["close", "close in a list", "HTTP/1.0"],
)
async def test_a_connection_the_peer_will_close_is_not_kept(client, head):
    async with peer(saying(head)) as one:
        for number in range(1, 4):
            assert await whole(await client.send(call(one.url))) == b"ok"
            async with asyncio.timeout(0.5):
                await one.gone.wait()
            one.gone.clear()
            assert one.connections == number


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("rst", [True, False], ids=["RST", "FIN"])
async def test_a_kept_connection_that_dies_on_the_next_request_may_have_been_processed(
    client, method, rst
):
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(OK)
        await one.request(reader)
        if rst:
            reset(writer)

    async with peer(script) as one:
        await whole(await client.send(call(one.url, method=method)))
        assert failure(await client.send(call(one.url, method=method))) == ("reset", True)
        assert (one.connections, len(one.bodies)) == (1, 2)  # never sent a second time


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("end", [end_reset, end_close])
async def test_a_connection_closed_while_it_is_taken_again_processes_no_request_twice(
    client, method, end
):
    writers = []

    async def script(one, reader, writer):
        writers.append(writer)
        while True:
            await one.request(reader)
            writer.write(OK)

    async with peer(script) as one:
        for _ in range(10):
            assert await whole(await client.send(call(one.url, method=method))) == b"ok"
            before = len(one.bodies)
            await end(writers[-1])  # the client has not heard of it yet
            answer = await client.send(call(one.url, method=method))
            if isinstance(answer, Reply):
                assert await whole(answer) == b"ok"
                assert len(one.bodies) == before + 1
            else:
                assert failure(answer) == ("reset", True)
                assert len(one.bodies) <= before + 1


async def test_a_dead_connection_is_followed_by_a_living_one(client):
    async with peer(replying(OK)) as one:
        replies = await asyncio.gather(*(client.send(call(one.url)) for _ in range(5)))
        for reply in replies:
            await whole(reply)
        for writer in one._writers[2:]:
            writer.transport.abort()
        await settled()
        assert await whole(await client.send(call(one.url))) == b"ok"
        assert one.connections == 5
