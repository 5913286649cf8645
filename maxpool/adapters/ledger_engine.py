"""Opening the ledger's database: SQLite in the state folder, or PostgreSQL by URL.

Broken SQLite files are set aside under a name that says so; a newer version's are left alone. The one
place that knows what the two databases need.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from maxpool.adapters.ledger_schema import migrate
from maxpool.adapters.lock import make_private_folder
from maxpool.errors import StateError

if TYPE_CHECKING:
    from sqlalchemy import Engine

BUSY_MS: Final = 2000
CONNECT_S: Final = 5
MAX_SET_ASIDE: Final = 100
_BROKEN: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def sqlite_url(path: Path) -> str:
    """The URL of a file."""
    return f"sqlite:///{path}"


def open_engine(url: str) -> Engine:
    """An engine whose database is of this version.

    Raises `StateError` (a newer version, a wrong URL, a missing driver) or SQLAlchemy's errors.
    """
    try:
        return _open(url)
    except DatabaseError as error:
        if getattr(error.orig, "sqlite_errorcode", None) not in _BROKEN:
            raise
        _put_aside(Path(make_url(url).database or ""))
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


def _engine(url: str) -> Engine:
    try:
        where = make_url(url)
        if where.get_backend_name() == "sqlite":
            _make_file(Path(where.database or ""))
            engine = create_engine(where)
            event.listen(engine, "connect", _tune_sqlite)
            return engine
        if where.drivername in ("postgresql", "postgres"):
            where = where.set(drivername="postgresql+psycopg")
        more: dict[str, Any] = {"connect_timeout": CONNECT_S}
        return create_engine(where, paramstyle="format", connect_args=more, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
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
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _put_aside(path: Path) -> None:
    for number in range(MAX_SET_ASIDE):
        aside = path.with_name(f"{path.name}.broken{f'-{number}' if number else ''}")
        if not aside.exists():
            path.rename(aside)
            for rest in ("-wal", "-shm"):
                path.with_name(path.name + rest).unlink(missing_ok=True)
            return
    raise StateError(f"{path} is broken, and so are {MAX_SET_ASIDE} older ones", "Remove some")
