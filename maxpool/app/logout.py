"""Ending a login: out of service, ended at the provider, out of the vault, out of the config.

In that order, so that nothing is asked with a login that is being ended and a crash in between
leaves a disabled account, of which the same command gets rid. Requests that run go on.
"""

from __future__ import annotations

import difflib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app import accounts
from maxpool.app.keep import LOCK_S
from maxpool.app.login import endpoint
from maxpool.app.logins import LOCKS_FOLDER
from maxpool.app.vault import open_vault
from maxpool.config import derive, environment
from maxpool.config.load import load
from maxpool.errors import MaxpoolError, SecretError, StateError
from maxpool.ports import Secret
from maxpool.service.origins import origin_of, same_place
from maxpool.wire.credential import StoredCredential, decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.config.model import Config
    from maxpool.ports import Vault

Ended = Literal["revoked", "failed", "no endpoint", "nothing to revoke"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """A logout that can go ahead. `credential`: what the vault holds, None where there is nothing.

    `vault` is None where the account's secret is not kept by maxpool.
    """

    path: Path
    config: Config
    entry: AccountConfig
    vault: Vault | None
    credential: StoredCredential | None


def prepare_logout(name: str, config_file: Path | None) -> Logout:
    """Find the account and open the vault; raises MaxpoolError, naming the nearest account."""
    path = (config_file or environment.config_path()).absolute()
    config = load(path).config if path.exists() else load(config_file).config
    entry = next((e for e in config.accounts if e.name == name), None)
    if entry is None:
        known = [e.name for e in config.accounts]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known) or 'none'}"
        raise MaxpoolError(f"the config has no account called {name!r}", hint)
    vault = open_vault(config) if derive.reference(entry).startswith("vault") else None
    return Logout(
        path=path,
        config=config,
        entry=entry,
        vault=vault,
        credential=_held(vault, entry) if vault is not None else None,
    )


def take_out(logout: Logout) -> None:
    """Disable the account in the config; a running server follows."""
    if logout.entry.enabled:
        accounts.set_entry(logout.path, logout.entry.name, {"enabled": False})


@contextmanager
def undisturbed(logout: Logout) -> Iterator[Logout]:
    """The logout with the credential as it is now, while nobody renews it.

    A refresh that hangs does not keep a login from being ended.
    """
    if logout.vault is None:
        yield logout
        return
    locks = FileRefreshLocks(derive.state_folder(logout.config) / LOCKS_FOLDER)
    held = None
    with suppress(StateError):
        held = locks.acquire(logout.entry.stable_id, LOCK_S)
    try:
        yield replace(logout, credential=_held(logout.vault, logout.entry))
    finally:
        if held is not None:
            held.release()


async def revoke(logout: Logout) -> Ended:
    """End the login at the provider, where it has a way to do so."""
    held, entry = logout.credential, logout.entry
    if held is None:
        return "nothing to revoke"
    profile = logout.config.oauth.get(entry.oauth or "")
    if profile is None or profile.revoke_url is None:
        return "no endpoint"
    if held.issuer is not None and not same_place(held.issuer, origin_of(profile.token_url)):
        return "failed"  # another provider's: what was given out there goes nowhere else
    ca_file = logout.config.upstream.ca_file
    upstream = HttpUpstream(ca_file=str(ca_file) if ca_file is not None else None)
    try:
        caller = endpoint(logout.config, profile, upstream, logout.path.parent)
        done = await caller.revoke(Secret(held.refresh_token or held.secret))
    finally:
        await upstream.aclose()
    return "revoked" if done else "failed"


def forget(logout: Logout, *, keep_entry: bool) -> None:
    """Remove the credential and, unless it is to be kept, the entry."""
    if logout.vault is not None:
        logout.vault.delete(logout.entry.stable_id)
    if not keep_entry:
        accounts.remove_entry(logout.path, logout.entry.name)


def _held(vault: Vault, entry: AccountConfig) -> StoredCredential | None:
    text = vault.get(entry.stable_id)
    try:
        return decode(text.reveal()) if text is not None else None
    except ValueError as error:  # there is something, of which nothing can be told
        raise SecretError(
            f"the vault's entry of {entry.name} cannot be read: {error}",
            f"Remove the account: maxpool accounts remove {entry.name}",
        ) from error
