"""wire/responses_request: Responses requests as Messages requests, judged by Anthropic's SDK types."""

from __future__ import annotations

import contextlib
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from maxpool.errors import RequestError, Uncarried
from maxpool.wire import responses_request
from maxpool.wire.body import parse
from maxpool.wire.chat_request import DEFAULT_MAX_TOKENS, JSON_ONLY
from maxpool.wire.responses_reasoning import sealed
from tests.wire import captures
from tests.wire.oracle import messages_request

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
WORDS = st.text("abc ü\n", max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab_", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner),
    max_leaves=8,
)


def told(**asked: Any) -> dict[str, Any]:
    """The Messages request, as Anthropic's SDK knows it."""
    body = json.dumps({"model": "claude-opus-5-5", "input": "hi"} | asked).encode()
    return messages_request(responses_request.request(body))


def test_the_least_request_gets_what_messages_needs():
    assert told() == {
        "model": "claude-opus-5-5",
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_instructions_come_ahead_of_the_input_s_own():
    found = told(
        instructions="first",
        input=[{"role": "developer", "content": "then"}, {"role": "user", "content": "q"}],
    )
    assert [block["text"] for block in found["system"]] == ["first", "then"]


def test_plain_members_are_carried():
    found = told(
        max_output_tokens=9, temperature=0.5, top_p=0.9, stream=True, service_tier="default"
    )
    assert (found["max_tokens"], found["temperature"], found["top_p"]) == (9, 0.5, 0.9)
    assert (found["stream"], found["service_tier"]) == (True, "standard_only")


@pytest.mark.parametrize(
    ("reasoning", "thinking", "effort"),
    [
        ({"effort": "high"}, {"type": "adaptive"}, "high"),
        ({"effort": "minimal"}, {"type": "adaptive"}, "low"),
        ({"effort": "none"}, {"type": "disabled"}, None),
        ({"summary": "auto"}, {"type": "adaptive", "display": "summarized"}, None),
        (
            {"effort": "low", "summary": "auto"},
            {"type": "adaptive", "display": "summarized"},
            "low",
        ),
        ({"effort": None}, None, None),
    ],
)
def test_reasoning(reasoning: dict[str, Any], thinking: Any, effort: str | None):
    found = told(reasoning=reasoning)
    assert found.get("thinking") == thinking
    assert found.get("output_config", {}).get("effort") == effort


def test_a_model_with_a_budget_thinks_on_after_its_calls_only_with_its_thinking():
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "x"}
    thought: dict[str, Any] = {
        "type": "reasoning",
        "summary": [],
        "encrypted_content": sealed("hm", "c2ln"),
    }
    asked: dict[str, Any] = {"model": "claude-haiku-4-5", "reasoning": {"effort": "high"}}
    user = {"role": "user", "content": "q"}
    assert "thinking" in told(**asked, input=[user, thought, call, output])
    assert "thinking" not in told(**asked, input=[user, call, output])


def test_a_schema_becomes_a_structured_output():
    form = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    made = told(text={"format": form}, reasoning={"effort": "low"})["output_config"]
    assert made["format"]["schema"] == SCHEMA | {"additionalProperties": False}
    assert made["effort"] == "low"


def test_what_messages_has_no_switch_for_is_said():
    text = {"format": {"type": "json_object"}, "verbosity": "low"}
    said = [block["text"] for block in told(text=text)["system"]]
    assert said == [JSON_ONLY, "Keep the answer short."]


def test_a_person_s_name_goes_as_a_digest_only():
    assert told(safety_identifier="u-1")["metadata"] == {"user_id": "u-1"}
    assert "Ann" not in told(user="Ann Lee")["metadata"]["user_id"]


def test_prefixes_are_marked_for_the_cache():
    found = told(instructions="be brief", tools=[LOOK])
    assert found["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert found["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}


