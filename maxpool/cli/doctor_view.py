"""The gates of `maxpool doctor` as a table, as a brief for a coding agent, and as JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.cli.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maxpool.service.gates import Gate

MARGIN = 2


def table(gates: Sequence[Gate], summary: str, width: int | None = None) -> list[str | Table]:
    """Every gate under the summary, and below what to do where one does not pass."""
    from maxpool.service.gates import Verdict

    rows = tuple((g.verdict.value, g.about, g.gate, g.said) for g in gates)
    open_ones = [g for g in gates if g.verdict is not Verdict.PASS]
    parts: list[str | Table] = [summary, "", Table(head=("", "ABOUT", "GATE", "SEEN"), rows=rows)]
    if open_ones:
        parts += ["", "What to do:"]
        parts += [f"  {g.about}, {g.gate}: {g.todo}" for g in open_ones if g.todo]
    return _fitting(parts, width)


def brief(gates: Sequence[Gate], summary: str) -> list[str]:
    """One line per gate that does not pass, then the summary."""
    from maxpool.service.gates import Verdict

    lines = [
        f"{g.verdict.value} {g.about}: {g.gate}: {g.said}{f' -> {g.todo}' if g.todo else ''}"
        for g in gates
        if g.verdict is not Verdict.PASS
    ]
    return [*lines, summary]


def as_json(gates: Sequence[Gate], summary: str) -> dict[str, Any]:
    """The same for programs."""
    from maxpool.service.gates import worst

    return {
        "verdict": worst(gates).value,
        "summary": summary,
        "gates": [
            {
                "about": g.about,
                "gate": g.gate,
                "verdict": g.verdict.value,
                "said": g.said,
                "todo": g.todo or None,
            }
            for g in gates
        ],
    }


def _fitting(parts: list[str | Table], width: int | None) -> list[str | Table]:
    """With the last column cut to the terminal: it may hold long paths and sentences."""
    if width is None:
        return parts
    found: list[str | Table] = []
    for part in parts:
        if isinstance(part, Table):
            before = [max(map(len, column)) for column in zip(part.head, *part.rows, strict=True)]
            room = max(width - sum(before[:-1]) - MARGIN * len(before), 20)
            rows = tuple((*row[:-1], _cut(row[-1], room)) for row in part.rows)
            found.append(Table(head=part.head, rows=rows, numbers=part.numbers))
        else:
            found.append(part)
    return found


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3]}..."
