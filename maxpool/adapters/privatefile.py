"""Files that are their owner's alone: written whole or not at all, changed by one process at a time.

Knows nothing of what they hold.
"""

from __future__ import annotations

import os
import shlex
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from maxpool.adapters import process
from maxpool.adapters.lock import lock_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_PAUSE_S = 0.02


def write_private(path: Path, data: bytes) -> None:
    """Replace a file by `data`, mode 0600, durably; raises OSError and leaves the old one.

    Beside it, flushed, renamed, and the rename flushed: whoever reads meanwhile, or is killed, finds
    the old content or the new. One writer at a time (see `locked`).
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)  # left by a writer that was killed
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where folders can be flushed."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock that is the file at `path`; raises TimeoutError when somebody else keeps it.

    The lock ends with the process. Its file stays: removing it would let two lock two files.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        for _ in range(max(1, int(timeout_s / LOCK_PAUSE_S))):
            with suppress(OSError):
                lock_now(descriptor)
                break
            time.sleep(LOCK_PAUSE_S)
        else:
            raise TimeoutError
        yield
    finally:
        os.close(descriptor)


def looseness(path: Path) -> tuple[str, str] | None:
    """What is wrong when others can reach a file or folder, and the command that mends it."""
    if not process.has_file_modes():
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    mode = stat.S_IMODE(found.st_mode)
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    right = "700" if stat.S_ISDIR(found.st_mode) else "600"
    return (
        f"{path} can be reached by others (mode {mode:04o})",
        f"Run: chmod {right} {shlex.quote(str(path))}",
    )
