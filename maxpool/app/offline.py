"""Accounts while no server runs: looked at, and changed in what the last one saved.

A change holds the state folder's lock, so no server can start, or be running, meanwhile. What stands
in the config file is `app/accounts`'s; here is what only the saved state knows.
"""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from maxpool.adapters.clock import SystemClock
from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.secrets import ReferenceSecrets
from maxpool.adapters.statefiles import client_key_digest
from maxpool.adapters.store import SqliteStateStore, saved_in
from maxpool.app.addresses import destinations_of
from maxpool.app.build import build
from maxpool.app.memory import restored
from maxpool.config import derive
from maxpool.config.load import Loaded, load
from maxpool.core.lease import Command, CredentialChange
from maxpool.core.snapshot import VERSION
from maxpool.errors import MaxpoolError, StateError
from maxpool.service.clientlogin import ORIGIN, policy_of
from maxpool.service.origins import Origins, origin_of, same_place
from maxpool.service.roster import GivenSecrets, Roster
from maxpool.web import admin_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.core.pool import Pool
    from maxpool.ports import SavedState

STATE_NAME = "state.db"
CLOSE_S = 2.0


@dataclass(slots=True)
class Resting:
    """A pool that nobody serves from: the config's accounts with what is saved of them."""

    loaded: Loaded
    now: float
    pool: Pool
    origins: Origins
    notices: list[str]

    def accounts(self) -> dict[str, Any]:
        """All accounts, as the admin API tells them of a running server."""
        view = self.pool.view(self.now)
        return {
            "accounts": [self._marked(one) for one in self._listed(None)],
            "preferred": view.preferred,
            "paused": view.paused,
            "now": self.now,
            "running": False,
            "notices": self.notices,
        }

    def account(self, account_id: str) -> dict[str, Any]:
        """One of them."""
        (found,) = self._listed(account_id)
        return {**self._marked(found), "now": self.now, "running": False}

    def find(self, wanted: str) -> AccountConfig:
        """The config's account of that name or id; raises MaxpoolError, naming the nearest."""
        return named(self.loaded, wanted)

    def command(self, action: str, account_id: str | None = None) -> None:
        """What the running pool would do on that command."""
        if action == "prefer" and account_id and not self.pool.states[account_id].enabled:
            raise MaxpoolError("the account is disabled", "Enable it before preferring it")
        if not self.pool.command(Command(cast("Any", action), account_id), self.now):
            raise MaxpoolError(
                f"the account is locked, and {action} does not lift that",
                "Give it a secret that works, then start the server: maxpool serve",
            )

    def confirm(self, entry: AccountConfig) -> None:
        """Bind an account's credential to where its `base_url` leads now."""
        account_id = entry.stable_id
        here = origin_of(destinations_of(self.loaded.config)[account_id].base_url)
        if self.origins.bound.get(account_id, here) == here:
            raise MaxpoolError(
                f"there is nothing to confirm: the base_url of {entry.name} has not changed"
            )
        self.origins.bound[account_id] = here
        self.pool.credential(account_id, CredentialChange("logged_in"), self.now)
        self.pool.command(Command("reset", account_id), self.now)

    def confirm_logins(self) -> str:
        """The same for clients' own logins, all together; returns the origin."""
        here = origin_of(policy_of(self.loaded.config).base_url)
        if self.origins.bound.get(ORIGIN, here) == here:
            raise MaxpoolError("there is nothing to confirm: [upstream] base_url has not changed")
        self.origins.bound[ORIGIN] = here
        return here

    def _listed(self, account_id: str | None) -> list[dict[str, Any]]:
        roster = Roster(self.loaded.config, GivenSecrets(ReferenceSecrets()))
        return admin_documents.accounts(self.pool.view(self.now), roster, account_id)

    def _marked(self, found: dict[str, Any]) -> dict[str, Any]:
        path = self.loaded.path
        return {**found, "config_path": str(path) if path is not None else None}


