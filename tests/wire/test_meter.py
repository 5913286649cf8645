"""wire/meter: usage and progress of one answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.lease import Success, TokenUsage
from maxpool.wire.meter import MAX_TOKENS, Meter, cost_usd
from maxpool.wire.sse import Event, Scanner
from maxpool.wire.verdict import classify_answer

START = {
    "id": "msg_1",
    "model": "claude-opus-5-5",
    "usage": {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    },
}


def event(name: str, **data: Any) -> Event:
    return Event(name, json.dumps({"type": name} | data).encode())


def fed(*events: Event) -> Meter:
    meter = Meter()
    for one in events:
        meter.feed(one)
    return meter


def usage_of_body(body: bytes) -> TokenUsage:
    answer = classify_answer("application/json", body)
    return answer.usage if isinstance(answer, Success) else TokenUsage()


def test_usage_of_deltas_is_cumulative_and_never_added():
    meter = fed(
        event("message_start", message=START),
        event("message_delta", delta={}, usage={"output_tokens": 40}),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 90}),
    )
    assert meter.usage == TokenUsage(10, 90, 200, 10, 20)
    assert (meter.message_id, meter.model) == ("msg_1", "claude-opus-5-5")


def test_an_interrupted_stream_counts_what_it_saw():
    assert fed(event("message_start", message=START)).usage.output == 1


def test_null_in_a_delta_does_not_erase_what_the_start_said():
    meter = fed(
        event("message_start", message=START),
        event("message_delta", usage={"input_tokens": None, "output_tokens": 5}),
    )
    assert (meter.usage.input, meter.usage.output) == (10, 5)


def test_content_begins_with_a_delta_or_a_tool_call_and_not_with_a_silent_block():
    text = event("content_block_start", content_block={"type": "text", "text": ""})
    thinking = event("content_block_start", content_block={"type": "thinking"})
    tool = event("content_block_start", content_block={"type": "tool_use", "input": {}})
    server = event("content_block_start", content_block={"type": "server_tool_use"})
    assert not fed(event("message_start", message=START), event("ping"), text, thinking).has_content
    assert fed(text, event("content_block_delta")).has_content
    assert fed(tool).has_content
    assert fed(server).has_content


def test_it_knows_whether_a_block_is_open_and_whether_the_answer_is_whole():
    meter = fed(event("content_block_start", content_block={"type": "text"}))
    assert (meter.in_block, meter.complete) == (True, False)
    meter.feed(event("content_block_stop"))
    assert (meter.in_block, meter.complete) == (False, False)
    meter.feed(event("message_delta", delta={"stop_reason": "tool_use"}))
    assert (meter.stopped, meter.ended, meter.complete) == (True, False, True)
    meter.feed(event("message_stop"))
    assert meter.ended


def test_the_upstreams_cost_is_read_with_its_usage_and_is_cumulative():
    meter = fed(
        event("message_start", message=START | {"usage": {"cost": 0.25}}),
        event("message_delta", delta={}, usage={"output_tokens": 40, "cost": 0.5}),
    )
    assert (meter.usage.output, meter.usage.cost_usd) == (40, 0.5)
    assert usage_of_body(b'{"usage":{"input_tokens":1,"cost":"0.125"}}') == TokenUsage(
        1, cost_usd=0.125
    )


@pytest.mark.parametrize(
    "data", [{"cost_usd": 2}, {"cost": "2.0"}, {"usage": {"cost": 2.0}}, {"usage": {"cost_usd": 2}}]
)
def test_a_settlement_event_is_the_last_word_on_the_cost(data: dict[str, Any]):
    meter = Meter("settlement")
    for one in (
        event("message_start", message=START | {"usage": {"cost": 0.25}}),
        event("settlement", **data),
        event("message_delta", usage={"cost": 0.5}),
    ):
        meter.feed(one)
    assert meter.usage.cost_usd == 2.0
    other = Meter()
    other.feed(event("settlement", **data))
    assert other.usage.cost_usd is None


@pytest.mark.parametrize(
    "figure", [None, "", "free", "NaN", "1e400", -0.1, True, [], 1e9, float("nan"), float("inf")]
)
def test_a_cost_that_cannot_be_read_is_unknown_and_never_zero(figure: object):
    assert cost_usd(figure) is None


def test_an_error_event_is_kept_as_it_came():
    broken = event("error", error={"type": "overloaded_error"})
    assert fed(broken).error == broken.data


def test_events_named_in_their_data_only_are_understood():
    data = b'{"type":"content_block_delta"}'
    assert fed(Event("message", data)).has_content
    assert not fed(Event("message", b"[DONE]")).has_content


@given(st.sampled_from(["message_start", "message_delta", "content_block_start"]), st.binary())
def test_junk_in_an_event_counts_as_nothing(name: str, data: bytes):
    assert fed(Event(name, data)).usage == TokenUsage()


def test_absurd_counts_count_as_nothing():
    odd: list[object] = [-1, "7", 1.5, True, 10**18, [], None]
    for count in odd:
        start = {"usage": {"input_tokens": count, "cache_creation": count}}
        assert fed(event("message_start", message=start)).usage == TokenUsage()


def test_a_body_is_counted_like_a_stream():
    body = json.dumps({"type": "message", "content": [{"text": "x"}], "usage": START["usage"]})
    assert usage_of_body(body.encode()) == TokenUsage(10, 1, 200, 10, 20)


def test_count_tokens_and_junk_count_as_no_usage():
    for body in (
        b'{"input_tokens": 500}',
        b"",
        b"[]",
        b"<html>",
        b'{"usage": 3}',
        b'{"usage":null}',
    ):
        assert usage_of_body(body) == TokenUsage()


@pytest.mark.parametrize("odd", [None, "c_1", {"id": 7}, {}])
def test_the_container_of_an_answer_is_known_once_it_is_told(odd):
    told = event("message_delta", delta={"container": {"id": "c_1"}})
    later = event("message_delta", delta={"container": odd})
    assert fed(event("message_start", message=START), later).container_id is None
    assert fed(told, later).container_id == "c_1"


STREAM = b"".join(
    b"event: %s\ndata: %s\n\n" % (one.name.encode(), one.data)
    for one in (
        event("message_start", message=START),
        event("content_block_start", content_block={"type": "text"}),
        event("content_block_delta", delta={"text": "\u00fc\u20ac\U0001f600"}),
        event("content_block_stop"),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}),
        event("message_stop"),
    )
)


def metered(*chunks: bytes) -> Meter:
    meter, scanner = Meter(), Scanner()
    for chunk in chunks:
        for one in scanner.feed(chunk):
            meter.feed(one)
    return meter


def test_a_stream_split_at_every_byte_is_counted_the_same():
    for cut in range(len(STREAM) + 1):
        meter = metered(STREAM[:cut], STREAM[cut:])
        assert meter.usage == TokenUsage(10, 5, 200, 10, 20)
        assert (meter.events, meter.complete, meter.in_block) == (6, True, False)


@given(st.integers(0, len(STREAM) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_stream_with_wrong_bytes_counts_at_most_what_it_says(where, wrong, gone):
    usage = metered(STREAM[:where] + wrong + STREAM[where + gone :]).usage
    assert min(usage.input, usage.output, usage.cache_read) >= 0


ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
NAMED = st.sampled_from(
    [
        "message",
        "usage",
        "delta",
        "cache_creation",
        "input_tokens",
        "container",
        "id",
        "cost",
        "stop_reason",
    ]
)
NESTED = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMED, inner, max_size=4)
)


@given(st.sampled_from(["message_start", "message_delta", "error", "message", "cost"]), NESTED)
def test_whatever_an_event_holds_it_is_survived(name, told):
    data = json.dumps(told).encode()
    meter = Meter("cost")
    meter.feed(Event(name, data))
    assert 0 <= meter.usage.input <= MAX_TOKENS
    assert usage_of_body(data).output >= 0


@pytest.mark.parametrize(
    ("stop", "says", "silent"),
    [("end_turn", False, True), ("end_turn", True, False), ("max_tokens", False, False)],
)
def test_an_answer_that_ends_of_its_own_accord_without_a_word_is_silent(stop, says, silent):
    meter = Meter()
    if says:
        meter.feed(Event("content_block_delta", b"{}"))
    meter.feed(Event("message_delta", json.dumps({"delta": {"stop_reason": stop}}).encode()))
    assert meter.silent is silent
