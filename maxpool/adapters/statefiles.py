"""Small files of the state folder that are their owner's alone: two keys, the server's address.

The admin key is made at the first start and looked at on each, and so is a client key for tools of
this machine where the config has none; the server keeps only their SHA-256. The address is there
while a server runs, so that commands find it and send a key to nobody else.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from maxpool.adapters import process
from maxpool.adapters.lock import make_private_folder
from maxpool.config.running import ADDRESS_NAME, CLIENT_KEY_NAME, KEY_NAME
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_BYTES = 32
"""256 random bits: nobody guesses that, so its plain SHA-256 needs no salt and no slow hash."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_KEY = re.compile(rf"[0-9a-f]{{{2 * KEY_BYTES}}}|mpk-[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """What the server keeps of a key: its SHA-256 (hex), and what a person should know of the file."""

    digest: str
    notice: str | None = None


def admin_key(folder: Path) -> KeptKey:
    """The admin key in the state folder, made anew where there is none or the one there is spoilt.

    A key that others could read is a secret no more: another one replaces it, and that is said.
    Raises StateError when the file can be neither read nor written.
    """
    return _kept(folder, KEY_NAME, secrets.token_hex(KEY_BYTES), "admin key")


def client_key(folder: Path) -> KeptKey:
    """The client key in the state folder, for tools of this machine; made like the admin key."""
    return _kept(folder, CLIENT_KEY_NAME, new_client_key(), "client key")


def client_key_digest(folder: Path) -> str:
    """The SHA-256 of that client key; "" when there is none, or none that nobody else could read."""
    with suppress(StateError):
        key, _ = _read(folder / CLIENT_KEY_NAME)
        return digest(key) if key is not None else ""
    return ""


def revoke_client_key(folder: Path) -> bool:
    """Remove that client key; False when there is none."""
    try:
        (folder / CLIENT_KEY_NAME).unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise StateError(f"cannot remove {folder / CLIENT_KEY_NAME}: {exc.strerror}") from exc
    return True


def new_client_key() -> str:
    """A fresh client key: it says what it is, and 256 bits of it are random."""
    return f"mpk-{secrets.token_urlsafe(KEY_BYTES)}"


def digest(key: str) -> str:
    """What is kept of a key."""
    return sha256(key.encode()).hexdigest()


def first_time(folder: Path, what: str) -> bool:
    """Whether this state folder is asked for the first time; a folder that cannot tell says yes."""
    try:
        os.close(os.open(folder / f".{what}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def address_told(folder: Path, url: str) -> Iterator[None]:
    """Tell commands where this server is reached, as long as it runs."""
    tell_address(folder, url)
    try:
        yield
    finally:
        with suppress(OSError, ValueError, LookupError, TypeError):
            path = folder / ADDRESS_NAME
            if json.loads(path.read_bytes())["pid"] == process.pid():  # else another took its place
                path.unlink()


def tell_address(folder: Path, url: str) -> None:
    """Write where this server is reached; raises StateError."""
    _write(folder / ADDRESS_NAME, json.dumps({"url": url, "pid": process.pid()}) + "\n")


def _kept(folder: Path, name: str, fresh: str, what: str) -> KeptKey:
    make_private_folder(folder)
    path = folder / name
    key, trouble = _read(path)
    if key is None:
        key = fresh
        _write(path, f"{key}\n")
    notice = f"The {what} was replaced: {path} {trouble}." if trouble else None
    return KeptKey(digest=digest(key), notice=notice)


def _read(path: Path) -> tuple[str | None, str]:
    """The key, or None and why the file cannot be used; no reason where there simply is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None, ""
    except OSError as exc:
        raise StateError(
            f"cannot read {path}: {exc.strerror}", f"Remove {path}: a new key is made"
        ) from exc
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if process.has_file_modes() and mode & _OTHERS:
            return None, f"could be read by others (mode {mode & 0o777:04o})"
        text = file.read(4 * KEY_BYTES).decode("ascii", "replace").strip()
    return (text, "") if _KEY.fullmatch(text) else (None, "held no key")


def _write(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)  # left by a start that was killed
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as exc:
        raise StateError(
            f"cannot write {path}: {exc.strerror}", "Check who owns the state folder"
        ) from exc
