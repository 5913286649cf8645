"""wire/chat_request: the fields of a Chat Completions request as Messages has them."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from maxpool.errors import RequestError, Uncarried
from maxpool.wire import body as wire_body
from maxpool.wire import chat_request
from maxpool.wire.chat_request import DEFAULT_MAX_TOKENS, HINTS, JSON_ONLY, request, translate
from tests.wire import oracle

MODEL = "claude-sonnet-5-5"
RECORDED = Path(__file__).parent.parent / "fixtures" / "chat_requests.json"
HELLO = [{"role": "user", "content": "hello"}]
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def asked(**given: Any) -> bytes:
    return json.dumps({"model": MODEL, "messages": HELLO} | given).encode()


def told(**given: Any) -> dict[str, Any]:
    return oracle.messages_request(request(asked(**given)))


def refused(**given: Any) -> list[str]:
    return [one.what for one in translate(asked(**given)).lost]


def test_the_shortest_request_gets_a_limit():
    made = told()
    assert (made["model"], made["max_tokens"]) == (MODEL, DEFAULT_MAX_TOKENS)
    assert made["messages"][0]["content"][0]["text"] == "hello"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_either_name_of_the_limit_counts(name):
    assert told(**{name: 77})["max_tokens"] == 77


def test_the_newer_name_of_the_limit_wins():
    assert told(max_tokens=5, max_completion_tokens=7)["max_tokens"] == 7


def test_neutral_values_pass_and_leave_nothing_behind():
    neutral = {
        "n": 1,
        "logprobs": False,
        "top_logprobs": 0,
        "logit_bias": {},
        "presence_penalty": 0.0,
        "frequency_penalty": 0,
        "modalities": ["text"],
        "temperature": 1,
        "top_p": 1.0,
        "service_tier": "auto",
        "verbosity": "medium",
        "response_format": {"type": "text"},
    }
    assert request(asked(**neutral)) == request(asked())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"50256": -100}),
        ("presence_penalty", 0.5),
        ("frequency_penalty", -1),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "ash", "format": "wav"}),
        ("web_search_options", {}),
        ("moderation", {"model": "m"}),
        ("service_tier", "flex"),
        ("temperature", 1.4),
        ("stop", ["\n"]),
        ("a_field_of_tomorrow", 1),
        ("reasoning_effort", "colossal"),
        ("verbosity", "epic"),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(name, value):
    with pytest.raises(Uncarried, match=name) as error:
        request(asked(**{name: value}))
    assert (error.value.what, error.value.status) == (name, 400)


def test_every_field_that_cannot_be_carried_is_named_and_the_rest_is_translated():
    made = translate(asked(n=3, seed=1, logprobs=True, temperature=0.5))
    assert [one.what for one in made.lost] == ["n", "logprobs"]
    assert json.loads(made.body)["temperature"] == 0.5


def test_every_field_of_the_api_is_decided_on():
    known = {*CompletionCreateParamsBase.__annotations__, "stream"}
    decided = chat_request._KNOWN | chat_request._NEUTRAL.keys()
    assert known - decided == {"audio", "moderation", "web_search_options"}


@pytest.mark.parametrize("name", sorted(HINTS))
def test_a_hint_changes_nothing(name):
    assert request(asked(**{name: {"a": "b"}})) == request(asked())


def test_a_null_is_as_good_as_no_field():
    fields = dict.fromkeys([*CompletionCreateParamsBase.__annotations__, "unheard_of"])
    assert request(asked(**fields | {"model": MODEL, "messages": HELLO})) == request(asked())


@pytest.mark.parametrize("stop", ["END", ["END"]])
def test_stop_sequences_in_either_form(stop):
    assert told(stop=stop)["stop_sequences"] == ["END"]


def test_sampling_goes_on_as_it_came():
    made = told(temperature=0, top_p=0.9, top_k=5)
    assert (made["temperature"], made["top_p"], made["top_k"]) == (0, 0.9, 5)


def test_sampling_beside_reasoning_is_refused():
    assert refused(temperature=0.2, reasoning_effort="high") == ["temperature"]


def test_effort_becomes_thinking_of_the_models_kind():
    made = told(reasoning_effort="high")
    assert made["thinking"] == {"type": "adaptive"}
    assert made["output_config"] == {"effort": "high"}
    older = told(reasoning_effort="low", model="claude-sonnet-4-5")
    assert older["thinking"] == {"type": "enabled", "budget_tokens": 2048}


def test_a_forced_call_goes_without_thinking():
    made = told(reasoning_effort="high", tools=[FUNCTION], tool_choice="required")
    assert "thinking" not in made
    assert made["output_config"] == {"effort": "high"}


def test_thinking_as_messages_writes_it_is_taken():
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert told(thinking=thinking)["thinking"] == thinking


def test_a_json_schema_becomes_the_output_format():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    spec = {"name": "x", "schema": schema, "strict": True, "description": "a thing"}
    made = told(
        response_format={"type": "json_schema", "json_schema": spec}, reasoning_effort="low"
    )
    assert made["output_config"]["effort"] == "low"
    form = made["output_config"]["format"]
    assert form["schema"] == schema | {"additionalProperties": False, "description": "a thing"}


def test_json_mode_is_said_in_the_system_prompt():
    made = told(response_format={"type": "json_object"}, verbosity="low")
    assert [block["text"] for block in made["system"]] == [JSON_ONLY, "Keep the answer short."]


@pytest.mark.parametrize(
    ("fields", "user"),
    [
        ({"user": "u_1"}, "u_1"),
        ({"user": "u_1", "safety_identifier": "s-2"}, "s-2"),
        ({"metadata": {"user_id": "m3"}}, "m3"),
    ],
)
def test_an_opaque_user_id_is_passed_on(fields, user):
    assert told(**fields)["metadata"] == {"user_id": user}


@pytest.mark.parametrize(
    "user", ["ann@example.org", "Ann Example", "x" * 300, '{"session_id":"s"}']
)
def test_a_user_who_may_be_a_person_goes_as_a_digest(user):
    sent = told(user=user)["metadata"]["user_id"]
    assert user not in sent
    assert sent == told(user=user)["metadata"]["user_id"]
    assert len(sent) < 64


def test_the_default_tier_is_the_standard_one():
    assert told(service_tier="default")["service_tier"] == "standard_only"


def test_prefixes_are_marked_for_the_cache_alike_every_time():
    answered = [{"role": "assistant", "content": "hi"}, {"role": "user", "content": "go on"}]
    messages = [{"role": "system", "content": "be brief"}, *HELLO, *answered]
    made = told(messages=messages)
    assert made["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert made["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert request(asked(messages=messages)) == request(asked(messages=messages))


def test_a_clients_own_marks_are_the_only_ones_and_at_most_four():
    part = {"type": "text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}}
    made = told(messages=[*HELLO, {"role": "user", "content": [part] * 6}])
    marked = ["cache_control" in block for block in made["messages"][0]["content"]]
    assert marked == [False, False, False, True, True, True, True]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b'{"model": "m"}',
        b'{"model": "m", "messages": []}',
        asked(messages="hello"),
        asked(messages=[{"role": "narrator", "content": "x"}]),
        asked(messages=[{"role": "user", "content": 7}]),
        asked(messages=[{"role": "user", "content": [{"text": "no type"}]}]),
        asked(max_tokens=0),
        asked(temperature="hot"),
        asked(stop=[1]),
        asked(tools="all"),
        asked(tools=[{"type": "function"}]),
        asked(tools=[FUNCTION], tool_choice="maybe"),
        asked(response_format={"type": "xml"}),
        asked(response_format={"type": "json_schema"}),
        b'{"a":' * 5000,
    ],
)
def test_what_is_no_chat_request_is_a_400(body):
    with pytest.raises(RequestError) as error:
        request(body)
    assert error.value.status == 400
    assert not isinstance(error.value, Uncarried)


def recorded(row: dict[str, Any]) -> bytes:
    """A body of the recorded shape and size, with filler for its texts."""
    made: dict[str, Any] = json.loads(re.sub(r"<str (\d+)>", _filler, json.dumps(row["shape"])))
    if "tool_names" in row:
        spec = {"description": "d" * 300, "parameters": {"type": "object", "properties": {}}}
        made["tools"] = [
            {"type": "function", "function": {"name": f"tool_{number}"} | spec}
            for number in range(len(row["tool_names"]))
        ]
    return json.dumps(made).encode()


def _filler(found: re.Match[str]) -> str:
    return "x" * int(found[1])


@pytest.mark.parametrize("row", json.loads(RECORDED.read_text()))
def test_what_real_clients_send_is_carried(row):
    made = request(recorded(row))
    kept = oracle.messages_request(made)
    assert kept["max_tokens"] == row["shape"].get("max_tokens", DEFAULT_MAX_TOKENS)
    assert len(kept.get("tools", ())) == len(row.get("tool_names", ()))
    read = wire_body.parse(made)
    assert read.stream is bool(row["shape"].get("stream"))
    assert ("tools" in read.needs) is ("tool_names" in row)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(sorted({*CompletionCreateParamsBase.__annotations__, "thinking", "top_k"}))


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_no_junk_raises_anything_but_a_request_error(fields):
    body = json.dumps({"messages": HELLO, "model": MODEL} | fields).encode()
    with contextlib.suppress(RequestError):
        assert json.loads(request(body))["max_tokens"] >= 1
