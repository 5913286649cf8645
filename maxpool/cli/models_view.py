"""Models as tables, from the admin API's JSON. Pure: asks no server, reads no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.cli.tables import Table
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    Document = Mapping[str, Any]

SHOWN_ACCOUNTS = 3
ALL_CLIENTS = ["claude-code", "others"]


def listed(found: Document) -> list[str | Table]:
    """Every model with the accounts that serve it now."""
    models = found["models"]
    if not models:
        return ["No account offers a model now: `maxpool accounts` tells why."]
    served = sum(one["ready"] > 0 for one in models)
    first = f"{len(models)} model{'' if len(models) == 1 else 's'}, {served} can be served now."
    hidden = found["named"] - len(models)
    more = [f"{hidden} more are not shown; each can be asked about by name."] if hidden > 0 else []
    rows = tuple(_row(one, found["now"]) for one in models)
    return [first, *more, "", Table(head=("MODEL", "CLIENTS", "NOW", "ACCOUNTS"), rows=rows)]


def shown(found: Document) -> list[str | Table]:
    """One model: each account that has to do with it."""
    lines = found["accounts"]
    if not lines:
        return [f"No account offers {found['model']}: models and aliases are in the config."]
    said = f"{found['ready']} of {len(lines)} account{'' if len(lines) == 1 else 's'}"
    stands = found.get("stands_for", [])
    more = [f"It stands for: {', '.join(stands)}."] if stands not in ([], [found["model"]]) else []
    first = f"{found['model']} is served by {said} now, for {_clients(found['clients'])}."
    rows = tuple(
        (
            line["account"],
            line["provider"],
            line["sent_as"],
            _clients(line["clients"]),
            "ready" if line["ready"] else _why(line, found["now"]),
        )
        for line in lines
    )
    return [
        first,
        *more,
        "",
        Table(head=("ACCOUNT", "PROVIDER", "SENT AS", "CLIENTS", "NOW"), rows=rows),
    ]


def _row(one: Document, now: float) -> tuple[str, ...]:
    lines = one["accounts"]
    if one["ready"]:
        state = f"{one['ready']} of {len(lines)}"
    elif one["next_at"] is not None:
        state = f"in {duration(max(one['next_at'] - now, 0.0))}"
    else:
        state = lines[0]["reason"].replace("_", " ") if lines else "nobody"
    return (one["model"], _clients(one["clients"]), state, _accounts(lines, one["model"]))


def _accounts(lines: list[Document], model: str) -> str:
    """Who serves it, those that can now first; under another name where that is so."""
    ordered = sorted(lines, key=lambda line: not line["ready"])
    told = [
        line["account"] if line["sent_as"] == model else f"{line['account']} ({line['sent_as']})"
        for line in ordered[:SHOWN_ACCOUNTS]
    ]
    more = len(lines) - SHOWN_ACCOUNTS
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _clients(clients: list[str]) -> str:
    return "all" if clients == ALL_CLIENTS else ", ".join(clients) or "nobody"


def _why(line: Document, now: float) -> str:
    text = str(line["reason"]).replace("_", " ")
    return (
        text if line["until"] is None else f"{text}, for {duration(max(line['until'] - now, 0.0))}"
    )
