"""Reading the ledger: the questions people ask of it. Blocking: call it from a worker thread.

Sums come from the rollup by the hour, so that they cost the same after a year; single requests from
their own table, by index, newest first.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, literal_column, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from maxpool.adapters.ledger_engine import (
    close_engine,
    first_line,
    open_engine,
    open_for_reading,
)
from maxpool.adapters.ledger_schema import (
    ACCOUNTS,
    COUNTS,
    EVENTS,
    HOURS,
    READINGS,
    REQUESTS,
    SESSIONS,
)
from maxpool.core.records import (
    EventRecord,
    LedgerQuery,
    ReadingRecord,
    RequestFilter,
    RequestRecord,
    UsageLine,
)
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Engine, Label, Row, Select

MAX_ROWS: Final = 10_000
SPANS: Final = ("hour", "day", "week", "month")
GROUPS: Final = ("account", "model", "client", "device")
_FIELDS: Final = [REQUESTS.c[name] for name in RequestRecord._fields]


@dataclass(slots=True)
class LedgerViews:
    """`ports.LedgerReader` over a database."""

    url: str
    only_reads: bool = True  # False: what is not there is made, a broken file set aside
    _engine: Engine | None = None
    _opening: Lock = field(default_factory=Lock)

    def usage(self, query: LedgerQuery) -> list[UsageLine]:
        """Sums by a span of time (oldest first), by account, model, client or device (most first), or
        by session (latest first).
        """
        if query.by == "session":
            return self._by_session(query)
        if query.by in SPANS:
            return self._by_span(query)
        column = HOURS.c[query.by]
        sums = _sums()
        found = self._all(self._within(select(column.label("key"), *sums), query).group_by(column))
        names = self.names() if query.by == "account" else {}
        lines = [_line(row, name=names.get(row.key, "")) for row in found]
        return sorted(lines, key=lambda line: (-line.cost_usd, -line.tokens, line.key))

    def _by_span(self, query: LedgerQuery) -> list[UsageLine]:
        sums = _sums()
        statement = self._within(select(HOURS.c.hour, *sums), query).group_by(HOURS.c.hour)
        spans: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(COUNTS))
        for row in self._all(statement):
            total = spans[span_of(row.hour, query.by, query.offset_s)]
            for i, name in enumerate(COUNTS):
                total[i] += float(getattr(row, name))  # sums are decimals in PostgreSQL
        return [
            UsageLine(key=key, **dict(zip(COUNTS, _whole(total), strict=True)))
            for key, total in sorted(spans.items())
        ]

    def _by_session(self, query: LedgerQuery) -> list[UsageLine]:
        table = SESSIONS.c
        statement = select(SESSIONS).order_by(table.last_at.desc()).limit(query.limit)
        if query.since is not None:
            statement = statement.where(table.last_at >= query.since)
        if query.until is not None:
            statement = statement.where(table.first_at < query.until)
        for name in ("account", "model", "client"):
            wanted = getattr(query, name)
            if wanted is not None:
                statement = statement.where(table[name] == wanted)
        return [
            _line(
                row,
                key=row.session,
                first_at=row.first_at,
                last_at=row.last_at,
                account=row.account,
                model=row.model,
            )
            for row in self._all(statement)
        ]

    def requests(self, wanted: RequestFilter) -> list[tuple[int, RequestRecord]]:
        """Requests with their numbers, newest first."""
        table = REQUESTS.c
        statement = select(table.seq, *_FIELDS).order_by(table.at.desc(), table.seq.desc())
        if wanted.before is not None:
            before = select(table.at).where(table.seq == wanted.before).scalar_subquery()
            statement = statement.where(tuple_(table.at, table.seq) < tuple_(before, wanted.before))
        if wanted.after is not None:
            statement = statement.where(table.seq > wanted.after)
        within = self._hours_of(wanted)
        if within is None:
            return []
        statement = statement.where(table.at >= within[0], table.at < within[1])
        rows = self._all(_chosen(statement, wanted).limit(min(wanted.limit, MAX_ROWS)))
        return [(row[0], RequestRecord._make(row[1:])) for row in rows]

    def _hours_of(self, wanted: RequestFilter) -> tuple[float, float] | None:
        """From when until when there can be such requests, None where there are none.

        The sums by the hour know: without them the search for what is rare, or never was, goes through
        all requests.
        """
        table = HOURS.c
        statement: Select[Any] = select(func.min(table.hour), func.max(table.hour))
        for name in ("account", "model", "client"):
            if getattr(wanted, name) is not None:
                statement = statement.where(table[name] == getattr(wanted, name))
        if wanted.status == "failed":
            statement = statement.where(table.failed > 0)
        first, last = tuple(self._all(statement)[0])
        return None if first is None else (first, last + 3600)

    def request(self, request_id: str) -> RequestRecord | None:
        """One request by its id."""
        found = self._all(select(*_FIELDS).where(REQUESTS.c.request_id == request_id).limit(1))
        return RequestRecord._make(found[0]) if found else None

    def readings(
        self, since: float, *, account: str | None = None, window: str | None = None
    ) -> list[ReadingRecord]:
        """Readings since then, oldest first; of long spans only as many as a chart can show."""
        table = READINGS.c
        statement = select(
            table.account, table.window, table.at, table.utilization, table.reset_at, table.source
        ).where(table.at >= since)
        if account is not None:
            statement = statement.where(table.account == account)
        if window is not None:
            statement = statement.where(table.window == window)
        rows = self._all(statement.order_by(table.at))
        return [ReadingRecord._make(row) for row in thinned(rows, MAX_ROWS)]

    def events(self, since: float, limit: int = 1000) -> list[EventRecord]:
        """Events since then, newest first."""
        table = EVENTS.c
        statement = select(table.at, table.kind, table.account, table.detail)
        newest = statement.where(table.at >= since).order_by(table.seq.desc())
        return [EventRecord._make(row) for row in self._all(newest.limit(min(limit, MAX_ROWS)))]

    def names(self) -> dict[str, str]:
        """What every account that was ever seen was last called."""
        return {row.id: row.name for row in self._all(select(ACCOUNTS))}

    def close(self) -> None:
        """Close every connection."""
        close_engine(self._engine)
        self._engine = None

    def _within(self, statement: Select[Any], query: LedgerQuery) -> Select[Any]:
        if query.since is not None:
            statement = statement.where(HOURS.c.hour >= query.since - query.since % 3600)
        if query.until is not None:
            statement = statement.where(HOURS.c.hour < query.until)
        for name in GROUPS:
            wanted = getattr(query, name)
            if wanted is not None:
                statement = statement.where(HOURS.c[name] == wanted)
        return statement

    def _all(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        try:
            with self._opened().connect() as connection:
                return connection.execute(statement).all()
        except SQLAlchemyError as error:
            self.close()  # the next one looks at what is there then
            raise StateError(
                f"the ledger cannot be read: {first_line(error)}", "maxpool status says more"
            ) from None

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = (open_for_reading if self.only_reads else open_engine)(self.url)
            return self._engine


def _sums() -> list[Label[Any]]:
    return [func.sum(HOURS.c[name]).label(name) for name in COUNTS]


def span_of(at: float, by: str, offset_s: Callable[[float], int]) -> str:
    """The span that a moment falls in, by local time: `2026-11-20 14:00`, a day, the Monday, a month."""
    local = datetime.fromtimestamp(at, UTC) + timedelta(seconds=offset_s(at))
    match by:
        case "hour":
            return f"{local:%Y-%m-%d %H:00}"
        case "week":
            return f"{local - timedelta(days=local.weekday()):%Y-%m-%d}"
        case "month":
            return f"{local:%Y-%m}"
        case _:
            return f"{local:%Y-%m-%d}"


def thinned(rows: Sequence[Row[Any]], most: int) -> Iterable[Row[Any]]:
    """Every n-th of too many."""
    return rows if len(rows) <= most else rows[:: -(-len(rows) // most)]


def _of_status(statement: Select[Any], number: int) -> Select[Any]:
    """Of one status; said so that the index of the unusual ones is seen to hold them."""
    statement = statement.where(REQUESTS.c.status == number)
    return (
        statement if number == 200 else statement.where(REQUESTS.c.status != literal_column("200"))
    )


def _chosen(statement: Select[Any], wanted: RequestFilter) -> Select[Any]:
    table = REQUESTS.c
    for name in ("account", "model", "client", "session"):
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(table[name] == value)
    if wanted.client:  # what the index of clients holds
        statement = statement.where(table.client != literal_column("''"))
    if wanted.since is not None:
        statement = statement.where(table.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(table.at < wanted.until)
    match wanted.status:
        case None:
            return statement
        case "failed":
            return statement.where(table.failed.is_(True))
        case "ok":
            return statement.where(and_(table.failed.is_(False), table.status > 0))
        case "gone":
            return _of_status(statement, 0)
        case code:
            return _of_status(statement, int(code))


def _line(row: Row[Any], **more: Any) -> UsageLine:  # noqa: ANN401 - columns of a row
    values = _whole([getattr(row, name) for name in COUNTS])
    return UsageLine(
        **{"key": row._mapping.get("key", ""), **dict(zip(COUNTS, values, strict=True)), **more}
    )


def _whole(values: Sequence[float]) -> list[Any]:
    """Counts as whole numbers: databases give sums as decimals and floats."""
    return [*(int(value) for value in values[:-2]), *(float(value) for value in values[-2:])]
