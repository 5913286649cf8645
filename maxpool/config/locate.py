"""On which line of a TOML text each key stands, for messages that point at it.

Only for text that `tomllib` has already accepted: this scanner follows the grammar (toml.io v1.0)
as far as finding keys needs and trusts it for the rest. It never interprets values.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_LONG_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''.*?'{3,5}", re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}#]+(?: \d[^\s,\]}#]*)?")  # the second half: a date and its time
_GAP = re.compile(r"(?:\s|#[^\n]*)*")
_DOT = re.compile(r"[ \t]*\.[ \t]*")


def line_numbers(text: str) -> dict[Path, int]:
    """Line (from 1) of every key path, list items by index: `("accounts", 0, "name") -> 7`."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def headers(text: str) -> list[tuple[Path, int]]:
    """Every `[table]` and `[[entry]]` in file order: its path and the line (from 1) of its header."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.headers


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of `path`, or of its nearest parent that stands in the file; 0 when none does."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 0


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.headers: list[tuple[Path, int]] = []
        self._counts: dict[Path, int] = {}  # items so far of each [[array of tables]]

    def document(self) -> None:
        table: Path = ()
        self._skip(_GAP)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                line = self._line()
                table = self._header()
                self.headers.append((table, line))
            else:
                self._pair(table)
            self._skip(_GAP)

    def _header(self) -> Path:
        array = self.text.startswith("[[", self.at)
        line = self._line()
        self.at += 2 if array else 1
        keys = self._keys()
        self.at += 2 if array else 1
        path: Path = ()
        for key in keys[:-1]:
            self.lines.setdefault((*path, key), line)
            path = self._inside((*path, key))
        path = (*path, keys[-1])
        if not array:
            path = self._inside(path)
        else:
            self.lines.setdefault(path, line)
            self._counts[path] = self._counts.get(path, -1) + 1
            path = (*path, self._counts[path])
        self.lines.setdefault(path, line)
        return path

    def _inside(self, path: Path) -> Path:
        """A header that passes through an array of tables means its latest item."""
        return (*path, self._counts[path]) if path in self._counts else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at = self.text.index("=", self.at) + 1
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_GAP)
            keys.append(self._key())
            dot = _DOT.match(self.text, self.at)
            if dot is None:
                self._skip(re.compile(r"[ \t]*"))
                return keys
            self.at = dot.end()

    def _key(self) -> str:
        for pattern in (_BARE, _BASIC, _LITERAL):
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return match[0] if pattern is _BARE else match[0][1:-1]
        raise ValueError(f"no key at offset {self.at}")

    def _value(self, path: Path) -> None:
        self._skip(_GAP)
        opening = self.text[self.at]
        if opening == "[":
            self._items(path)
        elif opening == "{":
            self._inline(path)
        else:
            self._scalar()

    def _scalar(self) -> None:
        for pattern in (_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL, _SCALAR):
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return
        raise ValueError(f"no value at offset {self.at}")

    def _items(self, path: Path) -> None:
        self.at += 1
        index = 0
        while not self._closes("]"):
            self.lines[(*path, index)] = self._line()
            self._value((*path, index))
            index += 1

    def _inline(self, path: Path) -> None:
        self.at += 1
        while not self._closes("}"):
            self._pair(path)

    def _closes(self, bracket: str) -> bool:
        self._skip(_GAP)
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip(_GAP)
        if not self.text.startswith(bracket, self.at):
            return False
        self.at += 1
        return True

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match is not None else self.at

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
