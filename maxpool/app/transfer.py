"""Moving a pool to another machine: config and credentials in one file, sealed with a pass phrase.

A login whose tokens rotate cannot live on two machines: the first refresh on one ends it on the
other. So such logins stay here, unless they are moved, and then they are gone here. Keys and
long-lived tokens are copied.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.adapters import configfile
from maxpool.adapters.journal import SqliteRefreshJournal
from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.privatefile import write_private
from maxpool.adapters.sealed import Sealer, read_key
from maxpool.app.logins import JOURNAL_NAME
from maxpool.app.vault import attended, lazy_vault, open_vault
from maxpool.config import derive
from maxpool.config.load import load, parse
from maxpool.config.merge import Merged, merge
from maxpool.errors import MaxpoolError, SecretError
from maxpool.ports import Secret
from maxpool.service.logins import digest
from maxpool.wire.credential import decode, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.config.model import Config
    from maxpool.ports import RefreshJournal, Vault
    from maxpool.wire.credential import StoredCredential

PURPOSE = "export"
VERSION = 1
MAX_BYTES = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Exported:
    """Names of accounts, by what became of their credentials.

    `used`: logins whose refresh token was sent and whose new one never came; they end here.
    """

    accounts: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    rotating: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Imported:
    """What became of accounts, settings and credentials; `to_log_in`: accounts without a login here."""

    added: list[str]
    replaced: list[str]
    kept: list[str]
    refused: list[str]
    left_out: list[str]
    credentials: list[str] = field(default_factory=list)
    credentials_kept: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    to_log_in: list[str] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What is in the file: the config's text, and the vault's text of each account's credential."""

    config: str
    credentials: Mapping[str, str] = field(repr=False)
    moved: tuple[str, ...] = ()


def export(path: Path, phrase: str, config_path: Path | None = None, *, move: bool) -> Exported:
    """Write the config and its credentials to `path`, sealed; raises MaxpoolError.

    `move`: logins whose tokens rotate go along, and leave this machine once the file is durable; no
    server may run meanwhile.
    """
    loaded = load(config_path)
    if loaded.path is None:
        raise MaxpoolError(
            "there is no config file, so there is nothing to export", "maxpool login"
        )
    text = loaded.path.read_bytes().decode("utf-8-sig")
    if not move:
        vault = lazy_vault(loaded.config, patient=attended())
        found, bundle = _collect(loaded.config, vault, text, move=False)
        _write(path, bundle, phrase)
        return found
    with lock_state_folder(derive.state_folder(loaded.config)):
        vault = lazy_vault(loaded.config, patient=attended())
        found, bundle = _collect(loaded.config, vault, text, move=True)
        _write(path, bundle, phrase)
        _take_out(vault, dict(zip(bundle.moved, found.moved, strict=True)), path)
    return found


