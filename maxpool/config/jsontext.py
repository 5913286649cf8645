"""One key of a JSON object's text is set or removed; every other character stays as it was.

For files of other programs that people edit by hand. Standard JSON only (RFC 8259): a text with
comments is refused, because what a comment belongs to nobody knows.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_LINE_START: Final = re.compile(r"\n([ \t]+)\S")
USUAL_INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a member stands: its key's first character, its value's first and the one after it."""

    key: str
    start: int
    value_start: int
    end: int


def parsed(text: str) -> dict[str, Any]:
    """The object; raises ValueError (with line and column) for anything that is none."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("it holds no JSON object")  # noqa: TRY004 - one error for a wrong text
    return data


def with_key(text: str, key: str, value: object) -> str:
    """The text with that key set, in its place where it is there, else as the last one."""
    parsed(text)
    members = _members(text)
    indent, newline = _layout(text, members)
    shown = json.dumps(value, indent=indent or None, ensure_ascii=False)
    shown = shown.replace("\n", newline + indent if newline else "")
    held = [m for m in members if m.key == key]
    if held:  # of several, the last one is what its program reads
        return text[: held[-1].value_start] + shown + text[held[-1].end :]
    member = f"{json.dumps(key)}: {shown}"
    if members:
        at = members[-1].end
        gap = f"{newline}{indent}" if newline else " "
        return f"{text[:at]},{gap}{member}{text[at:]}"
    opening, closing = text.index("{") + 1, text.rindex("}")
    return f"{text[:opening]}\n{USUAL_INDENT}{member}\n{text[closing:]}"


def without_key(text: str, key: str) -> str:
    """The text without that key, wherever it stands."""
    parsed(text)
    while True:
        members = _members(text)
        found = next((i for i, m in enumerate(members) if m.key == key), None)
        if found is None:
            return text
        if found > 0:
            text = text[: members[found - 1].end] + text[members[found].end :]
        elif len(members) > 1:
            text = text[: members[0].start] + text[members[1].start :]
        else:
            text = f"{text[: text.index('{') + 1]}{text[text.rindex('}') :]}"


def _members(text: str) -> list[_Member]:
    """The members of the outermost object of a text that is known to be right."""
    decoder = json.JSONDecoder()
    found: list[_Member] = []
    at = _after_space(text, text.index("{") + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        key, end = decoder.raw_decode(text, at)
        value_start = _after_space(text, _after_space(text, end) + 1)
        _, value_end = decoder.raw_decode(text, value_start)
        found.append(_Member(key, at, value_start, value_end))
        at = _after_space(text, value_end)
    return found


def _layout(text: str, members: list[_Member]) -> tuple[str, str]:
    """The indent of the members and the end of a line; both empty where all stands on one line."""
    if not members:
        return USUAL_INDENT, "\n"
    before = text[: members[0].start]
    indent = _LINE_START.search(f"{before}x") if "\n" in before else None
    if indent is None:
        return "", ""
    return indent[1], "\r\n" if "\r\n" in before else "\n"


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at
