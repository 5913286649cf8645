"""The contract of every HTTP client: requests go out and answers come in as they are."""

from __future__ import annotations

import asyncio

import pytest

from maxpool.errors import MaxpoolError, StreamCut
from maxpool.ports import Reply
from tests.adapters.contract import SECRET, failure, whole
from tests.adapters.peers import OK, call, peer, replying, saying


async def test_method_target_headers_and_body_arrive_unchanged(client):
    async with peer(replying(OK)) as one:
        url = f"{one.url}/pre%2Ffix/v1/a%41%7e/../b;x=1?beta=true&q=%20%2B+"
        headers = [(b"X-Twice", b"1"), (b"x-b", b"caf\xe9 \xc3\xa9"), (b"X-Twice", b"2")]
        headers += [(b"Content-Length", b"999"), (b"Transfer-Encoding", b"chunked")]
        reply = await client.send(call(url, body=b"\x00body", headers=headers))
        assert await whole(reply) == b"ok"
    host = f"127.0.0.1:{one.port}".encode()
    assert one.bodies == [b"\x00body"]
    assert one.heads == [
        b"POST /pre%2Ffix/v1/a%41%7e/../b;x=1?beta=true&q=%20%2B+ HTTP/1.1\r\n"
        b"Host: " + host + b"\r\nX-Twice: 1\r\nx-b: caf\xe9 \xc3\xa9\r\nX-Twice: 2\r\n"
        b"Content-Length: 5\r\n\r\n"
    ]


@pytest.mark.parametrize(
    "target",
    [
        "/?",
        "//a//b",
        "/a?b?c",
        "/%zz%",
        '/a[1]|{x}^`"<>\\',
        "/?a=1&&a=2",
        "/%C3%A9",
        "/.",
        "/a/..;",
    ],
)
async def test_no_byte_of_the_target_is_normalised(client, target):
    async with peer(replying(OK)) as one:
        assert (
            await whole(await client.send(call(one.url + target, method="GET", body=b""))) == b"ok"
        )
    assert one.heads[0].split(b" ")[1] == target.encode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_nothing_but_the_host_is_added_to_a_bare_request(client, method):
    async with peer(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as one:
        assert await whole(await client.send(call(one.url, method=method, body=b""))) == b""
    assert one.heads == [
        b"%s / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (method.encode(), one.port)
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_an_empty_body_is_told_where_a_body_is_expected(client, method):
    async with peer(replying(OK)) as one:
        await whole(await client.send(call(one.url, method=method, body=b"")))
    assert b"\r\nContent-Length: 0\r\n" in one.heads[0]


async def test_a_body_that_is_not_expected_is_sent_all_the_same(client):
    async with peer(replying(OK)) as one:
        for method in ("GET", "DELETE"):
            await whole(await client.send(call(one.url, method=method, body=b"{}")))
    assert one.bodies == [b"{}", b"{}"]


async def test_status_and_headers_come_back_in_order_with_duplicates(client):
    data = (
        b"HTTP/1.1 429 Slow\r\nX-A: 1\r\nx-b:  2 \r\nX-A: 3\r\nX-C: caf\xe9\r\nX-D:\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    async with peer(replying(data)) as one:
        reply = await client.send(call(one.url))
        assert await whole(reply) == b""
    assert isinstance(reply, Reply)
    assert reply.status == 429
    assert list(reply.headers)[:5] == [
        (b"X-A", b"1"),
        (b"x-b", b"2"),
        (b"X-A", b"3"),
        (b"X-C", b"caf\xe9"),
        (b"X-D", b""),
    ]


async def test_a_redirect_is_an_answer_like_any_other(client):
    data = b"HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with peer(replying(data)) as one:
        assert (await client.send(call(one.url))).status == 307


async def test_no_cookie_is_kept(client):
    data = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with peer(replying(data)) as one:
        for _ in range(2):
            await whole(await client.send(call(one.url)))
    assert b"ookie" not in one.heads[1]


async def test_a_compressed_body_stays_compressed(client):
    raw = b"\x1f\x8b not really gzip"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(raw)
    async with peer(replying(head + raw)) as one:
        reply = await client.send(call(one.url))
        assert await whole(reply) == raw
        assert (b"Content-Encoding", b"gzip") in list(reply.headers)


async def test_a_large_body_arrives_whole(client):
    sent = bytes(range(256)) * 40_000
    async with peer(replying(OK)) as one:
        assert await whole(await client.send(call(one.url, body=sent))) == b"ok"
    assert one.bodies == [sent]


async def test_a_large_answer_arrives_whole(client):
    sent = bytes(range(256)) * 40_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sent)
    async with peer(replying(head + sent)) as one:
        for _ in range(2):
            assert await whole(await client.send(call(one.url))) == sent
    assert one.connections == 1


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    ],
    ids=["HEAD", "HEAD chunked", "204", "304"],
)
async def test_an_answer_that_can_have_no_body_has_none(client, method, head):
    async with peer(replying(head)) as one:
        for _ in range(2):
            assert await whole(await client.send(call(one.url, method=method, body=b""))) == b""
    assert (len(one.heads), one.connections) == (2, 1)


