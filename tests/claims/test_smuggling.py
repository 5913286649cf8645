"""What is no plain HTTP/1.1 request never reaches an upstream, and every other is read one way (X6).

Each odd request is followed at once by a hidden one on the same connection, marked as such. A server
that takes the first one's end elsewhere than its client meant would serve the hidden one, too.
"""

from __future__ import annotations

import asyncio
import re

from tests.rig import Rig, ask, rig

BODY = ask(stream=False)
SIZE = b"%d" % len(BODY)
HEX = b"%x" % len(BODY)
USUAL = (
    *(b"host: 127.0.0.1", b"content-type: application/json", b"anthropic-version: 2023-06-01"),
    b"x-api-key: whatever",
)
LINE = b"POST /v1/messages HTTP/1.1"


def head(*more: bytes, line: bytes = LINE, usual: tuple[bytes, ...] = USUAL) -> bytes:
    return b"\r\n".join((line, *usual, *more)) + b"\r\n\r\n"


def sized(*more: bytes, line: bytes = LINE, usual: tuple[bytes, ...] = USUAL) -> bytes:
    """A request that tells its length."""
    return head(*more, b"content-length: " + SIZE, line=line, usual=usual) + BODY


def chunked(size: bytes = HEX, *more: bytes, end: bytes = b"\r\n0\r\n\r\n") -> bytes:
    """A request in one chunk."""
    return head(*more, b"transfer-encoding: chunked") + size + b"\r\n" + BODY + end


HIDDEN = sized(b"x-hidden: 1")
NEXT = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"


def coded(value: bytes) -> bytes:
    return head(b"transfer-encoding: " + value) + HEX + b"\r\n" + BODY + b"\r\n0\r\n\r\n"


def both(value: bytes) -> bytes:
    return head(b"content-length: 5", b"transfer-encoding: " + value) + b"0\r\n\r\n"


def measured(value: bytes) -> bytes:
    return head(b"content-length: " + value) + BODY


