"""The contract of every HTTP client: limits, cuts, cancellation, backpressure, closing."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from maxpool.errors import StreamCut
from maxpool.ports import Reply
from tests.adapters.contract import failure, full_backlog, queued, whole
from tests.adapters.peers import OK, call, peer, reset, saying

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = b"a" * 30_000_000

drip = saying(CHUNKED + b"5\r\nfirst\r\n")


async def hang(one, reader, writer):
    await one.request(reader)
    await one.left(reader)


async def deaf(one, reader, writer):
    """Reads a request's head, never its body; notices a client that left nevertheless."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"")
    await asyncio.sleep(0.05)
    await one.left(reader)


async def silent(one, reader, writer):
    await one.left(reader)


async def left(one) -> None:
    async with asyncio.timeout(0.5):
        await one.gone.wait()


# -- limits ---------------------------------------------------------------------------------------


async def test_a_connect_that_hangs_ends_at_its_own_limit(client):
    async with full_backlog() as port:
        answer = await client.send(call(f"http://127.0.0.1:{port}", connect=0.1))
    assert failure(answer) == ("timeout", False)


async def test_a_handshake_that_hangs_ends_at_the_connect_limit(client):
    async with peer(silent) as one:
        answer = await client.send(call(f"https://127.0.0.1:{one.port}/", connect=0.1))
        assert failure(answer) == ("timeout", False)
        await left(one)


async def test_headers_that_do_not_come_end_in_a_timeout_and_a_close(client):
    async with peer(hang) as one:
        assert failure(await client.send(call(one.url, header=0.1))) == ("timeout", True)
        await left(one)


@pytest.mark.parametrize(
    "morsel", [b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n", b"X"], ids=["interim", "one byte"]
)
async def test_what_is_no_whole_head_does_not_extend_the_header_limit(client, morsel):
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX: " if morsel == b"X" else b"")
        while not writer.is_closing():
            writer.write(morsel)
            await asyncio.sleep(0.02)

    async with peer(script) as one:
        start = time.perf_counter()
        assert failure(await client.send(call(one.url, header=0.2))) == ("timeout", True)
        assert time.perf_counter() - start < 10  # the morsels never end


async def test_a_body_that_the_peer_does_not_take_ends_at_the_header_limit(client):
    async def script(one, reader, writer):
        await one.gone.wait()

    async with peer(script) as one:
        answer = await client.send(call(one.url, body=LARGE, header=0.2))
        assert failure(answer) == ("timeout", True)
        one.gone.set()


async def test_any_byte_counts_as_life(client):
    pieces = [CHUNKED] + [b"1\r\nx\r\n"] * 10 + [b"0\r\n\r\n"]
    async with peer(saying(*pieces)) as one:
        assert await whole(await client.send(call(one.url, idle=0.12))) == b"x" * 10


async def test_silence_counts_only_while_somebody_waits_for_bytes(client):
    async with peer(saying(CHUNKED + b"5\r\nfirst\r\n", b"0\r\n\r\n")) as one:
        reply = await client.send(call(one.url, idle=0.05))
        await asyncio.sleep(0.15)
        assert await whole(reply) == b"first"


# -- cuts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (saying(CHUNKED, b"5\r\nfirst\r\n", b"5\r\nsec", then_close=True), "truncated"),
        (saying(CHUNKED, b"5\r\nfirst\r\n", b"5\r\nsec", rst=True), "reset"),
        (saying(CHUNKED, b"5\r\nfirst\r\n", b"nonsense\r\n"), "protocol"),
        (saying(CHUNKED, b"5\r\nfirst\r\n"), "idle"),
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"first", then_close=True),
            "truncated",
        ),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"first", rst=True), "reset"),
        (saying(b"HTTP/1.1 200 OK\r\n\r\n", b"first", rst=True), "reset"),
        (saying(b"HTTP/1.1 200 OK\r\n\r\n", b"first"), "idle"),
    ],
    ids=[
        "chunked truncated",
        "chunked reset",
        "chunked nonsense",
        "chunked idle",
        "length truncated",
        "length reset",
        "close reset",
        "close idle",
    ],
)
async def test_a_body_that_ends_early_is_cut_after_all_that_arrived(client, script, kind):
    async with peer(script) as one:
        reply = await client.send(call(one.url, idle=0.2))
        chunks = aiter(reply.stream)
        assert (await anext(chunks)).startswith(b"first")
        with pytest.raises(StreamCut) as caught:
            await whole(reply)
        assert caught.value.kind == kind
        await reply.stream.aclose()


