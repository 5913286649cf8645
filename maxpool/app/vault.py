"""The vault of a config: composing it, what it looks like to people, making and changing its key.

The server takes `lazy_vault`, which asks nothing before its first use and never fails at start;
commands that are about to write take `open_vault`, which fails at once with what to do.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool.adapters.privatefile import looseness
from maxpool.adapters.sealed import read_key
from maxpool.adapters.secretfile import FILE_NAME, INIT_HINT, KEY_NAME, Keys, SecretFile
from maxpool.adapters.secrets import ReferenceSecrets, VaultSecrets
from maxpool.adapters.vault import KeyringStore
from maxpool.adapters.vaultchain import INDEX_NAME, ChosenVault
from maxpool.config import derive
from maxpool.config.environment import config_path, environ, state_folder
from maxpool.errors import SecretError
from maxpool.wire.credential import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from maxpool.adapters.vaultchain import Place
    from maxpool.config.model import Config
    from maxpool.ports import SecretSource, Vault

SERVICE = "maxpool"
PATIENCE_S = 60.0
"""How long a command waits for a person who is unlocking the keyring in its own window."""


def lazy_vault(
    config: Config, *, environment: Mapping[str, str] | None = None, patient: bool = False
) -> ChosenVault:
    """The vault, without asking whether it can be used. `patient`: see `open_vault`."""
    env = environ() if environment is None else environment
    folder = derive.state_folder(config, env)
    limit_s = config.secrets.timeout_s
    return ChosenVault(
        folder=folder,
        keyring=KeyringStore(service(folder, env), PATIENCE_S if patient else limit_s, patient),
        file=SecretFile(folder, Keys(env, key_file(env)), limit_s),
        preferred=config.secrets.store,
        timeout_s=limit_s,
    )


def open_vault(
    config: Config, *, environment: Mapping[str, str] | None = None, patient: bool | None = None
) -> Vault:
    """The vault, surely able to take a secret now; raises SecretError with what to do.

    `patient`: somebody sits there who may unlock the keyring first, in its own window; None: if there
    is a terminal.
    """
    patient = attended() if patient is None else patient
    vault = lazy_vault(config, environment=environment, patient=patient)
    vault.check()
    return vault


def attended() -> bool:
    """Whether somebody sits at a terminal, who may answer what the keyring asks."""
    return sys.stderr.isatty()


def secret_source(config: Config, folder: Path | None, vault: Vault) -> SecretSource:
    """Everything that a secret reference can name; relative paths start at `folder`."""
    timeout_s = config.secrets.command_timeout_s
    return VaultSecrets(vault, ReferenceSecrets(folder=folder, command_timeout_s=timeout_s))


def read_phrase(path: Path) -> str:
    """A key or pass phrase from a file that is its owner's alone; raises SecretError."""
    return ReferenceSecrets().resolve(f"file:{path.absolute()}").reveal()


def service(folder: Path, env: Mapping[str, str]) -> str:
    """The keyring's name for one state folder's entries: two installations share no login."""
    try:
        usual = state_folder({k: v for k, v in env.items() if k != "MAXPOOL_HOME"}).resolve()
    except RuntimeError:  # a process without a home
        usual = None
    own = folder.expanduser().resolve()
    return SERVICE if own == usual else f"{SERVICE} {own}"


def key_file(env: Mapping[str, str]) -> Path | None:
    """The key file of the config folder; None where a process has neither that nor a home."""
    try:
        return config_path(env).absolute().parent / KEY_NAME
    except RuntimeError:
        return None


