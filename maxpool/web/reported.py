"""`POST /usage` (admin key): what another machine, or a status line, saw of an account.

Readings go into the pool, as if a status line of this machine had told them; requests into the ledger
under the device's name. Bounded; nothing of a prompt or an answer has a place in it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maxpool.core.lease import Reading, TokenUsage, UsageReport
from maxpool.core.money import estimate_usd
from maxpool.core.records import RequestRecord
from maxpool.web.admin_body import json_body, wrong
from maxpool.web.status import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.ports import Ledger
    from maxpool.service.operate import Operator
    from maxpool.web.admin_body import Handler

PATH: Final = "/usage"
FIELDS: Final = frozenset({"device", "account", "windows", "requests"})
TOKENS: Final = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
ENTRY: Final = frozenset({*TOKENS, "id", "at", "model", "session"})
MOST_ENTRIES: Final = 1000
MOST_TOKENS: Final = 1 << 40
MOST_OLD_S: Final = 35 * 86_400.0
"""A report may tell of the last weeks; what is older is a clock gone wrong."""

_WINDOW: Final = re.compile(r"(5h|7d)(:[a-z0-9-]{1,40})?")
_EXAMPLE: Final = (
    '{"device": "laptop", "account": "NAME", "windows": {"5h": {"utilization": 0.4, "reset_at": 1800000000}}, '
    '"requests": [{"model": "claude-sonnet-5-5", "input": 10, "output": 20}]}'
)


@dataclass(slots=True, kw_only=True)
class Reported:
    """Usage from elsewhere; `ledger` None where nothing is kept."""

    operator: Operator
    ledger: Ledger | None

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        return {PATH: {"POST": self.report}}

    async def report(self, request: Request) -> Response:
        """Take in what a device says; all of it, or nothing."""
        body = await json_body(request)
        device, account = body.get("device"), body.get("account")
        if body.keys() - FIELDS or not _is_word(device) or not _is_word(account):
            raise wrong(f"Say which device saw what: {_EXAMPLE}.")
        account_id, now = self.operator.account_id(str(account)), self.operator.clock.now()
        readings = _readings(body.get("windows", {}), now)
        rows = self._rows(body.get("requests", []), account_id, str(device), now)
        if readings:
            told = UsageReport(readings=readings, source="statusline")
            self.operator.pool.learn(account_id, told, now)
            self.operator.waiting.wake()
        if self.ledger is not None:
            for row in rows:
                self.ledger.record(row)
        kept = len(rows) if self.ledger is not None else 0
        return Json({"account_id": account_id, "readings": len(readings), "requests": kept})

    def _rows(self, told: object, account_id: str, device: str, now: float) -> list[RequestRecord]:
        if not isinstance(told, list) or len(told) > MOST_ENTRIES:
            raise wrong(f"requests must be a list of at most {MOST_ENTRIES}.")
        return [self._row(entry, account_id, device, now) for entry in told]

    def _row(self, entry: object, account_id: str, device: str, now: float) -> RequestRecord:
        if not isinstance(entry, dict) or entry.keys() - ENTRY or not _is_word(entry.get("model")):
            raise wrong(f"A request may say: {', '.join(sorted(ENTRY))}.")
        usage = TokenUsage(**{name: _count(entry.get(name, 0), name) for name in TOKENS})
        pool, model = self.operator.pool, entry["model"]
        account = pool.states[account_id].account
        return RequestRecord(
            request_id=_word_of(entry, "id"),
            at=_at(entry.get("at", now), now),
            account=account_id,
            model=model,
            sent_model=model,
            client="",
            session=_word_of(entry, "session"),
            program="",
            format="",
            kind="reported",
            status=200,
            failed=False,
            outcome="success",
            attempts=1,
            streamed=False,
            tokens_in=usage.input,
            tokens_out=usage.output,
            cache_read=usage.cache_read,
            cache_write_5m=usage.cache_write_5m,
            cache_write_1h=usage.cache_write_1h,
            cost_usd=estimate_usd(account, model, usage, pool.settings),
            cost_told=False,
            total_ms=0.0,
            ttfb_ms=None,
            waited_ms=0.0,
            overhead_ms=0.0,
            skipped="",
            decision="",
            device=device,
        )


def _readings(told: object, now: float) -> tuple[Reading, ...]:
    if not isinstance(told, dict) or len(told) > 32:
        raise wrong(
            'windows must be an object: {"5h": {"utilization": 0.4, "reset_at": 1800000000}}.'
        )
    return tuple(_reading(name, entry, now) for name, entry in told.items())


def _reading(name: str, entry: object, now: float) -> Reading:
    if _WINDOW.fullmatch(name) is None or not isinstance(entry, dict):
        raise wrong("A window is called 5h, 7d or 7d:FAMILY.")
    used, reset_at = _number(entry.get("utilization")), _number(entry.get("reset_at"))
    if used is None or not 0.0 <= used <= 10.0 or entry.keys() - {"utilization", "reset_at"}:
        raise wrong("utilization is a share: 0.4 for 40 %.")
    if reset_at is not None and not now < reset_at < now + 40 * 86_400.0:
        raise wrong("reset_at is a time in epoch seconds, and lies ahead.")
    return Reading(name, used, reset_at)


def _at(told: object, now: float) -> float:
    at = _number(told)
    if at is None or not now - MOST_OLD_S <= at <= now + 60.0:
        raise wrong("at is a time in epoch seconds, of the last weeks.")
    return at


def _count(told: object, name: str) -> int:
    if type(told) is not int or not 0 <= told <= MOST_TOKENS:
        raise wrong(f"{name} must be a whole number of tokens.")
    return told


def _number(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
        return None
    return float(told)


def _word_of(entry: Mapping[str, Any], name: str) -> str:
    told = entry.get(name, "")
    if told != "" and not _is_word(told):
        raise wrong(f"{name} must be a short text.")
    return str(told)


def _is_word(told: object) -> bool:
    return isinstance(told, str) and 0 < len(told) <= 100 and told.isprintable()
