"""wire/sse: an observer of event streams."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.sse import Event, Scanner

STREAM = (
    '\ufeff: hello\n\nevent: message_start\ndata: {"a": "ü€😀"}\n\n'
    "event: ping\ndata: {}\n\n: keepalive\n\n"
    "data: one\ndata:two\n\n"
    "event: named_only\n\nid: 7\nevent: x\ndata: {}\nretry: 3\n\n"
).encode()
EVENTS = [
    Event("message_start", '{"a": "ü€😀"}'.encode()),
    Event("ping", b"{}"),
    Event("message", b"one\ntwo"),
    Event("x", b"{}"),
]


def scan(chunks: list[bytes], scanner: Scanner | None = None) -> list[Event]:
    scanner = scanner or Scanner()
    return [event for chunk in chunks for event in scanner.feed(chunk)]


@given(
    st.lists(st.integers(0, len(STREAM) * 2), max_size=12), st.sampled_from(["\n", "\r\n", "\r"])
)
def test_a_stream_split_anywhere_tells_the_same_events(cuts: list[int], newline: str):
    stream = STREAM.replace(b"\n", newline.encode())
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    scanner = Scanner()
    assert scan(chunks, scanner) == EVENTS
    assert not scanner.pending


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_a_stream_fed_byte_by_byte_tells_the_same_events(newline: bytes):
    stream = STREAM.replace(b"\n", newline)
    assert scan([stream[i : i + 1] for i in range(len(stream))]) == EVENTS


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_bytes_at_all_make_it_raise(chunks: list[bytes]):
    scanner = Scanner(max_event_bytes=16)
    scan(chunks, scanner)
    assert isinstance(scanner.pending, bool)


def test_pending_means_inside_an_event_and_not_inside_a_comment():
    scanner = Scanner()
    scanner.feed(b"event: ping\ndata: {}\n")
    assert scanner.pending
    scanner.feed(b"\n")
    assert not scanner.pending
    scanner.feed(b": waiting\n")
    assert not scanner.pending
    scanner.feed(b"data: x")
    assert scanner.pending


def test_an_event_beyond_the_limit_is_dropped_and_the_next_one_is_seen():
    scanner = Scanner(max_event_bytes=100)
    for _ in range(1000):
        assert scanner.feed(b"data: " + b"x" * 10) == []
    assert scanner.overflowed
    assert scanner.pending
    assert scanner.feed(b"\n\ndata: after\n\n") == [Event("message", b"after")]
    assert not scanner.pending


def test_an_oversized_event_inside_one_chunk_is_dropped_alone():
    scanner = Scanner(max_event_bytes=100)
    chunk = b"data: a\n\ndata: " + b"x" * 200 + b"\n\ndata: b\n\n"
    assert [event.data for event in scanner.feed(chunk)] == [b"a", b"b"]
    assert scanner.overflowed


def test_a_large_event_in_tiny_chunks_costs_linear_time():
    scanner = Scanner()
    for _ in range(60_000):  # seconds, were the buffer searched from its start each time
        scanner.feed(b"data: 0123456789")
    assert scanner.feed(b"\n\n")[0].name == "message"


def test_extra_blank_lines_are_no_events():
    assert scan([b"\n\n\n", b"data: a\n\n\n\n", b"\ndata: b\n\n"]) == [
        Event("message", b"a"),
        Event("message", b"b"),
    ]


@pytest.mark.parametrize("line", [b"event:\n", b"event: \n", b"event\n", b"event: x\nevent: \n"])
def test_an_event_with_an_empty_name_is_a_message(line: bytes):
    assert scan([line + b"data: a\n\n"]) == [Event("message", b"a")]


MARKS = [
    b"\r",
    b"\n",
    b"\r\n",
    b":",
    b" ",
    b"data",
    b"event",
    b"\xef\xbb\xbf",
    b"\xff",
    b"x",
    b"\0",
]


@given(st.lists(st.sampled_from(MARKS), max_size=60).map(b"".join), st.lists(st.integers(1, 9)))
def test_any_bytes_tell_the_same_events_however_they_are_split(stream: bytes, sizes: list[int]):
    whole, parts = Scanner(), Scanner()
    chunks, at = [], 0
    for size in sizes:
        chunks.append(stream[at : at + size])
        at += size
    told = scan([*chunks, stream[at:]], parts)
    assert told == scan([stream], whole)
    assert parts.pending == whole.pending
