"""The gates of `maxpool doctor` as a table, as a brief for a coding agent, and as JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.cli.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maxpool.service.gates import Gate


def table(gates: Sequence[Gate], summary: str) -> list[str | Table]:
    """Every gate under the summary, and below what to do where one does not pass."""
    from maxpool.service.gates import Verdict

    rows = tuple((g.verdict.value, g.about, g.gate, g.said) for g in gates)
    open_ones = [g for g in gates if g.verdict is not Verdict.PASS]
    parts: list[str | Table] = [summary, "", Table(head=("", "ABOUT", "GATE", "SEEN"), rows=rows)]
    if open_ones:
        parts += ["", "What to do:"]
        parts += [f"  {g.about}, {g.gate}: {g.todo}" for g in open_ones if g.todo]
    return parts


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
