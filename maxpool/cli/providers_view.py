"""Providers and what services speak, as tables and lines. Pure: asks nobody, reads no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from maxpool.cli.tables import Table
from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.service.discovery import Discovery, Spoken

    Document = Mapping[str, Any]

HEAD = ("PROVIDER", "ACCOUNT", "FORMAT", "STATE", "WARM", "P95", "OK", "LEFT", "AT")
SHOWN_MODELS = 8
WORDS = {"anthropic": "Messages", "openai-chat": "Chat Completions", "generate": "plain prompts"}


def listed(found: Document) -> list[str | Table]:
    """All accounts by provider, and how their checks stand."""
    providers = found["providers"]
    if not providers:
        return ["There is no account yet: `maxpool login NAME --provider URL` adds one."]
    names = {one["provider"] for one in providers}
    ready = sum(one["state"] in ("ready", "busy") for one in providers)
    first = f"{_count(len(names), 'provider')}, {ready} of {_count(len(providers), 'account')} can serve."
    rows = tuple(_row(one, found["now"]) for one in providers)
    table = Table(head=HEAD, rows=rows, numbers=frozenset({5, 6}), less=(2, 8, 5, 6))
    return [first, "", table, "", *warmth_lines(found["warmth"])]


def _row(one: Document, now: float) -> tuple[str, ...]:
    speed = one.get("latency") or {}
    p95, success = speed.get("p95_s"), speed.get("success")
    return (
        one["provider"],
        one["name"],
        one["format"],
        _state(one, now),
        one["warmth"] or "-",
        "-" if p95 is None else f"{p95:.1f} s",
        "-" if success is None else f"{success * 100:.0f} %",
        _left(one),
        _host(one["base_url"]),
    )


def _state(one: Document, now: float) -> str:
    block = one["unavailable"]
    if block is None or block["until"] is None:
        return str(one["state"])
    return f"{one['state']} {duration(max(block['until'] - now, 0.0))}"


def _left(one: Document) -> str:
    """What limits leave: money first, else of the fullest window, limit or bucket."""
    money = (one["balance"] or {}).get("balance_usd")
    if money is not None:
        return f"{money:.2f} USD"
    shares = [w["estimated"] for w in one["windows"] if w["estimated"] is not None]
    shares += [li["used"] / li["limit"] for li in one["limits"] if li["limit"]]
    shares += [
        1.0 - b["remaining"] / b["limit"]
        for b in one["buckets"]
        if b.get("limit") and b.get("remaining") is not None
    ]
    return f"{max(0.0, 1.0 - max(shares)) * 100:.0f} %" if shares else "-"


def warmth_lines(warmth: Document) -> list[str | Table]:
    """The mode of the checks, and each target in focus."""
    if warmth["mode"] == "off":
        return ["Checks are off: maxpool providers probes eco"]
    spends = (
        "" if warmth["mode"] == "eco" else "; a word is spent where a provider has no free question"
    )
    quiet = "; the pool is quiet, so nothing is asked now" if warmth["quiet"] else ""
    every = (
        f"Checks: {warmth['mode']}, every {warmth['interval_s']:.0f} s while idle{spends}{quiet}."
    )
    if not warmth["entries"]:
        return [every, "Nothing is in focus yet: no model was used in the last 7 days."]
    rows = tuple(
        (
            e["account"],
            e["model"],
            e["state"],
            "-" if e["age_s"] is None else duration(e["age_s"]),
            "-" if e["latency_ms"] is None else f"{e['latency_ms']:.0f} ms",
            str(e["failures"]),
            e["detail"] or "",
        )
        for e in warmth["entries"]
    )
    head = ("ACCOUNT", "MODEL", "CHECK", "AGE", "TOOK", "FAILED", "")
    return [every, "", Table(head=head, rows=rows, numbers=frozenset({3, 4, 5}))]


def spoken_lines(found: Discovery, chosen: str) -> list[str]:
    """What a service told of itself."""
    lines = [f"{found.base_url}:"]
    lines += [
        f"  {_spoken(one)}{' <- used' if one.format == chosen else ''}" for one in found.spoken
    ]
    models = found.models
    if models:
        more = f", and {len(models) - SHOWN_MODELS} more" if len(models) > SHOWN_MODELS else ""
        lines.append(f"  {_count(len(models), 'model')}: {', '.join(models[:SHOWN_MODELS])}{more}")
    else:
        lines.append("  It lists no models: name those it has in its entry, models = { ... }")
    return lines


def _spoken(one: Spoken) -> str:
    taken = {True: "yes", False: "no", None: "unknown"}[one.taken]
    why = f" ({one.why})" if one.why else f" (HTTP {one.status})" if one.taken is None else ""
    path = urlsplit(one.url).path
    return f"{one.format:<12} {taken:<8}{WORDS[one.format]} at {path}{why}"


def spoken_json(found: Discovery, chosen: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "format": chosen,
        "formats": {one.format: one.taken for one in found.spoken},
        "models": list(found.models),
    }


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path.rstrip('/')}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
