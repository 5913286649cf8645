"""wire/chat_meter: a Chat answer that is passed on is metered and judged like any other."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.lease import Garbage, Success, TokenUsage
from maxpool.wire.chat_meter import ChatMeter, chat_usage_in, judge_chat
from maxpool.wire.meter import Meter
from maxpool.wire.sse import Event, Scanner
from tests.wire.chat_oracle import DONE, USAGE, call, chunk, data

COUNTED = TokenUsage(input=40, output=20, cache_read=60)
STREAM = b"".join(
    (
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "ü€"}),
        chunk({}, "stop"),
        chunk(choices=[], usage=USAGE),
        DONE,
    )
)


def metered(*chunks: bytes) -> ChatMeter:
    meter, scanner = ChatMeter(), Scanner()
    for one in chunks:
        for event in scanner.feed(one):
            meter.feed(event)
    return meter


def test_it_shows_what_the_meter_of_messages_shows():
    shown = {name for name in dir(Meter) if not name.startswith("_")}
    assert shown <= {name for name in dir(ChatMeter) if not name.startswith("_")}


def test_a_stream_split_at_every_byte_is_counted_the_same():
    for cut in range(len(STREAM) + 1):
        meter = metered(STREAM[:cut], STREAM[cut:])
        assert meter.usage == COUNTED
        assert (meter.events, meter.complete, meter.in_block, meter.ended) == (5, True, False, True)
        assert (meter.message_id, meter.model) == ("chatcmpl-1", "big")


@pytest.mark.parametrize(
    ("delta", "says"),
    [
        ({"role": "assistant"}, False),
        ({"content": ""}, False),
        ({"content": None, "tool_calls": []}, False),
        ({"content": "a"}, True),
        ({"reasoning_content": "a"}, True),
        ({"reasoning": "a"}, True),
        ({"refusal": "a"}, True),
        (call(0, "f"), True),
        ({"function_call": {"name": "f"}}, True),
    ],
)
def test_content_begins_with_the_first_word_or_call(delta, says):  # R1
    meter = metered(chunk(delta))
    assert (meter.has_content, meter.in_block) == (says, says)


def test_a_reason_to_stop_makes_it_whole_and_a_bare_done_does_so_behind_content():
    assert metered(chunk({"content": "a"}), chunk({}, "length")).stopped
    assert metered(chunk({"content": "a"}), DONE).complete
    assert not metered(DONE).complete
    other = {"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]}
    assert not metered(chunk({"content": "a"}), data(other)).complete


def test_an_error_is_kept_as_it_came():
    broken = data({"error": {"message": "m"}})
    assert metered(chunk({"content": "a"}), broken).error == broken[6:-2]
    assert metered(b"event: error\n" + data({"message": "m"})).error is not None


def test_the_last_usage_counts_and_the_cost_goes_with_it():
    last = chunk(choices=[], usage=USAGE | {"cost": "0.5"})
    meter = metered(chunk({"content": "a"}, usage={"prompt_tokens": 1}), last)
    assert (meter.usage.input, meter.usage.cost_usd) == (40, 0.5)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", Garbage("empty")),
        (b"  ", Garbage("empty")),
        (b"<html>", Garbage("html")),
        (b"{", Garbage("json")),
        (b"[]", Garbage("json")),
        (b"{}", Garbage("empty")),
        (b'{"choices":[]}', Garbage("empty")),
        (b'{"error":{"message":"m"}}', Garbage("error")),
        (json.dumps({"choices": [{"message": {}}], "usage": USAGE}).encode(), Success(COUNTED)),
    ],
)
def test_a_whole_answer_is_an_answer_or_garbage(body, outcome):  # R4
    assert judge_chat("application/json", body) == outcome


def test_usage_of_a_whole_answer_is_read_from_its_member():
    assert chat_usage_in(msgspec.Raw(json.dumps(USAGE).encode())) == COUNTED
    for junk in (b"", b"null", b"[]", b"{", b'"a"'):
        assert chat_usage_in(msgspec.Raw(junk)) == TokenUsage()


@given(st.sampled_from(["message", "error"]), st.binary() | st.sampled_from([b"null", b"[]", b"1"]))
def test_junk_in_an_event_counts_as_nothing(name, junk):
    meter = ChatMeter()
    meter.feed(Event(name, junk))
    assert (meter.usage, meter.has_content, meter.complete) == (TokenUsage(), False, False)


def test_of_several_answers_all_must_have_stopped():
    first, second = {"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}
    both = data({"choices": [first]}) + data({"choices": [second]})
    ends = [data({"choices": [{"index": n, "delta": {}, "finish_reason": "stop"}]}) for n in (0, 1)]
    half = metered(both, ends[0])
    assert (half.stopped, half.in_block) == (False, True)
    assert metered(both, *ends).stopped


@pytest.mark.parametrize(
    ("chunks", "silent"),
    [
        ((chunk({"role": "assistant"}), chunk({}, "stop")), True),
        ((chunk({"content": "a"}), chunk({}, "stop")), False),
        ((chunk({"role": "assistant"}), chunk({}, "length")), False),
        ((chunk({"role": "assistant"}), chunk({}, "content_filter")), False),
        ((chunk({"role": "assistant"}),), False),
    ],
)
def test_an_answer_that_ends_by_itself_without_a_word_is_silent(chunks, silent):
    assert metered(*chunks).silent is silent


@pytest.mark.parametrize(
    ("message", "finish", "empty"),
    [
        ({"content": ""}, "stop", True),
        (None, "stop", True),
        ({"content": "a"}, "stop", False),
        ({"refusal": "no"}, "stop", False),
        ({"content": ""}, "length", False),
    ],
)
def test_an_answer_that_says_nothing_is_garbage_only_behind_the_gate(message, finish, empty):
    body = json.dumps({"choices": [{"message": message, "finish_reason": finish}]}).encode()
    assert isinstance(judge_chat("application/json", body), Success)
    gated = judge_chat("application/json", body, gated=True)
    assert gated == (Garbage("empty") if empty else Success())