def warnings(config: Config, environment: Mapping[str, str] | None = None) -> list[str]:
    """Which files that hold secrets, or lead to them, others can reach, with the remedy (claim X4)."""
    vault = lazy_vault(config, environment=environment)
    found = (looseness(path) for path in _files(vault))
    return [f"{what[0].upper()}{what[1:]}. {hint}" for what, hint in filter(None, found)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceReport:
    """One of the two places: whether it works now, and why not; `chosen` where new entries go."""

    place: Place
    where: str
    usable: bool
    chosen: bool
    trouble: str | None
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReport:
    """An account with a secret in the vault (`name` None: no account of the config)."""

    id: str
    name: str | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `maxpool secrets where` tells; nothing in it is secret."""

    places: tuple[PlaceReport, ...]
    entries: tuple[EntryReport, ...]
    key: str | None
    warnings: tuple[str, ...]


def report(config: Config, environment: Mapping[str, str] | None = None) -> Report:
    """Where secrets are kept, why not elsewhere, and whose they are. Asks both places."""
    vault = lazy_vault(config, environment=environment)
    troubles: dict[Place, SecretError | None] = {
        "keyring": vault.keyring.trouble(),
        "file": vault.file.trouble(),
    }
    chosen = vault.chosen() or next((p for p, trouble in troubles.items() if trouble is None), None)
    return Report(
        places=tuple(
            PlaceReport(
                place=place,
                where=vault.at(place).place,
                usable=trouble is None,
                chosen=place == chosen,
                trouble=trouble.message if trouble else None,
                hint=trouble.hint if trouble else None,
            )
            for place, trouble in troubles.items()
        ),
        entries=tuple(_entries(config, vault)),
        key=_key_origin(vault),
        warnings=tuple(warnings(config, environment)),
    )


def make_key(config: Config, environment: Mapping[str, str] | None = None) -> tuple[str, bool]:
    """See to it that the encrypted file has a key; where that is, and whether it was made now."""
    vault = lazy_vault(config, environment=environment)
    known = vault.file.keys.current()
    if known is not None:
        return known.origin, False
    if vault.file.path.exists():
        raise SecretError(
            f"{vault.file.path} was sealed with a key that is not here; a new one would not open it",
            "Bring its key back, or move the file away and log in again",
        )
    path = vault.file.keys.key_file
    if path is None:
        raise SecretError(
            "there is no config folder for a key file", "Set HOME, or MAXPOOL_SECRET_KEY_FILE"
        )
    return str(path), vault.file.make_key_file()


def rekey(
    config: Config, new_key: str | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Seal everything with another key; where the key in use was, or is, found.

    Without `new_key` the key file gets a new random one; a key that comes from elsewhere cannot be
    changed from here, so there the new one must be given, and its owner puts it in place: a server
    that runs cannot store a login's new tokens until then, so no refresh may be on its way. It follows
    a new key file at its next use of a secret.
    """
    from maxpool.app.secretmove import undisturbed  # which needs the vault of this module

    vault = lazy_vault(config, environment=environment)
    file = vault.file
    key = file.keys.current()
    if key is None:
        raise SecretError("there is no key to change", INIT_HINT)
    if new_key is not None:
        fresh = read_key(new_key, "the new key")
        with ExitStack() as stack:
            for name in _rotating(vault):
                stack.enter_context(undisturbed(vault, name))
            file.reseal(fresh)
    elif file.keys.key_file is not None and key.origin == str(file.keys.key_file):
        file.renew_key_file()
    else:
        raise SecretError(
            f"the key comes from {key.origin}, which maxpool cannot change",
            "Give the new one in a file of mode 0600: maxpool secrets rekey --new-key FILE",
        )
    return key.origin


def _rotating(vault: ChosenVault) -> list[str]:
    """The logins in the file that are refreshed; raises SecretError when it cannot be opened."""
    found = []
    for name in vault.file.names():
        text = vault.file.get(name)
        with suppress(ValueError):
            if text is not None and decode(text.reveal()).refresh_token is not None:
                found.append(name)
    return found


def _entries(config: Config, vault: ChosenVault) -> Iterable[EntryReport]:
    names = {entry.stable_id: entry.name for entry in config.accounts}
    for account_id, place in sorted(vault.listed().items()):
        yield EntryReport(id=account_id, name=names.get(account_id), place=place)


def _key_origin(vault: ChosenVault) -> str | None:
    try:
        key = vault.file.keys.current()
    except SecretError:
        return None
    return key.origin if key is not None else None


def _files(vault: ChosenVault) -> list[Path]:
    key = vault.file.keys.key_file
    found = [vault.folder, *(vault.folder / name for name in (FILE_NAME, INDEX_NAME))]
    return [*found, key] if key is not None else found
