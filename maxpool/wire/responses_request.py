"""A Responses request as a Messages request; its items are `responses_items`' part, its tools `responses_tools`'.

Every field of the API is in one of these groups; a null is as good as none.

| field | becomes |
|---|---|
| model, stream, top_p | themselves (`top_p: 1` and `temperature: 1`, both defaults, go) |
| input, instructions | messages and system, the instructions first |
| max_output_tokens | max_tokens; `DEFAULT_MAX_TOKENS` where it is missing: Messages needs one |
| temperature | itself up to 1, where Claude's scale ends; above that refused, as beside reasoning |
| reasoning.effort | thinking and effort as the model takes them (`wire/effort`) |
| reasoning.summary | thinking that is shown; without an effort, thinking as the model likes |
| text.format json_schema | output_config.format |
| text.format json_object, text.verbosity | a sentence of the system prompt: Messages has no such switch |
| tools, tool_choice, parallel_tool_calls, max_tool_calls | see `responses_tools` |
| safety_identifier, user, metadata.user_id | metadata.user_id, the first of them; as a digest where it may name a person |
| service_tier auto, default | none, `standard_only`; the other tiers are refused |
| store | nothing: the answer is the same, and nothing is stored whatever it says |
| previous_response_id, conversation, prompt, background: true | refused: they need a store |
| include | nothing: encrypted reasoning is always there, the rest concerns tools that are refused; logprobs are |
| truncation | nothing: what is too long is refused by the upstream, aloud |
| `HINTS`: prompt_cache_key, client_metadata, stream_options... | nothing: the answer may be the same without |
| everything else: moderation, context_management, unknown ones | refused by name |

Where the client marks no prefix for the prompt cache itself, marks are added (`wire/cachemarks`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from maxpool.errors import Uncarried
from maxpool.wire.cachemarks import mark
from maxpool.wire.chat_messages import text_blocks, wrong
from maxpool.wire.chat_request import (
    DEFAULT_MAX_TOKENS,
    JSON_ONLY,
    MAX_TEMPERATURE,
    VERBOSITY,
    decoded,
    encoded,
    end_user,
)
from maxpool.wire.effort import LEVELS, thinking_for
from maxpool.wire.responses_items import STORED, conversation
from maxpool.wire.responses_tools import forces, tools_of
from maxpool.wire.schemas import closed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.wire.chat_messages import Conversation

HINTS: Final = frozenset(
    {
        "background_options",  # of `background`, which is refused
        "client_metadata",  # Codex: its own ids, which are read where the request comes in
        "image",  # how images are compressed
        "metadata",  # labels of stored responses
        "prompt_cache_key",  # names the session, which is read where the request comes in
        "prompt_cache_options",
        "prompt_cache_retention",
        "store",
        "stream_options",  # padding of events
        "truncation",
    }
)
"""What changes no answer."""

_STORE_ONLY: Final = ("previous_response_id", "conversation", "prompt")
_NEUTRAL: Final[Mapping[str, object]] = MappingProxyType(
    {"background": False, "top_logprobs": 0, "generate": True, "context_management": []}
)
_CARRIED: Final = frozenset(
    {
        "model",
        "input",
        "instructions",
        "stream",
        "max_output_tokens",
        "max_tool_calls",
        "temperature",
        "top_p",
        "reasoning",
        "text",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "safety_identifier",
        "user",
        "service_tier",
        "include",
    }
)
_KNOWN: Final = _CARRIED | HINTS
_INCLUDED: Final = (
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "message.input_image.image_url",
)
_ANY_EFFORT: Final = "medium"
"""The level whose budget a model without adaptive thinking gets when only a summary is asked for."""


def request(body: bytes) -> bytes:
    """The Messages request; raises `Uncarried` for the first thing that it has no place for.

    Raises `RequestError` 400 for what is no Responses request.
    """
    asked = {name: value for name, value in decoded(body).items() if value is not None}
    _refuse(asked)
    told = conversation(asked.get("input"))
    text = _object(asked, "text")
    form = _form(text)
    made: dict[str, Any] = {"model": asked.get("model"), "max_tokens": _limit(asked)}
    system = _instructions(asked) + told.system + _sentences(text, form)
    if system:
        made["system"] = system
    made |= tools_of(asked)
    made["messages"] = told.turns
    made |= _thinking(asked, made, told)
    if form["type"] == "json_schema":
        made["output_config"] = made.get("output_config", {}) | {"format": _schema(form)}
    made |= _sampling(asked, made)
    made |= _plain(asked)
    mark(made)
    return encoded(made)


def _refuse(asked: Mapping[str, Any]) -> None:
    """Fields that would change the answer and have no counterpart."""
    for name in _STORE_ONLY:
        if name in asked:
            raise Uncarried(name, STORED)
    for name, value in asked.items():
        if name in _NEUTRAL:
            if value != _NEUTRAL[name]:
                raise Uncarried(name, f"there is no counterpart (only {_NEUTRAL[name]!r} works)")
        elif name not in _KNOWN:
            raise Uncarried(name, "Messages has no counterpart of this field")
    if _object(asked, "prompt_cache_options").get("prewarm"):
        raise Uncarried("prompt_cache_options.prewarm", "there is no counterpart")
    _refuse_included(asked.get("include", []))


def _refuse_included(included: object) -> None:
    if not isinstance(included, list):
        raise wrong("include", "must be a list")
    for one in included:
        if one not in _INCLUDED:
            raise Uncarried("include", f"{str(one)[:60]!r} has no counterpart")


def _object(asked: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    told = asked.get(name, {})
    if not isinstance(told, dict):
        raise wrong(name, "must be an object")
    return told


def _limit(asked: Mapping[str, Any]) -> int:
    limit = asked.get("max_output_tokens", DEFAULT_MAX_TOKENS)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise wrong("max_output_tokens", "must be a positive integer")
    return limit


def _instructions(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = asked.get("instructions", "")
    if not isinstance(told, str):
        raise wrong("instructions", "must be a text")
    return text_blocks(told)


def _form(text: Mapping[str, Any]) -> Mapping[str, Any]:
    form = text.get("format") or {"type": "text"}
    kind = form.get("type") if isinstance(form, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise wrong("text.format.type", "must be text, json_object or json_schema")
    checked: Mapping[str, Any] = form
    return checked


def _schema(form: Mapping[str, Any]) -> dict[str, Any]:
    schema = form.get("schema")
    if not isinstance(schema, dict):
        raise wrong("text.format.schema", "must be an object")
    schema = closed(schema)
    if isinstance(form.get("description"), str):
        schema.setdefault("description", form["description"])
    return {"type": "json_schema", "schema": schema}


def _sentences(text: Mapping[str, Any], form: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What Messages has no switch for and a model follows when told."""
    level = text.get("verbosity") or "medium"
    if not isinstance(level, str) or level not in VERBOSITY:
        raise Uncarried("text.verbosity", f"must be one of {', '.join(VERBOSITY)}")
    told = JSON_ONLY if form["type"] == "json_object" else ""
    return text_blocks(told) + text_blocks(VERBOSITY[level])


