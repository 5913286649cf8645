"""wire/echo: the client sees the model it asked for, and every other byte as it came."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.echo import Echo, with_shown

START = (
    b'event: message_start\ndata: {"type":"message_start","message":{ "usage":{"model":"u"},'
    b'"model" : "big", "id":"m"},"model":"outer"}\n\n'
)
SHOWN = START.replace(b'"big"', b'"mine"')
DELTA = b'event: content_block_delta\ndata: {"delta":{"text":"\\"model\\":\\"big\\""},"model":"big"}\n\n'
CHUNK = b'data: {"id":"c", "model":"big","choices":[{"delta":{"content":"\\"model\\": 1"}}]}\n\n'


def through(echo: Echo, stream: bytes, *cuts: int) -> bytes:
    found, at = [], 0
    for cut in sorted({c % (len(stream) + 1) for c in cuts} | {len(stream)}):
        found.append(echo.feed(stream[at:cut]))
        at = cut
    return b"".join([*found, echo.end()])


def test_only_the_value_of_the_top_level_model_changes():  # P1
    body = b' {"content":[{"model":"x"}],"a":"\\"model\\":","model" :  "b\\"ig", "z":{"model":"y"}}'
    assert with_shown(body, "mine") == body.replace(b'"b\\"ig"', b'"mine"')


def test_an_answer_without_a_model_stays_as_it_is():
    for body in (b"{}", b"", b"[1]", b'{"model":null}', b'{"a":{"model":"x"}}', b'{"model":"x'):
        assert with_shown(body, "mine") == body


def test_a_name_is_written_as_json_has_it():
    assert json.loads(with_shown(b'{"model":"x"}', 'a"b')) == {"model": 'a"b'}


@given(st.lists(st.integers(0, 10_000)))
def test_a_stream_of_messages_names_it_once_wherever_it_is_split(cuts):  # P1
    stream = b": hello\n\n" + START + DELTA + START
    assert through(Echo("mine"), stream, *cuts) == b": hello\n\n" + SHOWN + DELTA + START


@given(st.lists(st.integers(0, 10_000)))
def test_each_chunk_of_chat_names_it_wherever_it_is_split(cuts):  # P1
    stream = CHUNK + b": ping\n\n" + CHUNK + b"data: [DONE]\n\n"
    shown = stream.replace(b'"big"', b'"mine"')
    assert through(Echo("mine", each=True), stream, *cuts) == shown


def test_what_stands_before_the_first_event_and_half_of_the_last_one_are_kept():
    assert through(Echo("mine"), b"\xef\xbb\xbf" + START + b"event: half\nda", 2) == (
        b"\xef\xbb\xbf" + SHOWN + b"event: half\nda"
    )
    assert through(Echo("mine"), b"event: half\nda") == b"event: half\nda"


def test_after_the_start_nothing_is_held_back():
    echo = Echo("mine")
    echo.feed(START)
    assert echo.feed(b"event: content") == b"event: content"


def test_an_event_too_long_to_hold_goes_on_as_it_comes():
    long = b'event: odd\ndata: {"x":"' + b"a" * 1_100_000 + b'"}\n\n'
    assert through(Echo("mine"), long + START, 700_000) == long + SHOWN