async def test_a_body_without_a_length_lasts_until_the_close(client):
    async with peer(saying(b"HTTP/1.1 200 OK\r\n\r\nab", b"cd", then_close=True)) as one:
        for _ in range(2):
            assert await whole(await client.send(call(one.url))) == b"abcd"
    assert one.connections == 2


async def test_chunks_are_joined_and_trailers_dropped(client):
    data = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"003;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Late: 1\r\nX-Later: 2\r\n\r\n"
    )
    async with peer(replying(data)) as one:
        for _ in range(2):
            reply = await client.send(call(one.url))
            assert await whole(reply) == b"abc0123456789"
            assert [name for name, _ in reply.headers] == [b"Transfer-Encoding"]
    assert one.connections == 1


async def test_interim_answers_are_skipped(client):
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + OK
    async with peer(replying(data)) as one:
        for _ in range(2):
            reply = await client.send(call(one.url))
            assert await whole(reply) == b"ok"
            assert [name for name, _ in reply.headers] == [b"Content-Length"]
    assert one.connections == 1


async def test_a_body_can_be_read_in_the_chunks_that_arrive(client):
    more = asyncio.Event()

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await more.wait()
        writer.write(b"6\r\nsecond\r\n0\r\n\r\n")
        await one.left(reader)

    async with peer(script) as one:
        chunks = aiter((await client.send(call(one.url))).stream)
        assert await anext(chunks) == b"first"
        more.set()
        assert await anext(chunks) == b"second"
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)


async def test_hundreds_of_streams_at_once_are_not_capped(client):
    async with peer(replying(OK)) as one:
        replies = await asyncio.gather(*(client.send(call(one.url)) for _ in range(300)))
        assert one.connections == 300
        for reply in replies:
            assert await whole(reply) == b"ok"


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
        "http://x/\u00e9",
    ],
)
async def test_what_is_no_http_url_is_refused_before_anything_is_sent(client, url):
    assert failure(await client.send(call(url))) == ("protocol", False)


@pytest.mark.parametrize(
    "field",
    [
        (b"authorization", b"Bearer " + SECRET + b"\r\nX: y"),
        (b"authorization", b"Bearer " + SECRET + b"\n"),
        (b"authorization", SECRET + b"\x00"),
        (b"x-a: " + SECRET + b"\r\nx", b"y"),
        (b"x " + SECRET, b"y"),
        (b"", SECRET),
    ],
    ids=["CRLF", "LF", "NUL", "name with CRLF", "name with space", "no name"],
)
async def test_a_header_that_would_split_the_request_is_never_sent_nor_told(client, field):
    async with peer(replying(OK)) as one:
        assert failure(await client.send(call(one.url, headers=[field]))) == ("protocol", False)
        assert one.heads == []
        assert await whole(await client.send(call(one.url))) == b"ok"


def test_a_ca_file_that_cannot_be_read_is_told_with_a_hint(implementation, tmp_path):
    with pytest.raises(MaxpoolError) as caught:
        implementation.make(ca_file=str(tmp_path / "none.pem"))
    assert "none.pem" in caught.value.message
    assert caught.value.hint


async def test_a_read_body_stays_read_and_closing_it_again_does_nothing(client):
    async with peer(replying(OK)) as one:
        reply = await client.send(call(one.url))
        assert await whole(reply) == b"ok"
        assert await whole(reply) == b""
        for _ in range(2):
            await reply.stream.aclose()
        assert await whole(await client.send(call(one.url))) == b"ok"
        assert one.connections == 1


async def test_a_body_closed_unread_is_cut_for_whoever_reads_on(client):
    async with peer(replying(OK)) as one:
        reply = await client.send(call(one.url))
        await reply.stream.aclose()
        with pytest.raises(StreamCut):
            await whole(reply)
