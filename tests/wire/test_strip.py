"""wire/strip: named events leave the stream, every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.strip import EventFilter

NAMES = frozenset({"settle", "x.debug"})
KEPT = [
    b"event: message_start\ndata: {}\n\n",
    b'event: message_delta\r\ndata: {"a":"\xc3\xa9"}\r\n\r\n',
    b"event:settled\rdata: 1\r\r",
    b": comment settle\n\n",
    b"data: [DONE]\n\n",
    b'data: {"type":"ping"}\n\n',
    b"id: 7\n\n",
]
GONE = [
    b"event: settle\ndata: {}\n\n",
    b"event:settle\r\ndata: 1\r\ndata: 2\r\n\r\n",
    b"data: x\rid: 1\revent: x.debug\r\r",
    b'data: {"type":\ndata: "settle"}\n\n',
    b"event: settle\n\n",
    b"event: ping\nevent: settle\ndata: the last name counts\n\n",
]


def strip(stream: bytes, *cuts: int, limit: int = 1 << 20) -> bytes:
    """The stream fed in pieces that end at `cuts`."""
    found, at, taken = [], 0, EventFilter(NAMES, limit)
    for cut in sorted({c % (len(stream) + 1) for c in cuts} | {len(stream)}):
        found.append(taken.feed(stream[at:cut]))
        at = cut
    return b"".join([*found, taken.end()])


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=12),
    st.lists(st.integers(0, 600), max_size=20),
    st.booleans(),
)
def test_named_events_go_and_every_other_byte_stays_split_anywhere(picks, cuts, marked):
    parts = [(KEPT if kept else GONE)[i % (7 if kept else 6)] for kept, i in picks]
    mark = b"\xef\xbb\xbf" if marked else b""
    left = b"".join(part for part in parts if part in KEPT)
    assert strip(mark + b"".join(parts), *cuts) == mark + left


def test_blank_lines_between_events_are_nobodys_and_stay():
    assert strip(b"\n" + GONE[0] + b"\n\n" + KEPT[0] + b"\n") == b"\n\n\n" + KEPT[0] + b"\n"


def test_an_event_goes_on_as_soon_as_it_is_whole():
    taken = EventFilter(NAMES)
    assert taken.feed(KEPT[0] + KEPT[1][:-2]) == KEPT[0]
    assert taken.feed(KEPT[1][-2:]) == KEPT[1]


@pytest.mark.parametrize(
    ("rest", "left"),
    [(b"event: ping\ndata: {", b"event: ping\ndata: {"), (b"event: settle\ndata: {", b"")],
)
def test_an_event_that_never_ended_is_passed_on_unless_it_is_named(rest, left):
    assert strip(KEPT[0] + rest) == KEPT[0] + left


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_is_too_long_to_hold_is_neither_held_nor_broken(step):
    long = b"event: big\ndata: " + b"x" * 500 + b"\r\n\r\n"
    gone = b"event: settle\ndata: " + b"y" * 500 + b"\r\n\r\n"
    stream = long + gone + KEPT[0]
    taken, out, most = EventFilter(NAMES, 64), b"", 0
    for at in range(0, len(stream), step):
        out += taken.feed(stream[at : at + step])
        most = max(most, len(taken._held))
    assert out + taken.end() == long + KEPT[0]
    assert most <= 64


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_whatever_names_no_event_passes_unchanged(stream, cuts):
    assert strip(stream.replace(b"settle", b"").replace(b"x.debug", b""), *cuts, limit=16) == (
        stream.replace(b"settle", b"").replace(b"x.debug", b"")
    )
