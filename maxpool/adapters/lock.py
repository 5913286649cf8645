"""One server per state folder: an exclusive lock that names its holder.

The lock belongs to the open file, so it ends with the process however that ends; the pid in the
file is only for telling people. It protects nothing but the folder it lies in.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from maxpool.adapters import process
from maxpool.errors import StateError

LOCK_NAME = "server.lock"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class FolderLock:
    """A held lock; `release` gives it up. Idempotent.

    Another process that is given the descriptor holds the same lock, and names itself by `claim`.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @property
    def descriptor(self) -> int:
        """The open file that is locked; -1 once released."""
        return -1 if self._descriptor is None else self._descriptor

    def claim(self) -> None:
        """Write this process's id into the file: it is the one that serves; raises OSError."""
        text = f"{process.pid()}\n".encode("ascii")
        os.pwrite(self.descriptor, text, 0)
        os.ftruncate(self.descriptor, len(text))

    def release(self) -> None:
        """Give the lock up; the file stays (removing it would let two servers lock two files)."""
        if self._descriptor is not None:
            if _holder(self._descriptor) == process.pid():  # else it was handed on
                with suppress(OSError):
                    os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_state_folder(folder: Path) -> FolderLock:
    """Lock `folder` for this process; raises StateError that says which pid has it."""
    make_private_folder(Path(folder))
    path = Path(folder) / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as exc:
        raise StateError(
            f"cannot open {path}: {exc.strerror}", "Check who owns the state folder"
        ) from exc
    try:
        lock_now(descriptor)
    except OSError:
        holder = _holder(descriptor)
        os.close(descriptor)
        who = f"another server (pid {holder})" if holder else "another server"
        end = f"kill {holder} (or Ctrl-C in its terminal)" if holder else "Ctrl-C in its terminal"
        raise StateError(
            f"{who} uses the state folder {folder}",
            f"End it with {end}, or set MAXPOOL_HOME to another folder",
        ) from None
    try:
        FolderLock(descriptor).claim()
    except OSError as exc:
        os.close(descriptor)
        raise StateError(
            f"cannot write {path}: {exc.strerror}",
            "Make room there, or set MAXPOOL_HOME to another folder",
        ) from exc
    return FolderLock(descriptor)


def lock_now(descriptor: int) -> None:
    """Lock an open file for this process alone; raises OSError when somebody else has it."""
    try:
        import fcntl
    except ImportError:  # Windows locks a byte far behind the text, which stays readable
        import msvcrt

        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(descriptor: int) -> int | None:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return int(os.read(descriptor, 20))
    except (OSError, ValueError):
        return None


def make_private_folder(folder: Path) -> None:
    """Make `folder`, readable by its owner alone; raises StateError.

    From an existing one of ours only the right of others to write is taken: what stands in it tells
    where credentials belong. A shared folder (sticky, as /tmp is) and somebody else's stay as they are.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
        ours = process.has_file_modes() and found.st_uid == os.geteuid()
        if ours and found.st_mode & OTHERS_WRITE and not found.st_mode & stat.S_ISVTX:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS_WRITE)
    except OSError as exc:
        raise StateError(
            f"cannot make the state folder {folder}: {exc.strerror}",
            "Set MAXPOOL_HOME to a folder you may write to",
        ) from exc
