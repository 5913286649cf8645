"""wire/generate: one prompt, one text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool.errors import RequestError, Uncarried
from maxpool.wire.generate import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, GENERATE_DIALECT
from tests.wire.chat_oracle import USAGE, message, message_of

TURNS = [
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
]


def told(options: dict[str, object] | None = None, **given: Any) -> dict[str, Any]:
    body = json.dumps({"max_tokens": 100, "messages": TURNS} | given).encode()
    found: dict[str, Any] = json.loads(
        GENERATE_DIALECT.request(body, model="small", options=options or {})
    )
    return found


def answered(told: object, body: bytes = b"{}") -> dict[str, Any]:
    reader = GENERATE_DIALECT.reader(body, model="claude-x", request_id="req_1")
    return message(reader.whole(json.dumps(told).encode()))


def test_the_system_prompt_goes_apart_and_the_turns_as_one_prompt():
    assert told(system="Be brief.") == {
        "model": "small",
        "system": "Be brief.",
        "prompt": "user: hello\n\nassistant: hi\n\nuser: a\n\nb",
        "temperature": DEFAULT_TEMPERATURE,
        "max_tokens": 100,
        "stream": False,
    }
    assert "system" not in told()


def test_what_was_asked_goes_along_and_only_what_was_not_is_filled_in():
    made = told(temperature=0, top_p=0.5, stop_sequences=["END"], max_tokens=None, stream=True)
    assert (made["temperature"], made["top_p"], made["stop"]) == (0, 0.5, ["END"])
    assert (made["max_tokens"], made["stream"]) == (DEFAULT_MAX_TOKENS, False)
    assert told({"max_tokens_max": 10, "temperature_max": 0.1})["max_tokens"] == 10


def test_instructions_in_the_middle_join_the_others():
    turns = [TURNS[0], {"role": "system", "content": "later"}, TURNS[2]]
    made = told(system="first", messages=turns, options={"system_role": "developer"})
    assert (made["system"], made["prompt"]) == ("first\n\nlater", "user: hello\n\nuser: a\n\nb")


@pytest.mark.parametrize(
    "given",
    [
        {"tools": [{"name": "f", "input_schema": {}}]},
        {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "url", "url": "u"}}],
                }
            ]
        },
        {"messages": [*TURNS, {"role": "assistant", "content": "{"}]},
        {
            "messages": [
                TURNS[0],
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}],
                },
                TURNS[2],
            ]
        },
    ],
    ids=["tools", "format", "image", "prefill", "tool_use"],
)
def test_what_is_not_text_is_refused_by_name(given):  # P2
    with pytest.raises(Uncarried):
        told(**given)


def test_a_body_that_is_none_is_told_so():
    with pytest.raises(RequestError):
        GENERATE_DIALECT.request(b"[]", model="m", options={})


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{"message": {"content": "said"}}], "content": "other"},
        {"content": "said", "response": "other"},
        {"response": "said", "message": {"content": "other"}},
        {"message": {"content": "said"}},
    ],
)
def test_the_text_is_found_wherever_a_bridge_puts_it(answer):
    assert answered(answer)["content"] == [{"type": "text", "text": "said"}]


def test_usage_and_the_limit_are_told_in_either_form():
    mine = answered({"response": "a", "usage": USAGE})
    other = answered(
        {"response": "a", "prompt_eval_count": 7, "eval_count": 3, "done_reason": "length"}
    )
    assert (mine["usage"]["input_tokens"], mine["stop_reason"]) == (40, "end_turn")
    assert (other["usage"]["input_tokens"], other["usage"]["output_tokens"]) == (7, 3)
    assert other["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("answer", [{}, [], {"response": 7}, {"error": "busy"}, None])
def test_an_answer_without_a_text_is_none(answer):
    with pytest.raises(ValueError, match="no text"):
        answered(answer)


def test_who_asked_for_a_stream_gets_one():
    reader = GENERATE_DIALECT.reader(b'{"stream":true}', model="claude-x", request_id="r")
    assert reader.feed(b'{"resp') + reader.feed(b'onse":"said"}') == b""
    made = message_of(reader.end())
    assert (made["content"][0]["text"], made["model"]) == ("said", "claude-x")


def test_errors_are_those_of_any_service():
    found = json.loads(GENERATE_DIALECT.error(404, b'{"error":"model not found"}'))
    assert found["error"] == {"type": "not_found_error", "message": "model not found"}
