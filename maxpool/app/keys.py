"""Client keys of the config file: made here, kept there as SHA-256, shown once.

A key is for one tool or person, so that it can be revoked alone. The state folder's own key, which
tools of this machine use, is `adapters/statefiles`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.adapters import statefiles
from maxpool.app.accounts import KEYS, add_entry, remove_entry
from maxpool.config import derive
from maxpool.config.load import load
from maxpool.config.running import LOCAL_KEY
from maxpool.errors import MaxpoolError
from maxpool.ports import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def add(
    path: Path, name: str, priority: int = 0, limits: Mapping[str, object] | None = None
) -> Secret:
    """Make a client key called `name`; the file gets its hash. Nobody can be told the key again.

    `limits`: more keys of its entry, as the file writes them.
    """
    if name == LOCAL_KEY:
        raise MaxpoolError(
            f"{LOCAL_KEY!r} is what the key of the state folder is called", "Take another name"
        )
    key = statefiles.new_client_key()
    values: dict[str, object] = {
        "name": name,
        "sha256": statefiles.digest(key),
        "priority": priority or None,
    }
    values |= limits or {}
    add_entry(path, values, KEYS)
    return Secret(key)


def revoke(path: Path, name: str) -> None:
    """Remove a client key; `local` is that of the state folder, unless the file has one so called."""
    config = load(path).config
    if name != LOCAL_KEY or name in {key.name for key in config.client_keys}:
        remove_entry(path, name, KEYS)
    elif not statefiles.revoke_client_key(derive.state_folder(config)):
        raise MaxpoolError(f"there is no {LOCAL_KEY!r} key in the state folder")
