"""The config file on disk: changing it whole or not at all, and noticing that it changed.

Every writer of ours takes one lock, so that none loses another's edit; an editor knows nothing of
that lock, and therefore the text is read under it and written back at once. Watching is the one door
to watchfiles. It knows nothing of what the text means.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from maxpool.adapters import process
from maxpool.adapters.privatefile import locked, sync_folder
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

DEBOUNCE_MS = 200
"""Several writes this close together are one change; well within the second that people wait."""

LOCK_S = 10.0
"""An edit takes milliseconds; who holds the lock longer is stuck."""

TRIES = 5
"""How often an edit begins anew because an editor, which knows no lock, has just saved."""

_BOM = b"\xef\xbb\xbf"


async def changes(path: Path) -> AsyncGenerator[None, None]:
    """Yield after each change of the file at `path`, its appearing and vanishing included.

    Watches folders, not the file: editors and config managers replace files instead of writing them.
    """
    from watchfiles import awatch  # a command that edits the file watches nothing

    real = path.resolve()  # noqa: ASYNC240 - once, before anything runs
    targets = {str(path), str(real)}

    def ours(_change: object, name: str) -> bool:
        return name in targets

    async for _ in awatch(
        *{path.parent, real.parent},
        watch_filter=ours,
        debounce=DEBOUNCE_MS,
        step=50,
        recursive=False,
    ):
        yield


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Replace the file's text by `change(text)`, durably, under the lock of its writers.

    A missing file is empty text, and is made with mode 0600 in a folder with 0700; an existing one
    keeps its mode and owner, a link stays a link. What `change` raises leaves the file untouched.
    Raises MaxpoolError when the file cannot be read or written.
    """
    real = path.resolve()
    try:
        real.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The lock's file lies beside the config, hidden: whoever may write there may lock.
        with locked(real.with_name(f".{real.name}.lock"), LOCK_S):
            _change(real, change)
    except UnicodeDecodeError as error:
        raise MaxpoolError(f"{path} is not UTF-8 text", "Save it as UTF-8") from error
    except TimeoutError as error:
        raise MaxpoolError(
            f"another command is changing {path} and does not end", "End it, then try again"
        ) from error
    except OSError as error:
        raise MaxpoolError(
            f"cannot change {path}: {error.strerror or error}",
            "Check who owns the file and its folder",
        ) from error


def _change(path: Path, change: Callable[[str], str]) -> None:
    for _ in range(TRIES):
        before = path.read_bytes() if path.exists() else None
        after = _through(before or b"", change)
        if after == before:
            return
        if before == (
            path.read_bytes() if path.exists() else None
        ):  # no editor has saved meanwhile
            _replace(path, after)
            return
    raise MaxpoolError(f"{path} keeps changing", "Close what writes to it, then try again")


def _through(content: bytes, change: Callable[[str], str]) -> bytes:
    """The changed content; `change` sees plain newlines, the file keeps its own and its mark."""
    text = content.decode("utf-8-sig")
    foreign = "\r\n" in text and text.count("\n") == text.count("\r\n")
    after = change(text.replace("\r\n", "\n") if foreign else text)
    after = after.replace("\n", "\r\n") if foreign else after
    return (_BOM if content.startswith(_BOM) else b"") + after.encode()


def _replace(path: Path, content: bytes) -> None:
    """Write beside, flush, rename: whoever reads or kills meanwhile finds the old text or the new."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)  # left by a writer that was killed
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _dress_as(path, descriptor)
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _dress_as(path: Path, descriptor: int) -> None:
    """Give the new file the old one's owner and mode."""
    if not process.has_file_modes() or not path.exists():
        return
    found = path.stat()
    with suppress(PermissionError):  # only root may give files away
        os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
