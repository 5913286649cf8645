"""Merging the config of another machine into the one here. Text in, text out.

Accounts are matched by their id, client keys by name, settings by section and key. What is here stays
unless it is to be replaced; nothing is removed. It neither reads files nor knows secrets.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.config import edit
from maxpool.config.identity import unwritten_id
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ACCOUNTS, KEYS, LIMITS, PRICES = "accounts", "client_keys", "limits", "prices"

OF_ONE_MACHINE = frozenset(
    {("storage", "folder"), ("server", "tls_cert"), ("server", "tls_key"), ("upstream", "ca_file")}
)
"""Settings that name a place on the machine they come from."""


@dataclass(slots=True)
class Merged:
    """The new text, and what became of each thing that the other config has.

    Accounts by name, settings as `section.key`. `refused`: an account whose name another one has here.
    """

    text: str
    accounts: dict[str, str] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def note(self, *, name: str, here: bool, replace: bool) -> bool:
        """Count a thing that differs; whether it is to be written."""
        (self.replaced if here and replace else self.kept if here else self.added).append(name)
        return replace or not here


def merge(mine: str, theirs: str, *, replace: bool = False) -> Merged:
    """Merge `theirs` into `mine`; raises MaxpoolError when one of them cannot be read.

    `accounts` of the result maps each account's id to its name here, the refused ones left out.
    """
    found, other = Merged(mine), _read(theirs)
    if not mine.strip():
        return _whole(found, theirs, other)
    for section, key, value in _settings(other):
        _merge_setting(found, section, key, value, replace=replace)
    for entry in other.get(LIMITS, []):
        if entry not in _read(found.text).get(LIMITS, []):
            found.added.append("a limit")
            found.text = edit.add_entry(found.text, LIMITS, entry)
    # Their names are patterns, which no key of a section can be: a person has to write them.
    here = _read(found.text).get(PRICES, {})
    found.left_out += [
        f"{PRICES}.{p}" for p, v in other.get(PRICES, {}).items() if here.get(p) != v
    ]
    for entry in other.get(KEYS, []):
        _merge_key(found, entry, replace=replace)
    for entry in other.get(ACCOUNTS, []):
        _merge_account(found, entry, replace=replace)
    return found


def _whole(found: Merged, theirs: str, other: Mapping[str, Any]) -> Merged:
    """Into an empty file: the other one with its comments, without what belongs to its machine."""
    found.text = theirs
    for section, key, _ in _settings(other):
        if (section, key) in OF_ONE_MACHINE:
            found.left_out.append(f"{section}.{key}")
            found.text = edit.set_value(found.text, section, key, None)
    for entry in other.get(ACCOUNTS, []):
        found.accounts[id_of(entry)] = str(entry["name"])
        found.added.append(str(entry["name"]))
        if "config_dir" in entry:
            change = {"config_dir": None}
            found.text = edit.set_entry(found.text, ACCOUNTS, str(entry["name"]), change)
    return found


def id_of(entry: Mapping[str, Any]) -> str:
    """An account's id, as written or as made from its kind and name."""
    written = entry.get("id")
    return str(written or unwritten_id(str(entry.get("kind", "api_key")), str(entry.get("name"))))


def _merge_setting(found: Merged, section: str, key: str, value: object, *, replace: bool) -> None:
    name = f"{section}.{key}" if section else key
    if (section, key) in OF_ONE_MACHINE:
        found.left_out.append(name)
        return
    table: Any = _read(found.text)
    for part in section.split(".") if section else ():
        table = table.get(part, {}) if isinstance(table, dict) else {}
    if table.get(key) != value and found.note(name=name, here=key in table, replace=replace):
        found.text = edit.set_value(found.text, section, key, value)


def _merge_key(found: Merged, entry: Mapping[str, Any], *, replace: bool) -> None:
    name = str(entry.get("name"))
    here = next((e for e in _read(found.text).get(KEYS, []) if e.get("name") == name), None)
    differs = here != entry
    if differs and found.note(name=f"client key {name}", here=here is not None, replace=replace):
        if here is not None:
            found.text = edit.remove_entry(found.text, KEYS, name)
        found.text = edit.add_entry(found.text, KEYS, entry)


def _merge_account(found: Merged, entry: Mapping[str, Any], *, replace: bool) -> None:
    known = _read(found.text).get(ACCOUNTS, [])
    name, account_id = str(entry.get("name")), id_of(entry)
    here = next((e for e in known if id_of(e) == account_id), None)
    if any(e.get("name") == name and e is not here for e in known):
        found.refused.append(name)
        return
    found.accounts[account_id] = name if here is None else str(here["name"])
    if here is None:
        found.added.append(name)
        found.text = edit.add_entry(found.text, ACCOUNTS, _without_folder(entry))
        return
    differs = _without_folder(here) != _without_folder(entry)
    if differs and found.note(name=name, here=True, replace=replace):
        values = dict.fromkeys(_without_folder(here)) | _without_folder(entry) | {"id": account_id}
        found.text = edit.set_entry(found.text, ACCOUNTS, str(here["name"]), values)
        found.accounts[account_id] = name


def _without_folder(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A home's folder belongs to its machine."""
    return {key: value for key, value in entry.items() if key != "config_dir"}


def _settings(data: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, str, Any]]:
    for key, value in data.items():
        if not section and key in (ACCOUNTS, KEYS, LIMITS, PRICES):
            continue
        if isinstance(value, dict):
            yield from _settings(value, f"{section}.{key}" if section else key)
        else:
            yield section, key, value


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise MaxpoolError(
            "the config file is not valid TOML, so nothing was changed", "See: maxpool config check"
        ) from error
