"""What the ledger tells, over HTTP: `GET /admin/usage`, `/admin/requests`, `/admin/readings`, `/admin/events`.

Reads in worker threads: a question to a large ledger never holds up a stream. Changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from maxpool.core.records import LedgerQuery, RequestFilter, UsageLine
from maxpool.errors import RequestError, StateError
from maxpool.service.recording import digest_of
from maxpool.web.admin_body import wrong
from maxpool.web.admin_documents import session_name
from maxpool.web.status import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.core.pool import Pool
    from maxpool.core.records import EventRecord, RequestRecord
    from maxpool.ports import Clock, LedgerReader
    from maxpool.web.admin_body import Handler

Document = dict[str, Any]
Answer = TypeVar("Answer")
NOTHING: Final = MappingProxyType[str, str]({})

COUNTS: Final = (
    *("requests", "failed", "tokens_in", "tokens_out", "cache_read", "cache_write", "unpriced"),
    *("cost_usd", "total_ms"),
)
SPANS: Final = ("hour", "day", "week", "month", "account", "model", "client", "device", "session")
MOST_LINES: Final = 10_000
MOST_REQUESTS: Final = 1000
SHOWN: Final = 100
WEEK_S: Final = 7 * 86_400.0
MAX_AT: Final = 1e11
"""Seconds: what is later than the year 5000 is milliseconds by mistake."""

OFF: Final = "Nothing is kept of requests: [ledger] enabled is false, or its url cannot be used."


@dataclass(slots=True, kw_only=True)
class LedgerPages:
    """Questions to the ledger; `reader` None where there is none. `offset_s`: seconds east of UTC."""

    reader: LedgerReader | None
    pool: Pool
    clock: Clock
    offset_s: Callable[[float], int]

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        return {
            "/admin/usage": {"GET": self.usage},
            "/admin/requests": {"GET": self.requests},
            "/admin/requests/{request}": {"GET": self.request},
            "/admin/readings": {"GET": self.readings},
            "/admin/events": {"GET": self.events},
        }

    async def usage(self, request: Request) -> Response:
        """Sums, by time, account, model, client, device or session."""
        asked = Asked(request.query_params)
        query = LedgerQuery(
            by=cast("Any", asked.one_of("by", SPANS, "day")),
            since=asked.at("since"),
            until=asked.at("until"),
            account=await self._account_id(asked),
            model=asked.word("model"),
            client=asked.word("client"),
            device=asked.word("device"),
            limit=asked.number("limit", MOST_LINES, MOST_LINES),
            offset_s=self.offset_s,
        )
        names = self._session_names() if query.by == "session" else {}
        now = self.clock.now()
        return Json(await ask(self.reader, lambda reader: usage_told(reader, query, now, names)))

    async def requests(self, request: Request) -> Response:
        """Single requests, the newest first; `before` and `after` go through the pages."""
        asked = Asked(request.query_params)
        session = asked.word("session")
        wanted = RequestFilter(
            account=await self._account_id(asked),
            model=asked.word("model"),
            client=asked.word("client"),
            session=None if session is None else self._session_digest(session),
            status=asked.status(),
            since=asked.at("since"),
            until=asked.at("until"),
            before=asked.whole("before"),
            after=asked.whole("after"),
            limit=asked.number("limit", SHOWN, MOST_REQUESTS),
        )
        now, names = self.clock.now(), self._present_names()
        return Json(
            await ask(self.reader, lambda reader: requests_told(reader, wanted, now, names))
        )

    async def request(self, request: Request) -> Response:
        """One request by its id."""
        wanted = request.path_params["request"]
        row = await ask(self.reader, lambda reader: reader.request(wanted))
        if row is None:
            raise RequestError(404, "not_found_error", f"The ledger has no {wanted[:100]!r}.")
        return Json({"request": request_line(row, await self._names())})

    async def readings(self, request: Request) -> Response:
        """What quota windows showed, the oldest first."""
        asked = Asked(request.query_params)
        account, window = await self._account_id(asked), asked.word("window")
        since = asked.at("since")
        since = self.clock.now() - WEEK_S if since is None else since
        found = await ask(
            self.reader, lambda reader: reader.readings(since, account=account, window=window)
        )
        return Json({"readings": [row._asdict() for row in found], "now": self.clock.now()})

    async def events(self, request: Request) -> Response:
        """What happened, the newest first."""
        asked = Asked(request.query_params)
        since, limit = asked.at("since"), asked.number("limit", SHOWN, MOST_REQUESTS)
        since = self.clock.now() - WEEK_S if since is None else since
        found = await ask(self.reader, lambda reader: reader.events(since, limit))
        names = await self._names()
        return Json({"events": [event_line(row, names) for row in found], "now": self.clock.now()})

    # -- names -------------------------------------------------------------------------------------

    async def _names(self) -> Mapping[str, str]:
        """What accounts are called, those that are gone as they were called last."""
        gone = await ask(self.reader, lambda reader: reader.names())
        return gone | self._present_names()

    def _present_names(self) -> dict[str, str]:
        return {a: state.account.name for a, state in self.pool.states.items()}

    async def _account_id(self, asked: Asked) -> str | None:
        """The account that is asked for, by id or name."""
        wanted = asked.word("account")
        if wanted is None or wanted in self.pool.states:
            return wanted
        named = [a for a, name in (await self._names()).items() if name == wanted]
        return named[-1] if named else wanted

    def _session_names(self) -> dict[str, str]:
        """Digest -> what people see, for the sessions that the pool still knows."""
        return {digest_of(key): session_name(key) for key in self.pool.bindings.by_key}

    def _session_digest(self, shown: str) -> str:
        """The digest of a session as people see it; a digest stays as it is."""
        keys = {session_name(key): key for key in self.pool.bindings.by_key}
        return digest_of(keys[shown]) if shown in keys else shown


@dataclass(slots=True)
class Asked:
    """The parameters of a question, checked."""

    given: Mapping[str, str]

    def word(self, name: str) -> str | None:
        """A text; empty is as if it was not there."""
        return self.given.get(name) or None

    def one_of(self, name: str, known: Iterable[str], usual: str) -> str:
        """One of some words."""
        found = self.given.get(name) or usual
        if found not in known:
            raise wrong(f"{name} may be: {', '.join(known)}.")
        return found

    def at(self, name: str) -> float | None:
        """A time in epoch seconds."""
        text = self.word(name)
        if text is None:
            return None
        try:
            found = float(text)
        except ValueError:
            found = -1.0
        if not 0.0 <= found < MAX_AT:
            raise wrong(f"{name} must be a time in epoch seconds.")
        return found

    def whole(self, name: str) -> int | None:
        """A whole number."""
        text = self.word(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise wrong(f"{name} must be a whole number.")
        return int(text)

    def number(self, name: str, usual: int, most: int) -> int:
        """A whole number up to `most`."""
        found = self.whole(name)
        return usual if found is None else max(min(found, most), 1)

    def status(self) -> str | None:
        """`ok`, `failed`, `gone` or a status code."""
        found = self.word("status")
        if found is None or found in ("ok", "failed", "gone"):
            return found
        if not (found.isascii() and found.isdigit() and len(found) == 3):
            raise wrong("status may be: ok, failed, gone, or a status code.")
        return found


async def ask(reader: LedgerReader | None, question: Callable[[LedgerReader], Answer]) -> Answer:
    """Put a question to the ledger; raises `RequestError` where there is none, or it cannot be read."""
    if reader is None:
        raise RequestError(404, "not_found_error", OFF)
    try:
        return await asyncio.to_thread(question, reader)
    except StateError as error:
        raise RequestError(503, "api_error", f"{error.message}. {error.hint}.") from None


def usage_told(
    reader: LedgerReader, query: LedgerQuery, now: float, sessions: Mapping[str, str] = NOTHING
) -> Document:
    """Sums as they are told; `sessions`: what people see instead of a digest, where it is known."""
    lines = reader.usage(query)
    shown = [usage_line(line, session=sessions.get(line.key)) for line in lines[: query.limit]]
    told = {"by": query.by, "since": query.since, "until": query.until, "usage": shown}
    return {**told, "total": usage_line(total_of(lines)), "now": now}


def requests_told(
    reader: LedgerReader, wanted: RequestFilter, now: float, names: Mapping[str, str] = NOTHING
) -> Document:
    """Requests as they are told; `before`: with which number the next page begins, None after the last."""
    found = reader.requests(wanted)
    known = {**reader.names(), **names}
    shown = [request_line(row, known, number) for number, row in found]
    older = found[-1][0] if found and len(found) == wanted.limit else None
    return {"requests": shown, "before": older, "now": now}


def usage_line(line: UsageLine, *, session: str | None = None) -> Document:
    """Sums as JSON; what is told of sessions only is left out elsewhere."""
    found = {k: v for k, v in asdict(line).items() if v not in (None, "") or k == "key"}
    found["tokens"] = line.tokens
    if session is not None:
        found["session"] = session
    return found


def total_of(lines: Iterable[UsageLine]) -> UsageLine:
    """All of them together."""
    sums = dict.fromkeys(COUNTS, 0.0)
    for line in lines:
        for name in sums:
            sums[name] += getattr(line, name)
    whole = {k: v if k in ("cost_usd", "total_ms") else int(v) for k, v in sums.items()}
    return UsageLine(key="total", **cast("dict[str, Any]", whole))


def request_line(
    row: RequestRecord, names: Mapping[str, str], number: int | None = None
) -> Document:
    """A request as JSON."""
    told = {**row._asdict(), "account_name": names.get(row.account, row.account)}
    told["decision"] = _from_json(row.decision)
    return told if number is None else {"number": number, **told}


def event_line(row: EventRecord, names: Mapping[str, str]) -> Document:
    """An event as JSON."""
    name = names.get(row.account, row.account)
    return {**row._asdict(), "account_name": name, "detail": _from_json(row.detail)}


def _from_json(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
