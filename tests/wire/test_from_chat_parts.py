"""wire/from_chat_parts: whole answers, usage and reasons."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from maxpool.wire.from_chat import CHAT_DIALECT
from maxpool.wire.from_chat_parts import MAX_TOKENS, Asked, texts_of, usage_of
from tests.wire.chat_oracle import USAGE, call, message


def completion(finish: str | None = "stop", **said: Any) -> bytes:
    told = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "big",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": None, **said},
            }
        ],
        "usage": USAGE,
    }
    return json.dumps(told).encode()


def whole(body: bytes, request: bytes = b"{}") -> dict[str, Any]:
    reader = CHAT_DIALECT.reader(request, model="claude-x", request_id="req_1")
    return message(reader.whole(body))


def test_a_whole_completion_is_a_whole_message():  # P1 P6
    body = completion(
        "tool_calls", content="Both.", **call(None, "f", '{"a":1}', id="c1", type="function")
    )
    ChatCompletion.model_validate_json(body)
    made = whole(body)
    assert made["content"] == [
        {"type": "text", "text": "Both."},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
    ]
    assert (made["model"], made["stop_reason"]) == ("claude-x", "tool_use")
    assert made["usage"]["input_tokens"] == 40


def test_thinking_refusals_and_the_older_form_of_a_call_are_carried():
    asked = b'{"thinking":{"type":"enabled"}}'
    made = whole(completion(reasoning="hm", refusal="no", content=None), asked)
    assert [b["type"] for b in made["content"]] == ["thinking", "text"]
    older = whole(completion("function_call", function_call={"name": "f", "arguments": ""}))
    assert (older["content"][0]["name"], older["content"][0]["input"]) == ("f", {})


def test_thinking_in_parts_is_told_from_the_text():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]
    assert texts_of({"content": parts}) == ("hm", "a")


def test_a_call_that_the_limit_cut_is_left_out_and_any_other_broken_one_is_garbage():
    cut = call(None, "f", '{"a":', id="c")
    made = whole(completion("length", content="a", **cut))
    assert ([b["type"] for b in made["content"]], made["stop_reason"]) == (["text"], "max_tokens")
    with pytest.raises(ValueError, match="not valid JSON"):
        whole(completion("tool_calls", **cut))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"message":null}]}',
        b'{"error":{"message":"x"}}',
        b'{"choices":[{"message":{"content":"a"},"finish_reason":"error"}]}',
        b'{"choices":[{"message":{"tool_calls":[{"function":{}}]}}]}',
        b'{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"[]"}}]}}]}',
    ],
)
def test_what_is_no_answer_is_said_to_be_none(body):
    with pytest.raises(ValueError, match=r"\w"):
        whole(body)


@pytest.mark.parametrize(
    ("told", "input_", "read", "written", "output"),
    [
        (USAGE, 40, 60, 0, 20),
        ({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4, "completion_tokens": 1}, 6, 4, 0, 1),
        (
            {
                "prompt_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
            },
            *(5, 2, 3, 0),
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}}, 0, 10, 0, 0),
        ({"prompt_tokens": -1, "completion_tokens": MAX_TOKENS + 1}, 0, 0, 0, 0),
        ({"prompt_tokens": True, "completion_tokens": "7"}, 0, 0, 0, 0),
        (None, 0, 0, 0, 0),
        ([], 0, 0, 0, 0),
    ],
)
def test_every_token_is_counted_once(told, input_, read, written, output):
    usage = usage_of(told)
    assert usage["input_tokens"] == input_
    assert usage["cache_read_input_tokens"] == read
    assert usage["cache_creation_input_tokens"] == written
    assert usage["output_tokens"] == output


def test_a_cost_of_the_services_own_goes_along():
    assert usage_of({"cost": 0.25})["cost"] == 0.25
    assert "cost" not in usage_of({"cost": None})


def test_ids_follow_from_the_request_alone():
    asked = Asked("m", "req_1")
    assert asked.message_id == Asked("m", "req_1").message_id != Asked("m", "req_2").message_id
    assert asked.call_id(None, 0, set()) == asked.call_id(None, 0, set())
