from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool.errors import RequestError, Uncarried
from maxpool.wire.responses_tools import Named, forces, name_there, names_back, tools_of

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
PATCH = {
    "type": "custom",
    "name": "patch",
    "description": "Apply a patch.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
AGENTS = {"type": "namespace", "name": "agents", "description": "Helpers.", "tools": [LOOK]}


def made(*tools: dict[str, Any], **asked: Any) -> dict[str, Any]:
    return tools_of({"tools": list(tools)} | asked)


def names(told: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in told["tools"]]


def back(*tools: dict[str, Any]) -> dict[str, Named]:
    return names_back(json.dumps(tools).encode())


def test_a_function_keeps_its_schema():
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    told = made(LOOK | {"parameters": schema, "description": "d", "strict": False})
    assert told == {"tools": [{"name": "look", "description": "d", "input_schema": schema}]}


def test_a_strict_function_is_closed():
    (tool,) = made(LOOK | {"strict": True})["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False


def test_a_function_without_parameters_takes_none():
    (tool,) = made({"type": "function", "name": "f", "parameters": None, "strict": None})["tools"]
    assert tool["input_schema"] == {"type": "object", "properties": {}}


def test_a_tool_of_free_text_has_one_text_field_and_tells_its_grammar():
    (tool,) = made(PATCH)["tools"]
    assert list(tool["input_schema"]["properties"]) == ["input"]
    assert tool["description"].startswith("Apply a patch.")
    assert "lark grammar:\nstart: /.+/" in tool["description"]


def test_a_namespace_becomes_its_tools():
    (tool,) = made(AGENTS | {"tools": [LOOK | {"description": "See."}]})["tools"]
    assert tool["name"] == "agents__look"
    assert tool["description"] == "Helpers.\n\nSee."


def test_names_find_their_way_back():
    assert back(LOOK, PATCH, AGENTS) == {
        "look": Named("look"),
        "patch": Named("patch", free=True),
        "agents__look": Named("look", "agents"),
    }


@pytest.mark.parametrize("name", ["a.b", "ü", "x" * 200])
def test_a_name_that_messages_would_refuse_gets_another_that_finds_its_way_back(name: str):
    (there,) = back(LOOK | {"name": name})
    assert there == name_there(name)
    assert len(there) <= 128
    assert there.isascii()
    assert "." not in there
    assert name_there(name) != name_there(name + "x")


def test_junk_for_tools_has_no_names():
    assert names_back(b"7") == names_back(b"[7]") == names_back(b"[{}]") == {}


def test_a_live_search_is_claudes_own():
    place = {"type": "approximate", "country": "DE", "city": None}
    filters = {"allowed_domains": ["example.com"]}
    search = {"type": "web_search", "filters": filters, "user_location": place}
    (tool,) = made(search, max_tool_calls=3)["tools"]
    assert tool == {
        "type": "web_search_20250305",
        "name": "web_search",
        "allowed_domains": ["example.com"],
        "user_location": {"type": "approximate", "country": "DE"},
        "max_uses": 3,
    }


def test_a_search_that_must_stay_offline_is_not_offered():
    assert names(made(LOOK, {"type": "web_search", "external_web_access": False})) == ["look"]


@pytest.mark.parametrize(
    "kind", ["file_search", "mcp", "local_shell", "image_generation", None, []]
)
def test_tools_without_a_counterpart_are_refused_by_place_and_type(kind: Any):
    with pytest.raises(Uncarried, match=r"tools\[1\]"):
        made(LOOK, {"type": kind})


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "name": "look"}, {"type": "tool", "name": "look"}),
        ({"type": "custom", "name": "patch"}, {"type": "tool", "name": "patch"}),
        (
            {"type": "function", "name": "look", "namespace": "agents"},
            {"type": "tool", "name": "agents__look"},
        ),
        ({"type": "web_search_preview"}, {"type": "tool", "name": "web_search"}),
    ],
)
def test_choices(choice: Any, told: dict[str, Any]):
    found = made(LOOK, PATCH, tool_choice=choice)
    assert found["tool_choice"] == told
    assert forces(found) == (told["type"] in ("any", "tool"))


def test_allowed_tools_leave_only_those():
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [PATCH]}
    told = made(LOOK, PATCH, tool_choice=allowed)
    assert (names(told), told["tool_choice"]) == (["patch"], {"type": "any"})


def test_one_call_at_a_time():
    assert made(LOOK, parallel_tool_calls=False)["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    off = made(LOOK, parallel_tool_calls=False, tool_choice="none")
    assert off["tool_choice"] == {"type": "none"}


def test_a_choice_without_tools_goes():
    assert tools_of({"tool_choice": "auto", "parallel_tool_calls": False}) == {}


@pytest.mark.parametrize(
    "asked",
    [
        {"tools": 7},
        {"tools": [7]},
        {"tools": [{"type": "function"}]},
        {"tool_choice": "often"},
        {"tool_choice": 7},
        {"tool_choice": {"type": "function"}},
        {"tool_choice": {"type": "allowed_tools", "tools": 7}},
    ],
)
def test_what_no_client_sends_is_a_400_that_names_it(asked: dict[str, Any]):
    with pytest.raises(RequestError, match="tool"):
        tools_of(asked)
