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
LOCK_NAME = "server.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running server: how it is reached on this machine, and its process."""

    url: str
    pid: int


def running(folder: Path) -> Running | None:
    """The server that uses this state folder, None when there is none."""
    try:
        data = json.loads((folder / ADDRESS_NAME).read_bytes())
        found = Running(url=str(data["url"]), pid=int(data["pid"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if _lives(found.pid) else None


def used(folder: Path) -> bool:
    """Whether a server still holds this state folder: the last thing it gives up when it ends."""
    try:
        return _lives(int((folder / LOCK_NAME).read_text(encoding="ascii")))
    except (OSError, ValueError):
        return False


def admin_key(folder: Path) -> str | None:
    """The admin key as the server wrote it; None when there is none this user may read."""
    try:
        return (folder / KEY_NAME).read_text(encoding="ascii").strip() or None
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
