"""Server-sent events, read along as they pass: incremental, bounded, splits anywhere.

An observer only: the bytes that go to the client are the bytes that came, this scanner just tells
which events were among them. It never raises and never holds more than one event.

Grammar: html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

MAX_EVENT_BYTES: Final = 1024 * 1024  # the largest real events are tool results of some 100 KB

_BOM: Final = b"\xef\xbb\xbf"
_COLON: Final = ord(":")
_COLON_OR_NEWLINE: Final = b":\n"
_NAMES: Final = MappingProxyType(
    {
        name.encode(): name
        for name in (
            "content_block_delta",
            "content_block_start",
            "content_block_stop",
            "message_start",
            "message_delta",
            "message_stop",
            "ping",
            "error",
        )
    }
)


class Event(NamedTuple):
    """One dispatched event; a tuple because it is made for every delta of every stream."""

    name: str
    data: bytes


class Scanner:
    """Feed it chunks, it returns the events they complete.

    `overflowed` tells that an event beyond `max_event_bytes` was left out of the observation.
    """

    __slots__ = ("_at_start", "_buffer", "_dropping", "_max", "_tail_cr", "overflowed")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._max = max_event_bytes
        self._at_start = True
        self._tail_cr = False
        self._dropping = False
        self.overflowed = False

    @property
    def pending(self) -> bool:
        """Whether the stream stands inside an event (comments and blank lines are none)."""
        if self._dropping:
            return True
        if not self._buffer or self._at_start:
            return bool(self._buffer)
        if self._buffer[0] not in _COLON_OR_NEWLINE:
            return True
        return any(line and line[0] != _COLON for line in self._buffer.split(b"\n"))

    def feed(self, chunk: bytes) -> list[Event]:
        """Take in the next bytes, return the events now complete, in order."""
        if not chunk:
            return []
        if self._tail_cr or b"\r" in chunk:
            chunk = self._newlines(chunk)
        if self._at_start:
            chunk = self._without_bom(chunk)
        buffer = self._buffer
        if not buffer and chunk[-2:] == b"\n\n":
            return self._dispatch(chunk[:-2])  # whole events: what servers nearly always send
        seam = max(len(buffer) - 1, 0)
        buffer += chunk
        end = buffer.rfind(b"\n\n", seam)
        if end < 0:
            self._bound()
            return []
        whole = bytes(buffer[:end])
        del buffer[: end + 2]
        if buffer[:1] == b"\n":
            del buffer[: len(buffer) - len(buffer.lstrip(b"\n"))]
        events = self._dispatch(whole)
        self._bound()
        return events

    def _newlines(self, chunk: bytes) -> bytes:
        r"""`\r\n` and `\r` as `\n`; a `\r` at the very end may be half of a `\r\n`."""
        if self._tail_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
        self._tail_cr = chunk[-1:] == b"\r"
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, chunk: bytes) -> bytes:
        """Drop one byte order mark at the start of the stream, however it is split."""
        start = bytes(self._buffer) + chunk
        self._buffer.clear()
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._buffer += start
            return b""
        self._at_start = False
        return start.removeprefix(_BOM)

    def _bound(self) -> None:
        if len(self._buffer) > self._max:
            self._dropping = self.overflowed = True
        if self._dropping:
            del self._buffer[:-1]  # the last byte may be half of the blank line

    def _dispatch(self, whole: bytes) -> list[Event]:
        events: list[Event] = []
        for block in whole.split(b"\n\n"):
            if self._dropping:
                self._dropping = False
            elif len(block) > self._max:
                self.overflowed = True
            else:
                event = _parse(block)
                if event is not None:
                    events.append(event)
        return events


def _parse(block: bytes) -> Event | None:
    """One event's lines; None when it has no data (a comment, a bare name)."""
    if block[:7] == b"event: ":
        end = block.find(b"\n")
        if end > 7 and block[end : end + 7] == b"\ndata: " and block.find(b"\n", end + 7) < 0:
            raw = block[7:end]
            return Event(_NAMES.get(raw) or raw.decode("utf-8", "replace"), block[end + 7 :])
    return _parse_lines(block)


def _parse_lines(block: bytes) -> Event | None:
    name, data = b"", None
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data = value if data is None else data + b"\n" + value
        elif field == b"event":
            name = value
    if data is None:
        return None
    return Event(name.decode("utf-8", "replace") or "message", data)
