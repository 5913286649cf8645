"""Gates of `maxpool doctor`: one thing that must be right, whether it is, and what to do. Values and rules.

Whoever collects facts is `app/doctor`; here they are judged. A gate warns where things work all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from maxpool.errors import StreamCut
from maxpool.ports import Call, Unreachable
from maxpool.service.discovery import listed
from maxpool.wire import headers as wire_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from maxpool.ports import Clock, RawHeaders, Upstream

SKEW_WARN_S: Final = 60.0
"""Clocks this far apart make resets and expiries look wrong."""
SKEW_FAIL_S: Final = 300.0
"""Sign-ins and certificates begin to be refused."""
DISK_WARN_BYTES: Final = 200 << 20
DISK_FAIL_BYTES: Final = 10 << 20
MAX_ANSWER_BYTES: Final = 4 << 20
LEAST_USD: Final = 0.01
"""Less wasted money is not worth a word."""


class Verdict(StrEnum):
    """How a gate stands."""

    PASS = "PASS"  # noqa: S105 - a word, no secret
    WARN = "WARN"
    FAIL = "FAIL"


EXIT_CODES: Final = {Verdict.PASS: 0, Verdict.WARN: 1, Verdict.FAIL: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One line: what it is about, how it stands, what was seen, and (unless it passes) what to do."""

    about: str
    gate: str
    verdict: Verdict
    said: str
    todo: str = ""


def passed(about: str, gate: str, said: str) -> Gate:
    """It is right."""
    return Gate(about=about, gate=gate, verdict=Verdict.PASS, said=said)


def warned(about: str, gate: str, said: str, todo: str) -> Gate:
    """It works, and somebody should know."""
    return Gate(about=about, gate=gate, verdict=Verdict.WARN, said=said, todo=todo)


def failed(about: str, gate: str, said: str, todo: str) -> Gate:
    """It does not work."""
    return Gate(about=about, gate=gate, verdict=Verdict.FAIL, said=said, todo=todo)


def worst(gates: Iterable[Gate]) -> Verdict:
    """The verdict on all of them."""
    seen = {gate.verdict for gate in gates}
    return next((v for v in (Verdict.FAIL, Verdict.WARN) if v in seen), Verdict.PASS)


# -- an origin -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one free question to an origin showed; `trouble` in words where no answer came."""

    status: int | None = None
    trouble: str = ""
    kind: str = ""
    date_at: float | None = None
    took_ms: float = 0.0
    models: tuple[str, ...] | None = None


async def look(
    upstream: Upstream, url: str, headers: RawHeaders, timeout_s: float, clock: Clock
) -> Look:
    """Ask once."""
    began = clock.elapsed()
    reply = await upstream.send(
        Call(
            method="GET",
            url=url,
            headers=[(b"accept", b"application/json"), (b"accept-encoding", b"identity"), *headers],
            body=b"",
            connect_timeout_s=timeout_s,
            header_timeout_s=timeout_s,
            idle_timeout_s=timeout_s,
        )
    )
    if isinstance(reply, Unreachable):
        return Look(trouble=reply.detail or reply.kind, kind=reply.kind)
    took_ms = (clock.elapsed() - began) * 1000.0
    body = bytearray()
    try:
        async for chunk in reply.stream:
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                break
        data = json.loads(bytes(body))
    except (
        StreamCut,
        ValueError,
        RecursionError,
    ):  # what it answered matters less than that it did
        data = None
    finally:
        await reply.stream.aclose()
    date = wire_headers.fields(reply.headers).get("date")
    return Look(
        status=reply.status,
        date_at=_date(date),
        took_ms=took_ms,
        models=listed(reply.status, data),
    )


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError):
        return None


def origin_gates(about: str, url: str, seen: Look, now: float) -> list[Gate]:
    """Reachable, TLS good, clocks agree."""
    if seen.kind == "tls":
        todo = "Check [upstream] ca_file, and whether a proxy stands in between"
        return [failed(about, "TLS", f"{url}: {seen.trouble}", todo)]
    if seen.status is None:
        todo = "Check the address and the network; for a local service: is it running?"
        return [failed(about, "origin", f"{url} does not answer ({seen.trouble})", todo)]
    found = [passed(about, "origin", f"{url} answers in {seen.took_ms:.0f} ms")]
    if seen.date_at is not None:
        found.append(clock_gate(about, seen.date_at - now))
    return found


