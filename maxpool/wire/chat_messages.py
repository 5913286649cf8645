"""The messages of a Chat Completions request as Messages has them: a system prompt and turns.

| Chat | Messages |
|---|---|
| system, developer before anything else | blocks of `system`, in order; the only messages: the user's turn |
| system, developer later | a text in the user's turn at that place, within `<system>` tags: every model takes it there |
| user with a `name` | the same blocks after a text `NAME:` |
| assistant: content, refusal, `tool_calls`, `function_call` | text and `tool_use` blocks of one turn |
| assistant: `reasoning_content` and the like | nothing: Chat cannot carry the signature that thinking needs |
| tool, function | `tool_result` blocks, at the head of the user's turn |
| part text, refusal | text |
| part image_url | image: `data:` as base64, http(s) as url (`detail` is a hint and has no counterpart) |
| part file with `file_data` | document: PDF as base64, plain text as text |
| part input_audio, file with `file_id`, others | refused |

Messages of one role in a row become one turn; blank texts, which Messages refuses, are left out.
What cannot be carried is noted under its name; what is no conversation at all raises.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.errors import RequestError, Uncarried

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Blocks = list[dict[str, Any]]
Lost = list[Uncarried]
"""What could not be carried so far."""

UNREAD_ARGUMENTS: Final = "arguments"
"""Holds, as text, what a model once wrote as arguments and is no JSON object: Messages takes only such."""

_IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_DATA_URL: Final = re.compile(r"data:([^;,]{0,100})(?:;[^;,]{0,100}){0,4};base64,", re.IGNORECASE)
_CALL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_JUNK: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


@dataclass(slots=True)
class Conversation:
    """The system prompt and the turns, as they grow message by message."""

    lost: Lost
    system: Blocks = field(default_factory=list)
    turns: Blocks = field(default_factory=list)
    results: int = 0
    """How many tool results stand at the head of the last turn."""
    called: dict[str, str] = field(default_factory=dict)
    """The id of the last call of each function, for answers that name the function only."""

    @property
    def in_tool_loop(self) -> bool:
        """Whether the model's calls have just been answered."""
        return bool(self.turns) and self.turns[-1]["role"] == "user" and self.results > 0

    def say(self, role: str, blocks: Blocks) -> None:
        """Blocks of one side, in the turn that is open or in a new one."""
        if not blocks:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        else:
            self.turns.append({"role": role, "content": blocks})
            self.results = 0

    def answer(self, result: dict[str, Any]) -> None:
        """A tool result: Messages wants all of a turn's ahead of its other blocks."""
        if not self.turns or self.turns[-1]["role"] != "user":
            self.turns.append({"role": "user", "content": []})
            self.results = 0
        self.turns[-1]["content"].insert(self.results, result)
        self.results += 1


def conversation(messages: object, lost: Lost) -> Conversation:
    """All of them; raises `RequestError` 400 for what no Chat client sends."""
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "must be a list of at least one message")
    told = Conversation(lost)
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        take = _ROLES.get(role) if isinstance(role, str) else None
        if take is None:
            raise wrong(f"messages[{index}].role", f"must be one of {', '.join(_ROLES)}")
        take(told, message, f"messages[{index}]")
    if not told.turns:
        told.system, instructions = [], told.system
        told.say("user", instructions)
    return told


def wrong(where: str, why: str) -> RequestError:
    """A request that is none."""
    return RequestError(400, "invalid_request_error", f"{where}: {why}")


def call_id(name: object) -> str:
    """A call's id as Messages takes it: its own, or one made from it where it has other characters."""
    if isinstance(name, str) and _CALL_ID.fullmatch(name):
        return name
    return "call_" + blake2b(repr(name).encode("utf-8", "replace"), digest_size=12).hexdigest()


def arguments(text: object) -> object:
    """A call's arguments: the JSON object as it was written; `{}` for none."""
    written = text if isinstance(text, str) else ""
    if not written.strip():
        return {}
    try:
        _decode_object(written)
        return msgspec.Raw(written.encode())
    except _JUNK:
        return {UNREAD_ARGUMENTS: written}


