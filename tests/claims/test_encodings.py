"""Encoded answers: passed as they came, metered, judged and bounded all the same (R1, R4, R7, R17, X11)."""

from __future__ import annotations

import asyncio
import json

import pytest

from maxpool.wire.encoding import Decoder
from tests.claims.answers import (
    BODY,
    CHUNKED,
    END,
    EVENTS,
    JSON,
    SSE,
    STREAM,
    behind,
    chunks,
    head,
    length,
    saying,
)
from tests.rig import ask, until
from tests.wire.packing import PACK, bomb, flushed, packed

READ = ["gzip", "br", "zstd"]
EARLY = {"commit_after": 0.1, "heartbeat": 0.1}


def coded(coding: str) -> bytes:
    return b"content-encoding: " + coding.rpartition(" ")[2].encode()


def clear(coding: str, body: bytes) -> bytes:
    decoder = Decoder.of(coding)
    assert decoder is not None
    return decoder.feed(body)


async def tokens_of(it, name: str) -> tuple[int, int]:
    total = (await it.state(name))["total"]
    return total["tokens_in"], total["tokens_out"]


@pytest.mark.parametrize("coding", PACK)
async def test_a_stream_in_any_coding_passes_as_it_came_and_is_metered(coding):  # R1, R17
    pieces = flushed(coding, EVENTS) if coding in READ else [packed(coding, STREAM)]
    answer = head(SSE, CHUNKED, coded(coding)) + chunks(*filter(None, pieces)) + END
    async with behind(saying(answer)) as (it, one):
        got = await it.post(headers={"accept-encoding": "gzip, deflate, br;q=0.9, zstd"})
        assert (got.account, got.body, got.cut) == ("a", b"".join(pieces), False)
        assert got.fields["content-encoding"] == coding.rpartition(" ")[2]
        assert await tokens_of(it, "a") == (11, 7)
        assert b"\r\naccept-encoding: gzip, br;q=0.9, zstd\r\n" in one.heads[0].lower()


@pytest.mark.parametrize("coding", PACK)
async def test_a_body_in_any_coding_passes_as_it_came_and_is_metered(coding):
    body = packed(coding, BODY)
    async with behind(saying(head(JSON, length(body), coded(coding)) + body)) as (it, _):
        got = await it.post(ask(stream=False), headers={"accept-encoding": "*"})
        assert (got.account, got.body) == ("a", body)
        assert await tokens_of(it, "a") == (11, 7)


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("coding", READ)
async def test_an_encoded_stream_in_tiny_chunks_is_metered(coding, size):
    body = b"".join(flushed(coding, EVENTS))
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    async with behind(saying(head(SSE, CHUNKED, coded(coding)) + chunks(*parts) + END)) as (it, _):
        assert (await it.post()).body == body
        assert await tokens_of(it, "a") == (11, 7)


@pytest.mark.parametrize("coding", READ)
async def test_an_event_reaches_the_client_before_the_next_one_is_written(coding):
    pieces = flushed(coding, EVENTS)
    taken = asyncio.Event()

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(head(SSE, CHUNKED, coded(coding)) + chunks(*pieces[:3]))
        await taken.wait()
        writer.write(chunks(*filter(None, pieces[3:])) + END)
        await writer.drain()

    async with behind(script) as (it, _):
        reply = await it.open("POST", "/v1/messages", {"content-type": "application/json"}, ask())
        got = b""
        async for chunk in reply.stream:
            got += chunk
            if b"content_block_delta" in clear(coding, got):
                taken.set()
        assert got == b"".join(pieces)


# -- broken ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", READ)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
async def test_an_encoding_cut_before_content_is_unseen(coding, stream):  # R4
    pieces = flushed(coding, EVENTS)[:2] if stream else [packed(coding, BODY)[:-3]]
    kind = SSE if stream else JSON
    async with behind(saying(head(kind, CHUNKED, coded(coding)) + chunks(*pieces) + END)) as (
        it,
        _,
    ):
        got = await it.post(ask(stream=stream))
        assert got.whole
        assert got.account == "b"


@pytest.mark.parametrize("coding", READ)
@pytest.mark.parametrize("count", [3, 4], ids=["in a block", "between blocks"])
async def test_an_encoding_cut_after_content_is_shown_as_broken(coding, count):  # R15
    pieces = flushed(coding, EVENTS)[:count]
    async with behind(saying(head(SSE, CHUNKED, coded(coding)) + chunks(*pieces) + END)) as (
        it,
        _,
    ):
        got = await it.post()
        assert (got.account, got.cut) == ("a", True)
        assert got.body == b"".join(pieces)
        await until(it.idle)


