"""A batch of records on its way into the database: rows as they are, and what they add to the rollups.

A batch is one transaction, so rows and sums never tell different stories. What it writes, and when, is
decided in `ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import case
from sqlalchemy.dialects import postgresql, sqlite

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
    AccountRecord,
    EventRecord,
    ReadingRecord,
    RequestRecord,
    Row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Insert, Table

CHUNK_ROWS: Final = 100
"""Rows handed to the driver at a time: it holds the interpreter's lock meanwhile, and streams wait."""

HOUR_S: Final = 3600
_ZERO: Final = (0,) * (len(COUNTS) - 2) + (0.0, 0.0)

Counts = tuple[float, ...]
HourKey = tuple[int, str, str, str, str]


@dataclass(slots=True)
class _Session:
    first_at: float
    last_at: float
    account: str
    model: str
    client: str
    counts: list[float] = field(default_factory=lambda: [*_ZERO])


@dataclass(slots=True)
class Batch:
    """Records sorted by where they go."""

    requests: list[RequestRecord] = field(default_factory=list)
    readings: dict[tuple[str, str, float], ReadingRecord] = field(default_factory=dict)
    events: list[EventRecord] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    hours: dict[HourKey, list[float]] = field(default_factory=dict)
    sessions: dict[str, _Session] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Batch:
        """The batch of these records."""
        batch = cls()
        for row in rows:
            batch._add(row)
        return batch

    def _add(self, row: Row) -> None:
        match row:
            case RequestRecord():
                self.requests.append(row)
                self._count(row)
            case ReadingRecord():
                self.readings[row.account, row.window, row.at] = row
            case EventRecord():
                self.events.append(row)
            case AccountRecord():
                self.names[row.account] = row.name

    def _count(self, row: RequestRecord) -> None:
        counts = counts_of(row)
        key = (int(row.at // HOUR_S) * HOUR_S, row.account, row.model, row.client, row.device)
        _add(self.hours.setdefault(key, [*_ZERO]), counts)
        if not row.session:
            return
        known = self.sessions.get(row.session)
        if known is None:
            known = _Session(row.at, row.at, row.account, row.model, row.client)
            self.sessions[row.session] = known
        known.first_at = min(known.first_at, row.at)
        if row.at >= known.last_at:
            known.last_at, known.account, known.model = row.at, row.account, row.model
        _add(known.counts, counts)

    def write(self, connection: Connection) -> None:
        """Put everything into the database, within the caller's transaction."""
        _insert(connection, REQUESTS, RequestRecord._fields, self.requests)
        _insert(connection, EVENTS, EventRecord._fields, self.events)
        if self.readings:
            rows = [row._asdict() for row in self.readings.values()]
            connection.execute(_upsert(connection, READINGS, ("account", "window", "at"), ()), rows)
        if self.names:
            named = [{"id": key, "name": name} for key, name in self.names.items()]
            connection.execute(_upsert(connection, ACCOUNTS, ("id",), ()), named)
        if self.hours:
            keys = ("hour", "account", "model", "client", "device")
            summed = [
                {**dict(zip(keys, key, strict=True)), **dict(zip(COUNTS, counts, strict=True))}
                for key, counts in self.hours.items()
            ]
            connection.execute(_upsert(connection, HOURS, keys, COUNTS), summed)
        if self.sessions:
            connection.execute(
                _upsert(connection, SESSIONS, ("session",), COUNTS), self._sessions()
            )

    def _sessions(self) -> list[dict[str, Any]]:
        return [
            {
                "session": name,
                "first_at": one.first_at,
                "last_at": one.last_at,
                "account": one.account,
                "model": one.model,
                "client": one.client,
                **dict(zip(COUNTS, one.counts, strict=True)),
            }
            for name, one in self.sessions.items()
        ]


def counts_of(row: RequestRecord) -> Counts:
    """What one request adds to the sums, in the order of `COUNTS`."""
    tokens = row.tokens_in + row.tokens_out + row.cache_read + row.cache_write_5m
    unpriced = row.cost_usd is None and tokens + row.cache_write_1h > 0
    return (
        1,
        int(row.failed),
        row.tokens_in,
        row.tokens_out,
        row.cache_read,
        row.cache_write_5m + row.cache_write_1h,
        int(unpriced),
        row.cost_usd or 0.0,
        row.total_ms,
    )


def _add(total: list[float], counts: Counts) -> None:
    for i, count in enumerate(counts):
        if count:
            total[i] += count


def _insert(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Rows as tuples, past SQLAlchemy's work on each value: a third of its cost per row."""
    if not rows:
        return
    compiled = table.insert().compile(dialect=connection.dialect, column_keys=list(names))
    order = [names.index(name) for name in compiled.positiontup or names]
    straight = order == list(range(len(names)))
    for at in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[at : at + CHUNK_ROWS]
        values = [tuple(row) if straight else tuple(row[i] for i in order) for row in chunk]
        connection.exec_driver_sql(str(compiled), values)


def _upsert(
    connection: Connection, table: Table, keys: Sequence[str], sums: Sequence[str]
) -> Insert:
    """Insert, or add to the row that is there; what is no sum takes the newer value.

    Rows may come late: what a session was last is told by its latest request, not by the last written.
    """
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement: Any = dialect.insert(table)
    new, old = statement.excluded, table.c
    changed: dict[str, Any] = {}
    for column in table.columns:
        name = column.name
        if name in keys or name == "client":
            continue
        if name in sums:
            changed[name] = old[name] + new[name]
        elif name == "first_at":
            changed[name] = case((new[name] < old[name], new[name]), else_=old[name])
        elif "last_at" in old:
            changed[name] = case((new["last_at"] >= old["last_at"], new[name]), else_=old[name])
        else:
            changed[name] = new[name]
    found: Insert = statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
    return found
