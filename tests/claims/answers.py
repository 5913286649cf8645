"""A whole Messages answer as an upstream writes it, and raw upstreams that write it oddly."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

from tests.adapters.peers import peer
from tests.rig import key, rig

EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":11}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"d\xc3\xa9j\xc3\xa0"}}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)
STREAM = b"".join(EVENTS)
BODY = b'{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":11,"output_tokens":7}}'
SSE = b"content-type: text/event-stream"
JSON = b"content-type: application/json"
CHUNKED = b"transfer-encoding: chunked"


def head(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines)) + b"\r\n\r\n"


def length(body: bytes) -> bytes:
    return b"content-length: %d" % len(body)


def chunks(*parts: bytes) -> bytes:
    """In chunks, without the last one."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


END = b"0\r\n\r\n"
GOOD = head(SSE, CHUNKED) + chunks(STREAM) + END
GOOD_JSON = head(JSON, length(BODY)) + BODY


def saying(*answers: bytes, then: str = "close") -> Any:
    """A raw upstream: its first requests get these bytes, whatever they are, the others `GOOD`.

    `then`: what it does behind each of `answers` - `close`, or `stay` for the next request.
    """
    left = list(answers)

    async def script(one: Any, reader: Any, writer: Any) -> None:
        while True:
            await one.request(reader)
            data = left.pop(0) if left else GOOD
            writer.write(data)
            await writer.drain()
            if data is not GOOD and then == "close":
                writer.close()
                return

    return script


@asynccontextmanager
async def behind(script, **sections):
    """maxpool in front of a raw upstream as account `a`, and a good one as `b`."""
    async with (
        peer(script) as one,
        rig(key("a"), key("b"), entries={"a": {"base_url": one.url}}, **sections) as it,
    ):
        yield it, one
