r"""The text in `{"input": "..."}` while the JSON is still being written.

A tool that takes free text is, for Claude, a tool with one string field. Its client wants the
text itself, as it grows: `feed` unescapes what is certain so far, and holds back half an escape or
half a surrogate pair. It never raises; what is no such object is told whole at the end.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

FIELD: Final = "input"

_START: Final = re.compile(rf'\s*\{{\s*"{FIELD}"\s*:\s*"')
_SURE: Final = re.compile(
    r'[^"\\]*(?:\\(?:["\\/bfnrt]|u(?![dD][89abAB])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})[^"\\]*)*'
)
_decode_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_JUNK: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


class FreeText:
    """One call's input: `feed` gives the new piece of text, `end` the rest; `text` is all of it."""

    __slots__ = ("_begun", "_json", "_over", "_tail", "text")

    def __init__(self) -> None:
        self._json: list[str] = []
        self._tail = ""
        self._begun = False
        self._over = False
        self.text = ""

    def feed(self, part: str) -> str:
        """The text that the next piece of JSON makes certain; often none."""
        self._json.append(part)
        if self._over:
            return ""
        self._tail += part
        if not self._begun:
            start = _START.match(self._tail)
            if start is None:
                return ""
            self._begun = True
            self._tail = self._tail[start.end() :]
        return self._told(self._unescaped())

    def end(self) -> str:
        """What is still missing now that the JSON is whole."""
        told = _input_in("".join(self._json))
        if not told.startswith(self.text):
            return ""  # the object named its field twice: what was told stays
        return self._told(told[len(self.text) :])

    def _told(self, piece: str) -> str:
        self.text += piece
        return piece

    def _unescaped(self) -> str:
        """The certain part of the tail, which keeps the rest."""
        sure = _SURE.match(self._tail)
        raw = sure[0] if sure is not None else ""
        self._tail = self._tail[len(raw) :]
        self._over = self._tail[:1] == '"'
        try:
            return _decode_text(f'"{raw}"'.encode())
        except _JUNK:
            self._over = True
            return ""


def _input_in(text: str) -> str:
    """The field of the whole object; the JSON itself where it has no such text."""
    try:
        told = _decode_object(text)
    except _JUNK:
        return text
    value = told.get(FIELD)
    return value if isinstance(value, str) else text if told else ""