def test_codex_is_understood():
    row = captures.recorded("codex")
    asked = json.loads(captures.body(row))
    for item in asked["input"]:
        for part in item["content"]:
            part["type"] = "input_text"
    names = row["tool_names"]
    tools: list[dict[str, Any]] = [LOOK | {"name": name, "strict": False} for name in names]
    tools[names.index("multi_agent_v1")] = {
        "type": "namespace",
        "name": "multi_agent_v1",
        "description": "Agents.",
        "tools": [LOOK | {"name": "spawn"}],
    }
    tools[names.index("web_search")] = {"type": "web_search", "external_web_access": False}
    found = told(**asked | {"tools": tools, "include": ["reasoning.encrypted_content"]})
    there = {"multi_agent_v1": "multi_agent_v1__spawn"}
    offered = [there.get(name, name) for name in names if name != "web_search"]
    assert [tool["name"] for tool in found["tools"]] == offered
    assert len(found["system"]) == 3
    assert found["thinking"]["type"] == "adaptive"
    assert parse(json.dumps(found).encode()).needs == {"tools", "thinking"}


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id: .*`input`"),
        ({"conversation": "conv_1"}, "conversation: .*`input`"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": 0.2, "reasoning": {"effort": "low"}}, "temperature"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"reasoning": {"effort": "utmost"}}, "reasoning.effort"),
        ({"text": {"verbosity": "utter"}}, "text.verbosity"),
        ({"prompt_cache_options": {"prewarm": True}}, "prewarm"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"new_field": 1}, "new_field"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(asked: dict[str, Any], what: str):
    with pytest.raises(Uncarried, match=what):
        told(**asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"store": True},
        {"store": False, "include": ["reasoning.encrypted_content"]},
        {"truncation": "auto", "metadata": {"a": "b"}, "prompt_cache_key": "k"},
        {"background": False, "top_logprobs": 0, "temperature": 1, "top_p": 1.0},
        {"previous_response_id": None, "stream_options": {"include_obfuscation": False}},
        {"client_metadata": {"session_id": "s"}, "service_tier": "auto"},
    ],
)
def test_what_changes_no_answer_passes(asked: dict[str, Any]):
    assert told(**asked) == told()


def test_every_field_of_the_api_is_decided():
    refused = {"moderation", "access_programs", *responses_request._STORE_ONLY}
    decided = responses_request._KNOWN | responses_request._NEUTRAL.keys() | refused
    assert set(ResponseCreateParamsBase.__annotations__) <= decided


@pytest.mark.parametrize(
    "asked",
    [
        {"input": None},
        {"instructions": 7},
        {"max_output_tokens": 0},
        {"max_output_tokens": True},
        {"temperature": "warm"},
        {"text": 7},
        {"text": {"format": {"type": "xml"}}},
        {"text": {"format": {"type": "json_schema"}}},
        {"include": 7},
        {"reasoning": 7},
    ],
)
def test_what_no_client_sends_is_a_400_that_names_it(asked: dict[str, Any]):
    with pytest.raises(RequestError, match=next(iter(asked))):
        told(**asked)


@given(st.dictionaries(st.sampled_from(sorted(ResponseCreateParamsBase.__annotations__)), JSON))
def test_junk_is_refused_and_never_breaks(asked: dict[str, Any]):
    body = json.dumps({"model": "m", "input": "hi"} | asked).encode()
    with contextlib.suppress(RequestError):
        assert isinstance(json.loads(responses_request.request(body)), dict)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["user", "assistant", "developer"]), WORDS),
            st.tuples(st.just("call"), st.sampled_from(["c1", "c2"])),
            st.tuples(st.just("output"), WORDS),
        ),
        max_size=8,
    )
)
def test_texts_and_calls_of_any_conversation_arrive_in_their_order(told_so: list[tuple[str, str]]):
    items: list[dict[str, Any]] = [{"role": "user", "content": "begin"}]
    for role, text in told_so:
        if role == "call":
            items.append({"type": "function_call", "call_id": text, "name": "f", "arguments": "{}"})
        elif role == "output":
            items.append({"type": "function_call_output", "call_id": "c1", "output": text})
        else:
            items.append({"role": role, "content": text})
    found = told(input=items)
    said = [b for t in found["messages"] for b in t["content"] if b["type"] == "text"]
    spoken = [text for role, text in told_so if role not in ("call", "output") and text.strip()]
    plain = [b["text"].removeprefix("<system>\n").removesuffix("\n</system>") for b in said]
    assert plain == ["begin", *spoken]
    uses = [b["id"] for t in found["messages"] for b in t["content"] if b["type"] == "tool_use"]
    assert uses == [text for role, text in told_so if role == "call"]
    roles = [turn["role"] for turn in found["messages"]]
    assert all(a != b for a, b in pairwise(roles))