def _system(told: Conversation, message: Mapping[str, Any], at: str) -> None:
    blocks = _blocks(message.get("content"), f"{at}.content", told.lost)
    if any(block["type"] != "text" for block in blocks):
        told.lost.append(Uncarried(f"{at}.content", "a system prompt is text in Messages"))
        return
    if not told.turns:
        told.system += blocks
        return
    for block in blocks:
        block["text"] = f"<system>\n{block['text']}\n</system>"
    told.say("user", blocks)


def _user(told: Conversation, message: Mapping[str, Any], at: str) -> None:
    blocks = _blocks(message.get("content"), f"{at}.content", told.lost)
    name = message.get("name")
    if blocks and isinstance(name, str) and name.strip():
        blocks.insert(0, {"type": "text", "text": f"{name}:"})
    told.say("user", blocks)


def _assistant(told: Conversation, message: Mapping[str, Any], at: str) -> None:
    blocks = _blocks(message.get("content"), f"{at}.content", told.lost)
    blocks += _blocks(message.get("refusal"), f"{at}.refusal", told.lost)
    if message.get("audio") is not None:
        told.lost.append(Uncarried(f"{at}.audio", "Messages has no audio"))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise wrong(f"{at}.tool_calls", "must be a list")
    for index, call in enumerate(calls):
        blocks += _call(told, call, f"{at}.tool_calls[{index}]")
    function = message.get("function_call")
    if function is not None:
        blocks += _call(told, {"id": f"call_{at}", "function": function}, f"{at}.function_call")
    told.say("assistant", blocks)


def _call(told: Conversation, call: object, at: str) -> Blocks:
    if not isinstance(call, dict):
        raise wrong(at, "must be an object")
    if call.get("type", "function") not in ("function", None):
        told.lost.append(Uncarried(at, f"a call of type {word(call['type'])} has no counterpart"))
        return []
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise wrong(f"{at}.function", "must be an object with a `name`")
    made = call_id(call.get("id"))
    told.called[function["name"]] = made
    given = arguments(function.get("arguments"))
    return [{"type": "tool_use", "id": made, "name": function["name"], "input": given}]


def _tool(told: Conversation, message: Mapping[str, Any], at: str) -> None:
    told.answer(
        _result(call_id(message.get("tool_call_id")), message.get("content"), at, told.lost)
    )


def _function(told: Conversation, message: Mapping[str, Any], at: str) -> None:
    name = message.get("name")
    if not isinstance(name, str) or name not in told.called:
        raise wrong(f"{at}.name", "must name a function that was called before")
    told.answer(_result(told.called[name], message.get("content"), at, told.lost))


def _result(use_id: str, content: object, at: str, lost: Lost) -> dict[str, Any]:
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": use_id}
    blocks = _blocks(content, f"{at}.content", lost)
    if blocks:
        result["content"] = content if isinstance(content, str) else blocks
    return result


_ROLES: Final[Mapping[str, Callable[[Conversation, Mapping[str, Any], str], None]]] = (
    MappingProxyType(
        {
            "developer": _system,
            "system": _system,
            "user": _user,
            "assistant": _assistant,
            "tool": _tool,
            "function": _function,
        }
    )
)


def _blocks(content: object, at: str, lost: Lost) -> Blocks:
    """A content in any of its forms; a list may hold bare texts, too."""

    def take(part: object, where: str) -> Blocks:
        return text_blocks(part) if isinstance(part, str) else _part(part, where, lost)

    return blocks_of(content, at, take)


def blocks_of(content: object, at: str, take: Callable[[object, str], Blocks]) -> Blocks:
    """A text, or a list of parts that `take` (part, where it stands) turns into blocks; none for None."""
    if content is None:
        return []
    if isinstance(content, str):
        return text_blocks(content)
    if not isinstance(content, list):
        raise wrong(at, "must be a text or a list of parts")
    blocks: Blocks = []
    for index, part in enumerate(content):
        made = take(part, f"{at}[{index}]")
        if made and isinstance(part, dict):
            mark_prefix(part, made[-1])
        blocks += made
    return blocks


