"""What a Chat Completions answer says, in the words of Messages: usage, why it stopped, whole answers.

Whole answers and streams share all of this; `wire/from_chat` has the streams. Pure functions over
JSON values of any shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.wire.blocks import JUNK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]

MAX_TOKENS: Final = 1_000_000_000  # beyond any context: a broken count, not a large one

STOP_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stop": "end_turn",
        "eos": "end_turn",
        "end_turn": "end_turn",
        "length": "max_tokens",
        "max_tokens": "max_tokens",
        "model_length": "model_context_window_exceeded",
        "tool_calls": "tool_use",
        "function_call": "tool_use",
        "tool_use": "tool_use",
        "content_filter": "refusal",
        "refusal": "refusal",
        "safety": "refusal",
    }
)
"""Finish reasons of OpenAI and of services that use a few words of their own; others end a turn."""

BROKEN: Final[Mapping[str, str]] = MappingProxyType(
    {"error": "api_error", "insufficient_system_resource": "overloaded_error"}
)
"""Finish reasons that are failures: the type of error each is."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Thinking(msgspec.Struct):
    type: str = ""
    display: str = ""


class _Wish(msgspec.Struct):
    thinking: _Thinking | None = None
    stop_sequences: list[str] | None = None


_decode_wish: Final = msgspec.json.Decoder(_Wish).decode


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the request its answer depends on, and what names the answer.

    `shows`: the client wants to see thinking. Where it does not, none is written: thinking that
    nobody signed would keep the conversation from ever going back to Claude.
    """

    model: str
    request_id: str
    shows: bool = False
    stops: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, body: bytes, *, model: str, request_id: str) -> Asked:
        """Read off the Messages request."""
        try:
            wish = _decode_wish(body)
        except JUNK:
            return cls(model, request_id)
        thinking = wish.thinking or _Thinking("disabled")
        shows = thinking.type != "disabled" and thinking.display != "omitted"
        return cls(model, request_id, shows, frozenset(wish.stop_sequences or ()))

    @property
    def message_id(self) -> str:
        """The id of the answer: the same whenever it is told."""
        return f"msg_{self._digest(self.request_id)}"

    def call_id(self, told: object, place: int, taken: set[str]) -> str:
        """The id of a tool call: the service's own where Messages can have it, and only once."""
        if isinstance(told, str) and _ID.fullmatch(told) and told not in taken:
            taken.add(told)
            return told
        made = f"toolu_{self._digest(f'{self.request_id}/{place}/{told}')}"
        taken.add(made)
        return made

    @staticmethod
    def _digest(text: str) -> str:
        return blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def usage_of(told: object) -> Json:
    """A Messages usage for Chat's; cached tokens are no part of `input_tokens` here."""
    usage = told if isinstance(told, dict) else {}
    prompt, details = count(usage.get("prompt_tokens")), mapping(usage, "prompt_tokens_details")
    cached = count(details.get("cached_tokens")) or count(usage.get("prompt_cache_hit_tokens"))
    written = count(details.get("cache_write_tokens"))
    cached = min(cached, prompt)
    written = min(written, prompt - cached)
    found: Json = {
        "input_tokens": prompt - cached - written,
        "output_tokens": count(usage.get("completion_tokens")),
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written,
    }
    thought = count(mapping(usage, "completion_tokens_details").get("reasoning_tokens"))
    if thought:
        found["output_tokens_details"] = {"thinking_tokens": min(thought, found["output_tokens"])}
    if isinstance(usage.get("cost"), int | float | str):
        found["cost"] = usage["cost"]
    return found


def stop_of(finish: object, stopped_at: object, *, calls: bool, asked: Asked) -> Json:
    """`stop_reason` and `stop_sequence`; `stopped_at`: the text, where the service tells it."""
    reason = STOP_REASONS.get(finish, "end_turn") if isinstance(finish, str) else "end_turn"
    if reason in ("end_turn", "tool_use"):
        reason = "tool_use" if calls else "end_turn"
    if reason == "end_turn" and isinstance(stopped_at, str) and stopped_at in asked.stops:
        return {"stop_reason": "stop_sequence", "stop_sequence": stopped_at}
    return {"stop_reason": reason, "stop_sequence": None}


