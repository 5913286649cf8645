"""Home accounts as their files show them: which there are, where each lives, whether it is signed in.

A home is a private CLAUDE_CONFIG_DIR in which the official client keeps its own login; nothing here
opens that login. Standard library only, and little of it, because every status line starts through
here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from maxpool.config.identity import unwritten_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER_NAME = "homes"
GLANCE_NAME = "statusline.json"
HOME_VARIABLE = "CLAUDE_CONFIG_DIR"
MAX_CLIENT_STATE_BYTES = 64 << 20
_ID_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class Home(NamedTuple):
    """One home account of the config."""

    id: str
    name: str
    config_dir: Path
    enabled: bool = True

    @property
    def signed_in(self) -> bool:
        """Whether the client keeps a login there.

        It says so in its own state (`oauthAccount`); on Linux the login is a file beside it, elsewhere
        it may rest in the system's keychain.
        """
        if _size(self.config_dir / ".credentials.json"):
            return True
        state = self.config_dir / ".claude.json"
        try:
            if state.stat().st_size > MAX_CLIENT_STATE_BYTES:
                return False
            data = json.loads(state.read_bytes())
        except (OSError, ValueError, RecursionError):
            return False
        return isinstance(data, dict) and bool(data.get("oauthAccount"))


def default_dir(state_folder: Path, account_id: str) -> Path:
    """Where a home lives that names no `config_dir`."""
    return state_folder / FOLDER_NAME / account_id


def usage_path(state_folder: Path, account_id: str) -> Path:
    """Where a home's status line leaves what its client shows of the quota."""
    return state_folder / FOLDER_NAME / f"{account_id}.usage.json"


def glance_path(state_folder: Path) -> Path:
    """Where the running server leaves the few numbers that a status line shows."""
    return state_folder / GLANCE_NAME


def homes_in(accounts: object, beside: Path, state_folder: Path) -> tuple[Home, ...]:
    """The homes among `[[accounts]]` as read from TOML; what makes no sense is left out.

    `beside`: the config file's folder, which relative paths start from.
    """
    entries = accounts if isinstance(accounts, list) else []
    found = (_home(entry, beside, state_folder) for entry in entries if isinstance(entry, dict))
    return tuple(home for home in found if home is not None)


def home_of(homes: Iterable[Home], config_dir: str | None) -> Home | None:
    """The home whose folder `$CLAUDE_CONFIG_DIR` names; None in any other place."""
    if not config_dir:
        return None
    here = _real(Path(config_dir))
    return next((home for home in homes if _real(home.config_dir) == here), None)


def _home(entry: Mapping[str, Any], beside: Path, state_folder: Path) -> Home | None:
    name, account_id, folder = entry.get("name"), entry.get("id"), entry.get("config_dir")
    if entry.get("kind") != "home" or not isinstance(name, str):
        return None
    if not isinstance(account_id, str):
        account_id = unwritten_id("home", name)
    if not account_id or not _ID_CHARS.issuperset(account_id):  # it becomes a file's name
        return None
    where = default_dir(state_folder, account_id)
    if isinstance(folder, str) and folder:
        where = beside / Path(folder).expanduser()
    enabled = entry.get("enabled") is not False
    return Home(id=account_id, name=name, config_dir=where, enabled=enabled)


def _real(path: Path) -> str:
    try:
        return str(path.expanduser().resolve())
    except (OSError, RuntimeError):  # a loop of links, a `~` without a home
        return str(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