async def test_a_body_cut_before_anybody_read_gives_what_arrived_first(client):
    async with peer(saying(CHUNKED + b"5\r\nfirst\r\n", then_close=True)) as one:
        reply = await client.send(call(one.url))
        await asyncio.sleep(0.1)
        chunks = aiter(reply.stream)
        assert await anext(chunks) == b"first"
        with pytest.raises(StreamCut) as caught:
            await anext(chunks)
        assert caught.value.kind == "truncated"
        await reply.stream.aclose()


@pytest.mark.parametrize("rst", [True, False], ids=["RST", "FIN"])
@pytest.mark.parametrize("half", [b"", b"HTTP/1.1 200 OK\r\nX-Half:"], ids=["nothing", "half"])
async def test_a_peer_that_leaves_before_headers_is_a_reset_that_may_have_been_processed(
    client, rst, half
):
    async with peer(saying(half, rst=rst, then_close=True)) as one:
        assert failure(await client.send(call(one.url))) == ("reset", True)


async def test_a_peer_that_leaves_while_the_body_is_sent_is_a_reset(client):
    async def script(one, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    async with peer(script) as one:
        assert failure(await client.send(call(one.url, body=LARGE))) == ("reset", True)


async def test_an_answer_before_the_request_was_complete_is_still_an_answer(client):
    data = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
    second = asyncio.Event()

    async def script(one, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        if one.connections == 2:
            second.set()
        await one.gone.wait()

    async with peer(script) as one:
        reply = await client.send(call(one.url, body=LARGE))
        assert isinstance(reply, Reply)
        assert reply.status == 413
        assert await whole(reply) == b"big"
        again = asyncio.create_task(client.send(call(one.url)))
        async with asyncio.timeout(1):
            await second.wait()  # the first connection still owes the rest of its request
        assert (await again).status == 413
        one.gone.set()


# -- backpressure ---------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65536),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"a" * 65536),
        (CHUNKED, b"10000\r\n" + b"a" * 65536 + b"\r\n"),
        (CHUNKED, b"1\r\nx\r\n" * 10_000),
    ],
    ids=["close-delimited", "length", "chunks", "tiny chunks"],
)
async def test_an_unread_body_is_held_back_at_the_peer(client, head, piece):
    sending = []

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(head)
        sending.extend([writer.transport, 0])
        while True:
            writer.write(piece)
            sending[1] += len(piece)
            await writer.drain()

    def taken(one) -> int:
        """Bytes that left the kernel's buffers for ours."""
        return int(sending[1] - sending[0].get_write_buffer_size() - queued(one.port))

    async with peer(script) as one:
        reply = await client.send(call(one.url))
        for _ in range(20):
            before = sending[1]
            await asyncio.sleep(0.1)
            if sending[1] == before:
                break
        # 256 KB, and the one read (at most 256 KB) that went beyond
        assert taken(one) <= 512 * 1024
        await anext(aiter(reply.stream))
        await reply.stream.aclose()


async def test_a_body_held_back_goes_on_when_it_is_read(client):
    sent = bytes(range(256)) * 20_000
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent
    async with peer(saying(data)) as one:
        reply = await client.send(call(one.url, idle=1.0))
        await asyncio.sleep(0.1)
        assert await whole(reply) == sent


# -- leaving --------------------------------------------------------------------------------------


async def test_closing_a_half_read_body_reaches_the_peer_at_once(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))
        assert await anext(aiter(reply.stream)) == b"first"
        start = time.perf_counter()
        await reply.stream.aclose()
        await reply.stream.aclose()
        await one.gone.wait()
        assert time.perf_counter() - start < 3  # scripts/faults --storm measures how soon


