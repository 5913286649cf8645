"""From the turns of a Messages request to the messages of a Chat Completions request.

Order is kept, with one exception that Chat forces: within one answer of the model its text comes
before its tool calls. What Messages puts into one turn becomes several messages here: each tool
result its own, then the pictures of those results (a tool message holds text only), then the rest.

Left out knowingly: thinking (signed thinking comes here only if it may leave its provider, which
`core/eligibility` decides), cache control, and the block in which Claude Code bills itself.
Everything else that has no place raises `Uncarried`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from maxpool.errors import RequestError, Uncarried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.wire.chat_options import Options

Json = dict[str, Any]

BETWEEN_TEXTS: Final = "\n\n"
"""Between two blocks of text that become one string: no word of one runs into the other."""

BILLING: Final = "x-anthropic-billing-header"
"""How Claude Code's first system block begins: it is for Anthropic, which takes it out."""

_NO_PLACE: Final = "Chat Completions has no place for it"
_PDF: Final = "application/pdf"
_ERROR: Final = "Error: "


def chat_messages(told: Json, options: Options) -> list[Json]:
    """All messages; raises `Uncarried`, and `RequestError` 400 for what are no messages."""
    turns = told.get("messages")
    if not isinstance(turns, list):
        raise _malformed("messages: must be a list")
    system = _system(told.get("system"))
    out: list[Json] = []
    for turn in turns:
        role = turn.get("role") if isinstance(turn, dict) else None
        if role == "user":
            out += _user(turn.get("content"), options)
        elif role == "assistant":
            out += _assistant(turn.get("content"), options)
        elif role == "system":
            text = _system(turn.get("content"))
            if options.merge_system:
                system += text
            elif text:
                out.append(_instructions(text, options))
        else:
            raise _malformed("messages: each needs a role: user, assistant or system")
    return [_instructions(system, options), *out] if system else out


def _malformed(message: str) -> RequestError:
    return RequestError(400, "invalid_request_error", message)


def _instructions(texts: list[str], options: Options) -> Json:
    return {"role": options.system_role, "content": BETWEEN_TEXTS.join(texts)}


def _system(content: object) -> list[str]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [content]
    found = []
    for block in _blocks(content, "system"):
        kind, text = block.get("type"), block.get("text")
        if kind != "text" or not isinstance(text, str):
            raise Uncarried(f"system: {str(kind)[:60]}", "instructions are text")
        if text and not text.startswith(BILLING):
            found.append(text)
    return found


def _blocks(content: object, where: str) -> Iterator[Json]:
    if not isinstance(content, list):
        raise _malformed(f"{where}: content must be a string or a list of blocks")
    for block in content:
        if not isinstance(block, dict):
            raise _malformed(f"{where}: each block must be an object")
        yield block


# -- what the user said, and what tools gave -------------------------------------------------------


@dataclass(slots=True)
class _Turn:
    """One user turn while it is taken apart."""

    options: Options
    results: list[Json] = field(default_factory=list)
    pictures: list[Json] = field(default_factory=list)
    said: list[Json] = field(default_factory=list)
    shown: int = 0

    def messages(self) -> list[Json]:
        parts = [*self.pictures, *self.said]
        if not parts and self.results:
            return self.results
        return [*self.results, {"role": "user", "content": _joined(parts)}]

    def take(self, block: Json) -> None:
        if block.get("type") == "tool_result":
            self._result(block)
        else:
            self.said += _parts(block, self.options)

    def _result(self, block: Json) -> None:
        texts: list[str] = []
        content = block.get("content")
        if isinstance(content, str):
            texts.append(content)
        elif content is not None:
            for inner in _blocks(content, "tool_result"):
                self._of_result(inner, texts)
        text = BETWEEN_TEXTS.join(text for text in texts if text)
        if block.get("is_error") is True and not text.startswith(_ERROR):
            text = f"{_ERROR}{text}"
        call_id = chat_id(block.get("tool_use_id"), self.options)
        self.results.append({"role": "tool", "tool_call_id": call_id, "content": text})

    def _of_result(self, inner: Json, texts: list[str]) -> None:
        if inner.get("type") == "tool_reference":  # every tool is there from the start
            texts.append(f"The tool {str(inner.get('tool_name'))[:200]} is available.")
            return
        for part in _parts(inner, self.options):
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                self.shown += 1
                label = f"[{'image' if part['type'] == 'image_url' else 'file'} {self.shown}]"
                texts.append(label)
                self.pictures += [{"type": "text", "text": label}, part]


def _user(content: object, options: Options) -> list[Json]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    turn = _Turn(options)
    for block in _blocks(content, "user"):
        turn.take(block)
    return turn.messages()


def _joined(parts: list[Json]) -> str | list[Json]:
    """Text alone as one string, which every service takes; anything else in parts."""
    if all(part["type"] == "text" for part in parts):
        return BETWEEN_TEXTS.join(part["text"] for part in parts)
    return parts


