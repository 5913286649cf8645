"""The tools of a Chat Completions request, and which of them may be called, as Messages has them.

`allowed_tools` has no counterpart that leaves the list whole: the others are left out of the
request. A choice without tools says nothing and goes. Custom tools (free text, grammars) are
refused: a stream of Chat chunks has no place for their calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from maxpool.errors import Uncarried
from maxpool.wire.chat_messages import wrong
from maxpool.wire.schemas import closed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.chat_messages import Lost

_NO_ARGUMENTS: Final = {"type": "object", "properties": {}}
_NAMED_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}


def tools_of(asked: Mapping[str, Any], lost: Lost) -> dict[str, Any]:
    """The members `tools` and `tool_choice` of the Messages request; neither where there are no tools."""
    tools = _tools(asked.get("tools"), lost)
    legacy = _listed(asked.get("functions"), "functions")
    tools += [_tool(one, f"functions[{index}]") for index, one in enumerate(legacy)]
    choice, allowed = _choice(asked, lost)
    if allowed is not None:
        tools = [tool for tool in tools if tool["name"] in allowed]
    if not tools:
        return {}
    if asked.get("parallel_tool_calls") is False or legacy:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return {"tools": tools} | ({"tool_choice": choice} if choice else {})


def forces(made: Mapping[str, Any]) -> bool:
    """Whether a Messages request demands a call."""
    choice = made.get("tool_choice")
    return choice is not None and choice["type"] in ("any", "tool")


def _tools(given: object, lost: Lost) -> list[dict[str, Any]]:
    tools = []
    for index, one in enumerate(_listed(given, "tools")):
        at = f"tools[{index}]"
        kind = one.get("type", "function")
        if kind == "function":
            tools.append(_tool(one.get("function"), f"{at}.function"))
        else:
            lost.append(Uncarried(at, f"a tool of type {repr(kind)[:40]} has no counterpart"))
    return tools


def _tool(spec: object, at: str) -> dict[str, Any]:
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise wrong(at, "must be an object with a `name`")
    schema = spec.get("parameters")
    if not isinstance(schema, dict) or not schema:
        schema = _NO_ARGUMENTS
    elif "type" not in schema:
        schema = {"type": "object"} | schema
    tool: dict[str, Any] = {"name": spec["name"]}
    if isinstance(spec.get("description"), str):
        tool["description"] = spec["description"]
    if spec.get("strict") is True:
        return tool | {"input_schema": closed(schema), "strict": True}
    return tool | {"input_schema": schema}


def _choice(asked: Mapping[str, Any], lost: Lost) -> tuple[dict[str, Any] | None, set[str] | None]:
    """Which tools the model may or must call, and the only ones it may know of, where that is said."""
    told = asked.get("tool_choice", asked.get("function_call"))
    if told is None:
        return None, None
    if isinstance(told, str):
        if told not in _NAMED_CHOICES:
            raise wrong("tool_choice", f"must be an object or one of {', '.join(_NAMED_CHOICES)}")
        return {"type": _NAMED_CHOICES[told]}, None
    if not isinstance(told, dict):
        raise wrong("tool_choice", "must be a word or an object")
    if told.get("type") == "allowed_tools":
        return _allowed(told.get("allowed_tools"))
    if told.get("type", "function") == "function":
        return {"type": "tool", "name": _name(told.get("function", told), "tool_choice")}, None
    lost.append(Uncarried("tool_choice", "the choice of a tool that is no function"))
    return None, None


def _allowed(told: object) -> tuple[dict[str, Any], set[str]]:
    at = "tool_choice.allowed_tools"
    if not isinstance(told, dict):
        raise wrong(at, "must be an object")
    tools = _listed(told.get("tools"), f"{at}.tools")
    names = {_name(tool.get("function", tool), f"{at}.tools") for tool in tools}
    return {"type": "any" if told.get("mode") == "required" else "auto"}, names


def _name(spec: object, at: str) -> str:
    name = spec.get("name") if isinstance(spec, dict) else None
    if not isinstance(name, str):
        raise wrong(at, "must name a function")
    return name


def _listed(given: object, at: str) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise wrong(at, "must be a list of objects")
    return given