def whole_answer(body: bytes, asked: Asked) -> bytes:
    """The Messages answer for a whole completion; raises `ValueError` for what is none."""
    told = json_of(body)
    choice = first_choice(told)
    message = mapping(choice, "message")
    if not isinstance(told, dict) or not message:
        raise ValueError("the answer has no message")
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and finish in BROKEN:
        raise ValueError(f"the answer ended with {finish}")
    cut = STOP_REASONS.get(finish) == "max_tokens" if isinstance(finish, str) else False
    content = list(_content(message, asked, cut=cut))
    calls = any(block["type"] == "tool_use" for block in content)
    answer = envelope(asked, content, usage_of(told.get("usage")))
    answer |= stop_of(finish, choice.get("stop_reason"), calls=calls, asked=asked)
    return msgspec.json.encode(answer)


def envelope(asked: Asked, content: list[Json], usage: Json) -> Json:
    """A Messages answer that has not stopped."""
    return {
        "id": asked.message_id,
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _content(message: Json, asked: Asked, *, cut: bool) -> Iterator[Json]:
    """The blocks; of an answer that was cut at its limit, without the call that was cut."""
    thought, text = texts_of(message)
    if thought and asked.shows:
        yield {"type": "thinking", "thinking": thought, "signature": ""}
    if text:
        yield {"type": "text", "text": text}
    taken: set[str] = set()
    for place, call in enumerate(calls_of(message)):
        function = mapping(call, "function")
        if not isinstance(function.get("name"), str) or not function["name"]:
            raise ValueError("a tool call has no name")
        try:
            given = _input(function.get("arguments"))
        except ValueError:
            if cut:
                return
            raise
        call_id = asked.call_id(call.get("id"), place, taken)
        yield {"type": "tool_use", "id": call_id, "name": function["name"], "input": given}


def texts_of(message: Json) -> tuple[str, str]:
    """Thinking and text of a message or of a delta; a refusal is text, too.

    Thinking has two names, and one service gives it as parts of the content.
    """
    content, refusal = message.get("content"), message.get("refusal")
    thought = message.get("reasoning_content") or message.get("reasoning")
    thoughts = [thought] if isinstance(thought, str) else []
    if isinstance(content, list):
        texts = list(_text_parts(content, thoughts))
    else:
        texts = [content] if isinstance(content, str) else []
    if isinstance(refusal, str):
        texts.append(refusal)
    return "".join(thoughts), "".join(texts)


def _text_parts(content: list[object], thoughts: list[str]) -> Iterator[str]:
    for part in content:
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("text"), str):
            yield part["text"]
        inner = part.get("thinking")
        if isinstance(inner, str):
            thoughts.append(inner)
        elif isinstance(inner, list):
            thoughts += _text_parts(inner, thoughts)


def calls_of(message: Json) -> list[Json]:
    """Tool calls, and the one call of the older form."""
    calls, older = message.get("tool_calls"), message.get("function_call")
    found = [c for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []
    return found or ([{"function": older}] if isinstance(older, dict) else [])


def _input(arguments: object) -> Json:
    """A tool's input; raises `ValueError` where a service wrote what is no JSON object."""
    if isinstance(arguments, str):
        arguments = json_of(arguments) if arguments.strip() else None
    if arguments is None:
        return {}
    if isinstance(arguments, dict):
        return arguments
    raise ValueError("the arguments of a tool call are no JSON object")


def json_of(text: bytes | str) -> object:
    """The value of a JSON text; raises `ValueError` for what is none."""
    try:
        return msgspec.json.decode(text)
    except JUNK as broken:
        raise ValueError("the text is not valid JSON") from broken


def first_choice(told: object) -> Json:
    """The choice that counts: the first one asked for, whatever else a service sends."""
    choices = told.get("choices") if isinstance(told, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not choice.get("index"):
            return choice
    return {}


def mapping(told: Json, name: str) -> Json:
    """A member that is an object; an empty one where it is not."""
    value = told.get(name)
    return value if isinstance(value, dict) else {}


def count(value: object) -> int:
    """A token count; junk, negatives and absurd sizes count as none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value <= MAX_TOKENS else 0