CODINGS = (
    *(b"chunked\t", b"chunked,", b",chunked", b"chunked, identity", b"identity, chunked", b"gzip"),
    *(b"identity", b"gzip, chunked", b"chunked;q=1", b"x-chunked", b"\x0bchunked", b"chunked\x00"),
    *(b'"chunked"', b"chunked, chunked", b"", b"chun ked", b"chunked\r\n "),
)
LENGTHS = (
    *(b"+5", b"-5", b"0x5", b"5a", b"5.0", b"", b"1e2", b"9" * 30, b"\x0b5", b"5\x00", b"\xc2\xb2"),
    *(b"5,", b"5, 5", b"5, 6", b"5;5", b"5 5", b"\xd9\xa5"),
)
CHUNK_SIZES = (
    *(b"+" + HEX, b"-" + HEX, b"0x" + HEX, b" " + HEX, HEX + b" ", HEX + b"\t", b"_" + HEX),
    *(b"1" + b"0" * 16, HEX + b"\x00", HEX + b";\x00", HEX + b";a\nb", b"", b"g", b"\xef\xbc\x91"),
)
NAMES = (b"x a", b"x\x00a", b"", b"x\xffa", b"x(a", b"x\ta", b"x-a ", b"x-a\t", b" x-a", b"\tx-a")
AUTHORITIES = (
    *(b"http://evil.example/v1/messages", b"http://127.0.0.1@evil.example/v1/messages"),
    *(b"http://evil.example@127.0.0.1/v1/messages", b"http://127.0.0.1:1/v1/messages"),
    *(b"http:///v1/messages", b"file:///v1/messages", b"evil.example:80", b"v1/messages", b""),
    *(b"\\v1\\messages", b"/v1/messages\t", b"/v1/messages\xff", b"http://evil.example"),
)
VERSIONS = (
    *(b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3", b"http/1.1", b"HTTP/1.1 ", b"HTTP/1.10"),
    *(b"HTTP/01.1", b"HTTP/1,1", b"ICE/1.0", b"", b"HTTP/1", b"HTTP/-1.1"),
)
METHODS = (b"post", b"POST\t", b"P\x00ST", b"BREW", b"TRACK", b"CONNECT", b"PRI", b"")
REFUSED: dict[str, bytes] = {
    "two lengths alike": head(b"content-length: 5", b"content-length: 5") + b"hello",
    "two lengths": head(b"content-length: 5", b"content-length: 0") + b"hello",
    "length, then chunked": both(b"chunked"),
    "chunked, then length": head(b"transfer-encoding: chunked", b"content-length: 5")
    + b"0\r\n\r\n",
    "two codings": head(b"transfer-encoding: chunked", b"transfer-encoding: identity"),
    "twice chunked": head(b"transfer-encoding: chunked", b"transfer-encoding: chunked"),
    **{f"coding {value!r}": coded(value) for value in CODINGS},
    **{f"length and coding {value!r}": both(value) for value in (b"Chunked", *CODINGS)},
    **{f"length {value!r}": measured(value) for value in LENGTHS},
    **{f"chunk size {value!r}": chunked(value) for value in CHUNK_SIZES},
    "LF after the chunk size": head(b"transfer-encoding: chunked") + HEX + b"\n" + BODY,
    "CR after the chunk size": head(b"transfer-encoding: chunked") + HEX + b"\r" + BODY,
    "LF after the chunk": chunked(end=b"\n0\r\n\r\n"),
    "nothing after the chunk": chunked(end=b"0\r\n\r\n"),
    "LF after the last chunk": chunked(end=b"\r\n0\n\n"),
    "more than the chunk": chunked(end=b"xx\r\n0\r\n\r\n"),
    "a name of two words in the trailer": chunked(end=b"\r\n0\r\nx y: 1\r\n\r\n"),
    **{f"name {name!r}": sized(name + b": b") for name in NAMES},
    "coding with a space before the colon": head(b"transfer-encoding : chunked") + b"0\r\n\r\n",
    "no colon": sized(b"xa"),
    "NUL in a value": sized(b"x-a: b\x00c"),
    "CR in a value": sized(b"x-a: b\rx-hidden: 1"),
    "LF in a value": sized(b"x-a: b\nx-hidden: 1"),
    "a folded line": sized(b"x-a: b\r\n c"),
    "a line folded by a tab": sized(b"x-a: b\r\n\tc"),
    "a folded first line": sized(b"x-a: b", usual=(b" host: 127.0.0.1", *USUAL[1:])),
    "LF everywhere": sized().replace(b"\r\n", b"\n"),
    "a thousand fields": sized(*[b"x-a: b"] * 1000),
    "a huge field": sized(b"x-a: " + b"b" * 200_000),
    "two hosts": sized(b"host: evil.example"),
    "two hosts alike": sized(b"host: 127.0.0.1"),
    "no host": sized(usual=USUAL[1:]),
    **{f"target {to!r}": sized(line=b"POST " + to + b" HTTP/1.1") for to in AUTHORITIES},
    **{f"version {v!r}": sized(line=b"POST /v1/messages " + v) for v in VERSIONS},
    **{f"method {m!r}": sized(line=m + b" /v1/messages HTTP/1.1") for m in METHODS},
    "a tunnel": head(line=b"CONNECT evil.example:443 HTTP/1.1"),
    "HTTP/0.9": b"GET /v1/messages\r\n",
    "chunked in HTTP/1.0": chunked().replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "HTTP/2 begins": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "an upgrade to HTTP/2": sized(b"connection: upgrade, http2-settings", b"upgrade: h2c"),
    "a web socket": head(
        *(b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13"),
        line=b"GET /v1/messages HTTP/1.1",
    ),
    "TLS begins": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a space before the method": b" " + sized(),
}
"""Answered with a 400 and closed; what follows is not read."""

ANSWERED: dict[str, tuple[int, bytes]] = {
    "a list of hosts": (403, sized(usual=(b"host: 127.0.0.1, evil.example", *USUAL[1:]))),
    "an address in the host": (403, sized(usual=(b"host: 127.0.0.1@evil.example", *USUAL[1:]))),
    "another server's path": (404, sized(line=b"POST //evil.example/v1/messages HTTP/1.1")),
    "no path": (404, sized(line=b"POST * HTTP/1.1")),
    "a way up": (404, sized(line=b"POST /v1/../v1/messages HTTP/1.1")),
    "a line break in the path": (404, sized(line=b"POST /v1/messages%0d%0ax HTTP/1.1")),
    "a NUL in the path": (404, sized(line=b"POST /v1/messages%00 HTTP/1.1")),
    **{
        f"method {m!r}": (405, sized(line=m + b" /v1/messages HTTP/1.1"))
        for m in (b"TRACE", b"PURGE", b"QUERY", b"SEARCH", b"M-SEARCH", b"PROPFIND", b"DELETE")
    },
}
"""Whole requests that nobody serves: their bodies are skipped, nothing of them goes upstream."""

READ: dict[str, bytes] = {
    "a length": sized(),
    "a length with zeros": measured(b"000" + SIZE),
    "a length with blanks": measured(b" \t" + SIZE + b" \t"),
    "one chunk": chunked(),
    "a chunk size with zeros": chunked(b"0" * 20 + HEX),
    "a chunk size in capitals": chunked(HEX.upper()),
    "a chunk extension": chunked(HEX + b";a=b"),
    "a last chunk of zeros": chunked(end=b"\r\n000\r\n\r\n"),
    "chunked in capitals": coded(b"CHUNKED"),
    "chunked after blanks": coded(b" \tchunked"),
    "a chunk each byte": head(b"transfer-encoding: chunked")
    + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY)
    + b"0\r\n\r\n",
    "its own address": sized(line=b"POST http://127.0.0.1/v1/messages HTTP/1.1"),
    "a coded path": sized(line=b"POST /v1/%6dessages HTTP/1.1"),
    "a fragment": sized(line=b"POST /v1/messages#x HTTP/1.1"),
    "an address in the query": sized(line=b"POST /v1/messages?a=http://evil.example/ HTTP/1.1"),
    "blank lines before": b"\r\n\r\n" + sized(),
    "a name with a _": sized(b"transfer_encoding: chunked", b"content_length: 3"),
    "a colon in a value": sized(b"x:a: b"),
    "an upgrade for nobody": sized(b"upgrade: h2c"),
    "a length of this hop": sized(b"connection: content-length, host, x-api-key"),
}
"""Odd, yet of one meaning: exactly this body goes upstream, once."""


async def answers(it: Rig, wire: bytes) -> list[int]:
    """The statuses of everything that comes back until the server closes."""
    client = await it.connect()
    await client.send(wire)
    async with asyncio.timeout(20.0):
        got = await client.rest()
    client.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([2-5]\d\d) ", got)]


def hidden(it: Rig) -> int:
    return sum(request.header("x-hidden") is not None for request in it.sim.requests)


async def test_what_can_be_read_in_two_ways_is_a_400_and_nothing_of_it_goes_on():  # X6
    async with rig() as it:
        got = {name: await answers(it, wire + HIDDEN) for name, wire in REFUSED.items()}
        assert {name: statuses for name, statuses in got.items() if statuses != [400]} == {}
        assert not it.sim.requests
        assert it.idle()


async def test_what_nobody_serves_is_answered_and_its_body_is_no_request():
    async with rig() as it:
        last = sized(b"x-hidden: 1", b"connection: close")
        for count, (name, (status, wire)) in enumerate(ANSWERED.items(), start=1):
            assert (name, await answers(it, wire + last)) == (name, [status, 200])
            assert (name, len(it.sim.requests), hidden(it)) == (name, count, count)


async def test_what_is_odd_and_plain_is_read_one_way_and_sent_once_in_our_own_framing():  # X6
    async with rig() as it:
        for name, wire in READ.items():
            before = len(it.sim.requests)
            assert (name, await answers(it, wire + NEXT)) == (name, [200, 200])
            (seen,) = list(it.sim.requests)[before:]
            framing = [n for n, _ in seen.headers if n in (b"content-length", b"transfer-encoding")]
            assert (name, seen.body, framing) == (name, BODY, [b"content-length"])
            assert (name, seen.header("content-length")) == (name, SIZE.decode())
        assert not hidden(it)


async def test_a_body_that_holds_a_request_is_a_body():
    async with rig() as it:
        line = b"GET /v1/models HTTP/1.1"
        length = b"content-length: %d" % len(HIDDEN)
        wire = head(length, b"connection: close", line=line) + HIDDEN
        assert await answers(it, wire) == [200]
        assert await answers(it, sized(b"connection: close") + HIDDEN) == [200], "after the end"
        assert not hidden(it)


async def test_a_chunk_of_endless_size_is_no_more_than_its_bytes():
    async with rig(server={"max_body": "1KB"}) as it:
        wire = head(b"transfer-encoding: chunked") + b"f" * 16 + b"\r\n" + b"x" * 4096
        client = await it.connect()
        await client.send(wire)
        client.close()
        client = await it.connect()
        await client.send(chunked(b"1000", end=b"x" * (4096 - len(BODY)) + b"\r\n0\r\n\r\n"))
        assert b" 413 " in await client.until(b"\r\n\r\n")
        assert not it.sim.requests
