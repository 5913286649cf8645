"""The fault matrix as the Markdown table that the README shows."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from maxpool.wire.words import duration
from tests.faults.lines import LINES
from tests.faults.scenes import SCENES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.faults.lines import End, Fate, Line
    from tests.faults.scenes import Scene

HEAD = ("what happens at account `a`", "what the client sees", "asked", "what becomes of `a`")


def table(lines: Iterable[Line] = LINES, scenes: Iterable[Scene] = SCENES) -> str:
    """The whole table; lines that end alike and stand together share a row."""
    rows = [HEAD, ("---",) * len(HEAD), *shared(map(row, lines))]
    rows += [(scene.happens, scene.sees, "", scene.fate) for scene in scenes]
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |") for cells in rows)


def shared(rows: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """One row for all neighbours that differ in nothing but what happens."""
    for end, alike in groupby(rows, key=lambda cells: cells[1:]):
        yield ("; ".join(cells[0] for cells in alike), *end)


def row(line: Line) -> tuple[str, ...]:
    """The cells of one line; where the forms differ, both are told."""
    ends = (line.end,) if line.json is None else (line.end, line.json)
    cells = zip(
        *((sees(end, line), " ".join(end.asked), fate(end.fate)) for end in ends), strict=True
    )
    return (line.happens, *(both(*cell) for cell in cells))


def both(stream: str, json: str | None = None) -> str:
    """One cell for streams and for JSON."""
    return stream if json in (None, stream) else f"{stream}; JSON: {json}"


def sees(end: End, line: Line) -> str:
    """What the client sees."""
    kind, _, name = end.sees.partition(" ")
    match kind:
        case "answer":
            return answer(end.asked)
        case "cut":
            return "a broken connection, on which clients ask again"
        case "event" if end.passes:
            return "the same event"
        case "event":
            return f"what was finished, and an `{name}` event"
        case _ if end.passes:
            return "that answer, byte for byte"
        case status:
            return f"{status} `{name}`{line.says and f' {line.says}'}"


def answer(asked: str) -> str:
    """A good answer, and whose."""
    if asked == "a":
        return "the answer"
    if set(asked) == {"a"}:
        return "the answer, from a second try"
    return (
        "the answer, when that is over" if asked.endswith("a") else "the answer, from another one"
    )


def fate(found: Fate) -> str:
    """What becomes of the account."""
    return ", ".join(_parts(found)) or "as before"


def _parts(found: Fate) -> Iterator[str]:
    if found.reason is not None:
        ends = f"until {found.ends}" if found.ends else f"for {duration(found.for_s or 0.0)}"
        yield f"`{found.reason}`{' for this model' if found.model else ''} {ends}"
    if found.failures:
        yield "one failure counted; three in a row pause it"
