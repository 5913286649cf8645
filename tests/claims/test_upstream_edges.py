"""Upstreams that speak HTTP oddly, through the whole of maxpool: served, failed over, or shown as broken."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.claims.answers import (
    BODY,
    CHUNKED,
    END,
    EVENTS,
    GOOD,
    JSON,
    SSE,
    STREAM,
    behind,
    chunks,
    head,
    length,
    saying,
)
from tests.rig import Rig, ask, until


async def ended(it: Rig) -> None:
    await until(it.idle)
    assert it.proxy.stats.internal_errors == 0


# -- odd, and an answer all the same ---------------------------------------------------------------

SERVED = {
    "by chunks": head(SSE, CHUNKED) + chunks(*EVENTS) + END,
    "by length": head(SSE, length(STREAM)) + STREAM,
    "until close": head(SSE, b"connection: close") + STREAM,
    "until close, unsaid": head(SSE) + STREAM,
    "continue first": b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
    "early hints first": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 3 + GOOD,
    "processing first": b"HTTP/1.1 102 Processing\r\n\r\n" + GOOD,
    "chunk extensions": head(SSE, CHUNKED)
    + b'%x;a=b;c="d"\r\n%s\r\n' % (len(STREAM), STREAM)
    + b"0;last\r\n\r\n",
    "trailers": head(SSE, CHUNKED, b"trailer: x-sum")
    + chunks(STREAM)
    + b"0\r\nx-sum: 1\r\nset-cookie: a=b\r\n\r\n",
    "no reason": GOOD.replace(b"200 OK", b"200 ", 1),
    "high bytes": head(SSE, CHUNKED, b"x-odd: d\xe9j\xe0") + chunks(STREAM) + END,
    "upper case": head(b"CONTENT-TYPE: TEXT/EVENT-STREAM", b"TRANSFER-ENCODING: CHUNKED")
    + chunks(STREAM)
    + END,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + SSE + b"\r\n\r\n" + STREAM,
    "json": head(JSON, length(BODY)) + BODY,
    "json by chunks": head(JSON, CHUNKED) + chunks(*(bytes([b]) for b in BODY)) + END,
    "json until close": head(JSON) + BODY,
}


@pytest.mark.parametrize("answer", SERVED.values(), ids=SERVED.keys())
async def test_an_odd_answer_is_an_answer(answer):
    async with behind(saying(answer)) as (it, one):
        got = await it.post()
        assert (got.status, got.account, got.cut) == (200, "a", False)
        assert got.body in (STREAM, BODY)
        assert not {"set-cookie", "x-sum", "trailer", "link"} & got.fields.keys()
        total = (await it.state("a"))["total"]
        assert (total["tokens_in"], total["tokens_out"]) == (11, 7)
        assert one.connections == 1
        await ended(it)


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_an_answer_in_tiny_packets_is_an_answer(size):  # R1
    data = b"HTTP/1.1 103 Early Hints\r\n\r\n" + head(SSE, CHUNKED) + chunks(*EVENTS) + END

    async def script(one, reader, writer):
        await one.request(reader)
        for at in range(0, len(data), size):
            writer.write(data[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)
        await one.left(reader)

    async with behind(script) as (it, _):
        got = await it.post()
        assert (got.account, got.body, got.cut) == ("a", STREAM, False)
        await ended(it)


# -- no answer at all: the next account serves, unseen ---------------------------------------------

UNUSABLE = {
    "two lengths": head(SSE, length(STREAM), length(STREAM + b"x")) + STREAM,
    "no length": head(SSE, b"content-length: many") + STREAM,
    "signed length": head(JSON, b"content-length: +%d" % len(BODY)) + BODY,
    "length beyond counting": head(JSON, b"content-length: " + b"9" * 5000) + BODY,
    "unknown coding": head(SSE, b"transfer-encoding: zip") + STREAM,
    "chunk size that is none": head(SSE, CHUNKED) + b"zz\r\n" + STREAM,
    "negative chunk size": head(SSE, CHUNKED) + b"-5\r\n" + STREAM,
    "endless chunk size": head(SSE, CHUNKED) + b"f" * 100_000,
    "switched protocols": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    "no content": head(status=b"204 No Content"),
    "reset content": head(length(b""), status=b"205 Reset Content"),
    "NUL": head(SSE, CHUNKED, b"x-a: a\0b") + chunks(STREAM) + END,
    "no name": head(SSE, CHUNKED, b": b") + chunks(STREAM) + END,
    "space in a name": head(SSE, CHUNKED, b"x a: b") + chunks(STREAM) + END,
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x0a",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18,
    "status beyond counting": GOOD.replace(b"200", b"2000000", 1),
    "100,000 lines": head(SSE, *[b"x-line: y"] * 100_000, CHUNKED) + chunks(STREAM) + END,
    "10 MB value": head(SSE, b"x-long: " + b"y" * 10_000_000, CHUNKED) + chunks(STREAM) + END,
    "10 MB name": head(SSE, b"x" * 10_000_000 + b": y", CHUNKED) + chunks(STREAM) + END,
    "10 MB reason": GOOD.replace(b"OK", b"O" * 10_000_000, 1),
    "hints without end": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100_000,
    "half a body": head(JSON, length(BODY)) + BODY[:-1],
    "half a body until close": head(JSON) + BODY[:-1],
    "missing last chunk, no content": head(SSE, CHUNKED) + chunks(*EVENTS[:2]),
    "half a head": head(SSE, CHUNKED)[:-5],
    "nothing": b"",
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_an_unusable_answer_is_unseen_and_costs_no_time(answer):  # X11
    times = {"header_timeout_stream": 3.0, "idle_timeout": 3.0}
    async with behind(saying(answer), upstream=times) as (it, _):
        began = time.monotonic()
        got = await it.post()
        assert got.whole
        assert got.account == "b"
        assert time.monotonic() - began < 2.5
        await ended(it)


EITHER = {
    "the same length twice": head(SSE, length(STREAM), length(STREAM)) + STREAM,
    "length and chunks": head(SSE, length(STREAM), CHUNKED) + chunks(STREAM) + END,
    "chunked twice": head(SSE, CHUNKED, CHUNKED) + chunks(STREAM) + END,
    "bare LF": GOOD.replace(b"\r\n", b"\n"),
    "folded": head(SSE, CHUNKED, b"x-a: a\r\n  b") + chunks(STREAM) + END,
    "control": head(SSE, CHUNKED, b"x-a: a\x01b") + chunks(STREAM) + END,
    "later version": GOOD.replace(b"HTTP/1.1", b"HTTP/1.9", 1),
    "space before colon": head(SSE, b"transfer-encoding : chunked") + chunks(STREAM) + END,
}


@pytest.mark.parametrize("answer", EITHER.values(), ids=EITHER.keys())
async def test_a_doubtful_answer_is_taken_right_or_not_at_all(answer):
    async with behind(saying(answer)) as (it, _):
        got = await it.post()
        assert not got.cut
        assert got.whole
        assert got.body == STREAM or got.account == "b"
        assert all(b"\n" not in value and b"\0" not in value for _, value in got.headers)
        assert [n.lower() for n, _ in got.headers].count(b"content-length") <= 1
        await ended(it)


async def test_a_head_that_drips_without_end_is_ended_by_its_deadline():
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with behind(script, upstream={"header_timeout_stream": 0.4}) as (it, _):
        began = time.monotonic()
        assert (await it.post()).account == "b"
        assert time.monotonic() - began < 5
        await ended(it)


# -- what one answer leaves behind is never part of the next ---------------------------------------

LEFT_BEHIND = {
    "behind its length": head(JSON, length(BODY)) + BODY + b"HTTP/1.1 500 Evil\r\n\r\n",
    "behind its last chunk": head(SSE, CHUNKED) + chunks(STREAM) + END + GOOD,
    "a body of 204": head(length(b"evil"), status=b"204 No Content") + b"evil",
    "a body of 304": head(length(b"evil"), status=b"304 Not Modified") + b"evil",
    "a second answer": GOOD + GOOD.replace(b"11", b"99"),
}


@pytest.mark.parametrize("answer", LEFT_BEHIND.values(), ids=LEFT_BEHIND.keys())
async def test_what_an_answer_leaves_behind_is_never_read_as_the_next_one(answer):
    async with behind(saying(answer, then="stay")) as (it, _):
        await it.post()
        for _ in range(2):
            got = await it.post()
            assert (got.status, got.body in (STREAM, BODY) or got.account == "b") == (200, True)
            assert b"vil" not in got.body
        assert (await it.state("a"))["total"]["tokens_in"] % 11 == 0
        await ended(it)


# -- broken after content --------------------------------------------------------------------------

BROKEN = {
    "chunk size that is none": b"zz\r\n",
    "chunk without its end": b"5\r\nabcdefgh\r\n",
    "end": b"",
}


@pytest.mark.parametrize("rest", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("inside", [True, False], ids=["in a block", "between blocks"])
async def test_a_stream_that_breaks_after_content_is_shown_as_broken(rest, inside):  # R15
    sent = EVENTS[:3] if inside else EVENTS[:4]
    async with behind(saying(head(SSE, CHUNKED) + chunks(*sent) + rest)) as (it, _):
        got = await it.post()
        if got.account == "b":  # it came in one piece, and was broken before it was looked at
            assert got.whole
            return
        assert got.body.startswith(b"".join(sent))
        assert got.cut or got.events[-1] == "error"
        assert got.cut or not inside
        assert "message_stop" not in got.events
        await ended(it)


# -- answers before the request was read -----------------------------------------------------------


def hasty(answer: bytes, *, stays: bool) -> object:
    """An upstream that answers as soon as it has read the head."""

    async def script(one, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if stays:
            await one.left(reader)
        else:
            writer.write_eof()
            await one.left(reader)

    return script


REFUSED = b'{"type":"error","error":{"type":"request_too_large","message":"no"}}'
TOO_LARGE = head(JSON, length(REFUSED), b"connection: close", status=b"413 Too Large") + REFUSED


@pytest.mark.parametrize("stays", [True, False])
async def test_a_refusal_before_the_body_was_read_is_heard(stays):
    body = ask("x" * (8 << 20), stream=False)
    async with behind(hasty(TOO_LARGE, stays=stays)) as (it, _):
        got = await it.post(body)
        assert (got.status, got.body) == (413, REFUSED)
        await ended(it)


async def test_an_answer_before_the_body_was_read_is_relayed_and_its_connection_not_used_again():
    async with behind(hasty(GOOD, stays=True)) as (it, one):
        for _ in range(2):
            got = await it.post(ask("x" * (8 << 20)))
            assert got.whole
        assert one.connections in (1, 2)
        await ended(it)


# -- HEAD and bodies that are none ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (head(b"content-length: 900", b"x-a: b"), 200),
        (head(CHUNKED, b"x-a: b"), 200),
        (head(b"x-a: b"), 200),
        (head(b"content-length: 9", b"x-a: b", status=b"404 No"), 404),
    ],
)
async def test_the_answer_to_head_has_no_body_whatever_it_announces(answer, status):
    server = {"allowed_paths": ["/v1/organizations/me"]}
    async with behind(saying(answer, then="stay"), server=server) as (it, _):
        for _ in range(2):
            got = await it.send("HEAD", "/v1/organizations/me", {}, b"")
            assert (got.body, got.cut) == (b"", False)
            if _ == 0:
                assert got.status == status
        await ended(it)


@pytest.mark.parametrize(
    "status", [b"199 Odd", b"299 Odd", b"499 Odd", b"599 Odd", b"799 Odd", b"999 Odd"]
)
async def test_a_status_nobody_knows_breaks_nothing(status):
    async with behind(saying(head(JSON, length(BODY), status=status) + BODY)) as (it, _):
        got = await it.post()
        assert got.status in (200, 502, int(status[:3]))
        assert not got.cut
        await ended(it)
