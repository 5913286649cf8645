"""Showing the model that the client asked for, where its account was asked for another one.

The one edit that an answer in the client's own format ever gets: the value of `model`, in a whole
answer, in `message_start`, or in each chunk of Chat. Every other byte stays. Finds the member by
reading the JSON's own structure: what an answer says in its texts and tool calls is never touched.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from maxpool.wire.strip import EventFilter

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_VALUE: Final = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*+")?', re.DOTALL)
_START: Final = b"message_start"


def with_shown(text: bytes, model: str, inside: bytes = b"") -> bytes:
    """A JSON object (what stands before it is skipped) with another top-level `model`, where it has one.

    `inside`: the member, itself an object, that has the model instead.
    """
    found = _place(text, b'"%b"' % inside if inside else b"")
    if found is None:
        return text
    begin, end = found
    return b"%b%b%b" % (text[:begin], msgspec.json.encode(model), text[end:])


class Echo(EventFilter):
    """The same for a stream: feed it chunks, it returns the bytes that go on."""

    __slots__ = ("_each", "_model", "_over", "_seen")

    def __init__(self, model: str, *, each: bool = False) -> None:
        """`each`: every event names the model (Chat), not only the first one (Messages)."""
        super().__init__(frozenset())
        self._model = model
        self._each = each
        self._seen = self._over = False

    def feed(self, chunk: bytes) -> bytes:
        """Take in the next bytes, return those that are decided on."""
        if self._over:
            return chunk
        found = super().feed(chunk)
        if self._seen:  # nothing more to edit: from now on all goes on as it comes
            self._over = True
            found, self._held = found + self._held, b""
        return found

    def end(self) -> bytes:
        """The stream is over: what is left of it."""
        return b"" if self._over else super().end()

    def _passed(self, event: bytes) -> bytes:
        passed = super()._passed(event)
        if self._overlong is not None:
            return passed
        if self._each:
            return with_shown(passed, self._model)
        if self._seen or _START not in passed:
            return passed
        self._seen = True
        return with_shown(passed, self._model, b"message")


def _place(text: bytes, inside: bytes) -> tuple[int, int] | None:
    """Where the value stands; None where there is none that is a string."""
    depth, member = 0, b""
    for token in _TOKEN.finditer(text):
        said = token[0]
        if said in (b"{", b"["):
            depth += 1
        elif said in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return None
        elif depth == 1 or (depth == 2 and member == inside):
            value = _VALUE.match(text, token.end())
            if value is None:
                continue  # no name of a member
            if said == b'"model"' and depth == (2 if inside else 1):
                return value.span(1) if value[1] is not None else None
            if depth == 1:
                member = said
    return None
