"""The events of a Responses stream as bytes: numbered from 0, named twice, as the API does.

Knows their form, not their order. Deltas, of which there are thousands, are put together from
pieces that were encoded once.

Source: platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_encode: Final = msgspec.json.encode


class Events:
    """What is to be sent, and the number of the next event."""

    __slots__ = ("_next", "_out")

    def __init__(self) -> None:
        self._next = 0
        self._out: list[bytes] = []

    def put(self, kind: str, fields: Mapping[str, Any]) -> None:
        """One event."""
        data = _encode({"type": kind, "sequence_number": self._next, **fields})
        self._next += 1
        self._out += (b"event: ", kind.encode(), b"\ndata: ", data, b"\n\n")

    def delta(self, head: bytes, text: str) -> None:
        """One event that adds a text; `head` is `delta_head` of its kind."""
        number = b',"sequence_number":%d}\n\n' % self._next
        self._next += 1
        self._out += (head, _encode(text), number)

    def taken(self) -> bytes:
        """All that was put since the last time."""
        data = b"".join(self._out)
        self._out.clear()
        return data


def delta_head(kind: str, fields: Mapping[str, Any]) -> bytes:
    """The part of a delta event ahead of its text, alike for all of one item."""
    told = _encode({"type": kind, **fields})
    return b"event: %b\ndata: %b" % (kind.encode(), told[:-1]) + b',"delta":'
