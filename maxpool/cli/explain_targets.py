"""What a model name stands for, in words: each target with who could serve it now, and who not.

Pure: from the admin API's JSON to lines and a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.cli.tables import Table
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    Document = Mapping[str, Any]

SHOWN = 40
"""Targets in a table; the rest are only counted."""


def targets(found: Document) -> list[str | Table]:
    """The targets of the name that was asked about; nothing where it stands for itself."""
    listed = found.get("targets") or []
    if not listed:
        return []
    now = found["at"]
    rows = tuple(_row(one, now) for one in listed[:SHOWN])
    marked = next((i for i, one in enumerate(listed[:SHOWN]) if one["chosen"]), None)
    table = Table(head=("TARGET", "MODEL", "ACCOUNT", "NOW"), rows=rows, marked=marked)
    rest = len(listed) - SHOWN
    more = [f"... and {rest} more targets."] if rest > 0 else []
    return ["", f"{found['route']} stands for:", table, *more]


def _row(one: Document, now: float) -> tuple[str, ...]:
    label = f"{'otherwise ' if one['level'] else ''}{one['target']}"
    return (label, one["model"], one["account"] or "nobody", _now(one, now))


def _now(one: Document, now: float) -> str:
    if one["account"] is None:
        return "stale: no account offers it"
    if one["reason"] is None:
        return "chosen" if one["chosen"] else "could serve"
    words = str(one["reason"]).replace("_", " ")
    return words if one["until"] is None else f"{words}, for {duration(one['until'] - now)}"