@pytest.mark.parametrize("coding", READ)
async def test_what_is_not_encoded_as_it_says_is_unseen(coding):
    async with behind(saying(head(SSE, CHUNKED, coded(coding)) + chunks(STREAM) + END)) as (it, _):
        assert (await it.post()).account == "b"


async def test_an_endless_stream_that_cannot_be_read_is_not_held():
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(head(SSE, CHUNKED, b"content-encoding: br"))
        one.sent = 0
        while True:
            writer.write(chunks(b"\xff" * 10_000))
            one.sent += 10_000
            await writer.drain()

    async with behind(script) as (it, one):
        assert (await it.post()).account == "b"
        assert one.sent < 8 << 20


@pytest.mark.parametrize("coding", [b"compress", b"gzip, br", b"x-odd", b"br, identity"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
async def test_an_encoding_nobody_asked_for_is_relayed_and_not_metered(coding, stream):
    body = bytes(range(256)) * 10
    answer = head(SSE if stream else JSON, CHUNKED, b"content-encoding: " + coding)
    async with behind(saying(answer + chunks(body) + END)) as (it, _):
        got = await it.post(ask(stream=stream))
        assert (got.status, got.account, got.body, got.cut) == (200, "a", body, False)
        assert got.fields["content-encoding"].encode() == coding
        assert await tokens_of(it, "a") == (0, 0)
        assert it.proxy.stats.internal_errors == 0


async def test_an_encoding_nobody_asked_for_that_breaks_is_shown_as_broken():  # R15
    answer = head(SSE, CHUNKED, b"content-encoding: x-odd") + chunks(b"abc")
    async with behind(saying(answer)) as (it, _):
        assert (await it.post()).cut


@pytest.mark.parametrize("coding", READ)
async def test_headers_that_went_out_early_promise_identity_and_it_is_kept(coding):
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(head(SSE, CHUNKED, coded(coding)))
        for piece in filter(None, flushed(coding, EVENTS)):
            await asyncio.sleep(0.1)
            writer.write(chunks(piece))
        writer.write(END)
        await writer.drain()

    async with behind(script, queue=EARLY) as (it, _):
        got = await it.post(headers={"accept-encoding": coding})
        assert "content-encoding" not in got.fields
        assert got.events[0] == "ping"
        assert got.body.replace(b'event: ping\ndata: {"type": "ping"}\n\n', b"").endswith(STREAM)
        assert not got.cut


# -- bombs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", READ)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
async def test_a_bomb_from_upstream_is_not_unpacked(coding, stream):  # X11
    body = bomb(coding, 40)
    answer = head(SSE if stream else JSON, length(body), coded(coding)) + body
    async with behind(saying(answer)) as (it, _):
        got = await it.post(ask(stream=stream))
        assert (got.status, got.account, got.body) == (200, "a", body)
        assert await tokens_of(it, "a") == (0, 0)


# -- errors in a coding ----------------------------------------------------------------------------


def error(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize(
    ("status", "told", "state"),
    [
        (
            b"400 No",
            error("invalid_request_error", "This organization has been disabled."),
            "closed",
        ),
        (b"400 No", error("invalid_request_error", "Your credit balance is too low"), "cooling"),
        (b"403 No", error("permission_error", "OAuth token has been revoked"), "locked_out"),
    ],
)
async def test_an_encoded_error_is_understood(coding, status, told, state):  # R7
    body = packed(coding, told)
    async with behind(saying(head(JSON, length(body), coded(coding), status=status) + body)) as (
        it,
        _,
    ):
        assert (await it.post()).account == "b"
        assert (await it.state("a"))["state"] == state


@pytest.mark.parametrize("coding", PACK)
async def test_an_encoded_refusal_passes_as_it_came(coding):  # R5
    body = packed(coding, error("invalid_request_error", "max_tokens: too many"))
    answer = head(JSON, length(body), coded(coding), status=b"400 No") + body
    async with behind(saying(answer)) as (it, _):
        got = await it.post(headers={"accept-encoding": "gzip, br, zstd"})
        assert (got.status, got.body) == (400, body)
        assert got.fields["content-encoding"] == coding.rpartition(" ")[2]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "x-odd"])
async def test_a_broken_encoded_error_is_judged_by_its_status(coding):
    answer = head(JSON, b"content-length: 4", coded(coding), status=b"500 No") + b"\xff\xfe\xfd\xfc"
    async with behind(saying(answer)) as (it, _):
        assert (await it.post()).account == "b"
        assert it.proxy.stats.internal_errors == 0


@pytest.mark.parametrize("coding", READ)
async def test_a_bomb_as_an_error_is_not_unpacked(coding):  # X11
    body = bomb(coding, 40)
    async with behind(saying(head(JSON, length(body), coded(coding), status=b"529 No") + body)) as (
        it,
        _,
    ):
        assert (await it.post()).status == 200
        assert it.proxy.stats.internal_errors == 0
