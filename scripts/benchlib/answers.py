"""What the lab's upstream answers: the API's own shapes, with the headers from which quota is read.

A request says in its text what it wants: `bench id=7 answer=1024;` for so many bytes of JSON, or
`bench id=8 events=3x0,10x50;` for a stream of three events at once and ten that are 50 ms apart.
"""

import functools
import json
import re
import time
from dataclasses import dataclass

MARK = b"bench id="
WANTED = re.compile(rb"bench id=(\d+) (?:answer=(\d+)|events=([0-9x.,]+));")

# No `anthropic-organization-id`: keys of one organisation share its limits, so nobody pools those.
RATE_HEADERS = (
    b"anthropic-ratelimit-unified-status: allowed\r\n"
    b"anthropic-ratelimit-unified-representative-claim: five_hour\r\n"
    b"anthropic-ratelimit-unified-fallback-percentage: 0.5\r\n"
    b"anthropic-ratelimit-unified-reset: %(short)d\r\n"
    b"anthropic-ratelimit-unified-5h-status: allowed\r\n"
    b"anthropic-ratelimit-unified-5h-utilization: 0.25\r\n"
    b"anthropic-ratelimit-unified-5h-reset: %(short)d\r\n"
    b"anthropic-ratelimit-unified-7d-status: allowed\r\n"
    b"anthropic-ratelimit-unified-7d-utilization: 0.31\r\n"
    b"anthropic-ratelimit-unified-7d-reset: %(long)d\r\n"
    b"request-id: req_011CSHoEeqs5C35K2UUqR7Fy\r\n"
)
USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 9000,
    "output_tokens": 1,
}
MESSAGE = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant",
    "model": "claude-sonnet-4-5", "content": [], "stop_reason": None, "stop_sequence": None,
    "usage": USAGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one request asks for: bytes of JSON, or steps of a stream as (events, seconds between)."""

    number: int
    answer_bytes: int = 0
    steps: tuple = ()


@functools.lru_cache(4096)
def steps_of(text):
    """`3x0,10x50` as pairs of a count and an interval in seconds."""
    pairs = (step.split(b"x") for step in text.split(b","))
    return tuple((int(count), float(ms) / 1000) for count, ms in pairs)


def wanted(body):
    """What the body of a request asks for; 1 KB of JSON when it does not say."""
    at = body.find(MARK)  # a plain search first: the pattern's own is fifty times slower
    match = WANTED.match(body, at) if at >= 0 else None
    if match is None:
        return Wanted(0, 1024)
    if match[3] is None:
        return Wanted(int(match[1]), int(match[2]))
    return Wanted(int(match[1]), steps=steps_of(match[3]))


def head(kind, length=None):
    now = int(time.time())
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    rates = RATE_HEADERS % {b"short": now + 3600, b"long": now + 400_000}
    return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s%s\r\n\r\n" % (kind, rates, framing)


@functools.lru_cache(64)
def json_answer(size):
    """A whole answer, head included, whose body has `size` bytes."""
    message = {**MESSAGE, "content": [{"type": "text", "text": ""}], "stop_reason": "end_turn"}
    compact = {"separators": (",", ":")}  # proxies that write JSON anew leave its length as it was
    message["content"][0]["text"] = "x" * max(0, size - len(json.dumps(message, **compact)))
    body = json.dumps(message, **compact).encode()
    return head(b"application/json", len(body)) + body


def event(name, data):
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


OPENING = (
    event("message_start", {"message": MESSAGE})
    + event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    + event("ping", {})
)
DELTA = event(
    "content_block_delta",
    {"index": 0, "delta": {"type": "text_delta", "text": "t=%d; and some words of an answer"}},
)
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


def opening():
    """How a stream begins: its head and the events before the first words."""
    return head(b"text/event-stream; charset=utf-8") + chunk(OPENING)


def delta(now_ns):
    """One event of text that tells when it was written."""
    return chunk(DELTA % now_ns)


def closing():
    return chunk(CLOSING) + b"0\r\n\r\n"
