"""Requests of the ledger as a table, or each as a line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.cli.moments import clock_time
from maxpool.cli.options import terminal_width
from maxpool.cli.tables import Table
from maxpool.cli.usage_view import count, usd

if TYPE_CHECKING:
    from collections.abc import Mapping

    Document = Mapping[str, Any]

HEAD = ("ENDED", "MODEL", "ACCOUNT", "STATUS", "TOOK", "IN", "OUT", "COST")
WIDE_HEAD = (*HEAD, "CLIENT", "ID", "NOTES")
WIDE = 116
LEAST_NAME, WIDE_NAME = 14, 34
NARROW_REST = 66
"""Columns that the others take beside the model in a narrow table."""


def listed(found: Document, width: int | None = None) -> list[str | Table]:
    """The requests under a sentence; wide terminals and pipes get clients, ids and notes, too."""
    told = found["requests"]
    if not told:
        return ["No such request is known."]
    width = terminal_width() if width is None else width
    wide = width is None or width >= WIDE
    name = WIDE_NAME if wide or width is None else max(width - NARROW_REST, LEAST_NAME)
    rows = tuple(_row(one, found["now"], name, wide=wide) for one in told)
    head = WIDE_HEAD if wide else HEAD
    more = "" if found["before"] is None else ", the latest"
    table = Table(head=head, rows=rows, numbers=frozenset({4, 5, 6, 7}))
    return [f"{len(told)} request{'' if len(told) == 1 else 's'}{more}.", "", table]


def line(one: Document, now: float) -> str:
    """One request in a line, its columns as wide as those of the next one."""
    ended, model, account, status, took, read, out, cost, *_rest = _row(one, now, 22, wide=True)
    return (
        f"{ended:<12} {model:<22} {account:<14} {status:<16} {took:>8} {read:>6} {out:>6} {cost:>8}"
    ).rstrip()


def _row(one: Document, now: float, most: int, *, wide: bool) -> tuple[str, ...]:
    read = one["tokens_in"] + one["cache_read"] + one["cache_write_5m"] + one["cache_write_1h"]
    narrow = (
        clock_time(one["at"], now),
        _cut(one["model"] if wide else one["model"].removeprefix("claude-"), most) or "-",
        _cut(one["account_name"] or "-", 20 if wide else 10),
        _status(one) if wide else _status(one).partition(" ")[0],
        took(one["total_ms"]),
        count(read) if read else "-",
        count(one["tokens_out"]) if one["tokens_out"] else "-",
        "?" if one["cost_usd"] is None else usd(one["cost_usd"]),
    )
    if not wide:
        return narrow
    return (*narrow, one["client"] or "-", one["request_id"], _notes(one))


def _status(one: Document) -> str:
    """How it ended: a code, and the class of a failure that the code does not tell."""
    if one["status"] == 0:
        return "gone"
    if one["failed"]:
        return f"{one['status']} {one['outcome'].replace('_', ' ')}"[:16]
    return str(one["status"])


def _notes(one: Document) -> str:
    notes = [one["skipped"]] if one["skipped"] else []
    if one["waited_ms"] >= 1000.0:
        notes.append(f"waited {took(one['waited_ms'])}")
    if one["kind"] != "messages":
        notes.append(one["kind"])
    if one["device"]:
        notes.append(f"on {one['device']}")
    return "; ".join(notes)


def took(ms: float) -> str:
    """`45 ms`, `3.2 s`, `12 min`."""
    if ms < 1000.0:
        return f"{ms:.0f} ms"
    return f"{ms / 1000.0:.1f} s" if ms < 600_000.0 else f"{ms / 60_000.0:.0f} min"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
