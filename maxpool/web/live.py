"""The status document as parts for the live feed: times instead of ages, so that only news is news.

A part that holds "12 seconds ago" would change every second of every account; here it holds when that was.
Pure, but for looking at the pool. What is told here is what `/status` tells, and the latest requests
without a word of their text.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from maxpool.service.feed import Picture
from maxpool.web.admin_documents import MAX_SHOWN_WORD, session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.events import Event, Events
    from maxpool.service.feed import Key
    from maxpool.service.traces import Trace, Traces

Document = dict[str, Any]

SHOWN_REQUESTS: Final = 50
"""The latest requests on the picture; a page shows about half of them."""

_ROUNDED: Final = {"pace": 1, "burn_per_hour": 3, "projected_at_reset": 2}
_CLOCK_STEP_S: Final = 60.0
"""Forecast times are told to the minute: they are guesses, and move a little with every second."""

_TOGETHER: Final = ("summary", "harm", "totals", "money")
"""Parts of the document that one event tells together: they change together."""

_OWN: Final = ("queue", "throttle", "sessions", "refusals")
_TOLD: Final = frozenset(
    {"schema", "version", "started_at", "uptime_s", "now", "accounts", "config", "notices", "jobs"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Takes the picture: `document` is the status document, `traces` the requests."""

    document: Callable[[], Document]
    pool: Pool
    traces: Traces
    events: Events
    clock: Clock

    def __call__(self) -> Picture:
        """The picture now."""
        doc = self.document()
        found = parts(doc)
        for trace in islice(self.traces.latest(), SHOWN_REQUESTS):
            if trace.kind != "count_tokens":
                found["request", trace.request_id] = request(trace, self.pool)
        head = {key: doc[key] for key in ("schema", "version", "started_at")}
        return Picture(head=head, parts=found)

    def fresh(self) -> Document:
        """The time, and what has happened until then, the latest first."""
        told = [happened(event) for event in reversed(self.events.latest)]
        return {"now": self.clock.now(), "happened": told}


def happened(event: Event) -> Document:
    """One event, as it is told once."""
    told = {"at": event.at, "kind": event.kind, "account": event.account, "name": event.name}
    return {**told, "detail": dict(event.detail)}


def parts(doc: Document) -> dict[Key, object]:
    """The document in parts, by event; whatever it may hold one day is its own part."""
    now = doc["now"]
    summary: Document = {key: doc[key] for key in _TOGETHER if key in doc}
    summary["order"] = [a["id"] for a in doc["accounts"]]
    found: dict[Key, object] = {
        ("summary", ""): {**summary, "summary": _summary(summary["summary"], now)},
        ("config", ""): {
            **doc["config"],
            "notices": doc["notices"],
            "ledger": doc["jobs"].get("ledger") is not None,
        },
        ("queue", ""): [_since(w, "waiting_s", now) for w in doc["queue"]],
        ("throttle", ""): doc["throttle"],
        ("sessions", ""): {
            **doc["sessions"],
            "list": [_since(s, "idle_s", now) for s in doc["sessions"]["list"]],
        },
        ("refusals", ""): doc["refusals"],
    }
    found |= {("account", a["id"]): account(a, now) for a in doc["accounts"]}
    known = {*_TOGETHER, *_OWN, *_TOLD}
    return found | {(name, ""): doc[name] for name in doc.keys() - known}


def account(a: Mapping[str, Any], now: float) -> Document:
    """One account, its windows with the time of their reading."""
    return {**a, "windows": [_window(w, now) for w in a["windows"]]}


def _window(w: Mapping[str, Any], now: float) -> Document:
    found = {k: _short(v, _ROUNDED[k]) if k in _ROUNDED else v for k, v in w.items()}
    age_s = found.pop("age_s", None)
    found["read_at"] = None if age_s is None else round(now - age_s)
    found["exhausts_at"] = _to_the_minute(w.get("exhausts_at"), now)
    return found


def _summary(summary: Mapping[str, Any], now: float) -> Document:
    found = {**summary, "burn": {k: _burn(b, now) for k, b in summary["burn"].items()}}
    oldest_s = found.pop("oldest_waiting_s", None)
    found["oldest_since"] = None if oldest_s is None else round(now - oldest_s)
    return found


def _burn(burn: Mapping[str, Any], now: float) -> Document:
    return {**burn, "empty_at": _to_the_minute(burn["empty_at"], now)}


def _since(one: Mapping[str, Any], age: str, now: float) -> Document:
    """A row with the time since when, instead of how long."""
    return {**{k: v for k, v in one.items() if k != age}, "since": round(now - one[age])}


def _to_the_minute(at: float | None, now: float) -> float | None:
    """A time far ahead in whole minutes, a near one in tens of seconds."""
    if at is None:
        return None
    step = _CLOCK_STEP_S if at - now > 10 * _CLOCK_STEP_S else 10.0
    return round(at / step) * step


def _short(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def request(trace: Trace, pool: Pool) -> Document:
    """One request as a line: who asked what, where it went and how it ended."""
    tries = list(_tries(trace, pool))
    last = tries[-1] if tries else {}
    return {
        "id": trace.request_id,
        "at": trace.began_at,
        "kind": trace.kind,
        "model": trace.request.model[:MAX_SHOWN_WORD],
        "session": session_of(trace.request),
        "program": trace.request.program,
        "client": trace.request.client_key,
        "status": trace.status,
        "ended_at": trace.ended_at,
        "waited_s": round(trace.waited_s, 3),
        "tries": len(trace.lease_ids),
        "account": last.get("account"),
        "outcome": last.get("outcome"),
        "rebind": next((t["rebind"] for t in tries if t["rebind"]), None),
        "terms": last.get("terms"),
        "refusal": None if trace.refusal is None else trace.refusal.reason.value,
    }


def _tries(trace: Trace, pool: Pool) -> Iterator[Document]:
    for lease_id in trace.lease_ids:
        record = pool.decisions.find(lease_id)
        if record is not None:
            made = record.decision
            terms = {k: round(v, 2) for k, v in made.cost._asdict().items() if abs(v) >= 0.005}
            yield {
                "account": made.account_id,
                "outcome": record.outcome,
                "rebind": made.rebind,
                "terms": terms,
            }
