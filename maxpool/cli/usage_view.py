"""Sums of the ledger as a table or as comma-separated values. Pure."""

from __future__ import annotations

import csv as csv_module
import io
from typing import TYPE_CHECKING, Any

from maxpool.cli.moments import clock_time
from maxpool.cli.options import terminal_width
from maxpool.cli.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    Document = Mapping[str, Any]

TITLES = {
    "hour": "HOUR",
    "day": "DAY",
    "week": "WEEK FROM",
    "month": "MONTH",
    "model": "MODEL",
    "account": "ACCOUNT",
    "client": "CLIENT KEY",
    "session": "SESSION",
    "device": "DEVICE",
}
NOBODY = {"client": "(no key)", "device": "(this server)", "account": "(none asked)"}
HEAD = ("REQUESTS", "FAILED", "IN", "OUT", "CACHED", "WRITTEN", "HITS", "COST")
NUMBERS_WIDTH = 65
"""Columns that the numbers take beside the first one."""
LEAST_KEY, MOST_KEY = 12, 60
CSV_FIELDS = (
    *("requests", "failed", "tokens_in", "tokens_out", "cache_read", "cache_write"),
    *("unpriced", "cost_usd", "total_ms"),
)


def listed(found: Document, width: int | None = None) -> list[str | Table]:
    """The sums under a sentence; fitted to a terminal of `width`."""
    by, lines, total = found["by"], found["usage"], found["total"]
    if not lines:
        return ["Nothing was used in this time."]
    width = terminal_width() if width is None else width
    most = MOST_KEY if width is None else max(width - NUMBERS_WIDTH, LEAST_KEY)
    rows = [(_key(line, by, most, found["now"]), *_numbers(line)) for line in lines]
    if len(rows) > 1:
        rows.append(("all", *_numbers(total)))
    table = Table(
        head=(TITLES[by], *HEAD), rows=tuple(rows), numbers=frozenset(range(1, len(HEAD) + 1))
    )
    first = (
        f"{count(total['tokens'])} tokens in {count(total['requests'])} requests, {_cost(total)}"
    )
    return [f"{first}.", "", table]


def csv(found: Document) -> str:
    """The same for a spreadsheet: exact numbers, one line a sum."""
    out = io.StringIO()
    writer = csv_module.writer(out, lineterminator="\n")
    writer.writerow((found["by"], "name", *CSV_FIELDS))
    for line in found["usage"]:
        name = line.get("name") or line.get("session") or ""
        numbers = (line[field] for field in CSV_FIELDS)
        writer.writerow((_harmless(line["key"]), _harmless(name), *numbers))
    return out.getvalue()


def count(number: float) -> str:
    """`980`, `12.3k`, `4.56M`, `1.20G`: at most five characters."""
    for limit, divisor, letter in ((1e3, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if number < limit * 0.99995:
            return _short(number / divisor, letter)
    return _short(number / 1e9, "G")


def usd(number: float) -> str:
    """`$0.0012`, `$3.40`, `$1,234`."""
    if number >= 1000:
        return f"${number:,.0f}"
    return f"${number:.2f}" if number >= 0.1 or number == 0 else f"${number:.4f}"


def _short(number: float, letter: str) -> str:
    if not letter:
        return f"{number:.0f}"
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f}{letter}"


def _numbers(line: Document) -> tuple[str, ...]:
    sent = line["tokens_in"] + line["cache_read"] + line["cache_write"]
    return (
        count(line["requests"]),
        count(line["failed"]) if line["failed"] else "-",
        count(line["tokens_in"]),
        count(line["tokens_out"]),
        count(line["cache_read"]),
        count(line["cache_write"]),
        f"{line['cache_read'] / sent:.0%}" if sent else "-",
        _cost(line),
    )


def _cost(line: Document) -> str:
    return f"{usd(line['cost_usd'])}{'+' if line['unpriced'] else ''}"


def _key(line: Document, by: str, most: int, now: float) -> str:
    shown = str(line.get("name") or line.get("session") or line["key"] or NOBODY.get(by, "?"))
    if by == "session" and "last_at" in line:
        when = clock_time(line["last_at"], now)
        return f"{shown[: max(most - len(when) - 1, 8)]} {when}"
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: names of models are a client's own choice."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
