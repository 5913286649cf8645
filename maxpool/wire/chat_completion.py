"""The values of a Chat completion, made from those of a Messages answer: message, call, usage.

Reads with indulgence, since upstreams differ: what has another type than it should counts as not
there. `chat_answer` puts them into answers and chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_REASON: Final = "The model refused to answer."
"""Stands where its vendor gave no reason."""

_encode: Final = msgspec.json.encode


def usage_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Usage as Chat counts it: the prompt with what was read from or written to the cache."""
    read = _count(told.get("cache_read_input_tokens"))
    written = _count(told.get("cache_creation_input_tokens"))
    prompt = _count(told.get("input_tokens")) + read + written
    output = _count(told.get("output_tokens"))
    thought = _count(object_in(told.get("output_tokens_details")).get("thinking_tokens"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def message_of(blocks: Sequence[Mapping[str, Any]], *, legacy: bool) -> dict[str, Any]:
    """The message of a whole answer; `legacy`: for a client that sent `functions`."""
    calls = [call_of(block) for block in blocks if block.get("type") == "tool_use"]
    text = _joined(blocks, "text")
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if calls else ""),
        "refusal": None,
    }
    thought = _joined(blocks, "thinking")
    if thought:
        message["reasoning_content"] = thought
    if calls and legacy:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return message


def _joined(blocks: Sequence[Mapping[str, Any]], kind: str) -> str:
    return "".join(text_in(block.get(kind)) for block in blocks if block.get("type") == kind)


def call_of(block: Mapping[str, Any]) -> dict[str, Any]:
    """A `tool_use` block as a call, its input as JSON text."""
    given = _encode(object_in(block.get("input"))).decode()
    function = {"name": text_in(block.get("name")), "arguments": given}
    return {"id": text_in(block.get("id")), "type": "function", "function": function}


def why(told: Mapping[str, Any]) -> str:
    """Why a model refused, in its vendor's words where there are any."""
    return text_in(object_in(told.get("stop_details")).get("explanation")) or NO_REASON


def object_in(value: object) -> Mapping[str, Any]:
    """The value, if it is an object."""
    return value if isinstance(value, dict) else {}


def text_in(value: object) -> str:
    """The value, if it is a text."""
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
