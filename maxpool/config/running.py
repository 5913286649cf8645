"""Where the server of a state folder runs, and its admin key, as commands read them there.

Standard library only. Reads; the server writes (`adapters/statefiles`). No address without a living
server: otherwise a command would show the key to whoever listens at the port meanwhile.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS_NAME = "server.json"
KEY_NAME = "admin.key"
CLIENT_KEY_NAME = "client.key"
LOCK_NAME = "server.lock"

LOCAL_KEY = "local"
"""What the client key of the state folder is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running server: how it is reached on this machine, and its process."""

    url: str
    pid: int


def running(folder: Path) -> Running | None:
    """The server that uses this state folder, None when there is none.

    One that was killed left its address; as soon as another has the lock, that one speaks for itself.
    """
    try:
        data = json.loads((folder / ADDRESS_NAME).read_bytes())
        found = Running(url=str(data["url"]), pid=int(data["pid"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if _lives(found.pid) and _holder(folder) in (None, found.pid) else None


def used(folder: Path) -> bool:
    """Whether a server still holds this state folder: the last thing it gives up when it ends."""
    holder = _holder(folder)
    return holder is not None and _lives(holder)


def held(folder: Path) -> bool:
    """Whether a server surely holds this state folder, whoever has the pid it once had.

    Asks the lock itself, for a moment: not while a server may be starting.
    """
    try:
        import fcntl

        with (folder / LOCK_NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (ImportError, OSError):  # held, or nobody can tell
        return True
    return False


def admin_key(folder: Path) -> str | None:
    """The admin key as the server wrote it; None when there is none this user may read."""
    try:
        return (folder / KEY_NAME).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def client_key_file(folder: Path) -> Path | None:
    """The state folder's own client key, for tools that can send one; None when there is none."""
    path = folder / CLIENT_KEY_NAME
    return path if os.access(path, os.R_OK) else None


def client_key(folder: Path) -> str | None:
    """That key itself."""
    try:
        return (folder / CLIENT_KEY_NAME).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def _holder(folder: Path) -> int | None:
    """Who took the lock last and has not given it up, as far as its file tells."""
    try:
        return int((folder / LOCK_NAME).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _lives(pid: int) -> bool:
    """Whether the process exists (a killed server leaves its address behind)."""
    if os.name != "posix":  # there, a signal 0 would interrupt it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
