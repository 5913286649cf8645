"""Edits of the config file's text: entries of a list, keys of a section. Text in, text out.

Comments, order and spelling of everything else stay as they are: an edit touches only the lines of
the entry or section it is about, and every result is read again and compared with what was meant.
It neither reads files nor checks settings. Lines end with a plain newline here.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from maxpool.config.locate import headers
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from maxpool.config.locate import Path

WORDS = {"accounts": "account", "client_keys": "client key"}
"""Sections that are lists of named entries, and what one of them is called."""


def names(text: str, section: str) -> list[str]:
    """The names of a list's entries, in file order."""
    return [str(entry.get("name")) for entry in _entries(_read(text), section)]


def find_entry(text: str, section: str, name: str) -> dict[str, Any]:
    """An entry as it is written; raises MaxpoolError, naming the nearest, when there is none."""
    data = _read(text)
    found: dict[str, Any] = _entries(data, section)[_position(data, section, name)]
    return found


def add_entry(text: str, section: str, values: Mapping[str, object]) -> str:
    """With one more entry, at the end of the file; values that are None are left out."""
    data, entry = _read(text), _plain_table(values)
    if "name" in entry and entry["name"] in [one.get("name") for one in _entries(data, section)]:
        what = WORDS[section]
        raise MaxpoolError(
            f"there is a {what} called {entry['name']!r} already", "Take another name"
        )
    wanted = deepcopy(data)
    wanted[section] = [*_entries(data, section), entry]
    if section in data and not _has_header(text, section):
        return _checked(_in_place(text, lambda doc: doc[section].append(_item(entry))), wanted)
    lines = [f"[[{section}]]", *_lines(entry)]
    return _checked(_appended(text, lines), wanted)


def set_entry(text: str, section: str, name: str, values: Mapping[str, object]) -> str:
    """With other values for keys of the entry called `name`; None removes a key."""
    data = _read(text)
    index = _position(data, section, name)
    wanted = deepcopy(data)
    _apply(wanted[section][index], values)
    if not _has_header(text, section):
        return _checked(_in_place(text, lambda doc: _apply(doc[section][index], values)), wanted)
    return _checked(_in_block(text, (section, index), values), wanted)


def remove_entry(text: str, section: str, name: str) -> str:
    """Without the entry called `name` and the comment right above it."""
    data = _read(text)
    index = _position(data, section, name)
    wanted = deepcopy(data)
    del wanted[section][index]
    if not wanted[section]:
        del wanted[section]
    if not _has_header(text, section):
        return _checked(_in_place(text, lambda doc: _drop(doc, section, index)), wanted)
    lines = text.split("\n")
    gone = {  # found before any goes: a comment above its table stands in the lines of the one before
        number
        for block in _blocks(text)
        if block.path[:2] == (section, index)
        for number in range(block.start - _comment_above(lines, block.start), _end(lines, block))
    }
    kept = [line for number, line in enumerate(lines) if number not in gone]
    return _checked(_without_double_gaps("\n".join(kept), text), wanted)


def set_value(text: str, section: str | tuple[str, ...], key: str, value: object) -> str:
    """With another value for a key of `[section]`, None to remove it; "" is the top of the file.

    A section is written with dots, or as its steps, which may hold dots of their own.
    """
    data = _read(text)
    steps = tuple(filter(None, section.split("."))) if isinstance(section, str) else section
    wanted, path = deepcopy(data), steps
    table = wanted
    for part in path:
        table = table.setdefault(part, {})
    _apply(table, {key: value})
    if not path or _has_header(text, *path):
        return _checked(_in_block(text, path, {key: value}), wanted)
    if _within(data, path) is not None:  # written as an inline table or with dotted keys
        after = _in_place(text, lambda doc: _apply(_within(doc, path), {key: value}))
        if not table and _within(_read(after), path) is None:  # only its last key's header made it
            del _within(wanted, path[:-1])[path[-1]]
        return _checked(after, wanted)
    if value is None:
        return text
    lines = [f"[{tomlkit.key(list(path)).as_string()}]", *_lines({key: _plain(value)})]
    return _checked(_appended(text, lines), wanted)


# -- blocks of lines -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """A header and the lines up to the next one; `start` and `stop` count lines from 0."""

    path: Path
    start: int
    stop: int


def _blocks(text: str) -> list[_Block]:
    """The top of the file (whose `start` is -1) and every table, in file order."""
    found = headers(text)
    starts = [(path, line - 1) for path, line in found]
    stops = [start for _, start in starts] + [text.count("\n") + 1]
    return [
        _Block(path, start, stop)
        for (path, start), stop in zip([((), -1), *starts], stops, strict=True)
    ]


