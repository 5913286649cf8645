from __future__ import annotations

import asyncio
from typing import Any

import pytest

from maxpool.errors import RequestError
from maxpool.web.messages import read_body, target_of
from tests.rig import ask, key, rig


def receiving(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive():
        return left.pop(0)

    return receive


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_put_together_and_bounded():
    assert await read_body(receiving(part(b"ab"), part(b"c", False)), {}, 3) == b"abc"
    with pytest.raises(RequestError) as large:
        await read_body(receiving(part(b"ab"), part(b"cd"), part(b"", False)), {}, 3)
    assert large.value.status == 413
    with pytest.raises(RequestError):
        await read_body(receiving(part(b"abcd", False)), {"content-length": "4"}, 3)
    with pytest.raises(RequestError):  # a caller that waits for our word first sends nothing
        await read_body(receiving(), {"content-length": "4", "expect": "100-continue"}, 3)


async def test_a_caller_that_leaves_while_sending_has_no_body():
    gone = receiving(part(b"a"), {"type": "http.disconnect"})
    assert await read_body(gone, {}, 3) is None


def test_path_and_query_stay_as_they_were_written():
    scope = {"path": "/v1/a b", "raw_path": b"/v1/a%20b", "query_string": b"beta=true&x=%2f"}
    assert target_of(scope) == "/v1/a%20b?beta=true&x=%2f"
    assert target_of({"path": "/v1/x", "query_string": b""}) == "/v1/x"


@pytest.mark.parametrize(
    ("said", "streaming", "waits"),
    [
        (None, True, 900.0),
        ("5", True, 5.0),
        ("3600", True, 3600.0),
        ("1e9", True, 6 * 3600.0),
        ("nan", True, 900.0),
        (None, False, 280.0),
        ("5", False, 5.0),
        ("3600", False, 280.0),
    ],
)
async def test_a_caller_may_say_its_patience_within_what_the_owner_allows(said, streaming, waits):
    async with rig(key("a"), pool={"slots_per_key": 1}) as it:
        seen = []
        acquire = it.proxy.pool.acquire

        def noted(request, now, **given):
            seen.append(request.max_wait_s)
            return acquire(request, now, **given)

        it.proxy.pool.acquire = noted  # type: ignore[method-assign]
        headers = {} if said is None else {"x-maxpool-max-wait": said}
        assert (await it.post(ask(stream=streaming), headers=headers)).whole
        assert seen == [waits]
        seen.clear()
        await it.post(ask(), "/v1/messages/count_tokens", headers)
        assert seen == [0.0]


async def test_refused_requests_are_counted_by_status():
    async with rig() as it:
        await it.post(b"{")
        await it.send("GET", "/v1/messages", {}, b"")
        assert it.proxy.stats.client_errors == {400: 1, 405: 1}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_client_that_sends_all_before_it_reads_gets_the_413_and_no_reset(chunked):
    async with rig() as it:
        host = it.url.removeprefix("http://")
        _, _, port = host.partition(":")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        body = b"x" * (34 << 20)
        framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
            b"content-type: application/json\r\n" + framing + b"\r\n\r\n"
        )
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
        async with asyncio.timeout(20):
            await writer.drain()
            await asyncio.sleep(0.2)
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"request_too_large" in answer
