"""From a Messages request to a Chat Completions request; its messages are `wire/to_chat_messages`.

`LEFT_OUT` is the table of what is left out knowingly: it steers Anthropic's own service and changes
nothing of what is asked. Whatever else Chat Completions has no place for raises `Uncarried` by its
name, so an unknown member of a body is never dropped in silence. Decides nothing about accounts.

Sampling and effort are hints: `top_k` and how hard to think are sent where an account's options
(`wire/chat_options`) say that its service takes them, and left out elsewhere.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.errors import RequestError, Uncarried
from maxpool.wire.blocks import JUNK
from maxpool.wire.chat_options import Options, options_of
from maxpool.wire.to_chat_messages import chat_messages

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

LEFT_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "metadata": "names the user to Anthropic, and nobody else is told",
        "cache_control": "such services cache by themselves",
        "service_tier": "a queue of Anthropic's own",
        "speed": "a queue of Anthropic's own",
        "diagnostics": "asks about Anthropic's own cache",
        "thinking": "read with output_config: how hard to think",
    }
)
"""Members of a request that are left out, and why that changes nothing of what is asked."""

_HANDLED: Final = frozenset(
    {
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "max_tokens",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "stream",
        "output_config",
        "output_format",
        "context_management",
        "thinking",
    }
)
_KNOWN: Final = _HANDLED | LEFT_OUT.keys()

_EFFORT_OF_BUDGET: Final = ((4_096, "low"), (16_384, "medium"))
"""Tokens of thinking up to which an effort is meant; beyond them `high`."""

_CHOICES: Final = MappingProxyType({"auto": "auto", "any": "required", "none": "none"})


def chat_request(body: bytes, *, model: str, options: Mapping[str, object]) -> bytes:
    """The Chat Completions request for a Messages request.

    Raises `Uncarried` for what Chat has no place for, `RequestError` 400 for what is no request.
    """
    told = decoded(body)
    known = options_of(options)
    _refuse_unknown(told)
    out: Json = {"model": model, "messages": chat_messages(told, known)}
    _limits(told, out, known)
    _tools(told, out, known)
    _effort(told, out, known)
    _format(told, out)
    if told.get("stream") is True:
        out["stream"] = True
        if known.stream_usage:
            out["stream_options"] = {"include_usage": True}
    _prompting(out, known)
    return msgspec.json.encode(out)


def decoded(body: bytes) -> Json:
    """The members of a Messages request; raises `RequestError` 400 for what is none."""
    try:
        told = msgspec.json.decode(body)
    except JUNK as broken:
        raise malformed("the body is not valid JSON") from broken
    if not isinstance(told, dict):
        raise malformed("the body is no JSON object")
    return told


def malformed(message: str) -> RequestError:
    """The error for what is no Messages request."""
    return RequestError(400, "invalid_request_error", message)


def _refuse_unknown(told: Json) -> None:
    for name in told.keys() - _KNOWN:
        if told[name] is not None:
            raise Uncarried(name, "an OpenAI-format service has no place for it")
    context = told.get("context_management")
    if context is None:
        return
    edits = context.get("edits") if isinstance(context, dict) else None
    for edit in edits if isinstance(edits, list) else [None]:
        kind = edit.get("type") if isinstance(edit, dict) else None
        if not isinstance(kind, str) or not kind.startswith("clear_"):
            # What is only cleared may just as well stay; what is summarised is gone.
            raise Uncarried("context_management", "an OpenAI-format service shortens nothing")


def _limits(told: Json, out: Json, options: Options) -> None:
    limit = _number(told, "max_tokens")
    if limit is not None:
        most = options.max_tokens_max
        out[options.max_tokens_field] = limit if most is None else min(limit, most)
    heat = _number(told, "temperature")
    if heat is not None:
        most_heat = options.temperature_max
        out["temperature"] = heat if most_heat is None else min(heat, most_heat)
    top_p = _number(told, "top_p")
    if top_p is not None:
        out["top_p"] = top_p
    top_k = _number(told, "top_k")
    if top_k is not None and options.top_k:
        out["top_k"] = top_k
    stops = told.get("stop_sequences")
    if stops:
        if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
            raise malformed("stop_sequences: must be a list of strings")
        out["stop"] = stops


def _number(told: Json, name: str) -> Any:  # noqa: ANN401 - int and float alike, as they came
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"{name}: must be a number")
    return value


def _tools(told: Json, out: Json, options: Options) -> None:
    tools = told.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list):
        raise malformed("tools: must be a list")
    if tools or not options.drop_empty_tools:
        out["tools"] = [_tool(tool) for tool in tools]
    choice = told.get("tool_choice")
    if choice is not None and tools:
        _choice(choice, out)


def _tool(tool: object) -> Json:
    """One tool. All of them are loaded at once: what was deferred is simply there."""
    if not isinstance(tool, dict):
        raise malformed("tools: each must be an object")
    kind, name = tool.get("type") or "custom", tool.get("name")
    if kind != "custom":
        raise Uncarried(f"tools: {_shown(kind)}", "only Anthropic has this tool")
    callers = tool.get("allowed_callers")
    if isinstance(callers, list) and callers and "direct" not in callers:
        raise Uncarried("tools: allowed_callers", "nothing but the model itself can call a tool")
    if not isinstance(name, str):
        raise malformed("tools: each needs a name")
    function: Json = {"name": name}
    described = _described(tool)
    if described:
        function["description"] = described
    schema = tool.get("input_schema")
    if isinstance(schema, dict):
        function["parameters"] = schema
    if tool.get("strict") is True:
        function["strict"] = True
    return {"type": "function", "function": function}


def _described(tool: Json) -> str:
    """The description, with the examples that Chat has no member of their own for."""
    text, examples = tool.get("description"), tool.get("input_examples")
    told = text if isinstance(text, str) else ""
    if not isinstance(examples, list) or not examples:
        return told
    listed = "\n".join(msgspec.json.encode(example).decode() for example in examples)
    return f"{told}\n\nExamples of its input:\n{listed}".lstrip()


def _choice(choice: object, out: Json) -> None:
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(kind, str):
        raise malformed("tool_choice: must be an object with a type")
    if kind == "tool":
        if not isinstance(choice.get("name"), str):
            raise malformed("tool_choice: needs the name of a tool")
        out["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif kind in _CHOICES:
        out["tool_choice"] = _CHOICES[kind]
    else:
        raise Uncarried(f"tool_choice: {_shown(kind)}", "no tool can be chosen so")
    if choice.get("disable_parallel_tool_use") is True:
        out["parallel_tool_calls"] = False


def _effort(told: Json, out: Json, options: Options) -> None:
    if options.reasoning_field == "none":
        return
    effort = _effort_of(told)
    if effort is None:
        return
    as_object = options.reasoning_field == "reasoning"
    out[options.reasoning_field] = {"effort": effort} if as_object else effort


def _effort_of(told: Json) -> str | None:
    """How hard to think: as the last turn, the request, or its budget of thinking says."""
    messages = told.get("messages")
    turns = [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    for place in (*reversed(turns), told):
        config = place.get("output_config")
        effort = config.get("effort") if isinstance(config, dict) else None
        if isinstance(effort, str):
            return effort
    thinking = told.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if isinstance(budget, bool) or not isinstance(budget, int):
        return None
    return next((word for most, word in _EFFORT_OF_BUDGET if budget <= most), "high")


def _format(told: Json, out: Json) -> None:
    """Structured output, where Messages has it now or had it first."""
    config = told.get("output_config")
    if config is not None and not isinstance(config, dict):
        raise malformed("output_config: must be an object")
    for name in (config or {}).keys() - {"effort", "format"}:
        raise Uncarried(f"output_config: {_shown(name)}", "an OpenAI-format service has no such")
    form = (config or {}).get("format") or told.get("output_format")
    if form is None:
        return
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        raise Uncarried("output_config: format", "only json_schema is known")
    schema = {"name": "answer", "schema": form.get("schema"), "strict": True}
    out["response_format"] = {"type": "json_schema", "json_schema": schema}


def _prompting(out: Json, options: Options) -> None:
    """What services that apply a model's own prompt template want to be told."""
    began = bool(out["messages"]) and out["messages"][-1]["role"] == "assistant"
    if began and not options.continue_final_message:
        raise Uncarried("messages: a begun answer", "this service would begin it anew")
    if began:
        out["continue_final_message"], out["add_generation_prompt"] = True, False
    elif options.add_generation_prompt:
        out["add_generation_prompt"] = True


def _shown(value: object) -> str:
    """A caller's own word, short enough for a message."""
    return str(value)[:60]
