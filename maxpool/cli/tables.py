"""Lines and tables for a terminal or a pipe (plain text). Decides no words.

A table fits its terminal: long ids are cut, the last column wraps, columns that matter least are left out,
and where that is not enough each row becomes a paragraph. Nothing reaches the terminal as it came: names of models and
sessions are a client's own choice. Imports only click, because listings are asked for often.
"""

from __future__ import annotations

import sys
import textwrap
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from maxpool.cli.options import terminal_width
from maxpool.config.environment import no_color

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GAP = "  "

LONG: Final = 24
"""Cells from which a cell of a middle column may be cut: ids and addresses are longer, names are not."""

LEAST_LONG: Final = 13
"""Cells that are left of a cut one: enough to tell two ids apart."""

LEAST_LAST: Final = 20
"""Cells below which a wrapped last column can no longer be read."""

LEAST_VALUE: Final = 10
"""The same for a list of names and values, which has nothing else to give."""

INDENT: Final = "  "
_STYLES: Final[dict[str, dict[str, Any]]] = {
    "": {},
    "first": {"bold": True},
    "head": {"dim": True},
    "title": {"bold": True},
    "marked": {"bold": True, "fg": "green"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a head (none when it is empty); `numbers` are right-aligned columns.

    `marked` is the row that matters; `less` are columns that a narrow terminal may do without, the least
    needed first.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    marked: int | None = None
    less: tuple[int, ...] = ()

    def without(self, column: int) -> Table:
        """The same with one column less."""

        def rest(cells: tuple[str, ...]) -> tuple[str, ...]:
            return cells[:column] + cells[column + 1 :]

        def moved(columns: Iterable[int]) -> Iterator[int]:
            return (c - (c > column) for c in columns if c != column)

        return Table(
            head=rest(self.head),
            rows=tuple(map(rest, self.rows)),
            numbers=frozenset(moved(self.numbers)),
            marked=self.marked,
            less=tuple(moved(self.less)),
        )


def show(parts: Sequence[str | Table]) -> None:
    """Print lines and tables; the first line is the one that must be read."""
    width = terminal_width()
    styled = sys.stdout.isatty() and not no_color()
    for index, part in enumerate(parts):
        if isinstance(part, Table):
            found = list(laid_out(part, width))
        else:
            found = [(line, "" if index else "first") for line in wrapped(printable(part), width)]
        for line, style in found:
            click.echo(click.style(line, **_STYLES[style]) if styled and line else line)


def plain(table: Table) -> list[str]:
    """A table as aligned lines; the marked row begins with an asterisk."""
    return [line for line, _ in laid_out(table, None)]


def laid_out(table: Table, width: int | None) -> Iterator[tuple[str, str]]:
    """The lines of a table that fit `width` (None: as wide as they are), each with its style's name."""
    head = tuple(printable(cell) for cell in table.head)
    rows = [tuple(printable(cell) for cell in row) for row in table.rows]
    lines = [head, *rows] if head else rows
    if not lines:
        return
    widths = [max(1, *map(cells, column)) for column in _columns(table)]
    marks = "" if table.marked is None else GAP
    if width is not None and not _fit(widths, width - len(marks), table):
        smaller = table
        for _ in table.less:
            smaller = smaller.without(smaller.less[0])
            if _fit(
                [max(1, *map(cells, c)) for c in _columns(smaller)], width - len(marks), smaller
            ):
                yield from laid_out(smaller, width)
                return
        yield from _paragraphs(table, rows, width)
        return
    for number, line in enumerate(lines, -1 if head else 0):
        style = "head" if number < 0 else "marked" if number == table.marked else ""
        mark = "* " if style == "marked" else marks
        for text in _line(line, widths, table.numbers):
            yield f"{mark}{text}".rstrip(), style
            mark = marks


def wrapped(line: str, width: int | None) -> list[str]:
    """A sentence broken between words; an indented line is a command or a list, and stays whole."""
    if width is None or cells(line) <= width or line.startswith(" "):
        return [line]
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)


def printable(text: object) -> str:
    """Without control characters."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def cells(text: str) -> int:
    """How many cells of a terminal it takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def cut(text: str, width: int) -> str:
    """The text, or its beginning and a sign that it goes on."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def _columns(table: Table) -> Iterator[tuple[str, ...]]:
    lines = [table.head, *table.rows] if table.head else table.rows
    return zip(*(tuple(map(printable, line)) for line in lines), strict=True)


def _fit(widths: list[int], width: int, table: Table) -> bool:
    """Make the columns as narrow as they may be; False when that is still too wide."""
    last = len(widths) - 1

    def over() -> int:
        return sum(widths) + len(GAP) * last - width

    if last not in table.numbers and over() > 0:
        least = LEAST_LAST if table.head else LEAST_VALUE
        widths[last] = max(min(widths[last], least), widths[last] - over())
    for column in sorted(range(last), key=lambda c: -widths[c]):
        if over() > 0 and widths[column] > LONG and column not in table.numbers:
            widths[column] = max(LEAST_LONG, widths[column] - over())
    return over() <= 0


def _line(line: Sequence[str], widths: Sequence[int], numbers: frozenset[int]) -> Iterator[str]:
    """A row as one line, or as several where the last column wraps."""
    last = len(line) - 1
    ends = textwrap.wrap(line[last], widths[last], break_on_hyphens=False)
    if cells(line[last]) <= widths[last] or not ends:
        ends = [line[last]]
    for number, end in enumerate(ends):
        shown = (*(line[:last] if number == 0 else [""] * last), end)
        yield GAP.join(
            _padded(cut(cell, wide), wide, right=column in numbers)
            for column, (cell, wide) in enumerate(zip(shown, widths, strict=True))
        )


def _padded(cell: str, wide: int, *, right: bool) -> str:
    rest = " " * (wide - cells(cell))
    return f"{rest}{cell}" if right else f"{cell}{rest}"


def _paragraphs(
    table: Table, rows: Sequence[Sequence[str]], width: int
) -> Iterator[tuple[str, str]]:
    """Each row under its first cell: what else it holds, by name; what is empty is left out."""
    for number, row in enumerate(rows):
        names = [name.lower() for name in table.head] or [""] * len(row)
        titles = 2 if not names[0] and len(row) > 2 else 1
        marked = number == table.marked
        title = " ".join(cell for cell in row[:titles] if cell)
        yield cut(f"* {title}" if marked else title, width), "marked" if marked else "title"
        parts = [
            f"{name} {cell}".strip()
            for name, cell in zip(names[titles:], row[titles:], strict=True)
            if cell.strip() not in ("", "-")
        ]
        yield from ((line, "") for line in _flow(parts, width))


def _flow(parts: Sequence[str], width: int) -> Iterator[str]:
    """Parts side by side, as many as a line takes; one that is longer goes over several."""
    line = ""
    for part in parts:
        joined = f"{line} · {part}" if line else f"{INDENT}{part}"
        if line and cells(joined) > width:
            yield line
            joined = f"{INDENT}{part}"
        line = joined
        if cells(line) > width:
            indent = len(INDENT) * 2 * " "
            *whole, line = textwrap.wrap(line, width, subsequent_indent=indent)
            yield from whole
    if line:
        yield line
