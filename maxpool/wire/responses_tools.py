"""The tools of a Responses request as Messages has them, and the way back to the client's names.

| Responses | Messages |
|---|---|
| function | a tool; `strict` as is, `defer_loading` is loaded at once |
| custom (free text) | a tool with one text field, `input`; a grammar is told in the description, since nothing enforces it |
| namespace | its tools, each as `NAMESPACE__NAME` with the namespace's description ahead of its own |
| web_search, web_search_preview | the server tool `web_search` |
| web_search with `external_web_access: false` | nothing: Claude has no search that stays offline, and the client forbade any other |
| tool_choice | tool_choice; `allowed_tools` leaves only those tools in the request |
| parallel_tool_calls: false | disable_parallel_tool_use |
| everything else: file_search, mcp, computer, local_shell... | refused by name |

Names go through one function, so that calls in a client's history find their tool again.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from maxpool.errors import Uncarried
from maxpool.wire.chat_messages import word, wrong
from maxpool.wire.freetext import FIELD
from maxpool.wire.schemas import closed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_NAME_CHARS: Final = 128
WEB_SEARCH: Final = "web_search"
WEB_SEARCHES: Final = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
)

_SEARCH_TYPE: Final = "web_search_20250305"  # the one that every model with a search knows
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+").fullmatch
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_NO_ARGUMENTS: Final = {"type": "object", "properties": {}}
_WORDS: Final = MappingProxyType({"auto": "auto", "none": "none", "required": "any"})
_LOCATION: Final = ("city", "country", "region", "timezone")
_DOMAINS: Final = ("allowed_domains", "blocked_domains")


class Named(NamedTuple):
    """A tool as its client knows it; `free`: it takes text and no arguments."""

    name: str
    namespace: str | None = None
    free: bool = False


class _Spec(msgspec.Struct, gc=False):
    """What of a tool its calls are told by."""

    type: Any = None
    name: Any = None
    tools: list[_Spec] | None = None


_decode_specs: Final = msgspec.json.Decoder(list[_Spec]).decode


def tools_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The members `tools` and `tool_choice` of the Messages request; neither where there are no tools.

    Raises `RequestError` for what is no list of tools, `Uncarried` for one that has no counterpart.
    """
    searches = asked.get("max_tool_calls")
    tools = [
        made
        for index, tool in enumerate(_listed(asked.get("tools"), "tools"))
        for made in _made(tool, f"tools[{index}]", searches)
    ]
    choice, allowed = _choice(asked.get("tool_choice"))
    if allowed is not None:
        tools = [tool for tool in tools if tool["name"] in allowed]
    if not tools:
        return {}
    if asked.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = {"type": "auto"} | choice | {"disable_parallel_tool_use": True}
    return {"tools": tools} | ({"tool_choice": choice} if choice else {})


def forces(made: Mapping[str, Any]) -> bool:
    """Whether a Messages request demands a call."""
    return made.get("tool_choice", {}).get("type") in ("any", "tool")


