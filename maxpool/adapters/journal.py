"""What must be known of refreshes after a crash, in a SQLite file of its own (`logins.db`, 0600).

Each call is durable when it returns: a rollback journal and synchronous=FULL, so that it survives a
power cut too (sqlite.org/pragma.html#pragma_synchronous). It holds fingerprints and digests, never a
token. Blocking: not for the event loop.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxpool.adapters import process
from maxpool.adapters.lock import make_private_folder
from maxpool.errors import StateError
from maxpool.ports import Begun

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYOUT = 1
BUSY_S = 5.0
"""How long a call waits for another process's: those take milliseconds."""

KEPT = 1000
"""Rows that a run takes over, the latest: of dead tokens a login leaves one in 28 days at the most."""

MAX_SET_ASIDE = 100

_SCHEMA = """
CREATE TABLE IF NOT EXISTS begun (
    account_id TEXT NOT NULL, fingerprint TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (account_id, fingerprint));
CREATE TABLE IF NOT EXISTS dead (
    digest TEXT PRIMARY KEY, account_id TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL);
"""


class SqliteRefreshJournal:
    """`ports.RefreshJournal` in one SQLite file.

    A file that is broken is put aside at the first use: `set_aside` names it then, and `broken_at`
    says when it was last written (epoch seconds). What it knew of refreshes is lost.
    """

    def __init__(self, path: Path, *, busy_s: float = BUSY_S) -> None:
        self._path = path
        self._busy_s = busy_s
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self.set_aside: str | None = None
        self.broken_at: float | None = None

    def open(self) -> None:
        """Open the file, or put a broken one aside and begin a new one; raises StateError."""
        self._do("SELECT 1")

    def begin(self, account_id: str, fingerprint: str, at: float) -> None:
        """A refresh token is about to be sent. Earlier ones of the account stay until `end`."""
        values = (account_id, fingerprint, at)
        self._do("INSERT OR REPLACE INTO begun VALUES (?, ?, ?)", values)

    def end(self, account_id: str) -> None:
        """The answer is stored, or surely nothing was processed."""
        self._do("DELETE FROM begun WHERE account_id = ?", (account_id,))

    def begun(self) -> tuple[Begun, ...]:
        """Every refresh without an end, the oldest first."""
        rows = self._do("SELECT account_id, fingerprint, at FROM begun ORDER BY at")
        return tuple(Begun(account_id=a, fingerprint=f, at=at) for a, f, at in rows)

    def bury(self, account_id: str, token_digest: str, reason: str, at: float) -> None:
        """Remember a refresh token as dead, by its SHA-256 in hex."""
        values = (token_digest, account_id, reason, at)
        self._do(
            "INSERT INTO dead VALUES (?, ?, ?, ?) "
            "ON CONFLICT (digest) DO UPDATE SET at = max(at, excluded.at)",
            values,
        )

    def dead(self, token_digest: str, since: float | None = None) -> str | None:
        """Why that token is dead, None when it is not known to be, or was buried before `since` only."""
        asked = "SELECT reason FROM dead WHERE digest = ? AND at >= ?"
        rows = self._do(asked, (token_digest, since if since is not None else 0.0))
        return str(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._close()

    def _do(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """One statement, in a transaction of its own."""
        with self._lock:
            try:
                return self._run(statement, values)
            except sqlite3.OperationalError as exc:
                self._close()
                raise StateError(f"cannot use {self._path}: {exc}", _hint(exc)) from exc
            except sqlite3.DatabaseError:
                self._put_aside()
            try:
                return self._run(statement, values)
            except sqlite3.Error as exc:
                self._close()
                raise StateError(f"cannot use {self._path}: {exc}", _hint(exc)) from exc

    def _run(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        db = self._opened()
        with closing(db.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._db is not None:
            return self._db
        make_private_folder(self._path.parent)
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            if process.has_file_modes():
                self._path.chmod(0o600)
        except OSError as exc:
            raise StateError(
                f"cannot open {self._path}: {exc.strerror}", "Check who owns the state folder"
            ) from exc
        # Autocommit: a statement that has returned is on the disk.
        db = sqlite3.connect(
            self._path, timeout=self._busy_s, check_same_thread=False, isolation_level=None
        )
        try:
            _prepare(db)
        except BaseException:
            db.close()
            raise
        self._db = db
        return db

    def _close(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _put_aside(self) -> None:
        """Move the broken file, and the log that belongs to it, to a name that says so."""
        self._close()
        names = (
            self._path.with_name(f"{self._path.name}.broken-{n}") for n in range(1, MAX_SET_ASIDE)
        )
        aside = next((name for name in names if not name.exists()), None)
        if aside is None:
            raise StateError(
                f"{self._path} is broken, and so were {MAX_SET_ASIDE - 1} before it",
                f"Look into {self._path.parent} and remove what is not needed",
            )
        try:
            self.broken_at = self._path.stat().st_mtime
            self._path.replace(aside)
            with suppress(FileNotFoundError):
                Path(f"{self._path}-journal").replace(f"{aside}-journal")
        except OSError as exc:
            raise StateError(
                f"cannot set {self._path} aside: {exc.strerror}", "Check who owns the state folder"
            ) from exc
        self.set_aside = str(aside)


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=DELETE").close()
    db.execute("PRAGMA synchronous=FULL").close()
    with closing(db.execute("PRAGMA user_version")) as cursor:
        layout = cursor.fetchone()[0]
    with closing(db.execute("PRAGMA quick_check(1)")) as cursor:
        if layout > LAYOUT or cursor.fetchone()[0] != "ok":
            raise sqlite3.DatabaseError
    db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {LAYOUT};COMMIT;")
    for table in ("begun", "dead"):
        latest = f"SELECT rowid FROM {table} ORDER BY at DESC LIMIT {KEPT}"  # noqa: S608 - constants
        db.execute(f"DELETE FROM {table} WHERE rowid NOT IN ({latest})").close()  # noqa: S608


def _hint(exc: sqlite3.Error) -> str:
    code = getattr(exc, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return "The disk is full: make room, then logins are refreshed again"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another program holds the file open: close it"
    return "Check who owns the state folder, or set MAXPOOL_HOME"
