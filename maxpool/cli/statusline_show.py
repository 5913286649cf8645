"""The quick half of `maxpool statusline`: read stdin, look at two small files, print one line.

Runs at every prompt of Claude Code, so it imports the standard library only, asks nobody over the
network and never fails: whatever is wrong shows as less. The server leaves the pool's numbers in the
state folder and picks up there what a home's client tells of its quota.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from maxpool.cli.statusline_line import Facts, Place, line
from maxpool.config.environment import config_path, environ, no_color, state_folder
from maxpool.config.homes import HOME_VARIABLE, Home, glance_path, home_of, usage_path
from maxpool.wire.statusline import (
    MAX_BYTES,
    WINDOWS,
    Shown,
    Window,
    document,
    merged,
    number,
    read,
    table,
    text,
    usage_in,
    usage_text,
    window,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

FRESH_S = 60.0
"""How old the server's numbers may be: a living server renews them far sooner."""

MAX_FILE_BYTES = 1 << 20
READ_AWAY_MB = 64
"""How much of an input that is too large is still taken: its writer should not meet a closed pipe."""

LEFT_BEHIND_S = 5.0
"""Age of a half-written file whose writer must have been killed."""


def main() -> int:
    """Print the line for what stands on stdin; always 0, so that the client never shows an error."""
    told = b"maxpool"
    try:
        now = time.time()  # noqa: TID251 - a command looks at the clock itself
        told = shown(_stdin(), environ(), now).encode("utf-8", "replace")
    except Exception:  # noqa: BLE001, S110 - a status line has nobody to tell
        pass
    try:
        sys.stdout.buffer.write(told + b"\n")
        sys.stdout.buffer.flush()
    except (OSError, ValueError):  # the client did not wait for it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def shown(data: bytes, env: Mapping[str, str], now: float) -> str:
    """The line for this input; in a home, what it tells of the quota is kept for the pool."""
    told = read(data)
    folder, home = _where(env)
    glance = _glance(folder, now)
    account = _bound(told, glance) if home is None else _at_home(home, told, folder, now)
    place, ready = _pool(glance, home)
    facts = Facts(model=told.model, context=told.context, account=account, pool=place, ready=ready)
    plain = no_color(env) or env.get("TERM") == "dumb"
    return line(facts, now, width=_columns(env), colour=not plain)


def _where(env: Mapping[str, str]) -> tuple[Path, Home | None]:
    """The state folder, and the home this is; the config is read only where it may say something."""
    here = env.get(HOME_VARIABLE)
    if not here and b"folder" not in _content(config_path(env)):
        return state_folder(env), None
    from maxpool.config.peek import peek

    found = peek(None, env)
    return found.folder or state_folder(env), home_of(found.homes, here)


def _stdin() -> bytes:
    """All of stdin, within bounds; nothing where a person's terminal stands there."""
    stream: BinaryIO = sys.stdin.buffer
    if stream.isatty():
        return b""
    data = stream.read(MAX_BYTES + 1)
    for _ in range(READ_AWAY_MB if len(data) > MAX_BYTES else 0):
        if not stream.read(1 << 20):
            break
    return data if len(data) <= MAX_BYTES else b""


def _at_home(home: Home, told: Shown, folder: Path, now: float) -> Place:
    """The home's windows: what this session was told, and what its other sessions were."""
    path = usage_path(folder, home.id)
    windows = merged(usage_in(_content(path)), told.windows, now)
    if told.windows:
        _keep(path, usage_text(windows, told.session, now), now)
    return Place(name=home.name, windows=_named(windows))


def _bound(told: Shown, glance: Mapping[str, Any]) -> Place | None:
    """The account to which the pool bound this session; the client's own login where it has one."""
    if told.windows:
        return Place(name="login", windows=_named(told.windows))
    account_id = table(glance.get("sessions")).get(told.session or "")
    entry = table(table(glance.get("accounts")).get(str(account_id)))
    name = text(entry.get("name"))
    return None if name is None else Place(name=name, windows=_windows(entry.get("windows")))


def _pool(
    glance: Mapping[str, Any], home: Home | None
) -> tuple[Place | None, tuple[int, int] | None]:
    """The pool's own windows; in a home those of all homes, which a session may move between."""
    if not glance:
        return None, None
    if home is not None:
        many = (number(glance.get("homes_count")) or 0) > 1
        return (Place(name="homes", windows=_windows(glance.get("homes"))) if many else None), None
    ready, total = number(glance.get("ready")), number(glance.get("total"))
    counts = None if ready is None or not total else (int(ready), int(total))
    return Place(name="pool", windows=_windows(glance.get("pool"))), counts


def _glance(folder: Path, now: float) -> Mapping[str, Any]:
    """What the server left there; nothing when it is no longer alive."""
    found = document(_content(glance_path(folder)))
    at = number(found.get("at"))
    return found if at is not None and abs(now - at) <= FRESH_S else {}


def _windows(told: object) -> dict[str, Window]:
    found = {
        name: window(one, "used", "reset_at", percent=False) for name, one in table(told).items()
    }
    return {name: one for name, one in found.items() if one is not None}


def _named(windows: Mapping[str, Window]) -> dict[str, Window]:
    return {ours: windows[theirs] for theirs, ours in WINDOWS.items() if theirs in windows}


def _columns(env: Mapping[str, str]) -> int | None:
    told = number(env.get("COLUMNS"))
    return int(told) if told else None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError:
        return b""


def _keep(path: Path, data: bytes, now: float) -> None:
    """Replace a small file whole, readable by its owner alone; best effort."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        fresh.replace(path)
    except FileExistsError:  # another session writes just now, or was killed while it did
        try:
            if now - fresh.stat().st_mtime > LEFT_BEHIND_S:
                fresh.unlink()
        except OSError:  # that session is done by now
            return
    except OSError:
        return  # a full disk: the numbers come again
