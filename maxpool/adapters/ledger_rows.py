"""A batch of records on its way into the database: rows as they are, and what they add to the rollups.

A batch is one transaction, so rows and sums never tell different stories. What it writes, and when, is
decided in `ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from operator import add
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
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Dialect, Insert, Table

CHUNK_ROWS: Final = 100
"""Rows handed to the driver at a time: it holds the interpreter's lock meanwhile, and streams wait."""

HOUR_S: Final = 3600
_ZERO: Final = (0,) * (len(COUNTS) - 2) + (0.0, 0.0)

KEYS: Final[Mapping[Table, tuple[str, ...]]] = {
    table: tuple(column.name for column in table.primary_key)
    for table in (READINGS, ACCOUNTS, HOURS, SESSIONS)
}
"""Tables whose rows may be there already."""

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

    def values(self) -> tuple[Any, ...]:
        """In the order of the table's columns."""
        told = (self.first_at, self.last_at, self.account, self.model, self.client)
        return (*told, *self.counts)


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
        hour = self.hours.get(key)
        self.hours[key] = [*counts] if hour is None else [*map(add, hour, counts)]
        if not row.session:
            return
        known = self.sessions.get(row.session)
        if known is None:
            known = _Session(row.at, row.at, row.account, row.model, row.client)
            self.sessions[row.session] = known
        known.first_at = min(known.first_at, row.at)
        if row.at >= known.last_at:
            known.last_at, known.account, known.model = row.at, row.account, row.model
        known.counts = [*map(add, known.counts, counts)]

    def write(self, connection: Connection) -> None:
        """Put everything into the database, within the caller's transaction."""
        _put(connection, REQUESTS, self.requests)
        _put(connection, EVENTS, self.events)
        _put(connection, READINGS, [*self.readings.values()])
        _put(connection, ACCOUNTS, [*self.names.items()])
        _put(connection, HOURS, [(*key, *counts) for key, counts in self.hours.items()])
        _put(connection, SESSIONS, [(name, *one.values()) for name, one in self.sessions.items()])


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


def _put(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows as tuples in the order of the table's columns, past SQLAlchemy's work on each value."""
    if not rows:
        return
    sql = _statement(connection.dialect, table)
    for at in range(0, len(rows), CHUNK_ROWS):
        connection.exec_driver_sql(sql, [tuple(row) for row in rows[at : at + CHUNK_ROWS]])


@lru_cache(maxsize=64)
def _statement(dialect: Dialect, table: Table) -> str:
    """The statement that takes such rows; compiled once for an engine."""
    names = [column.name for column in table.columns if column.name != "seq"]
    made = _upsert(dialect, table) if table in KEYS else table.insert()
    compiled = made.compile(dialect=dialect, column_keys=names)
    assert (compiled.positiontup or names) == names
    return str(compiled)


def _upsert(dialect: Dialect, table: Table) -> Insert:
    """Insert, or add to the row that is there; what is no sum takes the newer value.

    Rows may come late: what a session was last is told by its latest request, not by the last written.
    """
    room: Any = sqlite if dialect.name == "sqlite" else postgresql
    statement: Any = room.insert(table)
    new, old, keys = statement.excluded, table.c, KEYS[table]
    changed: dict[str, Any] = {}
    for column in table.columns:
        name = column.name
        if name in keys or name == "client":
            continue
        if name in COUNTS:
            changed[name] = old[name] + new[name]
        elif name == "first_at":
            changed[name] = case((new[name] < old[name], new[name]), else_=old[name])
        elif "last_at" in old:
            changed[name] = case((new["last_at"] >= old["last_at"], new[name]), else_=old[name])
        else:
            changed[name] = new[name]
    found: Insert = statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
    return found