def clock_gate(about: str, skew_s: float) -> Gate:
    """Whether its clock and ours agree."""
    said = f"its clock is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}"
    todo = "Set this machine's clock (NTP)"
    if abs(skew_s) >= SKEW_FAIL_S:
        return failed(about, "clock", said, todo)
    if abs(skew_s) >= SKEW_WARN_S:
        return warned(about, "clock", said, todo)
    return passed(about, "clock", "clocks agree")


def auth_gate(about: str, name: str, seen: Look) -> Gate:
    """Whether the credential was taken."""
    status = seen.status or 0
    if status in (401, 403):
        return failed(about, "auth", f"it answered HTTP {status}", f"maxpool login {name}")
    if 200 <= status < 300:
        return passed(about, "auth", "the credential is taken")
    if status == 429:
        return passed(about, "auth", "it limits requests now; the credential is not refused")
    if status in (404, 405):
        todo = f"maxpool providers test {name}"
        return warned(about, "auth", "it has no free question that would tell", todo)
    return warned(
        about, "auth", f"it answered HTTP {status}", "Try again; its status page may tell"
    )


def models_gate(about: str, targets: Sequence[str], known: tuple[str, ...] | None) -> Gate | None:
    """Whether the models that the account is asked for are among those it lists."""
    if known is None:
        return None
    missing = [name for name in targets if name not in known]
    if missing and known:
        said = f"it does not list {', '.join(missing[:5])}"
        return warned(about, "models", said, "Correct `models` in its entry, or its tiers")
    return passed(about, "models", f"{len(known)} listed")


# -- what the running server says of an account -------------------------------------------------------


def served_gates(account: Mapping[str, Any]) -> list[Gate]:
    """State, quota, money and prices, from the status document's account."""
    about, found = f"account {account['name']}", list[Gate]()
    found.append(_state_gate(about, account))
    told = [
        f"{w['window']} {w['estimated']:.0%} used" for w in account["windows"] if w["estimated"]
    ]
    left = (account.get("balance") or {}).get("balance_usd")
    told += [f"{left:.2f} USD left"] if left is not None else []
    wasted = account["total"].get("wasted_usd") or 0.0
    told += [f"{wasted:.2f} USD wasted on answers that failed"] if wasted >= LEAST_USD else []
    found.append(passed(about, "quota", ", ".join(told) or "not told yet"))
    unpriced = account["total"].get("unpriced", 0)
    if unpriced:
        said = f"{unpriced} answers whose price is not known"
        found.append(warned(about, "prices", said, 'Name it: [prices."MODEL"] in the config'))
    return found


def _state_gate(about: str, account: Mapping[str, Any]) -> Gate:
    state, block = account["state"], account["unavailable"]
    dead = account["credential"].get("dead")
    if state in ("locked_out", "closed") or dead:
        said = f"it is {state.replace('_', ' ')}: {dead or (block or {}).get('detail') or 'see its login'}"
        return failed(about, "state", said, f"maxpool login {account['name']}")
    if state in ("ready", "busy", "home"):
        return passed(about, "state", state)
    if state == "disabled":
        return passed(about, "state", "disabled by its owner")
    reason = block["reason"].replace("_", " ") if block else state
    todo = f"It comes back by itself; or: maxpool accounts reset {account['name']}"
    return warned(about, "state", f"{state} ({reason})", todo)


def warmth_gate(warmth: Mapping[str, Any]) -> Gate:
    """How the checks of warmth stand."""
    entries = warmth.get("entries", [])
    bad = [e for e in entries if e["state"] == "failed"]
    if bad:
        one = bad[0]
        said = f"{one['account']}/{one['model']} failed {one['failures']} times: {one['detail']}"
        return warned("pool", "warmth", said, "maxpool providers probes")
    warm = sum(e["state"] == "warm" for e in entries)
    return passed("pool", "warmth", f"{warm} of {len(entries)} targets warm, mode {warmth['mode']}")


def disk_gate(folder: str, free_bytes: int) -> Gate:
    """Room for the state."""
    said = f"{free_bytes / (1 << 20):,.0f} MB free"
    if free_bytes < DISK_FAIL_BYTES:
        return failed("machine", "disk", f"{said} at {folder}", "Make room: state cannot be saved")
    if free_bytes < DISK_WARN_BYTES:
        return warned("machine", "disk", f"{said} at {folder}", "Make room soon")
    return passed("machine", "disk", said)
