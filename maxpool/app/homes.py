"""Home accounts: the parts put together for a running server, for `maxpool run` and for a login.

`watch` gives a server its home files; `choice` is what the pool would say without a server;
`install_statusline` lets a home's client tell its quota.
"""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from maxpool.adapters import clientsettings
from maxpool.adapters.clientsettings import Change
from maxpool.adapters.homefiles import StateHomeFiles
from maxpool.app.offline import resting
from maxpool.config import derive
from maxpool.service.homes import Homes, learn
from maxpool.web import admin_documents

if TYPE_CHECKING:
    from maxpool.app.build import Maxpool
    from maxpool.core.lease import LeaseRequest

__all__ = [
    "Change",
    "choice",
    "install_statusline",
    "of",
    "statusline_command",
    "uninstall_statusline",
    "watch",
]

HOMES_TICK_S = 2.0
"""How often home files are looked at: as stale as a status line may be without anybody noticing."""


def watch(built: Maxpool, folder: Path) -> StateHomeFiles:
    """Let a server that is about to start take in what homes tell, and show how the pool is."""
    files = StateHomeFiles(folder)
    built.timers.every(HOMES_TICK_S, "homes", of(built, files).tick)
    return files


def of(built: Maxpool, files: StateHomeFiles) -> Homes:
    """What carries numbers between a server's pool and those files."""
    return Homes(built.pool, files, built.clock)


def choice(config_file: Path | None, asked: LeaseRequest) -> dict[str, Any]:
    """What a server would say to `GET /admin/explain` for that question, from what rests on disk."""
    found = resting(config_file)
    folder = derive.state_folder(found.loaded.config)
    learn(found.pool, StateHomeFiles(folder).usage(), found.now)
    return admin_documents.explanation(found.pool.explain(asked, found.now), found.pool, found.now)


def statusline_command() -> str:
    """The command line that runs `maxpool statusline` with this very installation."""
    python = Path(sys.executable)
    script = python.with_name("maxpool.exe" if python.suffix == ".exe" else "maxpool")
    if script.is_file():
        return f"{quote(str(script))} statusline"
    # -P: without it the folder the client works in could put its own modules before ours.
    return f"{quote(str(python))} -P -m maxpool statusline"


def install_statusline(config_dir: Path, *, replace: bool = False) -> Change:
    """Make `maxpool statusline` the status line of the client that lives in `config_dir`.

    Somebody else's is kept unless `replace`. Raises StateError, the settings untouched.
    """
    return clientsettings.install(config_dir, statusline_command(), replace=replace)


def uninstall_statusline(config_dir: Path) -> Change:
    """Take it out again; what stood there before comes back."""
    return clientsettings.uninstall(config_dir)
