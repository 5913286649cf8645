"""The objects of a Responses answer: the response itself, its output items and its usage, as dicts.

Only their shapes; `responses_stream` decides which there are and when. Ids follow from the id of
the Messages answer, so that the same answer always has the same ones.

Source: platform.openai.com/docs/api-reference/responses/object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire.chat_completion import object_in, text_in, usage_of
from maxpool.wire.responses_reasoning import sealed, sealed_redacted
from maxpool.wire.responses_tools import Named, names_back

if TYPE_CHECKING:
    from collections.abc import Mapping

Item = dict[str, Any]

INCOMPLETE: Final = MappingProxyType(
    {
        "max_tokens": "max_output_tokens",
        "model_context_window_exceeded": "max_output_tokens",
        "pause_turn": "max_output_tokens",  # unfinished, too
        "refusal": "content_filter",
    }
)
"""Why a response is incomplete, by the stop reason; any other completes it."""

# What of a request its response repeats, and what stands there where the request says nothing.
_ECHOED: Final = MappingProxyType(
    {
        "instructions": b"null",
        "max_output_tokens": b"null",
        "max_tool_calls": b"null",
        "metadata": b"{}",
        "parallel_tool_calls": b"true",
        "prompt_cache_key": b"null",
        "reasoning": b'{"effort":null,"summary":null}',
        "safety_identifier": b"null",
        "temperature": b"1.0",
        "text": b'{"format":{"type":"text"}}',
        "tool_choice": b'"auto"',
        "tools": b"[]",
        "top_p": b"1.0",
        "truncation": b'"disabled"',
        "user": b"null",
    }
)
_SOURCES: Final = "web_search_call.action.sources"
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any: Final = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request its answer depends on.

    `summary`: thinking shall be told; `sources`: the addresses that a search found, too.
    """

    model: str
    created_at: int
    echo: dict[str, Any] = field(default_factory=dict)
    names: Mapping[str, Named] = field(default_factory=dict)
    summary: bool = False
    sources: bool = False

    @classmethod
    def of(cls, body: bytes, now: float) -> Asked:
        """Read from the client's request; what is none gives an answer without its echo."""
        try:
            told: Mapping[str, msgspec.Raw] = _decode_members(body)
        except _JUNK:
            told = {}
        given = {name: raw for name, raw in told.items() if bytes(raw) != b"null"}
        echo = {name: given.get(name, msgspec.Raw(raw)) for name, raw in _ECHOED.items()}
        reasoning = object_in(_value(given, "reasoning"))
        included = _value(given, "include")
        return cls(
            model=text_in(_value(given, "model")),
            created_at=int(now),
            echo=echo,
            names=names_back(bytes(given["tools"])) if "tools" in given else {},
            summary=bool(reasoning.get("summary") or reasoning.get("generate_summary")),
            sources=isinstance(included, list) and _SOURCES in included,
        )

    def response(self, base: str, status: str, output: list[Item]) -> dict[str, Any]:
        """The response object at some point; `base`: what its ids are made of."""
        return {
            "id": f"resp_{base}",
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self.model,
            "output": output,
            "previous_response_id": None,
            "service_tier": "default",
            "store": False,
            "usage": None,
            **self.echo,
        }


def base_of(message_id: object, request_id: str) -> str:
    """What ids are made of: the Messages answer's id, the request's where that is missing."""
    told = text_in(message_id).removeprefix("msg_")
    return told or request_id.removeprefix("req_") or "0"


def usage_told(told: Mapping[str, Any]) -> dict[str, Any]:
    """Usage as Responses counts it: the input with what was read from or written to the cache."""
    counted = usage_of(told)
    return {
        "input_tokens": counted["prompt_tokens"],
        "input_tokens_details": counted["prompt_tokens_details"],
        "output_tokens": counted["completion_tokens"],
        "output_tokens_details": counted["completion_tokens_details"],
        "total_tokens": counted["total_tokens"],
    }


def message_item(item_id: str, parts: list[Item], status: str) -> Item:
    """A message of the model."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": parts,
    }


def text_part(text: str, annotations: list[Item]) -> Item:
    """A text in a message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def refusal_part(text: str) -> Item:
    """A refusal in a message."""
    return {"type": "refusal", "refusal": text}


def summary_part(text: str) -> Item:
    """A text in a reasoning item."""
    return {"type": "summary_text", "text": text}


def reasoning_item(item_id: str, summary: str, envelope: str | None, status: str) -> Item:
    """Thinking; `envelope`: what gives it back to Claude on the next turn."""
    item: Item = {
        "id": item_id,
        "type": "reasoning",
        "status": status,
        "summary": [summary_part(summary)] if summary else [],
    }
    return item | ({"encrypted_content": envelope} if envelope else {})


def envelope_of(kind: str, thinking: str, signature: str, data: str) -> str | None:
    """What a client keeps of a thinking block."""
    return sealed_redacted(data) if kind == "redacted_thinking" else sealed(thinking, signature)


def call_item(item_id: str, tool: Named, call_id: str, text: str, status: str) -> Item:
    """A call of one of the client's tools; `text`: its arguments as JSON, or its free text."""
    item: Item = {
        "id": item_id,
        "type": "custom_tool_call" if tool.free else "function_call",
        "status": status,
        "call_id": call_id,
        "name": tool.name,
        "input" if tool.free else "arguments": text,
    }
    return item | ({"namespace": tool.namespace} if tool.namespace else {})


def search_item(item_id: str, query: str, sources: list[str] | None, status: str) -> Item:
    """A search that the upstream did; `sources`: the addresses found, where they were asked for."""
    action: Item = {"type": "search", "query": query}
    if sources is not None:
        action["sources"] = [{"type": "url", "url": url} for url in sources]
    return {"id": item_id, "type": "web_search_call", "status": status, "action": action}


def citation(told: Mapping[str, Any], length: int) -> Item | None:
    """A citation of a web page as an annotation of a text of that length; None for any other kind."""
    url = told.get("url")
    if told.get("type") != "web_search_result_location" or not isinstance(url, str):
        return None
    place = {"start_index": 0, "end_index": length}
    return {"type": "url_citation", **place, "url": url, "title": text_in(told.get("title"))}


def _value(given: Mapping[str, msgspec.Raw], name: str) -> object:
    try:
        return _decode_any(given[name]) if name in given else None
    except _JUNK:
        return None