def name_there(name: str, namespace: object = None) -> str:
    """The tool's name in a Messages request, which takes letters, digits, `_` and `-` only."""
    full = f"{namespace}__{name}" if isinstance(namespace, str) and namespace else name
    if len(full) <= MAX_NAME_CHARS and _PLAIN(full):
        return full
    mark = blake2b(full.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{_ODD.sub('_', full)[: MAX_NAME_CHARS - 13]}_{mark}"


def names_back(raw: bytes) -> dict[str, Named]:
    """By the names in the Messages request, what the client calls its tools; `raw`: its `tools`."""
    try:
        specs = _decode_specs(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    found: dict[str, Named] = {}
    for spec in specs:
        inner = [spec] if spec.type != "namespace" else spec.tools or []
        namespace = spec.name if spec.type == "namespace" else None
        for one in inner:
            if isinstance(one.name, str):
                told = Named(one.name, namespace, one.type == "custom")
                found[name_there(one.name, namespace)] = told
    return found


def _made(tool: Mapping[str, Any], at: str, searches: object) -> Iterator[dict[str, Any]]:
    kind = tool.get("type")
    if kind == "namespace":
        for index, inner in enumerate(_listed(tool.get("tools"), f"{at}.tools")):
            yield _own(inner, f"{at}.tools[{index}]", tool)
    elif kind in WEB_SEARCHES:
        if tool.get("external_web_access") is not False:
            yield _search(tool, searches)
    else:
        yield _own(tool, at, {})


def _own(tool: Mapping[str, Any], at: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """A tool that the client runs itself."""
    kind, name = tool.get("type"), tool.get("name")
    if kind not in ("function", "custom"):
        raise Uncarried(at, f"a tool of type {word(kind)} has no counterpart: offer a function")
    if not isinstance(name, str) or not name:
        raise wrong(at, "must have a `name`")
    made: dict[str, Any] = {"name": name_there(name, namespace.get("name"))}
    texts = [namespace.get("description"), tool.get("description")]
    if kind == "custom":
        texts.append(_grammar(tool.get("format")))
    description = "\n\n".join(text for text in texts if isinstance(text, str) and text)
    if description:
        made["description"] = description
    return made | (_free_input(name) if kind == "custom" else _arguments(tool))


def _arguments(tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = tool.get("parameters")
    if not isinstance(schema, dict) or not schema:
        schema = _NO_ARGUMENTS
    elif "type" not in schema:
        schema = {"type": "object"} | schema
    if tool.get("strict") is True:
        return {"input_schema": closed(schema), "strict": True}
    return {"input_schema": schema}


def _free_input(name: str) -> dict[str, Any]:
    field = {"type": "string", "description": f"The whole input of {name}, as plain text."}
    schema = {
        "type": "object",
        "properties": {FIELD: field},
        "required": [FIELD],
        "additionalProperties": False,
    }
    return {"input_schema": schema}


def _grammar(form: object) -> str | None:
    if not isinstance(form, dict) or form.get("type") != "grammar":
        return None
    syntax = (
        "regular expression" if form.get("syntax") == "regex" else f"{form.get('syntax')} grammar"
    )
    return f"The input must follow this {syntax}:\n{form.get('definition')}"


def _search(tool: Mapping[str, Any], searches: object) -> dict[str, Any]:
    made: dict[str, Any] = {"type": _SEARCH_TYPE, "name": WEB_SEARCH}
    filters, place = tool.get("filters"), tool.get("user_location")
    if isinstance(filters, dict):
        made |= {key: filters[key] for key in _DOMAINS if filters.get(key)}
    if isinstance(place, dict):
        known = {key: place[key] for key in _LOCATION if place.get(key)}
        if known:
            made["user_location"] = {"type": "approximate"} | known
    return made | ({"max_uses": searches} if isinstance(searches, int) else {})


def _choice(told: object) -> tuple[dict[str, Any], set[str] | None]:
    """Which tools the model may or must call, and the only ones it may know of, where that is said."""
    if told is None:
        return {}, None
    if isinstance(told, str):
        if told not in _WORDS:
            raise wrong("tool_choice", f"must be an object or one of {', '.join(_WORDS)}")
        return {"type": _WORDS[told]}, None
    if not isinstance(told, dict):
        raise wrong("tool_choice", "must be a word or an object")
    if told.get("type") == "allowed_tools":
        tools = _listed(told.get("tools"), "tool_choice.tools")
        names = {_chosen(tool, "tool_choice.tools") for tool in tools}
        return {"type": "any" if told.get("mode") == "required" else "auto"}, names
    return {"type": "tool", "name": _chosen(told, "tool_choice")}, None


def _chosen(told: Mapping[str, Any], at: str) -> str:
    kind, name = told.get("type"), told.get("name")
    if kind in WEB_SEARCHES:
        return WEB_SEARCH
    if kind not in ("function", "custom"):
        raise Uncarried(at, f"a tool of type {word(kind)} has no counterpart")
    if not isinstance(name, str) or not name:
        raise wrong(at, "must name a tool")
    return name_there(name, told.get("namespace"))


def _listed(given: object, at: str) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise wrong(at, "must be a list of objects")
    return given