def mark_prefix(part: Mapping[str, Any], block: dict[str, Any]) -> None:
    """The end of a reusable prefix: OpenAI's own field, or the one its clients send for Claude."""
    control = part.get("cache_control")
    if isinstance(control, dict):
        block["cache_control"] = control
    elif isinstance(part.get("prompt_cache_breakpoint"), dict):
        block["cache_control"] = {"type": "ephemeral"}


def _part(part: object, at: str, lost: Lost) -> Blocks:
    if not isinstance(part, dict) or not isinstance(kind := part.get("type"), str):
        raise wrong(at, "must be an object with a `type`")
    take = _PARTS.get(kind)
    if take is None:
        lost.append(Uncarried(at, f"Messages has no counterpart of a part of type {word(kind)}"))
        return []
    return take(part.get(kind), at, lost)


def text_blocks(text: str) -> Blocks:
    """A text as a block; none for a blank one."""
    return [] if not text or text.isspace() else [{"type": "text", "text": text}]


def _text_part(text: object, at: str, lost: Lost) -> Blocks:
    del lost
    if not isinstance(text, str):
        raise wrong(at, "must hold a text")
    return text_blocks(text)


def image_part(image: object, at: str, lost: Lost) -> Blocks:
    """The value of `image_url`, a URL or an object with one, as an image block."""
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise wrong(f"{at}.image_url", "must be an object with a `url`")
    data = _DATA_URL.match(url)
    if data is None:
        if url.startswith(("https://", "http://")):
            return [{"type": "image", "source": {"type": "url", "url": url}}]
        lost.append(Uncarried(f"{at}.image_url", "must be an http(s) URL or base64 in a data: URL"))
        return []
    media = data[1].lower().replace("image/jpg", "image/jpeg")
    if media not in _IMAGE_TYPES:
        lost.append(Uncarried(f"{at}.image_url", f"{word(media)} is none of {_IMAGE_WORDS}"))
        return []
    source = {"type": "base64", "media_type": media, "data": url[data.end() :]}
    return [{"type": "image", "source": source}]


_IMAGE_WORDS: Final = ", ".join(sorted(_IMAGE_TYPES))


def file_part(file: object, at: str, lost: Lost) -> Blocks:
    """An object with `file_data` as a document block."""
    given = file if isinstance(file, dict) else {}
    held = given.get("file_data")
    data = _DATA_URL.match(held) if isinstance(held, str) else None
    if data is None or held is None:
        lost.append(Uncarried(f"{at}.file", "send the file itself as base64 in a data: URL"))
        return []
    source = _document(data[1].lower(), held[data.end() :])
    if source is None:
        lost.append(Uncarried(f"{at}.file", f"{word(data[1])} is neither a PDF nor plain text"))
        return []
    title = given.get("filename")
    named = {"title": title} if isinstance(title, str) and title else {}
    return [{"type": "document", "source": source} | named]


def _document(media: str, data: str) -> dict[str, str] | None:
    if media == "application/pdf":
        return {"type": "base64", "media_type": media, "data": data}
    if not media.startswith("text/"):
        return None
    try:
        text = b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _audio_part(audio: object, at: str, lost: Lost) -> Blocks:
    del audio
    lost.append(Uncarried(f"{at}.input_audio", "Messages has no audio"))
    return []


_PARTS: Final[Mapping[str, Callable[[Any, str, Lost], Blocks]]] = MappingProxyType(
    {
        "text": _text_part,
        "refusal": _text_part,
        "image_url": image_part,
        "file": file_part,
        "input_audio": _audio_part,
    }
)


def word(value: object) -> str:
    """A caller's word for an error text."""
    return repr(value)[:60]