def _thinking(
    asked: Mapping[str, Any], made: Mapping[str, Any], told: Conversation
) -> dict[str, Any]:
    reasoning = _object(asked, "reasoning")
    level = reasoning.get("effort")
    shown = bool(reasoning.get("summary") or reasoning.get("generate_summary"))
    if level is None and not shown:
        return {}
    if level is not None and level not in LEVELS:
        raise Uncarried("reasoning.effort", f"must be one of {', '.join(LEVELS)}")
    found = thinking_for(
        level or _ANY_EFFORT,
        model=str(made["model"]),
        max_tokens=made["max_tokens"],
        forced=forces(made),
        in_tool_loop=told.in_tool_loop and not _thought(told.turns),
    )
    if level is None:
        found.pop("output_config", None)
    if shown and found.get("thinking", {}).get("type") == "adaptive":
        found["thinking"]["display"] = "summarized"  # models with a budget always show it
    return found


def _thought(turns: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the thinking that led to the last calls is there, as a budgeted model wants it."""
    said = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    return bool(said) and said[-1][0]["type"] in ("thinking", "redacted_thinking")


def _sampling(asked: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    """Temperature and the like; a thinking Claude takes none of them, as OpenAI's reasoning models."""
    told = {}
    for name in ("temperature", "top_p"):
        value = asked.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(name, "must be a number")
        if value == 1:
            continue
        if name == "temperature" and value > MAX_TEMPERATURE:
            raise Uncarried(name, "Claude's scale ends at 1: send at most 1")
        if made.get("thinking", {}).get("type") in ("adaptive", "enabled"):
            raise Uncarried(name, "goes with no reasoning: send one of both")
        told[name] = value
    return told


def _plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if "stream" in asked:
        told["stream"] = asked["stream"]
    user = end_user(asked)
    if user:
        told["metadata"] = {"user_id": user}
    tier = asked.get("service_tier", "auto")
    if tier == "default":
        told["service_tier"] = "standard_only"
    elif tier != "auto":
        raise Uncarried("service_tier", "only auto and default have a counterpart")
    return told
