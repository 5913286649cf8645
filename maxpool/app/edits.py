"""The config file as the admin API may change it: the same edits as the commands make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool.app import accounts, keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maxpool.ports import Secret


@dataclass(frozen=True, slots=True)
class FileEdits:
    """`service.editing.ConfigEdits` on the file at `path`."""

    path: Path

    def remove_account(self, name: str, *, keep_secret: bool) -> str:
        """Remove an entry and what the vault holds for it; returns what was done."""
        return accounts.remove_account(self.path, name, keep_secret=keep_secret)

    def add_key(self, name: str, priority: int, limits: Mapping[str, object]) -> Secret:
        """Make a client key."""
        return keys.add(self.path, name, priority, limits)

    def revoke_key(self, name: str) -> None:
        """Remove a client key."""
        keys.revoke(self.path, name)
