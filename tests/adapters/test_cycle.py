"""What is written for an answer is what uvicorn writes, byte for byte."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from maxpool.adapters.cycle import Cycle

START = "http.response.start"
BODY = "http.response.body"

NAMES = st.sampled_from([b"content-type", b"X-Odd", b"retry-after", b"Connection"])
VALUES = st.one_of(
    st.sampled_from([b"", b"close", b"keep-alive, Close", b"text/plain", b"caf\xe9\t1"]),
    st.text("a=;, ", max_size=9).map(str.encode),
)
CHUNKS = st.lists(st.binary(max_size=20), max_size=4)


class Wire:
    """What a transport would have sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = 0

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed += 1


def made(kind: type[RequestResponseCycle], method: str, keep: bool) -> tuple[Any, Wire]:
    wire, log = Wire(), logging.getLogger("test")
    cycle = kind(
        scope={"method": method, "type": "http"},  # type: ignore[typeddict-item]
        transport=wire,  # type: ignore[arg-type]
        flow=SimpleNamespace(write_paused=False),  # type: ignore[arg-type]
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep,
        on_response=lambda: None,
    )
    return cycle, wire


def written(
    kind: type[RequestResponseCycle], method: str, keep: bool, messages: list[dict[str, Any]]
) -> tuple[bytes, int, bool]:
    """What goes out, whether the connection closes, and whether the answer is complete."""

    async def send() -> tuple[bytes, int, bool]:
        cycle, wire = made(kind, method, keep)
        for message in messages:
            await cycle.send(message)
        return wire.sent, wire.closed, cycle.response_complete

    return asyncio.run(send())


@given(
    st.sampled_from(["GET", "POST", "HEAD"]),
    st.booleans(),
    st.sampled_from([200, 204, 304, 429, 529]),
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    CHUNKS,
    st.sampled_from(["length", "chunked", "neither"]),
)
def test_answers_are_written_as_uvicorn_writes_them(method, keep, status, headers, chunks, framing):
    size = str(sum(map(len, chunks))).encode()
    fields = {
        "length": [(b"Content-Length", size)],
        "chunked": [(b"Transfer-Encoding", b"Chunked")],
    }
    headers = [*headers, *fields.get(framing, ())]
    if status in (204, 304) and framing == "neither":
        chunks = []
    messages: list[dict[str, Any]] = [{"type": START, "status": status, "headers": headers}]
    messages += [{"type": BODY, "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": BODY, "body": b"", "more_body": False})
    ours, theirs = (written(kind, method, keep, messages) for kind in (Cycle, RequestResponseCycle))
    assert ours == theirs
    assert ours[2]


@pytest.mark.parametrize(
    "headers",
    [[(b"a b", b"1")], [(b"", b"1")], [(b"a", b"1\r\nb: 2")], [(b"a", b"1\n")], [(b"a", b"\0")]],
)
def test_a_head_that_would_not_be_read_as_meant_is_not_written(headers):
    with pytest.raises(RuntimeError):
        written(Cycle, "GET", True, [{"type": START, "status": 200, "headers": headers}])


@pytest.mark.parametrize(
    "bodies", [[(b"abc", False)], [(b"a", False)], [(b"ab", False), (b"", False)]]
)
def test_a_body_is_neither_longer_nor_shorter_than_it_said(bodies):
    messages: list[dict[str, Any]] = [
        {"type": START, "status": 200, "headers": [(b"content-length", b"2")]}
    ]
    messages += [{"type": BODY, "body": body, "more_body": more} for body, more in bodies]
    with pytest.raises(RuntimeError):
        written(Cycle, "GET", True, messages)


def test_a_body_before_its_head_and_a_second_head_are_our_own_faults():
    head = {"type": START, "status": 200, "headers": []}
    with pytest.raises(RuntimeError):
        written(Cycle, "GET", True, [{"type": BODY, "body": b"", "more_body": False}])
    with pytest.raises(RuntimeError):
        written(Cycle, "GET", True, [head, head])


def test_a_status_that_nobody_knows_is_passed_on():
    sent, _, _ = written(Cycle, "GET", True, [{"type": START, "status": 999, "headers": []}])
    assert sent.startswith(b"HTTP/1.1 999 \r\n")


def test_a_client_that_left_is_written_nothing():
    async def send() -> bytes:
        cycle, wire = made(Cycle, "GET", True)
        cycle.disconnected = True
        await cycle.send({"type": START, "status": 200, "headers": []})
        return wire.sent

    assert asyncio.run(send()) == b""
