"""Lines and tables for a terminal (rich) or a pipe (plain text). Decides no words.

Nothing reaches the terminal as it came: names of models and sessions are a client's own choice.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from maxpool.cli.options import terminal_width
from maxpool.config.environment import no_color

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a head (none when it is empty); `numbers` are right-aligned columns.

    `marked` is the row that matters.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    marked: int | None = None


def show(parts: Sequence[str | Table]) -> None:
    """Print lines and tables; the first line is the one that must be read."""
    if not (sys.stdout.isatty() and not no_color()):
        width = terminal_width()
        for part in parts:
            lines = [printable(part)] if isinstance(part, str) else plain(part)
            for line in lines:
                click.echo(line if width is None or isinstance(part, str) else line[:width])
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for index, part in enumerate(parts):
        if isinstance(part, Table):
            console.print(_rich(part))
        else:
            console.print(Text(printable(part), style="bold" if index == 0 else ""))


def plain(table: Table) -> list[str]:
    """A table as aligned lines; the marked row begins with an asterisk."""
    lines = [table.head, *table.rows] if table.head else table.rows
    cells = [[printable(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    found = []
    for number, line in enumerate(cells, -1 if table.head else 0):
        padded = [
            cell.rjust(width) if index in table.numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        mark = "" if table.marked is None else "* " if number == table.marked else "  "
        found.append(f"{mark}{GAP.join(padded)}".rstrip())
    return found


def printable(text: object) -> str:
    """Without control characters."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def _rich(table: Table) -> object:
    from rich.table import Table as RichTable
    from rich.text import Text

    found = RichTable(
        box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=bool(table.head)
    )
    marks = table.marked is not None
    if marks:
        found.add_column("", no_wrap=True)
    columns = table.head or ("",) * len(table.rows[0])
    for index, title in enumerate(columns):
        last = index == len(columns) - 1
        found.add_column(
            title,
            justify="right" if index in table.numbers else "left",
            no_wrap=not last or index in table.numbers,
            overflow="ellipsis" if not last else "fold",
        )
    for number, row in enumerate(table.rows):
        won = number == table.marked
        style = "bold green" if won else ""
        mark = (Text(">" if won else "", style=style),) if marks else ()
        found.add_row(*mark, *(Text(printable(cell), style=style) for cell in row))
    return found