def _parts(block: Json, options: Options) -> list[Json]:
    """A block of the user's, or of a tool's result, as parts of a message."""
    kind = block.get("type")
    if kind == "text":
        text = block.get("text")
        if not isinstance(text, str):
            raise _malformed("text: needs its text")
        return [_text(text)] if text else []
    if kind == "image":
        return [_image(block.get("source"))]
    if kind == "document":
        return _document(block, options)
    if kind == "search_result":
        return _search_result(block)
    raise Uncarried(str(kind)[:60], _NO_PLACE)


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _image(source: object) -> Json:
    told = source if isinstance(source, dict) else {}
    kind, url = told.get("type"), told.get("url")
    if kind == "base64":
        url = f"data:{told.get('media_type')};base64,{told.get('data')}"
    elif kind != "url":
        raise Uncarried(f"image: source {str(kind)[:60]}", "it is kept by Anthropic")
    if not isinstance(url, str):
        raise _malformed("image: needs a url")
    return {"type": "image_url", "image_url": {"url": url}}


def _document(block: Json, options: Options) -> list[Json]:
    _refuse_citing(block)
    source = block.get("source")
    told = source if isinstance(source, dict) else {}
    kind, title = told.get("type"), block.get("title")
    heads = [head for head in (title, block.get("context")) if isinstance(head, str) and head]
    if kind == "text":
        return [_text(BETWEEN_TEXTS.join([*heads, str(told.get("data"))]))]
    if kind == "content":
        content = told.get("content")
        inner = [_text(content)] if isinstance(content, str) else _inner(content, options)
        return [*(_text(head) for head in heads), *inner]
    if kind != "base64" or not options.files:
        raise Uncarried(f"document: source {str(kind)[:60]}", "this service takes text only")
    name = title if isinstance(title, str) and title else "document.pdf"
    data = f"data:{told.get('media_type') or _PDF};base64,{told.get('data')}"
    file = {"type": "file", "file": {"filename": name, "file_data": data}}
    return [*(_text(head) for head in heads[1:]), file]


def _inner(content: object, options: Options) -> list[Json]:
    found: list[Json] = []
    for block in _blocks(content, "document"):
        if block.get("type") not in ("text", "image"):
            raise _malformed("document: its content is text and images")
        found += _parts(block, options)
    return found


def _search_result(block: Json) -> list[Json]:
    _refuse_citing(block)
    heads = [block.get("title"), block.get("source")]
    texts = [head for head in heads if isinstance(head, str) and head]
    inner = _blocks(block.get("content"), "search_result")
    texts += [one["text"] for one in inner if isinstance(one.get("text"), str)]
    return [_text(BETWEEN_TEXTS.join(texts))]


def _refuse_citing(block: Json) -> None:
    citations = block.get("citations")
    if isinstance(citations, dict) and citations.get("enabled") is True:
        raise Uncarried("citations", "an OpenAI-format service cites nothing")


# -- what the model said ---------------------------------------------------------------------------


def _assistant(content: object, options: Options) -> list[Json]:
    """One message, or none where only thinking would be left of it."""
    if isinstance(content, str):
        return [{"role": "assistant", "content": content}]
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Json] = []
    for block in _blocks(content, "assistant"):
        kind = block.get("type")
        if kind == "text":
            texts += [part["text"] for part in _parts(block, options)]
        elif kind == "tool_use":
            calls.append(_call(block, options))
        elif kind == "thinking":
            thoughts += _thought(block)
        elif kind != "redacted_thinking":
            raise Uncarried(str(kind)[:60], _NO_PLACE)
    if not texts and not calls:
        return []
    message: Json = {"role": "assistant", "content": BETWEEN_TEXTS.join(texts) if texts else None}
    if thoughts and options.return_reasoning:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return [message]


def _thought(block: Json) -> list[str]:
    """Thinking that no other provider signed."""
    text = block.get("thinking")
    return [text] if isinstance(text, str) and text and not block.get("signature") else []


def _call(block: Json, options: Options) -> Json:
    name, given = block.get("name"), block.get("input")
    if not isinstance(name, str):
        raise _malformed("tool_use: needs a name")
    arguments = msgspec.json.encode({} if given is None else given).decode()
    return {
        "id": chat_id(block.get("id"), options),
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def chat_id(told: object, options: Options) -> str:
    """The id of a tool call as the service takes it: the same one for the call and its result."""
    if not isinstance(told, str):
        raise _malformed("tool_use: needs an id")
    length = options.tool_id_chars
    if length is None or (len(told) == length and told.isalnum() and told.isascii()):
        return told
    return blake2b(told.encode("utf-8", "replace"), digest_size=32).hexdigest()[:length]
