"""The contract of every HTTP client: peers that break the protocol, and answers drawn at random."""

from __future__ import annotations

import asyncio
import string
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxpool.errors import StreamCut
from maxpool.ports import Reply, Unreachable
from tests.adapters.contract import SECRET, failure, whole
from tests.adapters.peers import call, peer, replying, saying

START = b"HTTP/1.1 200 OK\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense " + SECRET + b"\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 xx OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        START + b"X-A: " + b"a" * 10_000_000 + b"\r\n\r\n",
        START + b"X-A: b\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 " + b"O" * 10_000_000 + b"\r\n\r\n",
        START + b"a" * 10_000_000 + b": b\r\n\r\n",
        START + b"no colon " + SECRET + b"\r\n\r\n",
        START + b"X-A : " + SECRET + b"\r\n\r\n",
        START + b": " + SECRET + b"\r\n\r\n",
        START + b"X-A: " + SECRET + b"\x00\r\n\r\n",
        START + b"X-A: " + SECRET + b"\rX-B: c\r\n\r\n",
        b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        START + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        START + b"Content-Length: 1, 2\r\n\r\nab",
        START + b"Content-Length: +2\r\n\r\nab",
        START + b"Content-Length: -2\r\n\r\nab",
        START + b"Content-Length: 0x2\r\n\r\nab",
        START + b"Content-Length: 2 2\r\n\r\nab",
        START + b"Content-Length: 99999999999999999999999\r\n\r\nab",
        START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ],
    ids=[
        "nonsense",
        "status of four digits",
        "status of letters",
        "version 9",
        "version 2",
        "a request",
        "a TLS record",
        "10 MB value",
        "100,000 lines",
        "10 MB reason",
        "10 MB name",
        "no colon",
        "space before colon",
        "no name",
        "NUL",
        "bare CR",
        "101",
        "two lengths",
        "two lengths in one",
        "plus",
        "minus",
        "hexadecimal",
        "space in length",
        "huge length",
        "length and chunked",
        "chunked and length",
        "gzip, chunked",
        "chunked twice",
        "unknown coding",
        "two codings",
    ],
)
async def test_a_hostile_head_is_a_protocol_failure(client, data):
    async with peer(replying(data)) as one:
        assert failure(await client.send(call(one.url))) == ("protocol", True)
        assert one.connections == 1


@pytest.mark.parametrize(
    "flood", [b"a" * 65536, b"X-A: b\r\n" * 8192], ids=["one line", "many lines"]
)
async def test_a_head_without_end_is_not_read_to_its_end(client, flood):
    written = 0

    async def script(one, reader, writer):
        nonlocal written
        await one.request(reader)
        writer.write(START + b"X: ")
        while True:
            writer.write(flood)
            written += len(flood)
            await writer.drain()

    async with peer(script) as one:
        assert failure(await client.send(call(one.url))) == ("protocol", True)
        assert written < 16_000_000  # what the kernel buffers, and no more


@pytest.mark.parametrize(
    "tail",
    [
        b"nonsense " + SECRET + b"\r\n",
        b"-1\r\na\r\n",
        b"0x1\r\na\r\n",
        b"fffffffffffffffffffff\r\na\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"\r\n",
        b"0\r\nno colon " + SECRET + b"\r\n\r\n",
        b"1;" + b"x" * 10_000_000 + b"\r\na\r\n",
        b"0\r\nX: " + b"a" * 10_000_000 + b"\r\n\r\n",
        b"0\r\n" + b"X: a\r\n" * 100_000 + b"\r\n",
    ],
    ids=[
        "nonsense",
        "minus",
        "hexadecimal sign",
        "overflow",
        "chunk too long",
        "no size",
        "bad trailer",
        "10 MB extension",
        "10 MB trailer",
        "100,000 trailers",
    ],
)
async def test_a_hostile_body_is_cut_after_all_that_was_well_formed(client, tail):
    async with peer(saying(CHUNKED + b"5\r\nfirst\r\n", tail)) as one:
        reply = await client.send(call(one.url, idle=2.0))
        chunks = aiter(reply.stream)
        assert (await anext(chunks)) == b"first"
        with pytest.raises(StreamCut) as caught:
            await whole(reply)
        assert caught.value.kind == "protocol"
        assert SECRET.decode() not in str(caught.value)
        await reply.stream.aclose()


# -- answers drawn at random ----------------------------------------------------------------------

drawn = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
VISIBLE = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100))