@dataclass(slots=True)
class _Read:
    """`ports.SavedState`: what was read, for whoever changes nothing."""

    data: dict[str, Any] | None
    set_aside: str | None = field(default=None)

    def load(self) -> dict[str, Any] | None:
        return self.data

    def put_aside(self, word: str) -> str:
        return f"{word} at the server's next start"


def resting(config_file: Path | None) -> Resting:
    """The accounts as they rest now; reads only, and needs no lock."""
    loaded = load(config_file)
    return _resting(loaded, _Read(saved_in((_folder(loaded) / STATE_NAME).absolute())))


def client_keys(config_file: Path | None) -> list[dict[str, Any]]:
    """The client keys, as the admin API lists those of a running server."""
    loaded = load(config_file)
    local = client_key_digest(_folder(loaded))
    return admin_documents.keys(loaded.config, local=local)


@contextmanager
def changing(
    config_file: Path | None, edit: Callable[[Loaded], None] | None = None
) -> Iterator[Resting]:
    """The same, to be changed; saved at the end. `edit` changes the config file first.

    Raises StateError when a server has the folder or the state cannot be read, before anything has
    changed.
    """
    with locked(config_file) as loaded:
        store = SqliteStateStore(_folder(loaded) / STATE_NAME, newest_version=VERSION)
        try:
            store.load()  # raises where the state cannot be read: then nothing is written over it
            if edit is not None:
                edit(loaded)
            found = _resting(load(config_file), store)
            yield found
            store.save({**found.pool.snapshot(found.now), "origins": dict(found.origins.bound)})
        finally:
            store.close()


async def probe(config_file: Path | None, name: str) -> tuple[str, dict[str, Any]]:
    """Ask once for an account's usage, and save what that tells; what came of it, and the account."""
    with locked(config_file) as loaded:
        entry = named(loaded, name)
        store = SqliteStateStore(_folder(loaded) / STATE_NAME, newest_version=VERSION)
        try:
            store.load()  # as for any other change
        except StateError:
            store.close()
            raise
        built = build(loaded.config, store=store, config_path=loaded.path)
        try:
            if built.operator.probe is None:
                raise MaxpoolError("this maxpool cannot ask for usage")
            said = await built.operator.probe(entry.stable_id)
        finally:
            if built.keeper is not None:
                await built.keeper.save()
            await built.upstream.aclose()
            await built.tasks.aclose(CLOSE_S)
            store.close()
    found = resting(config_file)
    return said, found.account(entry.stable_id)


@contextmanager
def locked(config_file: Path | None) -> Iterator[Loaded]:
    """The config, while surely no server uses its state folder."""
    loaded = load(config_file)
    with lock_state_folder(_folder(loaded)):
        yield loaded


def _folder(loaded: Loaded) -> Path:
    return derive.state_folder(loaded.config)


def named(loaded: Loaded, wanted: str) -> AccountConfig:
    """The config's account of that name or id; raises MaxpoolError, naming the nearest."""
    entries = loaded.config.accounts
    found = [one for one in entries if wanted in (one.stable_id, one.name)]
    if found:
        return found[0]
    names = [one.name for one in entries]
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names) or 'none'}"
    raise MaxpoolError(f"there is no account {wanted!r} in {loaded.path or 'the config'}", hint)


def _resting(loaded: Loaded, store: SavedState) -> Resting:
    now, notices, origins = SystemClock().now(), list[str](), Origins()
    destinations = destinations_of(loaded.config)
    pool = restored(loaded.config, store, now, (notices, origins, destinations))
    for account_id in destinations.keys() - derive.homes(loaded.config):
        here = origin_of(destinations[account_id].base_url)
        if not same_place(origins.bound.get(account_id, here), here):  # as at the server's start
            change = CredentialChange(
                "dead", reason=f"its base_url changed to {here}: confirm that"
            )
            pool.credential(account_id, change, now)
    return Resting(loaded, now, pool, origins, notices)