def read(path: Path, phrase: str) -> Bundle:
    """Open an exported file; raises MaxpoolError when it is none, or the pass phrase is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MaxpoolError(f"cannot read {path}: {error.strerror}", "Check the path") from error
    sealer, key = Sealer(PURPOSE), read_key(phrase, "")
    try:
        fits = sealer.fits(data[:MAX_BYTES], key)
    except SecretError as error:
        raise MaxpoolError(
            f"{path} is no whole file of `maxpool export`: {error.message}",
            "Check the path, or copy the file again",
        ) from error
    if not fits:
        raise MaxpoolError(f"this pass phrase does not open {path}", "Try again")
    found = json.loads(sealer.unseal(data, key))
    if found["version"] != VERSION:
        raise MaxpoolError(f"{path} was made by a newer maxpool", "Use that version here, too")
    return Bundle(
        config=found["config"],
        credentials=dict(found["credentials"]),
        moved=tuple(found["moved"]),
    )


def import_bundle(bundle: Bundle, config_path: Path, *, replace: bool) -> Imported:
    """Merge a bundle into the config at `config_path` and into this machine's vault.

    What is here already stays, unless it is to be replaced. Credentials come first: an account of the
    config never waits for one that the vault could not take.
    """
    before = _text(config_path)
    merged = merge(before, bundle.config, replace=replace)
    config = parse(merged.text, config_path)
    found = Imported(
        added=merged.added,
        replaced=merged.replaced,
        kept=merged.kept,
        refused=merged.refused,
        left_out=merged.left_out,
    )
    _take_credentials(found, bundle, merged, config, replace=replace)

    def change(text: str) -> str:
        after = merge(text, bundle.config, replace=replace).text
        parse(after, config_path)
        return after

    configfile.edit(config_path, change)
    return found


def _take_out(vault: Vault, moved: Mapping[str, str], path: Path) -> None:
    """Remove what has moved; every one that stays is named, since its token is in two places now."""
    stay, why = [], ""
    for account_id, name in moved.items():
        try:
            vault.delete(account_id)
        except SecretError as error:
            stay.append(name)
            why = error.message
    if stay:
        commands = (f"maxpool accounts disable {shlex.quote(name)}" for name in stay)
        raise MaxpoolError(
            f"{', '.join(stay)} {'is' if len(stay) == 1 else 'are'} in {path} and still logged in "
            f"here: {why}",
            f"Before you import it: {' && '.join(commands)}",
        )


def _collect(config: Config, vault: Vault, text: str, *, move: bool) -> tuple[Exported, Bundle]:
    found, credentials, moved = Exported(), {}, []
    journal = SqliteRefreshJournal(derive.state_folder(config) / JOURNAL_NAME)
    for entry in config.accounts:
        found.accounts.append(entry.name)
        stored = _stored(entry, vault, found)
        if stored is None:
            continue
        credential = decode(stored.reveal())
        if credential.refresh_token is None:
            found.copied.append(entry.name)
        elif move and _used(journal, entry.stable_id, credential):
            found.used.append(entry.name)
            continue
        elif move:
            found.moved.append(entry.name)
            moved.append(entry.stable_id)
        else:
            found.rotating.append(entry.name)
            continue
        credentials[entry.stable_id] = stored.reveal()
    journal.close()
    return found, Bundle(config=text, credentials=credentials, moved=tuple(moved))


def _used(journal: RefreshJournal, account_id: str, credential: StoredCredential) -> bool:
    """Whether its refresh token was sent, as only this machine knows: another one would do it again."""
    token = credential.refresh_token or ""
    begun = ((one.account_id, one.fingerprint) for one in journal.begun())
    return journal.dead(digest(token)) is not None or (account_id, fingerprint(token)) in begun


def _stored(entry: AccountConfig, vault: Vault, found: Exported) -> Secret | None:
    """The account's entry in the vault; notes where its credential is instead."""
    reference = derive.reference(entry)
    if entry.kind == "home":
        found.elsewhere[entry.name] = "its login stays with the client itself"
        return None
    if not reference.startswith(("vault:", "vault?:")):
        if reference:
            found.elsewhere[entry.name] = reference.partition(" ")[0]
        return None
    stored = vault.get(entry.stable_id)
    if stored is None and reference.startswith("vault:"):
        found.without.append(entry.name)
    return stored


def _write(path: Path, bundle: Bundle, phrase: str) -> None:
    data: dict[str, Any] = {
        "version": VERSION,
        "config": bundle.config,
        "credentials": dict(bundle.credentials),
        "moved": list(bundle.moved),
    }
    sealed = Sealer(PURPOSE).seal(json.dumps(data).encode(), read_key(phrase, ""))
    try:
        write_private(path, sealed)
    except OSError as error:
        raise MaxpoolError(
            f"cannot write {path}: {error.strerror}", "Name a file in a folder you may write to"
        ) from error


def _take_credentials(
    found: Imported, bundle: Bundle, merged: Merged, config: Config, *, replace: bool
) -> None:
    vault = open_vault(config) if bundle.credentials else lazy_vault(config)
    entries = {entry.stable_id: entry for entry in config.accounts}
    for account_id, name in merged.accounts.items():
        given, here = bundle.credentials.get(account_id), vault.get(account_id)
        if given is not None:
            decode(given)
            if (
                here is not None
                and here.reveal() != given
                and not (replace and not _newer(here.reveal(), given))
            ):
                found.credentials_kept.append(name)
                continue
            vault.put(account_id, Secret(given))
            (found.moved if account_id in bundle.moved else found.credentials).append(name)
            continue
        reference = derive.reference(entries[account_id])
        if entries[account_id].kind == "home" or (reference.startswith("vault:") and here is None):
            found.to_log_in.append(name)
        elif reference and not reference.startswith("vault"):
            found.elsewhere[name] = reference.partition(" ")[0]


def _newer(here: str, given: str) -> bool:
    """Whether tokens are later ones of the same login: the earlier refresh token was used for them."""
    try:
        mine, other = decode(here), decode(given)
    except ValueError:
        return False
    rotated = mine.refresh_token is not None and mine.refresh_token != other.refresh_token
    same = mine.granted_at is not None and mine.granted_at == other.granted_at
    return rotated and same and (mine.expires_at or 0.0) > (other.expires_at or 0.0)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise MaxpoolError(f"cannot read {path}", "Check its rights; it must be UTF-8") from error
