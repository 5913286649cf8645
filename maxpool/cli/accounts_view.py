"""Accounts and sessions as tables, from the admin API's JSON. Pure: asks no server, reads no clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from maxpool.cli.accounts_money import money_rows
from maxpool.cli.tables import Table
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Document = Mapping[str, Any]

HEAD = ("ACCOUNT", "KIND", "STATE", "PRIORITY", "5 HOURS", "7 DAYS", "IN FLIGHT", "NOTES")
RUN_TIME = "run-time"


def listed(found: Document, now: float) -> list[str | Table]:
    """All accounts in one table under a sentence."""
    accounts: Sequence[Document] = found["accounts"]
    ready = sum(a["state"] in ("ready", "busy") for a in accounts)
    first = f"{ready} of {len(accounts)} account{'' if len(accounts) == 1 else 's'} can serve"
    preferred = next((a["name"] for a in accounts if a["preferred"]), None)
    first += f", {preferred} is preferred" if preferred else ""
    first += "; the pool is paused" if found["paused"] else ""
    if not accounts:
        return ["There is no account yet: `maxpool login NAME` adds one."]
    rows = tuple(_row(account, now) for account in accounts)
    numbers = frozenset({3, 4, 5, 6})
    return [f"{first}.", "", Table(head=HEAD, rows=rows, numbers=numbers, less=(1, 3, 6))]


def shown(account: Document, now: float) -> list[str | Table]:
    """One account in full: what it is, how it is, what its owner decided."""
    lines = [
        ("kind", f"{account['kind']}{_of_plan(account)}"),
        ("reached at", account.get("base_url") or "?"),
        ("secret", _secret(account.get("secret"))),
        ("serves", "every program" if account["serves"] is None else ", ".join(account["serves"])),
        ("models", _mapping(account["models"]) or "every model as it is named"),
        (
            "priority, tier, weight",
            f"{account['priority']}, {account['tier']}, {account['weight']:g}",
        ),
        ("caps", _mapping(account["caps"]) or "none"),
        ("reserve", f"{_mapping(account['reserve']) or 'none'}{_emergency(account)}"),
        ("in flight", f"{account['in_flight']} of {account['slots']}"),
        ("sessions", str(account["sessions"])),
        *((w["window"], _window(w, now)) for w in account["windows"]),
        *money_rows(account, now),
        ("last hour", _counts(account["last_hour"])),
        ("since ever", _counts(account["total"])),
        *_trouble(account, now),
        ("id", account["id"]),
    ]
    rows = tuple((name, str(text)) for name, text in lines)
    notes = _notes(account, now)
    first = f"{account['name']} is {account['state']}{': ' + notes if notes else ''}."
    return [first, "", Table(head=(), rows=rows)]


def sessions(found: Document) -> list[str | Table]:
    """Where sessions are bound."""
    listed_now: Sequence[Document] = found["sessions"]
    if not listed_now:
        return ["No session is bound to an account."]
    more = f", the latest {len(listed_now)}" if len(listed_now) < found["bound"] else ""
    rows = tuple(
        (
            one["session"],
            one["account"],
            str(one["turns"]),
            str(one["moves"]),
            _cache_share(one.get("used")),
            duration(one["idle_s"]),
            ", ".join(f"{w['account']} {_tokens(w['tokens'])}" for w in one["warm"]) or "-",
        )
        for one in listed_now
    )
    count = found["bound"]
    head = ("SESSION", "ACCOUNT", "TURNS", "MOVES", "HITS", "IDLE", "CACHED (TOKENS)")
    table = Table(head=head, rows=rows, numbers=frozenset({2, 3, 4, 5}), less=(4, 2, 3, 6))
    return [f"{count} session{'' if count == 1 else 's'} bound to accounts{more}.", "", table]


def _cache_share(used: Document | None) -> str:
    """Which share of what a session sent was read from prompt caches."""
    if used is None:
        return "-"
    sent = used["tokens_in"] + used["cache_read"] + used["cache_write"]
    return f"{used['cache_read'] / sent:.0%}" if sent else "-"


def _row(account: Document, now: float) -> tuple[str, ...]:
    windows = {w["window"]: w for w in account["windows"]}
    return (
        account["name"],
        account["kind"],
        account["state"],
        str(account["priority"]) if account["kind"] != "client" else "own",
        _used(windows.get("5h")),
        _used(windows.get("7d")),
        f"{account['in_flight']}/{account['slots']}",
        _notes(account, now),
    )


def _notes(account: Document, now: float) -> str:
    """What is special about it, and what keeps it from serving."""
    notes = ["preferred"] if account["preferred"] else []
    notes += [RUN_TIME] if account["runtime"] else []
    notes += [f"{key} changed by hand" for key in account["overrides"]]
    block = account["unavailable"]
    if block is not None and block["reason"] != account["state"]:
        notes.append(block["reason"].replace("_", " "))
    if block is not None and block["until"] is not None:
        notes.append(f"for {duration(block['until'] - now)}")
    if block is not None and block.get("detail"):
        notes.append(block["detail"])
    return ", ".join(notes)


def _used(window: Document | None) -> str:
    used = None if window is None else window["estimated"]
    used = window["utilization"] if window is not None and used is None else used
    return "-" if used is None else f"{min(used, 1.0) * 100:.0f} %"  # an estimate may run over


def _window(window: Document, now: float) -> str:
    text = f"{_used(window)} used"
    if window["reset_at"] is not None:
        text += f", resets in {duration(window['reset_at'] - now)}"
    if window["benched_until"] is not None:
        text += f", closed for {duration(window['benched_until'] - now)}"
    return text


def _counts(counts: Document) -> str:
    said = f"{counts['requests']} requests, {counts['failed']} failed"
    read = f"{_tokens(counts['tokens_in'])} tokens in, {_tokens(counts['tokens_out'])} out"
    return f"{said}; {read}, {_tokens(counts['cache_read'])} read from cache"


def _trouble(account: Document, now: float) -> list[tuple[str, str]]:
    error = account["last_error"]
    if error is None:
        return []
    ago = duration(now - error["at"])
    detail = f": {error['message']}" if error["message"] else ""
    return [("last error", f"{error['class'].replace('_', ' ')}, {ago} ago{detail}")]


def _secret(reference: str | None) -> str:
    """Where it is found, in words."""
    if reference is None:
        return "none"
    return "kept by maxpool" if reference.startswith("vault") else reference


def _of_plan(account: Document) -> str:
    plan = f" {account['plan']}" if account["plan"] else ""
    return f"{plan} at {account['provider']}"


def _emergency(account: Document) -> str:
    return ", opened when all else is closed" if account["emergency"] else ""


def _mapping(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items())


def _tokens(count: int) -> str:
    if count < 1000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"