def _end(lines: list[str], block: _Block) -> int:
    """Where a block's own lines end: blank lines and comments before the next header are the next's.

    Comments right below the last key still belong to it when a blank line follows them.
    """
    end = block.stop
    while end > block.start + 1 and _is_gap(lines[end - 1]):
        end -= 1
    below = end
    while below < block.stop and lines[below].strip():
        below += 1
    return below if below < block.stop else end


def _comment_above(lines: list[str], start: int) -> int:
    """How many comment lines stand right above a header; those that open the file belong to the file."""
    above = start
    while above > 0 and lines[above - 1].lstrip().startswith("#"):
        above -= 1
    return start - above if above > 0 else 0


def _is_gap(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _in_block(text: str, path: Path, values: Mapping[str, object]) -> str:
    """Set keys in the lines of one table; a table of its own below it that is set anew goes."""
    lines = text.split("\n")
    gone = [b for b in _blocks(text) if b.path[:-1] == path and b.path and b.path[-1] in values]
    for block in reversed(gone):
        del lines[block.start : _end(lines, block)]
    text = "\n".join(lines)
    block = next(b for b in _blocks(text) if b.path == path)
    end = _end(lines, block)
    own = "\n".join(lines[block.start + 1 : end])
    try:
        table = tomlkit.parse(own)
        _apply(table, values)
        fresh = tomlkit.dumps(table)
    except (TOMLKitError, TypeError, KeyError) as error:
        raise _unusual() from error
    lines[block.start + 1 : end] = fresh.removesuffix("\n").split("\n") if fresh.strip() else []
    return "\n".join(lines)


def _appended(text: str, lines: list[str]) -> str:
    before = text.rstrip()
    return "\n".join([*([before, ""] if before else []), *lines, ""])


def _lines(values: Mapping[str, object]) -> list[str]:
    return [f"{tomlkit.key(key).as_string()} = {_item(v).as_string()}" for key, v in values.items()]


def _without_double_gaps(text: str, before: str) -> str:
    """What a removed entry leaves behind is one gap, not two, and no gap at the end."""
    if "\n\n\n" not in before:
        while "\n\n\n" in text:
            text = text.replace("\n\n\n", "\n\n")
    return f"{text.rstrip()}\n" if text.strip() else ""


# -- the whole document, for lists and sections that are written in one value ---------------------


def _in_place(text: str, change: Any) -> str:  # noqa: ANN401 - a function over tomlkit's containers
    try:
        document = tomlkit.parse(text)
        if tomlkit.dumps(document) != text:
            raise _unusual()
        change(document)
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, KeyError, AttributeError) as error:
        raise _unusual() from error


def _drop(document: Any, section: str, index: int) -> None:  # noqa: ANN401
    del document[section][index]
    if not document[section]:
        del document[section]


# -- values ----------------------------------------------------------------------------------------


def _apply(table: Any, values: Mapping[str, object]) -> None:  # noqa: ANN401 - a dict or tomlkit's
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = _plain(value) if type(table) is dict else _item(_plain(value))


def _item(value: object) -> Any:  # noqa: ANN401 - tomlkit's items
    """A value as TOML; a table becomes an inline one, spaced as the example file is."""
    if not isinstance(value, dict):
        return tomlkit.item(value)
    return tomlkit.value(f"{{ {', '.join(_lines(value))} }}" if value else "{}")


def _plain_table(values: Mapping[str, object]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: object) -> Any:  # noqa: ANN401
    """A value as tomllib would read it back."""
    if isinstance(value, Mapping):
        return _plain_table(value)
    if isinstance(value, tuple | list | set | frozenset):
        return [
            _plain(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)
        ]
    return str(value) if isinstance(value, PurePath) else value


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MaxpoolError(
            "the config file is not valid TOML, so nothing was changed", "See: maxpool config check"
        ) from error


def _entries(data: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    found = data.get(section, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise MaxpoolError(f"{section} is no list of entries", "See: maxpool config check")
    return found


def _position(data: Mapping[str, Any], section: str, name: str) -> int:
    known = [str(entry.get("name")) for entry in _entries(data, section)]
    if name in known:
        return known.index(name)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known) or 'none'}"
    raise MaxpoolError(f"the config has no {WORDS[section]} called {name!r}", hint)


def _has_header(text: str, *path: str) -> bool:
    """Whether a section stands under a header of its own (or, for a list, under several)."""
    return any(found in (path, (*path, 0)) for found, _ in headers(text))


def _within(data: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    """The new text, if it says exactly what was meant."""
    try:
        if tomllib.loads(text) == wanted:
            return text
    except ValueError:
        pass
    raise _unusual()


def _unusual() -> MaxpoolError:
    return MaxpoolError(
        "the config file is written in a way that this command cannot edit",
        "Edit it yourself; a running server follows",
    )
