"""Changing the config file for a command: one edit, checked whole before it is written.

The file stays the one truth of what accounts there are; a server that runs follows it. Nothing here
knows the running pool, and of secrets only where an account's own one rests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.adapters import configfile
from maxpool.config import derive, edit
from maxpool.config.load import load, parse
from maxpool.errors import MaxpoolError, SecretError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.config.model import Config
    from maxpool.ports import Vault

ACCOUNTS, KEYS = "accounts", "client_keys"


def add_entry(path: Path, values: Mapping[str, object], section: str = ACCOUNTS) -> None:
    """Add an `[[accounts]]` entry at the end of the file; values that are None are left out."""
    _change(path, lambda text: edit.add_entry(text, section, values))


def set_entry(
    path: Path, name: str, values: Mapping[str, object | None], section: str = ACCOUNTS
) -> None:
    """Set keys of the account called `name`; None removes a key."""
    _change(path, lambda text: edit.set_entry(text, section, name, values))


def remove_entry(path: Path, name: str, section: str = ACCOUNTS) -> None:
    """Remove the account called `name`."""
    _change(path, lambda text: edit.remove_entry(text, section, name))


def set_value(path: Path, section: str | tuple[str, ...], key: str, value: object) -> None:
    """Set a key of `[section]` (a tuple where a name may hold a dot); None removes it, so that its default holds."""
    _change(path, lambda text: edit.set_value(text, section, key, value))


def rename(path: Path, name: str, new: str) -> None:
    """Call an account otherwise; its id is written down, so that all that is known of it follows."""
    _change(path, lambda text: _renamed(text, path, name, new))


def enable(path: Path, name: str, *, on: bool) -> None:
    """Say in the file whether an account is in service; what it says already stays as it is written."""

    def change(text: str) -> str:
        written = edit.find_entry(text, ACCOUNTS, name).get("enabled", True)
        return text if written == on else edit.set_entry(text, ACCOUNTS, name, {"enabled": on})

    _change(path, change)


def remove_account(path: Path, name: str, *, keep_secret: bool = False) -> str:
    """Remove an account and what the vault holds for it; returns what was done, in sentences.

    A vault that cannot be used is found out before anything has changed.
    """
    config = load(path).config
    entry = next((one for one in config.accounts if one.name == name), None)
    vault = None if keep_secret or entry is None else _vault_of(config, entry)
    remove_entry(path, name)  # raises for a name that nobody has
    done = f"{name} is removed from {path}."
    if entry is None:
        return done
    if entry.secret:
        return f"{done} Its secret stays where it is: {entry.secret}."
    return done if vault is None else f"{done} {_forgotten(vault, entry.stable_id)}".rstrip()


def own_secret(entry: AccountConfig) -> bool:
    """Whether the account's secret is maxpool's to remove: an entry of the vault."""
    return derive.reference(entry).startswith("vault")


def _vault_of(config: Config, entry: AccountConfig) -> Vault | None:
    """The vault that keeps the account's secret; None when it has none there."""
    from maxpool.app.vault import open_vault  # the keyring and its libraries, only when needed

    if not own_secret(entry):
        return None
    try:
        return open_vault(config)
    except SecretError as error:
        if derive.reference(entry).startswith("vault?"):  # it may never have had one
            return None
        hint = "Or leave the secret where it is: --keep-secret"
        raise SecretError(error.message, f"{error.hint}\n{hint}".lstrip()) from error


def _forgotten(vault: Vault, account_id: str) -> str:
    try:
        if vault.get(account_id) is None:
            return ""
        vault.delete(account_id)
    except SecretError as error:
        return f"Its secret is still in {vault.place}: {error.message}. {error.hint}"
    return f"Its secret is removed from {vault.place}."


def _renamed(text: str, path: Path, name: str, new: str) -> str:
    if new != name and any(one.name == new for one in parse(text, path.absolute()).accounts):
        raise MaxpoolError(f"there is an account called {new!r} already", "Take another name")
    values: dict[str, object] = {"name": new}
    if "id" not in edit.find_entry(text, ACCOUNTS, name):
        entry = next(one for one in parse(text, path.absolute()).accounts if one.name == name)
        values["id"] = entry.stable_id
    return edit.set_entry(text, ACCOUNTS, name, values)


def _change(path: Path, change: Callable[[str], str]) -> None:
    """One edit under the file's lock.

    Raises ConfigError when the result would be wrong and MaxpoolError when the edit makes no sense
    (nobody of that name) or the file cannot be written; the file is untouched then.
    """
    path = path.absolute()

    def checked(text: str) -> str:
        after = change(text)
        parse(after, path)
        return after

    configfile.edit(path, checked)
