"""Clients that speak HTTP oddly, through the whole of maxpool: each gets a clear answer (R18, X6, X11)."""

from __future__ import annotations

import asyncio
import json

import pytest

from maxpool.sim import faults
from tests.adapters.peers import peer
from tests.claims.answers import GOOD_JSON
from tests.rig import JSON, MODEL, ask, key, request_bytes, rig, until
from tests.wire.packing import PACK, bomb, packed

POST = (
    b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"anthropic-version: 2023-06-01\r\n"
)
CHUNKED = POST + b"transfer-encoding: chunked\r\n"
BODY = ask(stream=False)
PATHS = [
    "/",
    "/api/hello",
    "/healthz",
    "/readyz",
    "/status",
    "/v1/models",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/messages/batches",
    "/v1/files",
    "/v1/nothing",
    "/admin/accounts",
    "/%0d%0ax:%20y",
    "/%00",
]


async def one_answer(wire, *, to_head: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Read exactly one answer with a length or in chunks."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = await wire.read()
        assert piece, got
        got += piece
    head, _, rest = got.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(one.lower().split(": ", 1) for one in lines)
    while not to_head:
        if "content-length" in fields and len(rest) >= int(fields["content-length"]):
            break
        if "chunked" in fields.get("transfer-encoding", "") and rest.endswith(b"0\r\n\r\n"):
            break
        rest += await wire.read()
    return int(line.split()[1]), fields, unchunked(rest) if "transfer-encoding" in fields else rest


def unchunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        found += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return found


async def was_reset(wire) -> bool:
    """Read to the end: whether that was a reset."""
    loop = asyncio.get_running_loop()
    try:
        while await loop.sock_recv(wire.sock, 65536):
            pass
    except ConnectionResetError:
        return True
    return False


# -- bodies in chunks ------------------------------------------------------------------------------


def chunks_of(body: bytes, size: int, extension: bytes = b"") -> bytes:
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%X%s\r\n%s\r\n" % (len(p), extension, p) for p in parts) + b"0\r\n"


@pytest.mark.parametrize(
    ("size", "extension", "trailer"),
    [
        (1, b"", b""),
        (7, b";a=b", b""),
        (50, b';a="b c";d', b"x-maxpool-priority: 1\r\nx-api-key: y\r\n"),
        (10_000, b"", b"authorization: Bearer x\r\n"),
    ],
)
async def test_a_body_in_chunks_is_read_whole_and_its_trailers_are_dropped(
    size, extension, trailer
):
    async with rig(key("a")) as it:
        wire = await it.connect()
        await wire.send(CHUNKED + b"\r\n" + chunks_of(BODY, size, extension) + trailer + b"\r\n")
        assert (await one_answer(wire))[0] == 200
        seen = it.sim.requests[-1]
        assert (seen.body, seen.header("content-length")) == (BODY, str(len(BODY)))
        assert seen.header("transfer-encoding") is None
        assert seen.header("authorization") is None


@pytest.mark.parametrize("step", [1, 2, 3, 17])
async def test_a_request_in_tiny_packets_is_read_whole(step):
    data = CHUNKED + b"\r\n" + chunks_of(BODY, 40, b";x") + b"\r\n"
    async with rig(key("a")) as it:
        wire = await it.connect()
        for at in range(0, len(data), step):
            await wire.send(data[at : at + step])
            await asyncio.sleep(0)
        assert (await one_answer(wire))[0] == 200
        assert it.sim.requests[-1].body == BODY


async def test_what_stands_behind_one_request_is_the_next_one():
    async with rig(key("a")) as it:
        wire = await it.connect()
        first = CHUNKED + b"\r\n" + chunks_of(BODY, 30) + b"\r\n"
        await wire.send(first + request_bytes(BODY))
        for _ in range(2):
            assert (await one_answer(wire))[0] == 200
        assert [seen.body for seen in it.sim.requests] == [BODY, BODY]


# -- bodies in other codings -----------------------------------------------------------------------


@pytest.mark.parametrize("coding", PACK)
async def test_a_compressed_body_is_read_once_and_forwarded_as_it_came(coding):  # R18
    name = coding.rpartition(" ")[2]
    body = packed(coding, ask(stream=False, metadata={"user_id": '{"session_id":"s-1"}'}))

    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(GOOD_JSON)
        await writer.drain()

    async with peer(script) as one, rig(key("a"), entries={"a": {"base_url": one.url}}) as it:
        got = await it.post(body, headers={"content-encoding": name})
        assert got.status == 200
        assert one.bodies == [body]
        assert b"\r\ncontent-encoding: " + name.encode() in one.heads[0].lower()
        assert "s-1" in it.proxy.pool.bindings.by_key


@pytest.mark.parametrize("coding", PACK)
async def test_a_compressed_bomb_is_a_413_and_asks_nobody(coding):  # X11
    name = coding.rpartition(" ")[2]
    async with rig(server={"max_body_decoded": 1_000_000}) as it:
        got = await it.post(bomb(coding, 4), headers={"content-encoding": name})
        assert got.error == (413, "request_too_large")
        assert got.fields["x-should-retry"] == "false"
        assert not it.asked()


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_half_a_compressed_body_is_a_400_and_asks_nobody(coding):
    async with rig() as it:
        got = await it.post(packed(coding, BODY)[:-4], headers={"content-encoding": coding})
        assert got.error == (400, "invalid_request_error")
        assert not it.asked()


# -- methods and targets ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_answered_without_a_body_on_every_path_and_the_connection_goes_on(path):
    async with rig(key("a")) as it:
        wire = await it.connect()
        for _ in range(2):
            await wire.send(f"HEAD {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
            status, fields, rest = await one_answer(wire, to_head=True)
            assert rest == b""
            assert 200 <= status < 500
            assert "x" not in fields
        await wire.send(request_bytes(BODY))
        assert (await one_answer(wire))[0] == 200
        assert it.asked() == ["a"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
async def test_another_method_is_refused_in_the_apis_shape(method):
    async with rig() as it:
        wire = await it.connect()
        await wire.send(request_bytes(BODY).replace(b"POST", method.encode(), 1))
        got = await wire.until(b"\r\n\r\n")
        assert got.split()[1] in (b"405", b"400", b"415")
        assert not it.asked()


async def test_a_target_may_name_the_server_and_is_forwarded_as_a_path():
    async with rig(key("a")) as it:
        wire = await it.connect()
        at = f"http://127.0.0.1:{it.server.port}"
        data = request_bytes(BODY, host=at[7:]).replace(b" /v1", f" {at}/v1".encode(), 1)
        await wire.send(data.replace(b"/messages ", b"/messages?beta=true ", 1))
        assert (await one_answer(wire))[0] == 200
        assert it.sim.requests[-1].path.startswith("/v1/messages")


@pytest.mark.parametrize(
    "target",
    [
        b"http://evil.example/v1/messages",
        b"http://evil.example:80/v1/messages",
        b"http://",
        b"http://127.0.0.1",
        b"//evil.example/v1/messages",
        b"*",
        b"v1/messages",
        b"/v1/messages#part",
        b"/v1/./messages",
        b"/v1//messages",
        b"/v1/messages/..",
        b"/v1/messages%2f",
        b"/v1/messages?x=\xe9",
        b"/v1/m\xe9ssages",
        b"/v1/messages?" + b"x" * 9000,
        b"/v1/messages?a=%0d%0ax:y",
    ],
)
async def test_an_odd_target_never_leads_elsewhere(target):
    async with rig(key("a")) as it:
        wire = await it.connect()
        await wire.send(request_bytes(BODY).replace(b"/v1/messages", target, 1))
        status = int((await wire.until(b"\r\n\r\n")).split()[1])
        assert status < 500
        assert status == 200 or not it.sim.requests
        for seen in it.sim.requests:
            assert seen.path.partition("?")[0] == "/v1/messages"
        assert it.proxy.stats.internal_errors == 0


# -- one connection, several requests --------------------------------------------------------------

BAD = {
    "400": request_bytes(b"{"),
    "400 of the upstream": request_bytes(ask(max_tokens=0)),
    "403": request_bytes(BODY, origin="http://evil.example"),
    "403 host": request_bytes(BODY, host="evil.example"),
    "404": request_bytes(BODY, "/v1/nothing"),
    "405": request_bytes(b"").replace(b"POST", b"GET", 1),
    "413": request_bytes(ask("x" * 200_000)),
    "414": request_bytes(BODY, "/v1/messages?" + "x" * 9000),
    "415": request_bytes(BODY * 2000, content_type="text/plain"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
async def test_a_refused_request_leaves_a_connection_that_serves_the_next(bad):
    async with rig(key("a"), server={"max_body": 100_000}) as it:
        wire = await it.connect()
        await wire.send(bad)
        status, fields, rest = await one_answer(wire)
        assert 400 <= status < 500
        assert json.loads(rest)["type"] == "error"
        assert fields.get("x-should-retry") == "false" or it.sim.requests
        await wire.send(request_bytes(BODY))
        assert (await one_answer(wire))[0] == 200


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "closed"])
@pytest.mark.parametrize("why", [401, 413, 415])
async def test_an_early_answer_is_seen_by_a_client_that_still_sends_its_body(why, kept):
    server = {"max_body": 1 << 20, **({"require_key": True} if why == 401 else {})}
    more = {"content_type": "text/plain"} if why == 415 else {}
    more |= {} if kept else {"connection": "close"}
    async with rig(server=server) as it:
        wire = await it.connect()
        await wire.send(request_bytes(ask("x" * (6 << 20)), **more))
        status, fields, rest = await one_answer(wire)
        assert (status, json.loads(rest)["type"]) == (why, "error")
        assert fields["x-should-retry"] == "false"
        assert not it.asked()


async def test_a_client_that_waits_to_be_asked_is_refused_without_sending():
    async with rig(server={"max_body": 1000}) as it:
        wire = await it.connect()
        whole = request_bytes(ask("x" * 2000), expect="100-continue")
        await wire.send(whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        status, fields, _ = await one_answer(wire)
        assert (status, fields["connection"]) == (413, "close")
        assert await wire.read() == b""


async def test_a_client_whose_expectation_nobody_knows_is_served():
    async with rig(key("a")) as it:
        wire = await it.connect()
        await wire.send(request_bytes(BODY, expect="something-else"))
        assert (await one_answer(wire))[0] in (200, 417)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
async def test_an_http_1_0_client_gets_its_answer_without_chunks(stream):
    async with rig(key("a")) as it:
        wire = await it.connect()
        await wire.send(request_bytes(ask(stream=stream)).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        head, _, body = (await wire.rest()).partition(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0]
        assert b"chunked" not in head
        if stream:
            assert body.startswith(b"event: message_start")
            assert body.endswith(b'data: {"type":"message_stop"}\n\n')
        else:
            assert json.loads(body)["model"] == MODEL


async def test_a_cut_is_seen_by_an_http_1_0_client_too():  # R15
    async with rig(key("a")) as it:
        it.sim.inject(faults.CutFault(after="delta"), "a")
        wire = await it.connect()
        await wire.send(request_bytes().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert await was_reset(wire)
        await until(it.idle)


# -- pipelined requests ----------------------------------------------------------------------------


async def test_a_client_that_leaves_behind_pipelined_requests_cancels_upstream():  # R11
    async with rig() as it:
        it.sim.inject(faults.HangFault(after="delta"), "a")
        wire = await it.connect()
        await wire.send(request_bytes() + request_bytes(BODY) + request_bytes(BODY))
        await wire.until(b"content_block_delta")
        wire.reset()
        await until(lambda: it.sim.truth("a").cancelled == 1 and it.idle())
        assert it.asked() == ["a"]
        assert it.proxy.stats.client_gone == 1


async def test_nonsense_behind_a_running_request_ends_it_and_asks_nobody_else():
    async with rig() as it:
        it.sim.inject(faults.HangFault(after="delta"), "a")
        wire = await it.connect()
        await wire.send(request_bytes())
        got = await wire.until(b"content_block_delta")
        await wire.send(request_bytes(BODY) + b"\x00\x01\r\n\r\n")
        got += await wire.rest()
        assert b"400 Bad" not in got
        await until(it.idle)
        assert it.asked() == ["a"]


async def test_fields_that_must_not_pass_are_a_400_and_nothing_is_forwarded():  # X6
    tricks = [
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: %d\r\ntransfer-encoding: chunked\r\n" % len(BODY),
        b"transfer-encoding: gzip, chunked\r\n",
        b"content-length: %d\r\nx: a\nb: c\r\n" % len(BODY),
        b"content-length: %d\r\nx: a\r\n folded\r\n" % len(BODY),
        b"content-length: %d\r\nx: a\x00b\r\n" % len(BODY),
        b"content-length: %d\r\nx: a\rb\r\n" % len(BODY),
        b"content-length: %d\r\nx y: z\r\n" % len(BODY),
        b"content-length: %d\r\nx: %s\r\n" % (len(BODY), b"y" * 70_000),
        b"content-length: %d\r\n%s" % (len(BODY), b"x: y\r\n" * 300),
    ]
    async with rig() as it:
        for lines in tricks:
            wire = await it.connect()
            await wire.send(POST + lines + b"\r\n" + BODY)
            assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")
        assert not it.sim.requests
        got = await it.send("POST", "/v1/messages", JSON, BODY)
        assert got.status == 200