async def test_a_cancelled_close_still_closes(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))
        task = asyncio.create_task(reply.stream.aclose())
        await asyncio.sleep(0)
        task.cancel()
        await left(one)
        await asyncio.gather(task, return_exceptions=True)


async def test_a_reader_cancelled_in_the_middle_of_a_body_closes_through_aclose(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))

        async def relay() -> None:
            try:
                await whole(reply)
            finally:
                await reply.stream.aclose()

        task = asyncio.create_task(relay())
        await asyncio.sleep(0.05)
        task.cancel()
        await left(one)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_reader_cancelled_in_the_middle_of_a_body_may_read_on(client):
    async with peer(saying(CHUNKED, b"5\r\nfirst\r\n", b"", b"", b"0\r\n\r\n")) as one:
        reply = await client.send(call(one.url))
        chunks = aiter(reply.stream)
        assert await anext(chunks) == b"first"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(chunks), 0.001)
        assert await whole(reply) == b""


async def test_closing_from_elsewhere_wakes_a_waiting_reader(client):
    async with peer(drip) as one:
        reply = await client.send(call(one.url))
        reading = asyncio.create_task(whole(reply))
        await asyncio.sleep(0.05)
        await reply.stream.aclose()
        async with asyncio.timeout(0.5):
            with pytest.raises(StreamCut):
                await reading


@pytest.mark.parametrize(
    ("script", "body", "scheme"),
    [(hang, b"{}", "http"), (deaf, LARGE, "http"), (silent, b"{}", "https")],
    ids=["waiting", "sending", "handshaking"],
)
async def test_cancelling_send_closes_the_connection(client, script, body, scheme):
    async with peer(script) as one:
        url = f"{scheme}://127.0.0.1:{one.port}/"
        task = asyncio.create_task(client.send(call(url, body=body)))
        await asyncio.sleep(0.05)
        task.cancel()
        await left(one)
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


async def test_cancelling_send_while_connecting_ends_it_at_once(client):
    async with full_backlog() as port:
        task = asyncio.create_task(client.send(call(f"http://127.0.0.1:{port}")))
        await asyncio.sleep(0.05)
        task.cancel()
        async with asyncio.timeout(0.5):
            await asyncio.wait([task])
        assert task.cancelled()


async def test_a_request_cancelled_at_any_step_leaves_the_client_usable(client):
    async with peer(saying(OK[:20], OK[20:])) as one:
        for steps in range(12):
            task = asyncio.create_task(client.send(call(one.url)))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert await whole(await client.send(call(one.url))) == b"ok"


# -- closing the client ---------------------------------------------------------------------------


async def test_closing_the_client_ends_running_bodies_and_refuses_new_requests(client):
    async with peer(drip) as one:
        replies = [await client.send(call(one.url)) for _ in range(3)]
        reading = [asyncio.create_task(whole(reply)) for reply in replies[:2]]
        await asyncio.sleep(0.05)
        await client.aclose()
        async with asyncio.timeout(0.5):
            for task in reading:
                with pytest.raises(StreamCut):
                    await task
            with pytest.raises(StreamCut):
                await whole(replies[2])
        kind, sent = failure(await client.send(call(one.url)))
        assert (kind, sent) == ("refused", False)


@pytest.mark.parametrize(
    ("script", "body"), [(hang, b"{}"), (deaf, LARGE)], ids=["waiting", "sending"]
)
async def test_closing_the_client_ends_requests_without_an_answer(client, script, body):
    async with peer(script) as one:
        task = asyncio.create_task(client.send(call(one.url, body=body)))
        await asyncio.sleep(0.05)
        await client.aclose()
        async with asyncio.timeout(0.5):
            assert failure(await task) == ("reset", True)


async def test_closing_the_client_while_it_connects_lets_nothing_out(client):
    async with peer(silent) as one:
        url = f"https://127.0.0.1:{one.port}/"
        task = asyncio.create_task(client.send(call(url, connect=0.3)))
        await asyncio.sleep(0.05)
        await client.aclose()
        async with asyncio.timeout(1):
            _, sent = failure(await task)
        assert not sent


async def test_closing_the_client_twice_or_unused_is_nothing(client):
    await client.aclose()
    await client.aclose()
