"""A whole Messages answer as the stream its client asked for.

For upstreams that answer whole whatever they are asked. One event for each block's content: who
waits for a stream gets it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DELTAS: Final[Mapping[str, tuple[str, str]]] = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
}
"""Block type -> type of its deltas, and the member that holds its content."""

encode: Final = msgspec.json.Encoder().encode


def event(name: str, told: Mapping[str, Any]) -> bytes:
    """One event of a Messages stream."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode({"type": name, **told}))


def as_stream(answer: bytes) -> bytes:
    """All events of a whole answer as `whole` of a reader made it."""
    message = msgspec.json.decode(answer, type=dict[str, Any])
    return b"".join(_events(message))


def _events(message: dict[str, Any]) -> Iterator[bytes]:
    content, usage = message["content"], message.get("usage")
    begun = message | {"content": [], "stop_reason": None, "stop_sequence": None}
    yield event("message_start", {"message": begun})
    for index, block in enumerate(content):
        yield from _block(index, block)
    delta = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    yield event("message_delta", {"delta": delta, "usage": usage})
    yield event("message_stop", {})


def _block(index: int, block: dict[str, Any]) -> Iterator[bytes]:
    begun, delta = dict(block), None
    known = _DELTAS.get(block.get("type", ""))
    if known is not None:
        kind, member = known
        delta = {"type": kind, member: block.get(member, "")}
        begun[member] = ""
    elif block.get("type") == "tool_use":
        delta = {"type": "input_json_delta", "partial_json": encode(block.get("input")).decode()}
        begun["input"] = {}
    yield event("content_block_start", {"index": index, "content_block": begun})
    if delta is not None:
        yield event("content_block_delta", {"index": index, "delta": delta})
    yield event("content_block_stop", {"index": index})
