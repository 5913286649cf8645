"""The ledger's tables and how an older file becomes a newer one.

`MIGRATIONS[n]` leads from version n to n + 1; a fresh database takes them all. A step is never changed
once it was released, only followed by another. Works on SQLite and PostgreSQL alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)

from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

METADATA: Final = MetaData()

# SQLite counts up by itself only in a column that is literally INTEGER.
_SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")

META: Final = Table(
    "meta", METADATA, Column("key", String, primary_key=True), Column("value", Text, nullable=False)
)

REQUESTS: Final = Table(
    "requests",
    METADATA,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("request_id", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("account", String, nullable=False),
    Column("model", String, nullable=False),
    Column("sent_model", String, nullable=False),
    Column("client", String, nullable=False),
    Column("session", String, nullable=False),
    Column("program", String, nullable=False),
    Column("format", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("outcome", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("cache_read", BigInteger, nullable=False),
    Column("cache_write_5m", BigInteger, nullable=False),
    Column("cache_write_1h", BigInteger, nullable=False),
    Column("cost_usd", Float),
    Column("cost_told", Boolean, nullable=False),
    Column("total_ms", Float, nullable=False),
    Column("ttfb_ms", Float),
    Column("waited_ms", Float, nullable=False),
    Column("overhead_ms", Float, nullable=False),
    Column("skipped", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("device", String, nullable=False),
    Index("requests_at", "at"),
    Index("requests_id", "request_id"),
    Index("requests_account", "account", "at"),
    Index("requests_model", "model", "at"),
    Index("requests_session", "session", "at"),
)
Index(
    "requests_failed",
    REQUESTS.c.at,
    sqlite_where=REQUESTS.c.failed.is_(True),
    postgresql_where=REQUESTS.c.failed.is_(True),
)

Index(
    "requests_status",  # of the few that are not simply well
    REQUESTS.c.status,
    REQUESTS.c.at,
    sqlite_where=REQUESTS.c.status != 200,
    postgresql_where=REQUESTS.c.status != 200,
)
Index(
    "requests_client",
    REQUESTS.c.client,
    REQUESTS.c.at,
    sqlite_where=REQUESTS.c.client != "",
    postgresql_where=REQUESTS.c.client != "",
)

COUNTS: Final = (
    "requests",
    "failed",
    "tokens_in",
    "tokens_out",
    "cache_read",
    "cache_write",
    "unpriced",
    "cost_usd",
    "total_ms",
)
"""The columns of a rollup that are sums."""


def _counts() -> list[Column[float]]:
    whole = [Column(name, BigInteger, nullable=False) for name in COUNTS[:-2]]
    return [*whole, *(Column(name, Float, nullable=False) for name in COUNTS[-2:])]


HOURS: Final = Table(
    "hours",
    METADATA,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # epoch seconds, UTC
    Column("account", String, primary_key=True),
    Column("model", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("device", String, primary_key=True),
    *_counts(),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("session", String, primary_key=True),
    Column("first_at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("account", String, nullable=False),
    Column("model", String, nullable=False),
    Column("client", String, nullable=False),
    *_counts(),
    Index("sessions_last", "last_at"),
)

READINGS: Final = Table(
    "readings",
    METADATA,
    Column("account", String, primary_key=True),
    Column("window", String, primary_key=True),
    Column("at", Float, primary_key=True),
    Column("utilization", Float, nullable=False),
    Column("reset_at", Float),
    Column("source", String, nullable=False),
    Index("readings_at", "at"),
)

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("kind", String, nullable=False),
    Column("account", String, nullable=False),
    Column("detail", Text, nullable=False),
    Index("events_at", "at"),
)

ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
)
"""The last name of every account that was ever seen: rows outlive accounts."""


def _first(connection: Connection) -> None:
    METADATA.create_all(connection)


MIGRATIONS: Final[tuple[Callable[[Connection], None], ...]] = (_first,)
VERSION: Final = len(MIGRATIONS)


def migrate(connection: Connection) -> int:
    """Bring the database to this version, within the caller's transaction; returns where it was.

    Raises `StateError` for one that a newer maxpool has written.
    """
    META.create(connection, checkfirst=True)
    found = connection.execute(select(META.c.value).where(META.c.key == "version")).scalar()
    at = int(found) if found is not None else 0
    if at > VERSION:
        raise StateError(
            f"the ledger is of version {at}, and this maxpool reads up to {VERSION}",
            "Use the newer maxpool, or name another [ledger] url",
        )
    for step in MIGRATIONS[at:]:
        step(connection)
    if found is None:
        connection.execute(insert(META).values(key="version", value=str(VERSION)))
    elif at < VERSION:
        connection.execute(update(META).where(META.c.key == "version").values(value=str(VERSION)))
    return at


def tables_in(connection: Connection) -> set[str]:
    """The tables that are there."""
    return set(inspect(connection).get_table_names())
