from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxpool.adapters.connections import Route
from maxpool.adapters.http11 import DirectUpstream, Shelf
from maxpool.adapters.upstream import HttpUpstream
from maxpool.errors import StreamCut
from maxpool.ports import Reply, Unreachable
from tests.adapters.contract import direct, whole
from tests.adapters.peers import OK, call, peer, replying


class Kept:
    """An idle connection as far as a shelf looks at it."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.idle_since = 0.0
        self.usable = True

    def abort(self):
        self.usable = False


def route(host: str) -> Route:
    return Route("http", host, 80, None)


def put(shelf: Any, *connections: Any) -> None:
    for connection in connections:
        shelf.add(connection)
        shelf.put(connection)


async def test_the_last_one_put_is_taken_first_and_only_on_its_route():
    shelf: Any = Shelf(60)
    one, two, other = (Kept(route(host)) for host in ("a", "a", "b"))
    put(shelf, one, two, other)
    assert [shelf.take(route("a")) for _ in range(3)] == [two, one, None]
    shelf.close()
    assert not any(connection.usable for connection in (one, two, other))


async def test_dead_ones_are_passed_over():
    shelf: Any = Shelf(60)
    one, two = Kept(route("a")), Kept(route("a"))
    put(shelf, one, two)
    two.usable = False
    assert shelf.take(route("a")) is one
    shelf.close()


async def test_each_expires_at_its_own_time():
    shelf: Any = Shelf(0.1)
    one, two, other = (Kept(route(host)) for host in ("a", "a", "b"))
    put(shelf, one)
    await asyncio.sleep(0.07)
    put(shelf, two, other)
    await asyncio.sleep(0.05)
    assert [connection.usable for connection in (one, two, other)] == [False, True, True]
    await asyncio.sleep(0.07)
    assert not any(connection.usable for connection in (two, other))
    assert (shelf._idle, shelf._timer) == ({}, None)
    shelf.close()


async def test_a_closed_client_dials_no_more():
    client = DirectUpstream(proxy_for=direct)
    async with peer(replying(OK)) as one:
        assert await whole(await client.send(call(one.url))) == b"ok"
        await client.aclose()
        answer = await client.send(call(one.url))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent, one.connections) == ("refused", False, 1)


async def test_the_proxy_for_a_url_is_asked_for_once():
    asked = []

    def lookup(scheme: str, host: str) -> None:
        asked.append((scheme, host))

    client = DirectUpstream(proxy_for=lookup)
    async with peer(replying(OK)) as one:
        for _ in range(3):
            await whole(await client.send(call(one.url)))
    assert asked == [("http", "127.0.0.1")]
    await client.aclose()


# -- the same answers as the other client's --------------------------------------------------------

TEXT = st.text("abc XYZ:;,=\"'/\t\x01\x7f\xe4", max_size=12).map(
    lambda text: text.encode("latin-1")
)
NAMES = st.sampled_from([b"X-A", b"x-a", b"Via", b"Set-Cookie", b"request-id", b"Connection"])
PARTS = st.lists(st.binary(min_size=1, max_size=30), max_size=4)


def chunks(parts, end) -> bytes:
    lines: bytes = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end
    return lines


@st.composite
def responses(draw) -> Any:
    """A response that is valid, or nearly."""
    status = draw(
        st.sampled_from([b"200 OK", b"200", b"204 No", b"304 Same", b"429 Slow ", b"529 X"])
    )
    fields = b"".join(
        b"%b: %b\r\n" % field for field in draw(st.lists(st.tuples(NAMES, TEXT), max_size=5))
    )
    parts, end = (
        draw(PARTS),
        draw(st.sampled_from([b"0\r\n\r\n", b"00\r\nX: y\r\n\r\n", b"0\r\n", b"x"])),
    )
    body = b"".join(parts)
    framing, sent = draw(
        st.sampled_from(
            [
                (b"Content-Length: %d\r\n" % len(body), body),
                (b"content-length: %d\r\n" % (len(body) + 1), body),
                (b"Content-Length: 2\r\nContent-Length: 2\r\n", b"ok"),
                (b"Content-Length: 2\r\nContent-Length: 3\r\n", b"oks"),
                (b"Content-Length: +2\r\n", b"ok"),
                (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
                (b"Transfer-Encoding: gzip, chunked\r\n", chunks(parts, end)),
                (b"Transfer-Encoding: chunked\r\n", chunks(parts, end)),
                (b"Transfer-Encoding: Chunked\r\n", chunks(parts, end)),
                (b"", body),
            ]
        )
    )
    interim = draw(st.sampled_from([b"", b"", b"HTTP/1.1 103 Soon\r\nX: y\r\n\r\n"]))
    return interim + b"HTTP/1.1 " + status + b"\r\n" + fields + framing + b"\r\n" + sent


def fields(answer: Reply) -> list[tuple[bytes, bytes]]:
    # h11 writes the name of the coding anew.
    return [(name, b"chunked" if value == b"Chunked" else value) for name, value in answer.headers]


async def told(client: Any, url: str, method: str) -> object:
    """All a caller can learn of an answer but how it failed: h11 waits longer before it is sure."""
    answer = await client.send(call(url, method=method))
    if isinstance(answer, Unreachable):
        return answer.sent
    body = b""
    try:
        async for chunk in answer.stream:
            body += chunk
    except StreamCut:
        return answer.status, fields(answer), body, "cut"
    return answer.status, fields(answer), body


@pytest.fixture
async def both():
    clients = DirectUpstream(proxy_for=direct), HttpUpstream(proxy_for=direct)
    yield clients
    for client in clients:
        await client.aclose()


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=responses(), method=st.sampled_from(["POST", "POST", "HEAD"]))
async def test_a_response_means_the_same_to_both_clients(both, data, method):
    async with peer(replying(data, then_close=True)) as one:
        first, second = [await told(client, one.url, method) for client in both]
    assert first == second
