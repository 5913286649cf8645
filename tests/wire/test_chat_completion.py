"""wire/chat_completion: the values of a completion."""

from __future__ import annotations

import pytest
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionMessage

from maxpool.wire.chat_completion import NO_REASON, call_of, message_of, usage_of, why


def test_blocks_of_a_kind_are_joined():
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    told = message_of(blocks, legacy=False)
    ChatCompletionMessage.model_validate(told, strict=True)
    assert told["content"] == "ab"


def test_an_empty_answer_has_an_empty_content():
    assert message_of([], legacy=False)["content"] == ""


def test_a_client_of_the_older_api_gets_the_first_call():
    calls = [{"type": "tool_use", "id": i, "name": f"f{i}", "input": {}} for i in "12"]
    told = message_of(calls, legacy=True)
    ChatCompletionMessage.model_validate(told, strict=True)
    assert told["function_call"] == {"name": "f1", "arguments": "{}"}
    assert "tool_calls" not in told


def test_a_call_whose_input_is_no_object_has_no_arguments():
    assert call_of({"id": "x", "name": "f", "input": "odd"})["function"]["arguments"] == "{}"


def test_reasoning_tokens_are_told_apart():
    told = usage_of({"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}})
    usage = CompletionUsage.model_validate(told, strict=True)
    assert usage.completion_tokens == 9
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 4


@pytest.mark.parametrize("junk", [None, -1, True, "7", 1.5])
def test_a_broken_count_is_none(junk):
    assert usage_of({"input_tokens": junk})["prompt_tokens"] == 0


def test_a_refusal_has_a_reason_in_any_case():
    assert why({"stop_details": {"explanation": "so"}}) == "so"
    assert why({"stop_details": None}) == NO_REASON
