"""One refresh per credential over all processes of a state folder: an exclusive lock on a file.

The lock belongs to the open file, so it ends with the process however that ends; the file stays,
since removing it would let two processes lock two files. It is nobody's lock on the vault itself.
"""

from __future__ import annotations

import os
import re
import threading
from hashlib import sha256
from typing import TYPE_CHECKING

from maxpool.adapters.lock import lock_now, make_private_folder
from maxpool.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

POLL_S = 0.05
"""How often a lock that somebody has is tried again; a refresh takes a good part of a second."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class HeldFile:
    """`ports.Held`: an open, locked file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give it up. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class FileRefreshLocks:
    """`ports.RefreshLocks` in `folder`, one file per account, made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def acquire(self, account_id: str, timeout_s: float) -> HeldFile | None:
        """The lock, or None when somebody else still has it after `timeout_s`; raises StateError."""
        path = self._folder / f"{_file_name(account_id)}.lock"
        make_private_folder(self._folder)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StateError(
                f"cannot open {path}: {exc.strerror}", "Check who owns the state folder"
            ) from exc
        waiting, left_s = threading.Event(), timeout_s
        while True:
            try:
                lock_now(descriptor)
            except OSError:
                if left_s <= 0.0:
                    os.close(descriptor)
                    return None
                waiting.wait(min(POLL_S, left_s))
                left_s -= POLL_S
            else:
                return HeldFile(descriptor)


def _file_name(account_id: str) -> str:
    """A file's name for an id: ids of the config are safe as they are, any other is hashed."""
    if _PLAIN.fullmatch(account_id):
        return account_id
    return sha256(account_id.encode()).hexdigest()[:32]
