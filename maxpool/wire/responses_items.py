"""The input items of a Responses request as Messages has them: a system prompt and turns.

| item | Messages |
|---|---|
| message system, developer before anything else | blocks of `system`, in order; the only messages: the user's turn |
| message system, developer later | a text in the user's turn at that place, within `<system>` tags |
| message user, assistant | its parts: text and refusal, image, file (PDF or plain text) |
| function_call, custom_tool_call | `tool_use` under the tool's name there |
| function_call_output, custom_tool_call_output | `tool_result`, its parts as those of a message |
| reasoning with our envelope | the thinking block as it was; at the end of a turn nothing, as Claude refuses it there |
| reasoning of another provider, or without an envelope | nothing: only who encrypted it can read it |
| web_search_call, file_search_call | nothing: what was found stands in the message after it |
| item_reference | refused: nothing is stored here |
| everything else: computer, shell, mcp, code_interpreter, compaction... | refused by name |

Items of one side in a row become one turn; blank texts, which Messages refuses, are left out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from maxpool.errors import Uncarried
from maxpool.wire.chat_messages import (
    Conversation,
    arguments,
    blocks_of,
    call_id,
    file_part,
    image_part,
    text_blocks,
    word,
    wrong,
)
from maxpool.wire.freetext import FIELD
from maxpool.wire.responses_reasoning import opened
from maxpool.wire.responses_tools import name_there

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.wire.chat_messages import Blocks, Lost

STORED: Final = "nothing is stored here: send the items themselves in `input`"

_ROLES: Final = ("user", "assistant", "system", "developer")
_TEXTS: Final = ("input_text", "output_text", "text")
_THINKING: Final = ("thinking", "redacted_thinking")


def conversation(given: object) -> Conversation:
    """All of them; raises `RequestError` 400 for what no client sends, `Uncarried` for what has no place."""
    told = Conversation([])
    if isinstance(given, str):
        told.say("user", text_blocks(given))
    elif isinstance(given, list):
        for index, item in enumerate(given):
            _take(told, item, f"input[{index}]")
    else:
        raise wrong("input", "must be a text or a list of items")
    if told.lost:
        raise told.lost[0]
    _without_last_thoughts(told.turns)
    if not told.turns:
        told.system, instructions = [], told.system
        told.say("user", instructions)
    if not told.turns:
        raise wrong("input", "holds nothing to answer")
    return told


def _take(told: Conversation, item: object, at: str) -> None:
    if not isinstance(item, dict):
        raise wrong(at, "must be an object")
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    take = _ITEMS.get(kind) if isinstance(kind, str) else None
    if take is None:
        raise Uncarried(at, f"Messages has no counterpart of an item of type {word(kind)}")
    take(told, item, at)


def _message(told: Conversation, item: Mapping[str, Any], at: str) -> None:
    role = item.get("role")
    if role not in _ROLES:
        raise wrong(f"{at}.role", f"must be one of {', '.join(_ROLES)}")
    blocks = _parts(item.get("content"), f"{at}.content", told.lost)
    if role in ("user", "assistant"):
        told.say(str(role), blocks)
    elif told.turns:
        for block in blocks:
            if block["type"] == "text":
                block["text"] = f"<system>\n{block['text']}\n</system>"
        told.say("user", blocks)
    elif any(block["type"] != "text" for block in blocks):
        raise Uncarried(f"{at}.content", "instructions take text only")
    else:
        told.system += blocks


def _function_call(told: Conversation, item: Mapping[str, Any], at: str) -> None:
    _call(told, item, at, arguments(item.get("arguments")))


def _custom_call(told: Conversation, item: Mapping[str, Any], at: str) -> None:
    text = item.get("input")
    if not isinstance(text, str):
        raise wrong(f"{at}.input", "must be a text")
    _call(told, item, at, {FIELD: text})


def _call(told: Conversation, item: Mapping[str, Any], at: str, given: object) -> None:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise wrong(f"{at}.name", "must name a tool")
    use = {
        "type": "tool_use",
        "id": call_id(item.get("call_id")),
        "name": name_there(name, item.get("namespace")),
        "input": given,
    }
    told.say("assistant", [use])


def _output(told: Conversation, item: Mapping[str, Any], at: str) -> None:
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id(item.get("call_id"))}
    given = item.get("output")
    if not isinstance(given, str):
        given = _parts(given, f"{at}.output", told.lost)
    if given and not (isinstance(given, str) and given.isspace()):
        result["content"] = given
    told.answer(result)


def _reasoning(told: Conversation, item: Mapping[str, Any], at: str) -> None:
    del at
    block = opened(item.get("encrypted_content"))
    if block is not None:
        told.say("assistant", [block])


def _of_another(told: Conversation, item: Mapping[str, Any], at: str) -> None:
    """What its provider did by itself; the answer that it led to stands in the next message."""
    del told, item, at


def _reference(told: Conversation, item: Mapping[str, Any], at: str) -> None:
    del told
    raise Uncarried(f"{at} ({word(item.get('id'))})", STORED)


_ITEMS: Final[Mapping[str, Callable[[Conversation, Mapping[str, Any], str], None]]] = (
    MappingProxyType(
        {
            "message": _message,
            "function_call": _function_call,
            "function_call_output": _output,
            "custom_tool_call": _custom_call,
            "custom_tool_call_output": _output,
            "reasoning": _reasoning,
            "web_search_call": _of_another,
            "file_search_call": _of_another,
            "item_reference": _reference,
        }
    )
)


def _without_last_thoughts(turns: Blocks) -> None:
    """A turn of the model that was broken off while it thought ends before that."""
    for turn in turns:
        if turn["role"] == "assistant":
            while turn["content"] and turn["content"][-1]["type"] in _THINKING:
                turn["content"].pop()
    turns[:] = [turn for turn in turns if turn["content"]]


def _parts(content: object, at: str, lost: Lost) -> Blocks:
    """A content in any of its forms."""
    return blocks_of(content, at, lambda part, where: _part(part, where, lost))


def _part(part: object, at: str, lost: Lost) -> Blocks:
    if not isinstance(part, dict):
        raise wrong(at, "must be an object with a `type`")
    kind = part.get("type")
    if kind in _TEXTS or kind == "refusal":
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise wrong(at, "must hold a text")
        return text_blocks(text)
    if kind not in ("input_image", "input_file"):
        raise Uncarried(at, f"Messages has no counterpart of a part of type {word(kind)}")
    if part.get("file_id"):
        raise Uncarried(f"{at}.file_id", "files stored elsewhere are out of reach: send it inline")
    return (
        image_part(part.get("image_url"), at, lost)
        if kind == "input_image"
        else _file(part, at, lost)
    )


def _file(part: Mapping[str, Any], at: str, lost: Lost) -> Blocks:
    url = part.get("file_url")
    if not isinstance(url, str):
        return file_part(part, at, lost)
    title = part.get("filename")
    source = {"type": "document", "source": {"type": "url", "url": url}}
    return [source | ({"title": title} if isinstance(title, str) and title else {})]
