"""The pool's snapshot on disk (and, from adapters/lock, one server per state folder).

SQLite writes it: each save is one transaction, so a reader finds the old snapshot or the new one
and never half of either. WAL with synchronous=NORMAL survives a kill of the process at any moment;
a power cut may cost the last saves, never the file (sqlite.org/pragma.html#pragma_synchronous).
It keeps no history and no secrets, and must not be called on the event loop.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from maxpool.adapters import process
from maxpool.adapters.lock import lock_state_folder, make_private_folder
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SqliteStateStore", "lock_state_folder"]

LAYOUT = 1
"""The table's layout (`user_version`), not the snapshot's version: that is inside the snapshot."""

BUSY_S = 2.0
"""How long a save waits for somebody who looks into the file, say a backup."""

MAX_SET_ASIDE = 100

_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
"""Errors after which an open file is as good as before."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER, saved TEXT NOT NULL);
"""


class SqliteStateStore:
    """`ports.StateStore` in one SQLite file, mode 0600, its folder made with 0700.

    `newest_version`: the highest snapshot version the caller can read; a newer one is set aside.
    `busy_s`: how long to wait for a lock. Any thread may call; calls take turns.
    """

    def __init__(
        self, path: Path, *, newest_version: int | None = None, busy_s: float = BUSY_S
    ) -> None:
        self._path = Path(path)
        self._busy_s = busy_s
        self._newest_version = newest_version
        self._set_aside: str | None = None
        self._unread = False  # what the file holds could not be read, and must not be lost
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = (0, 0)

    @property
    def set_aside(self) -> str | None:
        """Where a broken or newer file was put at `load`, if one was."""
        return self._set_aside

    def load(self) -> dict[str, Any] | None:
        """The last snapshot, or None; what cannot be read is set aside under a telling name.

        Raises StateError when the folder or the file cannot be used at all; what it holds is then set
        aside by the first save that works.
        """
        with self._lock:
            try:
                return self._read()
            except _Unreadable as exc:
                self._put_aside(exc.word)
                return self._read_fresh()
            except StateError:
                self._close()
                self._unread = True
                return self._read_alone()

    def save(self, snapshot: Mapping[str, Any]) -> None:
        """Replace the snapshot in one transaction; raises StateError, nothing changed then."""
        try:
            # Ten times faster than json here, and the GIL is held meanwhile: streams would stutter.
            text = msgspec.json.encode(snapshot).decode()
        except (TypeError, ValueError) as exc:
            raise StateError(f"the snapshot cannot be written as JSON: {exc}") from exc
        version = snapshot.get("version")
        row = (version if isinstance(version, int) else None, text)
        with self._lock:
            try:
                if self._unread and self._path.exists():
                    self._put_aside("unread")
                self._unread = False
                self._replace(row)
            except _Unreadable as exc:
                raise StateError(
                    f"{self._path} is {exc.word}", "Restart: the file is then set aside"
                ) from exc
            except sqlite3.Error as exc:
                if getattr(exc, "sqlite_errorcode", None) not in _PASSING:
                    self._close()  # the next save opens it again
                raise StateError(f"cannot save to {self._path}: {exc}", _hint(exc)) from exc

    def close(self) -> None:
        """Flush and close; saving again opens the file again."""
        with self._lock:
            self._close()

    def _replace(self, row: tuple[int | None, str]) -> None:
        if self._db is not None and not self._is_there():
            self._close()  # somebody removed the file: what is written to it now nobody ever reads
        db = self._opened()
        with db:
            db.execute("INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?)", row)

    def _is_there(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._inode

    def _read(self) -> dict[str, Any] | None:
        try:
            return self._snapshot(self._opened())
        except sqlite3.OperationalError as exc:
            raise StateError(f"cannot read {self._path}: {exc}", _hint(exc)) from exc
        except sqlite3.DatabaseError as exc:
            raise _Unreadable("broken") from exc

    def _read_alone(self) -> dict[str, Any] | None:
        """The last snapshot without writing a byte; raises what kept it from being read, if not.

        A full disk has no room for SQLite's index of the log; held exclusively, the file needs none
        (sqlite.org/wal.html#use_of_wal_without_shared_memory).
        """
        try:
            with closing(sqlite3.connect(self._path, timeout=self._busy_s)) as db:
                db.execute("PRAGMA locking_mode = EXCLUSIVE").close()
                snapshot = self._snapshot(db)
        except (sqlite3.Error, _Unreadable) as exc:
            raise StateError(f"cannot read {self._path}: {exc}", _hint(exc)) from exc
        self._unread = False
        return snapshot

    def _snapshot(self, db: sqlite3.Connection) -> dict[str, Any] | None:
        with closing(db.execute("SELECT saved FROM snapshot WHERE id = 1")) as cursor:
            row = cursor.fetchone()
        if row is None:
            return None
        try:
            snapshot = json.loads(row[0])
        except (TypeError, ValueError, RecursionError) as exc:
            raise _Unreadable("broken") from exc
        if not isinstance(snapshot, dict):
            raise _Unreadable("broken")
        version = snapshot.get("version")
        newest = self._newest_version
        if newest is not None and isinstance(version, int) and version > newest:
            raise _Unreadable("newer")
        return snapshot

    def _read_fresh(self) -> dict[str, Any] | None:
        try:
            return self._read()
        except _Unreadable as exc:
            raise StateError(
                f"a fresh {self._path} is {exc.word} again", "Check the disk, or set MAXPOOL_HOME"
            ) from exc

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            make_private_folder(self._path.parent)
            try:
                _touch_private(self._path)
                found = self._path.stat()
                self._inode = (found.st_dev, found.st_ino)
                self._db = sqlite3.connect(
                    self._path,
                    timeout=self._busy_s,
                    check_same_thread=False,
                    isolation_level="IMMEDIATE",
                )
                _prepare(self._db)
            except (OSError, sqlite3.OperationalError) as exc:
                self._close()
                raise StateError(f"cannot open {self._path}: {exc}", _hint(exc)) from exc
            except sqlite3.DatabaseError as exc:
                self._close()
                raise _Unreadable("broken") from exc
            except _Unreadable:
                self._close()
                raise
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def put_aside(self, word: str) -> str:
        """Set the file aside under a name with `word` in it; saving begins a new one."""
        with self._lock:
            return self._put_aside(word)

    def _put_aside(self, word: str) -> str:
        self._close()
        for number in range(1, MAX_SET_ASIDE):
            aside = self._path.with_name(f"{self._path.name}.{word}-{number}")
            if not aside.exists():
                break
        else:
            raise StateError(
                f"{self._path} is {word}, and so were {MAX_SET_ASIDE} before it",
                f"Look into {self._path.parent} and remove what is not needed",
            )
        try:
            self._path.replace(aside)
            for suffix in ("-wal", "-shm"):  # a fresh file must not meet the old one's log
                with suppress(FileNotFoundError):
                    Path(f"{self._path}{suffix}").replace(f"{aside}{suffix}")
        except OSError as exc:
            raise StateError(
                f"cannot set {self._path} aside: {exc.strerror}", "Check who owns the state folder"
            ) from exc
        self._set_aside = str(aside)
        return self._set_aside


def saved_in(path: Path) -> dict[str, Any] | None:
    """The snapshot in a file, read without changing anything; None when there is none to be read.

    For a look while a server may be writing; what is wrong with the file is for `load` to say.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
            row = db.execute("SELECT saved FROM snapshot WHERE id = 1").fetchone()
        snapshot = json.loads(row[0]) if row is not None else None
    except (sqlite3.Error, TypeError, ValueError, RecursionError):
        return None
    return snapshot if isinstance(snapshot, dict) else None


class _Unreadable(Exception):  # noqa: N818 - caught in this file, becomes a name on disk
    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def _prepare(db: sqlite3.Connection) -> None:
    with closing(db.execute("PRAGMA user_version")) as cursor:
        layout = cursor.fetchone()[0]
    if layout > LAYOUT:
        raise _Unreadable("newer")
    db.execute("PRAGMA journal_mode=WAL").close()
    db.execute("PRAGMA synchronous=NORMAL").close()
    with closing(db.execute("PRAGMA quick_check(1)")) as cursor:
        if cursor.fetchone()[0] != "ok":
            raise _Unreadable("broken")
    with db:
        db.execute(_SCHEMA)
        db.execute(f"PRAGMA user_version = {LAYOUT}")


def _touch_private(path: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database file.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if process.has_file_modes():
        path.chmod(0o600)


def _hint(exc: Exception) -> str:
    code = getattr(exc, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return "The disk is full: make room, it is saved again within a second"
    if code == sqlite3.SQLITE_READONLY:
        return "It may not be written: give it back to the user that maxpool runs as"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another program holds the file open: close it"
    return "Check who owns the state folder, or set MAXPOOL_HOME"
