"""A bridge that takes one prompt and gives one text: `POST /api/generate`, as local tools offer it.

The system prompt goes apart, the turns flattened as `role: content`. It has no tools, no pictures and
no streams: what holds such things raises `Uncarried`, and a stream is made of the whole answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.errors import Uncarried
from maxpool.wire.chat_options import options_of
from maxpool.wire.from_chat import WholeReader
from maxpool.wire.from_chat_errors import error_body
from maxpool.wire.from_chat_parts import (
    Asked,
    envelope,
    first_choice,
    json_of,
    mapping,
    stop_of,
    usage_of,
)
from maxpool.wire.to_chat import chat_request
from maxpool.wire.translation import GENERATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.wire.translation import AnswerReader, Dialect, Format

Json = dict[str, Any]

DEFAULT_TEMPERATURE: Final = 0.3
"""Where a client names none: such bridges mostly serve small models, which wander at 1."""

DEFAULT_MAX_TOKENS: Final = 2048
"""Where a client names no limit, and where it names none that is a number above zero."""


def prompt_request(body: bytes, *, model: str, options: Mapping[str, object]) -> bytes:
    """The bridge's request; raises `Uncarried` for all that is not text."""
    chat = msgspec.json.decode(chat_request(body, model=model, options=_plainly(options)))
    for name in ("tools", "response_format"):
        if name in chat:
            raise Uncarried(name, "this bridge takes a prompt and gives a text")
    system, turns = [], []
    for message in chat["messages"]:
        text = _text(message)
        if message["role"] == "system":
            system.append(text)
        else:
            turns.append(f"{message['role']}: {text}")
    out: Json = {
        "model": model,
        "prompt": "\n\n".join(turns),
        "temperature": chat.get("temperature", DEFAULT_TEMPERATURE),
        "max_tokens": chat.get("max_tokens") or DEFAULT_MAX_TOKENS,
        "stream": False,
    }
    if system:
        out["system"] = "\n\n".join(system)
    for name in ("stop", "top_p", "top_k"):
        if name in chat:
            out[name] = chat[name]
    return msgspec.json.encode(out)


def _plainly(options: Mapping[str, object]) -> dict[str, object]:
    """The owner's options, but for those that name members which no prompt has."""
    options_of(options)  # to complain of a wrong one
    kept = {
        name: options[name]
        for name in ("max_tokens_max", "temperature_max", "top_k")
        if name in options
    }
    return {**kept, "merge_system": True}


def _text(message: Json) -> str:
    content = message.get("content")
    if message["role"] == "tool" or message.get("tool_calls"):
        raise Uncarried("tool_use", "this bridge takes a prompt and gives a text")
    if not isinstance(content, str):
        raise Uncarried("image", "this bridge takes a prompt and gives a text")
    return content


def prompt_answer(body: bytes, asked: Asked) -> bytes:
    """The Messages answer for whatever such a bridge answers; raises `ValueError` for no text."""
    told = json_of(body)
    text = _said(told) if isinstance(told, dict) else None
    if text is None or not isinstance(told, dict):
        raise ValueError("the answer has no text")
    content = [{"type": "text", "text": text}] if text else []
    answer = envelope(asked, content, usage_of(_usage(told)))
    finish = first_choice(told).get("finish_reason") or told.get("done_reason")
    return msgspec.json.encode(answer | stop_of(finish, None, calls=False, asked=asked))


def _said(told: Json) -> str | None:
    """The text, in the first of the places where such bridges put it."""
    inner = mapping(told, "message")
    places = (
        mapping(first_choice(told), "message").get("content"),
        told.get("content"),
        told.get("response"),
        inner.get("content"),
    )
    return next((place for place in places if isinstance(place, str)), None)


def _usage(told: Json) -> Json:
    """Counts in the form of Chat, or in that of Ollama."""
    usage = mapping(told, "usage")
    if usage:
        return usage
    return {
        "prompt_tokens": told.get("prompt_eval_count"),
        "completion_tokens": told.get("eval_count"),
    }


class _GenerateDialect:
    """Satisfies `translation.Dialect`."""

    name: Format = GENERATE
    path = "/api/generate"

    def request(self, body: bytes, *, model: str, options: Mapping[str, object]) -> bytes:
        return prompt_request(body, model=model, options=options)

    def reader(self, body: bytes, *, model: str, request_id: str) -> AnswerReader:
        asked = Asked.of(body, model=model, request_id=request_id)
        return WholeReader(lambda answer: prompt_answer(answer, asked))

    def error(self, status: int, body: bytes) -> bytes:
        return error_body(status, body)


GENERATE_DIALECT: Final[Dialect] = _GenerateDialect()
