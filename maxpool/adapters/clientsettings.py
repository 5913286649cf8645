"""Claude Code's `settings.json`: our status line goes in and comes out, everything else stays.

The file as it was is kept beside it before the first change. Other keys are never looked at.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from maxpool.config.jsontext import parsed, with_key, without_key
from maxpool.errors import StateError

SETTINGS_NAME: Final = "settings.json"
BACKUP_NAME: Final = "settings.json.before-maxpool"
KEY: Final = "statusLine"
MAX_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What came of it. `other`: somebody else's status line that stands there (or came back)."""

    path: Path
    done: Literal["installed", "updated", "already", "kept", "removed", "restored", "absent"]
    other: str | None = None


def install(config_dir: Path, command: str, *, replace: bool) -> Change:
    """Make `command` the status line; somebody else's is `kept` unless `replace`.

    Raises StateError, the file untouched, where it is no JSON object or cannot be written.
    """
    path = config_dir / SETTINGS_NAME
    text = read_text(path)
    held = settings_in(path, text).get(KEY)
    wanted = {"type": "command", "command": command}
    if held == wanted:
        return Change(path=path, done="already")
    ours = _is_ours(held)
    other = None if held is None or ours else _told(held)
    if other is not None and not replace:
        return Change(path=path, done="kept", other=other)
    if text and not ours:  # ours over ours: the copy of what was there before stays
        write_text(config_dir / BACKUP_NAME, text)
    write_text(path, with_key(text or "{}\n", KEY, wanted))
    return Change(path=path, done="updated" if ours else "installed", other=other)


def uninstall(config_dir: Path) -> Change:
    """Take our status line out, and put back the one that stood there before."""
    path, backup = config_dir / SETTINGS_NAME, config_dir / BACKUP_NAME
    text = read_text(path)
    held = settings_in(path, text).get(KEY)
    if not _is_ours(held):
        return Change(path=path, done="absent", other=None if held is None else _told(held))
    before = settings_in(backup, read_text(backup)).get(KEY)
    if before is not None and not _is_ours(before):
        write_text(path, with_key(text, KEY, before))
        return Change(path=path, done="restored", other=_told(before))
    write_text(path, without_key(text, KEY))
    return Change(path=path, done="removed")


def _is_ours(held: object) -> bool:
    """Whether it runs `maxpool statusline`, wherever that is installed."""
    command = held.get("command") if isinstance(held, dict) else None
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return False
    program = [Path(word).name for word in words[:-1]]
    return words[-1:] == ["statusline"] and "maxpool" in program


def _told(held: object) -> str:
    command = held.get("command") if isinstance(held, dict) else held
    return str(command)[:200]


def read_text(path: Path) -> str:
    """The text, "" where there is no file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise StateError(f"{path} is too large for settings", "Look at what is in it")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}", "Check who owns it") from error
    except UnicodeDecodeError as error:
        raise StateError(f"{path} is no UTF-8 text", "Mend it; nothing was changed") from error


def settings_in(path: Path, text: str) -> dict[str, Any]:
    """The JSON object in a settings file's text; raises StateError, naming the file."""
    if not text.strip():
        return {}
    try:
        return parsed(text)
    except (ValueError, RecursionError) as error:
        raise StateError(
            f"{path} is no JSON object: {error}", "Mend that place; nothing was changed"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Replace the file whole, with the mode it had; a link stays, and what it leads to changes."""
    try:
        path = path.resolve()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        fresh.chmod(mode)
        fresh.replace(path)
    except (OSError, RuntimeError) as error:
        raise StateError(f"cannot write {path}: {error}", "Check who owns the folder") from error
