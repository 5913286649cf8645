import zlib

import pytest

from maxpool.sim import faults
from maxpool.sim.damage import damage
from maxpool.sim.delivery import Abort, Chunk, Hang, Head, Pause, Script, whole
from maxpool.sim.faults import (
    CutFault,
    EndFault,
    GarbageFault,
    HangFault,
    HeaderFault,
    SlowFault,
)

HEAD = Head(200, (("content-type", "text/event-stream"), ("x-a", "1")))
OPEN, START = Chunk(b"open", "open"), Chunk(b"start", "start")
ONE, TWO = Chunk(b"one.", "delta"), Chunk(b"two.", "delta")
STOP, END = Chunk(b"stop", "stop"), Chunk(b"end.", "end")
PAUSE = Pause(0.1)


def stream() -> Script:
    return [HEAD, OPEN, START, PAUSE, ONE, PAUSE, TWO, STOP, END]


def document() -> Script:
    return whole(200, (("content-type", "application/json"),), b'{"a":"b"}')


def test_a_cut_before_headers_sends_nothing() -> None:
    assert damage(CutFault(), stream()) == [Abort(True)]
    assert damage(CutFault(rst=False), stream()) == [Abort(False)]


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (0, [HEAD]),
        (1, [HEAD, OPEN]),
        (3, [HEAD, OPEN, START, PAUSE, ONE]),
        ("delta", [HEAD, OPEN, START, PAUSE, ONE]),
        ("block", [HEAD, OPEN, START, PAUSE, ONE, PAUSE, TWO, STOP]),
    ],
)
def test_a_stream_is_cut_where_the_fault_says(after, kept) -> None:
    assert damage(CutFault(after=after), stream()) == [*kept, Abort(True)]


def test_a_cut_may_leave_half_an_event() -> None:
    cut = damage(CutFault(after=3, half_event=True), stream())
    assert cut[-2:] == [Chunk(b"tw"), Abort(True)]


def test_a_plain_body_is_cut_in_its_middle() -> None:
    cut = damage(CutFault(after=1), document())
    assert cut[1:] == [Chunk(b'{"a"'), Abort(True)]
    assert ("content-length", "9") in cut[0].headers  # type: ignore[union-attr]


def test_an_early_end_keeps_no_length_that_would_betray_it() -> None:
    ended = damage(EndFault(after=1), document())
    assert ended == [Head(200, (("content-type", "application/json"),)), Chunk(b'{"a"')]


def test_a_hang_stands_where_the_fault_says_and_the_rest_follows() -> None:
    assert damage(HangFault(seconds=3), stream()) == [Hang(3), *stream()]
    assert damage(HangFault(after=0), stream()) == [HEAD, Hang(None), *stream()[1:]]
    assert damage(HangFault(after="delta"), stream())[5] == Hang(None)


def test_an_error_event_is_the_last_that_is_heard() -> None:
    spoilt = damage(faults.error_event(after="block"), stream(), b"ERROR")
    assert spoilt[-2:] == [STOP, Chunk(b"ERROR")]
    assert damage(faults.error_event(), stream(), b"ERROR") == [HEAD, Chunk(b"ERROR")]


def test_an_error_event_after_more_events_than_there_are_comes_at_the_end() -> None:
    assert damage(faults.error_event(after=99), stream(), b"E") == [*stream(), Chunk(b"E")]


def test_garbage_looks_like_an_answer_from_outside() -> None:
    html = damage(GarbageFault(kind="html"), stream())
    assert ("content-type", "text/html; charset=utf-8") in html[0].headers  # type: ignore[union-attr]
    assert damage(GarbageFault(kind="empty"), document())[1:] == []
    silent = damage(GarbageFault(kind="no_events"), document())
    assert silent[1] == Chunk(b": nothing to see\n\n")
    broken = damage(GarbageFault(kind="broken_json"), document())
    assert broken[1].data.startswith(b"{")  # type: ignore[union-attr]


def test_a_truncated_gzip_cannot_be_finished() -> None:
    head, chunk = damage(GarbageFault(kind="truncated_gzip"), stream())
    assert isinstance(head, Head)
    assert isinstance(chunk, Chunk)
    assert ("content-encoding", "gzip") in head.headers
    squeeze = zlib.decompressobj(wbits=31)
    squeeze.decompress(chunk.data)
    assert not squeeze.eof


def test_a_slow_body_comes_byte_by_byte() -> None:
    slow = damage(SlowFault(interval_s=2.0, size=3), [HEAD, ONE])
    assert slow == [HEAD, Pause(2.0), Chunk(b"one", "delta"), Pause(2.0), Chunk(b".", "delta")]


def test_odd_headers_replace_those_of_the_same_name() -> None:
    odd = damage(HeaderFault(headers=(("X-A", "NaN"), ("x-b", "2"))), [HEAD])
    assert odd == [Head(200, (("content-type", "text/event-stream"), ("X-A", "NaN"), ("x-b", "2")))]


def test_whole_error_answers_leave_a_script_alone() -> None:
    assert damage(faults.overloaded(), stream()) == stream()
