"""wire/responses_answer: Messages answers as Responses answers, judged by OpenAI's SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxpool.wire.replies import Answer
from maxpool.wire.responses_answer import HEARTBEAT, RESPONSES_SURFACE
from maxpool.wire.sse import Scanner
from tests.wire.answers import REDACTED, TEXT, THINKING, call, event, streamed, whole
from tests.wire.oracle import messages_request
from tests.wire.responses_oracle import NOW, accumulated, answer, asked, events, sent, writer

if TYPE_CHECKING:
    from openai.types.responses import Response

PATCH = {"type": "custom", "name": "patch"}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}
AGENTS = {"type": "namespace", "name": "agents", "description": "d", "tools": [LOOK]}
ASKED: dict[str, Any] = {"tools": [PATCH, LOOK, AGENTS], "reasoning": {"summary": "auto"}}
ALL = (
    THINKING,
    REDACTED,
    TEXT,
    TEXT,
    call("look", 1, a=1),
    call("patch", 2, input="*** é\n"),
    call("agents__look", 3),
)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
BLOCKS = st.lists(
    st.one_of(
        WORDS.map(lambda text: {"type": "text", "text": text}),
        WORDS.map(lambda text: THINKING | {"thinking": text}),
        WORDS.map(lambda text: call("look", 1, a=text)),
        WORDS.map(lambda text: call("patch", 2, input=text)),
    ),
    max_size=5,
)


def output(told: Response) -> list[dict[str, Any]]:
    """Its items without the spacing of JSON, which may differ, and what the SDK itself adds."""
    items = [item.to_dict() for item in told.output]
    for item in items:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or ():  # type: ignore[attr-defined]
            part.pop("parsed", None)
        if "arguments" in item:
            item["arguments"] = json.loads(str(item["arguments"]))
    return items


def test_a_whole_answer_is_a_response():
    told = answer(whole(TEXT))
    assert (told.id, told.created_at, told.model) == ("resp_01", int(NOW), "my-alias")
    assert (told.status, told.output_text) == ("completed", TEXT["text"])
    assert told.model_extra is not None
    assert told.model_extra["store"] is False


def test_what_was_asked_is_repeated():
    told = answer(whole(TEXT), instructions="be brief", tools=[LOOK], temperature=0.5)
    assert (told.instructions, told.temperature) == ("be brief", 0.5)
    assert [tool.type for tool in told.tools] == ["function"]


def test_usage_counts_the_whole_input():
    usage = answer(whole(TEXT)).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (240, 7, 247)
    assert usage.input_tokens_details.cached_tokens == 200
    assert usage.input_tokens_details.cache_write_tokens == 30


def test_the_accumulated_stream_is_the_whole_answer():  # P6
    told = accumulated(sent(streamed(*ALL, stop="tool_use"), **ASKED))
    one = answer(whole(*ALL, stop="tool_use"), **ASKED)
    assert output(told) == output(one)
    assert (told.id, told.usage, told.status) == (one.id, one.usage, one.status)


@settings(max_examples=40)
@given(BLOCKS, st.integers(1, 9))
def test_any_answer_is_the_same_streamed_and_whole(blocks: list[dict[str, Any]], piece: int):
    blocks = [one | {"id": f"c{n}"} if "id" in one else one for n, one in enumerate(blocks)]
    told = accumulated(sent(streamed(*blocks, piece=piece), **ASKED))
    assert output(told) == output(answer(whole(*blocks), **ASKED))


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1000])
def test_no_split_of_the_bytes_changes_an_event(piece: int):  # P6
    stream = streamed(*ALL, stop="tool_use")
    assert sent(stream, piece, **ASKED) == sent(stream, **ASKED)


def test_the_next_turn_gives_claude_its_blocks_back():  # P6
    told = json.loads(writer(**ASKED).whole(whole(*ALL, stop="tool_use")))
    results = [
        {"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "x"}
        for item in told["output"]
        if "call_id" in item
    ]
    items = [{"role": "user", "content": "q"}, *told["output"], *results]
    made = messages_request(RESPONSES_SURFACE.request(asked(**ASKED | {"input": items})))
    said = [dict(block) for block in made["messages"][1]["content"]]
    assert said == list(ALL)


def test_junk_in_a_stream_is_passed_over():
    good = streamed(TEXT)
    junk = b"event: content_block_delta\ndata: {oops\n\n" + event("new_event") + b": hm\n\n"
    at = good.index(b"event: content_block_delta")
    assert sent(good[:at] + junk + good[at:]) == sent(good)


def test_a_stream_that_stops_short_is_not_closed():
    stream = streamed(TEXT)
    cut = stream[: stream.index(b"event: message_delta")]
    assert events(sent(cut))[-1].type == "response.output_text.delta"


def test_an_upstream_that_omits_its_last_event_is_closed_all_the_same():
    stream = streamed(TEXT)
    assert sent(stream[: stream.index(b"event: message_stop")]) == sent(stream)


@pytest.mark.parametrize("body", [b"", b"7", b"{}", b'{"content": 7}', b"\xff"])
def test_what_is_no_answer_is_refused(body: bytes):
    with pytest.raises(ValueError, match="no Messages answer"):
        writer().whole(body)


def test_an_odd_request_still_gets_its_answer():
    one = RESPONSES_SURFACE.writer(b"[7]", request_id="req_1", now=NOW)
    assert json.loads(one.whole(whole(TEXT)))["status"] == "completed"


def test_errors_are_in_openai_s_envelope():
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
    told = RESPONSES_SURFACE.error(Answer(429, ((b"retry-after", b"5"),), body))
    assert (told.status, json.loads(told.body)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (b"retry-after", b"5") in told.headers


def test_the_heartbeat_is_a_named_event():  # Q3
    (beat,) = Scanner().feed(HEARTBEAT)
    assert beat.name == json.loads(beat.data)["type"] == "keepalive"
    assert RESPONSES_SURFACE.heartbeat == HEARTBEAT