@st.composite
def fields(draw) -> list[tuple[bytes, bytes]]:
    names = st.text(string.ascii_letters + string.digits + "-_.~!", min_size=1, max_size=12)
    values = st.lists(st.sampled_from(sorted(VISIBLE)), max_size=20).map(bytes)
    return [(b"X-" + draw(names).encode(), draw(values)) for _ in range(draw(st.integers(0, 6)))]


def chunked(body, cuts) -> bytes:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in pairwise(edges) if a < b]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"


@st.composite
def answers(draw):
    """(method, status, fields, body, the bytes on the wire, whether the peer closes after them)."""
    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 429, 500, 529]))
    given_fields, body = draw(fields()), draw(st.binary(max_size=300))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if method == "HEAD" or status in (204, 304):
        framing, body = "none", b""
    lines = [b"HTTP/1.1 %d Reason" % status, *(b"%b:%b" % field for field in given_fields)]
    lines += {"length": [b"Content-Length: %d" % len(body)]}.get(framing, [])
    lines += {"chunked": [b"transfer-encoding: Chunked"]}.get(framing, [])
    tail = body
    if framing == "chunked":
        tail = chunked(body, draw(st.lists(st.integers(0, 300), max_size=5)))
        tail += draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"])) + b"\r\n"
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 103 Hints\r\nX-Early: 1\r\n\r\n"]))
    wire = interim + b"\r\n".join(lines) + b"\r\n\r\n" + tail
    return method, status, given_fields, body, wire, framing == "close"


def split(wire, cuts) -> list[bytes]:
    edges = [0, *sorted({cut % (len(wire) + 1) for cut in cuts}), len(wire)]
    return [wire[a:b] for a, b in pairwise(edges) if a < b]


def dealing(pieces, close) -> Any:
    """A script: answer each request with `pieces`, each reaching the client's loop by itself."""

    async def script(one, reader, writer):
        while True:
            await one.request(reader)
            for piece in pieces:
                writer.write(piece)
                for _ in range(3):
                    await asyncio.sleep(0)
            if close:
                return

    return script


@drawn
@given(answer=answers(), cuts=st.lists(st.integers(0, 1000), max_size=8))
async def test_any_answer_split_anywhere_is_the_same_answer(client, answer, cuts):
    method, status, given_fields, body, wire, close = answer
    async with peer(dealing(split(wire, cuts), close)) as one:
        for _ in range(2):
            reply = await client.send(call(one.url, method=method))
            assert isinstance(reply, Reply), reply
            assert reply.status == status
            assert [f for f in reply.headers if f[0].startswith(b"X-")] == given_fields
            assert await whole(reply) == body
        # Whether a bare head of HEAD ends before the close is not for every client to say.
        assert one.connections == 1 + close or method == "HEAD"


async def test_an_answer_that_comes_byte_by_byte_is_the_same_answer(client):
    wire = b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n" + CHUNKED + b"3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n"
    async with peer(dealing([wire[n : n + 1] for n in range(len(wire))], False)) as one:
        for _ in range(2):
            assert await whole(await client.send(call(one.url))) == b"abc"
        assert one.connections == 1


async def ended(client, url) -> None:
    """Whatever the peer says: an answer read to its end or cut, or none, and nothing quoted."""
    async with asyncio.timeout(5):
        reply = await client.send(call(url, header=0.05, idle=0.05))
        if isinstance(reply, Unreachable):
            failure(reply)
            return
        told = ""
        try:
            await whole(reply)
        except StreamCut as cut:
            told = str(cut)
        assert SECRET.decode() not in told
        await reply.stream.aclose()


WORDS = [b"HTTP/1.1 ", b"200 OK", b"\r\n", b"\n", b"\r", b" ", b": ", b"\x00", SECRET, b"0\r\n\r\n"]
WORDS += [b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"5", b"103 ", b"Connection: "]


@drawn
@given(
    parts=st.lists(st.sampled_from(WORDS) | st.binary(max_size=9), max_size=20), close=st.booleans()
)
async def test_garbage_ends_cleanly(client, parts, close):
    async with peer(dealing(parts, close)) as one:
        await ended(client, one.url)


@drawn
@given(answer=answers(), at=st.integers(0, 1000), put=st.binary(max_size=3), cut=st.integers(0, 3))
async def test_a_damaged_answer_ends_cleanly(client, answer, at, put, cut):
    _, _, _, _, wire, close = answer
    at %= len(wire)
    wire = wire[:at] + put + wire[at + cut :]
    async with peer(dealing([wire], close)) as one:
        await ended(client, one.url)
