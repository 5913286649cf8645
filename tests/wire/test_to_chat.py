"""wire/to_chat: the members of a Messages request as Chat Completions has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool.errors import RequestError, Uncarried
from maxpool.wire.to_chat import LEFT_OUT, chat_request
from tests.wire import chat_oracle
from tests.wire.captures import body, recorded

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"name": "f", "description": "does f", "input_schema": {"type": "object"}}
CALLED = [
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": "{"},
]


def told(options: dict[str, object] | None = None, **given: Any) -> dict[str, Any]:
    request = {"model": "claude-x", "max_tokens": 100, "messages": HELLO} | given
    made = chat_request(json.dumps(request).encode(), model="big", options=options or {})
    return chat_oracle.chat_request(made)


def refused(options: dict[str, object] | None = None, **given: Any) -> str:
    with pytest.raises(Uncarried) as found:
        told(options, **given)
    return found.value.what


def test_the_shortest_request_says_no_more_than_it_must():
    assert told() == {
        "model": "big",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 100,
    }


def test_sampling_goes_along_as_it_was_asked():
    made = told(temperature=0.5, top_p=0.9, stop_sequences=["END", "."], top_k=5)
    assert (made["temperature"], made["top_p"], made["stop"]) == (0.5, 0.9, ["END", "."])
    assert "top_k" not in made
    assert told({"top_k": True}, top_k=5)["top_k"] == 5


def test_a_services_own_limits_hold_and_are_named_as_it_names_them():
    options = {"max_tokens_field": "max_completion_tokens", "max_tokens_max": 50}
    assert told(options)["max_completion_tokens"] == 50
    assert told({"max_tokens_max": 500})["max_tokens"] == 100
    assert told({"temperature_max": 0.7}, temperature=1)["temperature"] == 0.7
    assert told({"temperature_max": 0.7}, temperature=0.2)["temperature"] == 0.2


def test_a_stream_is_asked_for_together_with_its_usage():
    made = told(stream=True)
    assert made["stream"] is True
    assert made["stream_options"] == {"include_usage": True}
    assert "stream_options" not in told({"stream_usage": False}, stream=True)
    assert "stream" not in told(stream=False)


def test_tools_keep_name_description_schema_and_strictness():
    schema = {"type": "object", "properties": {"p": {"type": "string"}}, "required": ["p"]}
    made = told(tools=[TOOL | {"input_schema": schema, "strict": True}, {"name": "bare"}])
    assert made["tools"][0]["function"] == {
        "name": "f",
        "description": "does f",
        "parameters": schema,
        "strict": True,
    }
    assert made["tools"][1] == {"type": "function", "function": {"name": "bare"}}


def test_examples_of_a_tools_input_are_told_in_its_description():
    made = told(tools=[TOOL | {"input_examples": [{"p": 1}]}])
    described = made["tools"][0]["function"]["description"]
    assert described == 'does f\n\nExamples of its input:\n{"p":1}'


def test_a_deferred_tool_is_simply_there():
    made = told(tools=[TOOL | {"defer_loading": True, "cache_control": {"type": "ephemeral"}}])
    assert made["tools"] == told(tools=[TOOL])["tools"]


def test_an_empty_list_of_tools_is_left_out_unless_the_service_wants_it():
    assert "tools" not in told(tools=[], tool_choice={"type": "auto"})
    assert told({"drop_empty_tools": False}, tools=[])["tools"] == []


@pytest.mark.parametrize(
    ("choice", "there"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_the_choice_of_a_tool_is_kept(choice, there):  # P6
    made = told(tools=[TOOL], tool_choice=choice)
    assert made["tool_choice"] == there
    assert "parallel_tool_calls" not in made
    alone = told(tools=[TOOL], tool_choice=choice | {"disable_parallel_tool_use": True})
    assert alone["parallel_tool_calls"] is False


def test_structured_output_is_asked_for_in_either_form():
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    form = {"type": "json_schema", "schema": schema}
    made = told(output_config={"format": form})
    assert made["response_format"]["json_schema"] == {
        "name": "answer",
        "schema": schema,
        "strict": True,
    }
    assert told(output_format=form) == made


@pytest.mark.parametrize(
    ("given", "effort"),
    [
        ({}, None),
        ({"output_config": {"effort": "xhigh"}}, "xhigh"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 40_000}}, "high"),
        ({"thinking": {"type": "adaptive"}}, None),
    ],
)
def test_how_hard_to_think_is_told_where_the_service_takes_it(given, effort):
    assert told(**given) == told()
    assert told({"reasoning_field": "reasoning_effort"}, **given).get("reasoning_effort") == effort
    as_object = None if effort is None else {"effort": effort}
    assert told({"reasoning_field": "reasoning"}, **given).get("reasoning") == as_object


def test_a_later_turns_effort_is_the_one_that_counts():
    turns = [*HELLO, {"role": "system", "content": "now", "output_config": {"effort": "low"}}]
    given = {"messages": turns, "output_config": {"effort": "max"}}
    assert told({"reasoning_field": "reasoning_effort"}, **given)["reasoning_effort"] == "low"


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_what_only_steers_anthropic_is_left_out(name):
    steering: dict[str, Any] = {name: {"user_id": "me", "type": "adaptive"}}
    assert told(**steering) == told()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"container": "c_1"}, "container"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"some_day": {"new": 1}}, "some_day"),
        ({"context_management": {"edits": [{"type": "compact_1"}]}}, "context_management"),
        ({"context_management": []}, "context_management"),
        ({"output_config": {"task_budget": 9}}, "output_config: task_budget"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config: format"),
        ({"tools": [{"type": "web_search_20250305"}]}, "tools: web_search_20250305"),
        (
            {"tools": [TOOL | {"allowed_callers": ["code_execution_20250825"]}]},
            "tools: allowed_callers",
        ),
        ({"tools": [TOOL], "tool_choice": {"type": "psychic"}}, "tool_choice: psychic"),
        ({"messages": CALLED}, "messages: a begun answer"),
    ],
)
def test_what_has_no_place_is_refused_by_its_name(given, named):  # P2
    assert refused(**given) == named


def test_what_is_cleared_upstream_may_as_well_stay():
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_1"}]
    assert told(context_management={"edits": edits}) == told()


def test_a_null_is_as_good_as_nothing():
    assert told(container=None, some_day=None, context_management=None, tools=None) == told()


def test_a_begun_answer_goes_where_it_is_continued():
    made = told({"continue_final_message": True}, messages=CALLED)
    assert made["continue_final_message"] is True
    assert made["add_generation_prompt"] is False
    assert told({"add_generation_prompt": True})["add_generation_prompt"] is True


@pytest.mark.parametrize(
    "given",
    [
        {"messages": None},
        {"messages": [1]},
        {"messages": [{"role": "user", "content": 7}]},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"max_tokens": "many"},
        {"temperature": True},
        {"stop_sequences": "END"},
        {"tools": {}},
        {"tools": [{"input_schema": {}}]},
        {"tools": [TOOL], "tool_choice": "auto"},
        {"output_config": []},
    ],
)
def test_what_is_no_request_is_told_so(given):
    with pytest.raises(RequestError) as found:
        told(**given)
    assert (found.value.status, isinstance(found.value, Uncarried)) == (400, False)


def test_a_request_of_claude_code_can_go_to_another_vendor():
    made = chat_oracle.chat_request(
        chat_request(body(recorded("claude-code")), model="big", options={})
    )
    assert len(made["tools"]) == 12
    assert made["messages"][0]["role"] == "system"
    text = json.dumps(made)
    assert "x-anthropic-billing-header" not in text
    assert "user_id" not in text
