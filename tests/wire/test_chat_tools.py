"""wire/chat_tools: tools of a Chat request and which of them may be called."""

from __future__ import annotations

from typing import Any

import pytest

from maxpool.errors import RequestError, Uncarried
from maxpool.wire.chat_tools import forces, tools_of


def function(name: str, **spec: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name} | spec}


def made(**asked: Any) -> dict[str, Any]:
    lost: list[Uncarried] = []
    told = tools_of(asked, lost)
    assert lost == []
    return told


TOOLS = [function("f"), function("g")]


def test_a_function_keeps_its_schema_and_description():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    told = made(tools=[function("f", description="does f", parameters=schema)])
    assert told == {"tools": [{"name": "f", "description": "does f", "input_schema": schema}]}


@pytest.mark.parametrize("parameters", [None, {}, {"properties": {}}])
def test_every_tool_gets_a_schema_of_an_object(parameters):
    tool = made(tools=[function("f", parameters=parameters)])["tools"][0]
    assert tool["input_schema"] == {"type": "object", "properties": {}}


def test_a_strict_function_stays_strict_and_is_closed():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    tool = made(tools=[function("f", parameters=schema, strict=True)])["tools"][0]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False
    assert "strict" not in made(tools=[function("f", strict=False)])["tools"][0]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (function("g"), {"type": "tool", "name": "g"}),
    ],
)
def test_each_choice_has_its_counterpart(choice, wanted):
    told = made(tools=TOOLS, tool_choice=choice)
    assert told["tool_choice"] == wanted
    assert forces(told) is (wanted["type"] in ("any", "tool"))


@pytest.mark.parametrize(("mode", "wanted"), [("auto", "auto"), ("required", "any")])
def test_of_allowed_tools_only_these_are_sent(mode, wanted):
    allowed = {"mode": mode, "tools": [function("g")]}
    told = made(tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool["name"] for tool in told["tools"]] == ["g"]
    assert told["tool_choice"] == {"type": wanted}


def test_no_parallel_calls_where_the_client_wants_none():
    told = made(tools=TOOLS, parallel_tool_calls=False)
    assert told["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    none = made(tools=TOOLS, parallel_tool_calls=False, tool_choice="none")
    assert none["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in made(tools=TOOLS, parallel_tool_calls=True)


def test_a_choice_without_tools_says_nothing():
    assert made(tool_choice="auto", parallel_tool_calls=False, tools=[]) == {}


def test_functions_of_the_older_api_are_tools_called_one_at_a_time():
    told = made(functions=[{"name": "f", "parameters": {}}], function_call={"name": "f"})
    assert told["tools"][0]["name"] == "f"
    assert told["tool_choice"] == {"type": "tool", "name": "f", "disable_parallel_tool_use": True}


def test_tools_that_are_no_functions_are_named():
    lost: list[Uncarried] = []
    custom = {"type": "custom", "custom": {"name": "c"}}
    told = tools_of({"tools": [custom, function("f")], "tool_choice": custom}, lost)
    assert [one.what for one in lost] == ["tools[0]", "tool_choice"]
    assert [tool["name"] for tool in told["tools"]] == ["f"]


@pytest.mark.parametrize(
    "asked",
    [
        {"tools": [1]},
        {"tools": [{"type": "function", "function": {"name": 1}}]},
        {"tools": TOOLS, "tool_choice": 1},
        {"tools": TOOLS, "tool_choice": {"type": "function", "function": {}}},
        {"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}},
    ],
)
def test_broken_tools_are_a_400(asked):
    with pytest.raises(RequestError):
        tools_of(asked, [])
