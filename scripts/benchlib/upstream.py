"""A lean upstream on loopback: answers Messages requests as fast as Python can.

Run as `python -m benchlib.upstream`; prints its port. A body with `"stream":true` gets an SSE
stream whose deltas carry the monotonic nanosecond they were written at, any other 1 KB of JSON.
"""

import argparse
import asyncio
import json
import time

RATE_HEADERS = (
    b"anthropic-ratelimit-unified-status: allowed\r\n"
    b"anthropic-ratelimit-unified-representative-claim: five_hour\r\n"
    b"anthropic-ratelimit-unified-5h-status: allowed\r\n"
    b"anthropic-ratelimit-unified-5h-utilization: 0.25\r\n"
    b"anthropic-ratelimit-unified-5h-reset: %d\r\n"
    b"anthropic-ratelimit-unified-7d-status: allowed\r\n"
    b"anthropic-ratelimit-unified-7d-utilization: 0.31\r\n"
    b"anthropic-ratelimit-unified-7d-reset: %d\r\n"
    b"request-id: req_011CSHoEeqs5C35K2UUqR7Fy\r\n"
)
USAGE = {"input_tokens": 12, "output_tokens": 1, "cache_read_input_tokens": 9000}


def head(kind, length=None):
    now = int(time.time())
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    rates = RATE_HEADERS % (now + 3600, now + 400_000)
    return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s%s\r\n\r\n" % (kind, rates, framing)


def json_answer(size):
    message = {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": ""}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": USAGE,
    }  # fmt: skip
    message["content"][0]["text"] = "x" * (size - len(json.dumps(message)))
    return json.dumps(message).encode()


def event(name, data):
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


OPENING = event(
    "message_start",
    {
        "message": {
            "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
            "content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE,
        }
    },
) + event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})  # fmt: skip
CLOSING = (
    event("content_block_stop", {"index": 0})
    + event(
        "message_delta",
        {
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 50},
        },
    )
    + event("message_stop", {})
)
DELTA = event(
    "content_block_delta",
    {"index": 0, "delta": {"type": "text_delta", "text": "t=%d; and some words of an answer"}},
)


class Upstream(asyncio.Protocol):
    """One connection; requests on it come one after the other."""

    def __init__(self, options, loop):
        self.options, self.loop = options, loop
        self.buffer = bytearray()
        self.missing = None
        self.timer = None
        self.answer = head(b"application/json", options.answer_bytes) + json_answer(
            options.answer_bytes
        )

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data):
        if self.missing is None:
            self.buffer += data
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            fields = bytes(self.buffer[:end]).lower()
            at = fields.find(b"content-length:")
            length = int(fields[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            data = bytes(self.buffer[end + 4 :])
            self.buffer.clear()
            self.start, self.missing = b"", length
        if len(self.start) < 300:
            self.start += data[:300]
        self.missing -= len(data)
        if self.missing <= 0:
            self.missing = None
            self.reply()

    def reply(self):
        if b'"stream":true' not in self.start.replace(b": ", b":"):
            self.transport.write(self.answer)
            return
        self.transport.write(head(b"text/event-stream") + chunk(OPENING))
        self.left = self.options.events
        self.next_at = self.loop.time()
        self.delta()

    def delta(self):
        self.timer = None
        self.transport.write(chunk(DELTA % time.monotonic_ns()))
        self.left -= 1
        self.next_at += self.options.interval_ms / 1000
        if self.left:
            self.timer = self.loop.call_at(self.next_at, self.delta)
        else:
            self.transport.write(chunk(CLOSING) + b"0\r\n\r\n")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--interval-ms", type=float, default=100)
    parser.add_argument("--answer-bytes", type=int, default=1024)
    options = parser.parse_args()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(options, loop), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    from benchlib.processes import new_loop

    asyncio.Runner(loop_factory=new_loop).run(main())
