"""Taking named events out of an event stream, every other byte untouched.

For upstreams that put events of their own (settlements, debug data) between those of the answer. An
event is passed on when its blank line has come, so nothing is held for longer than one event; one
that is too long to hold is passed on as it comes.

Grammar: html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from maxpool.wire.sse import MAX_EVENT_BYTES

_LINE_END: Final = rb"(?:\r\n|\n|\r(?!\n))"
_BLANK: Final = re.compile(_LINE_END + _LINE_END)
_LINES: Final = re.compile(_LINE_END)
_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*")
SEAM: Final = 3
"""Bytes that may be the beginning of the blank line that ends an event: all but one of CR LF CR LF."""
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Named(msgspec.Struct):
    type: str = ""


_decode: Final = msgspec.json.Decoder(_Named).decode


class EventFilter:
    """Feed it chunks, it returns the bytes that go on; `end` returns what was still held."""

    __slots__ = ("_held", "_max", "_names", "_overlong")

    def __init__(self, names: frozenset[str], max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._names = frozenset(name.encode() for name in names)
        self._max = max_event_bytes
        self._held = b""
        self._overlong: bool | None = None  # inside an event too long to hold: whether it goes on

    def feed(self, chunk: bytes) -> bytes:
        """Take in the next bytes, return those that are decided on."""
        data, looked_at = self._held + chunk, len(self._held) - SEAM
        found: list[bytes] = []
        at = 0
        while (end := self._event_end(data, at, looked_at)) is not None:
            found.append(self._passed(data[at:end]))
            self._overlong = None
            at = end
        rest = data[at:]
        if self._overlong is None and len(rest) > self._max:
            self._overlong = not self._named(rest)
        if self._overlong is not None:
            found.append(rest[:-SEAM] if self._overlong else b"")
            rest = rest[-SEAM:]
        self._held = rest
        return b"".join(found)

    def end(self) -> bytes:
        """The stream is over: what is left of it, unless it is one of the named events."""
        rest, self._held = self._held, b""
        return self._passed(rest)

    def _passed(self, event: bytes) -> bytes:
        """What goes on of one event, or of the rest of an overlong one."""
        if self._overlong is not None:
            return event if self._overlong else b""
        return event[: _begin(event, 0)] if self._named(event) else event

    def _event_end(self, data: bytes, at: int, looked_at: int) -> int | None:
        """Where the event that begins at `at` ends; None while its blank line has not come whole.

        Up to `looked_at` there was none the last time.
        """
        begin = at if self._overlong is not None else _begin(data, at)
        blank = _BLANK.search(data, max(begin, looked_at))
        if blank is None or (blank.end() == len(data) and data[-1:] == b"\r"):
            return None  # a line feed may follow that belongs to it
        return blank.end()

    def _named(self, event: bytes) -> bool:
        name, body = b"", []
        for line in _LINES.split(event.removeprefix(b"\xef\xbb\xbf")):
            field, _, value = line.partition(b":")
            if field == b"event":
                name = value.removeprefix(b" ")
            elif field == b"data":
                body.append(value.removeprefix(b" "))
        if name:
            return name in self._names
        return bool(body) and _type_in(b"\n".join(body)) in self._names


def _begin(data: bytes, at: int) -> int:
    """Where the event at `at` begins, behind a byte order mark and blank lines, which are nobody's."""
    start = _START.match(data, at)
    return start.end() if start is not None else at


def _type_in(data: bytes) -> bytes:
    """The `type` that the data of an unnamed event gives it."""
    try:
        return _decode(data).type.encode()
    except _JUNK:
        return b""
