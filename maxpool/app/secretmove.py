"""Taking every login from one place of the vault to the other, while a server may run.

Each entry moves under its refresh lock, so that no new pair of tokens is written meanwhile and lost.
A move that is cut short goes on where it ended: each entry is in one place or the other.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.app.logins import LOCKS_FOLDER
from maxpool.app.vault import attended, lazy_vault
from maxpool.errors import SecretError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.adapters.vaultchain import ChosenVault, Place
    from maxpool.config.model import Config

LOCK_S = 90.0
"""Longer than a refresh may take, connect and read timeouts included."""


def move(config: Config, target: Place) -> list[str]:
    """Move every entry to `target`, and let new ones go there; returns the ids that were moved.

    Raises SecretError when a place does not answer; what was moved until then stays moved.
    """
    vault = lazy_vault(config, patient=attended())
    if vault.preferred not in ("auto", target):
        raise SecretError(
            f'the config says [secrets] store = "{vault.preferred}"',
            f'Write "{target}" there first, or take the line away',
        )
    trouble = vault.at(target).trouble()
    if trouble is not None:
        raise trouble
    moved = []
    for name, place in sorted(vault.listed().items()):
        if place == target:
            continue
        with undisturbed(vault, name):
            vault.move(name, target)
        moved.append(name)
    vault.choose(target)
    return moved


@contextmanager
def undisturbed(vault: ChosenVault, name: str) -> Iterator[None]:
    """Nobody refreshes that login meanwhile; raises SecretError when a refresh does not end."""
    held = FileRefreshLocks(vault.folder / LOCKS_FOLDER).acquire(name, LOCK_S)
    if held is None:
        raise SecretError(f"the login {name} is being refreshed and does not end", "Try again")
    try:
        yield
    finally:
        held.release()
