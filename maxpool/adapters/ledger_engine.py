"""Opening the ledger's database: SQLite in the state folder, or PostgreSQL by URL.

Broken SQLite files are set aside under a name that says so; a newer version's are left alone. The one
place that knows what the two databases need.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from maxpool.adapters.ledger_schema import migrate
from maxpool.adapters.lock import make_private_folder
from maxpool.errors import StateError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

log = logging.getLogger("maxpool.ledger")

BUSY_MS: Final = 2000
CONNECT_S: Final = 5
MAX_LOG_BYTES: Final = 64 << 20
"""To which the write-ahead log shrinks again after somebody read for long."""
CACHE_KB: Final = 16_384
"""Pages of the file kept in memory by one connection; the usual 2 MB are less than its indexes' inner nodes."""
MAX_SET_ASIDE: Final = 100
_BROKEN: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def sqlite_url(path: Path) -> str:
    """The URL of a file."""
    return f"sqlite:///{path}"


def open_engine(url: str) -> Engine:
    """An engine to write with, whose database is of this version; a broken file is set aside.

    Raises `StateError` (a newer version, a wrong URL, a missing driver) or SQLAlchemy's errors.
    """
    try:
        return _open(url)
    except DatabaseError as error:
        if not broken(error):
            raise
        log.error("the broken ledger is now called %s", put_aside(url))  # noqa: TRY400
    return _open(url)


def open_for_reading(url: str) -> Engine:
    """The same for whoever only looks: nothing is made, and nothing set aside.

    Raises `StateError` where there is no such file.
    """
    where = _parsed(url)
    if where.get_backend_name() == "sqlite" and not Path(where.database or "").exists():
        raise StateError(
            f"there is no ledger yet ({where.database})",
            "maxpool serve makes it with its first request",
        )
    return _open(url)


def close_engine(engine: Engine | None) -> None:
    """Close every connection."""
    if engine is not None:
        with suppress(DatabaseError):
            engine.dispose()


def _open(url: str) -> Engine:
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            migrate(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:  # whose text quotes the URL, which may hold a password
        raise StateError(
            "[ledger] url is no URL", "sqlite:////path/file or postgresql://..."
        ) from None


def _engine(url: str) -> Engine:
    where = _parsed(url)
    try:
        if where.get_backend_name() == "sqlite":
            _make_file(Path(where.database or ""))
            engine = create_engine(where)
            event.listen(engine, "connect", _tune_sqlite)
            return engine
        if where.drivername in ("postgresql", "postgres"):
            where = where.set(drivername="postgresql+psycopg")
        more: dict[str, Any] = {"connect_timeout": CONNECT_S}
        return create_engine(where, paramstyle="format", connect_args=more, pool_pre_ping=True)
    except NoSuchModuleError as error:
        raise StateError(f"[ledger] url is not usable: {error}", "sqlite or postgresql") from None
    except ImportError:
        raise StateError(
            "[ledger] url names PostgreSQL, and its driver is not installed",
            "pip install 'maxpool[postgres]'",
        ) from None


def _make_file(path: Path) -> None:
    """The file, readable by its owner only, before anything is in it."""
    make_private_folder(path.parent)
    if not path.exists():
        path.touch(mode=0o600)


def _tune_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"journal_size_limit={MAX_LOG_BYTES}",
        f"cache_size=-{CACHE_KB}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def put_aside(url: str) -> str:
    """Give a broken SQLite file another name, and return it; raises `StateError` when there are too many."""
    path = Path(make_url(url).database or "")
    for number in range(MAX_SET_ASIDE):
        aside = path.with_name(f"{path.name}.broken{f'-{number}' if number else ''}")
        if not aside.exists():
            path.rename(aside)
            for rest in ("-wal", "-shm"):
                path.with_name(path.name + rest).unlink(missing_ok=True)
            return str(aside)
    raise StateError(f"{path} is broken, and so are {MAX_SET_ASIDE} older ones", "Remove some")


# -- what went wrong -------------------------------------------------------------------------------


def broken(error: Exception) -> bool:
    """Whether an SQLite file is none, or damaged."""
    origin = getattr(error, "orig", None)
    return isinstance(error, DBAPIError) and getattr(origin, "sqlite_errorcode", 0) in _BROKEN


def passing(error: Exception) -> bool:
    """Whether the same rows may be taken later: the trouble is the database's, not theirs."""
    if isinstance(error, DBAPIError) and (error.connection_invalidated or broken(error)):
        return True
    return isinstance(error, OperationalError | StateError | OSError | PoolTimeout)


def first_line(error: Exception) -> str:
    """What the database said, without the statement that it said it of."""
    told = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return told.splitlines()[0][:200]
