"""Messages answers for the tests of translators: whole, and as Anthropic streams them."""

from __future__ import annotations

import json
from typing import Any

USAGE = {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 30}
TEXT = {"type": "text", "text": "Hello, wörld"}
THINKING = {"type": "thinking", "thinking": "let me see", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "cmVk"}

_DELTAS = {
    "text": ("text", "text_delta"),
    "thinking": ("thinking", "thinking_delta"),
    "signature": ("signature", "signature_delta"),
    "input": ("partial_json", "input_json_delta"),
}


def call(name: str = "f", number: int = 1, /, **given: Any) -> dict[str, Any]:
    """A call of a tool."""
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def whole(*blocks: dict[str, Any], stop: str = "end_turn", **more: Any) -> bytes:
    """An answer in one piece."""
    told = {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5-5"}
    usage = USAGE | {"output_tokens": 7}
    said = {"content": list(blocks), "stop_reason": stop, "usage": usage}
    return json.dumps(told | said | more).encode()


def event(name: str, **data: Any) -> bytes:
    """One event."""
    return f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n".encode()


def begun() -> bytes:
    """The events ahead of the first block."""
    start = {"id": "msg_01", "usage": USAGE | {"output_tokens": 1}, "content": []}
    return event("message_start", message=start)


def streamed(
    *blocks: dict[str, Any], stop: str = "end_turn", piece: int = 4, **delta: Any
) -> bytes:
    """The same answer as a stream, `piece` characters at a time."""
    parts = [begun(), event("ping")]
    for index, block in enumerate(blocks):
        parts += _block(index, block, piece)
    told = {"stop_reason": stop, "stop_sequence": None} | delta
    usage = {"output_tokens": 7, "input_tokens": None}
    return b"".join(
        [*parts, event("message_delta", delta=told, usage=usage), event("message_stop")]
    )


def _block(index: int, block: dict[str, Any], piece: int) -> list[bytes]:
    opened, deltas = dict(block), []
    for member, (name, kind) in _DELTAS.items():
        if member not in block or block["type"] == "redacted_thinking":
            continue
        value = block[member]
        text = value if isinstance(value, str) else json.dumps(value)
        opened[member] = "" if isinstance(value, str) else {}
        step = piece if member != "signature" else len(text) or 1
        deltas += [{"type": kind, name: text[at : at + step]} for at in range(0, len(text), step)]
    for cited in opened.pop("citations", []):
        deltas.append({"type": "citations_delta", "citation": cited})
    start = event("content_block_start", index=index, content_block=opened)
    added = [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return [start, *added, event("content_block_stop", index=index)]
