"""The pool as the last run left it: what is saved is taken back, and what cannot be is said.

Starting never fails here: a memory that is broken, newer or out of reach costs the memory, not the
service, and nothing overwrites it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from maxpool.config import derive
from maxpool.core.lease import CredentialChange
from maxpool.core.pool import Pool
from maxpool.errors import StateError
from maxpool.service.clientlogin import policy_of, remembered
from maxpool.service.origins import Origins, origin_of, origins_in

if TYPE_CHECKING:
    from maxpool.config.model import Config
    from maxpool.ports import Destination, SavedState

log = logging.getLogger("maxpool")


def restored(
    config: Config,
    store: SavedState | None,
    now: float,
    kept: tuple[list[str], Origins, dict[str, Destination]],
) -> Pool:
    """The pool with what the last run remembers; a memory that cannot be used is said, not fatal."""
    notices, origins, destinations = kept
    settings = derive.pool_settings(config)
    accounts = derive.accounts(config)
    data = _loaded(store, notices) if store is not None else None
    if data is None:
        return Pool(accounts, settings, now)
    try:
        bound = origins_in(data)
        origins.bound.update(bound)
        here = {a: origin_of(d.base_url) for a, d in destinations.items()}
        known = {a for a, origin in here.items() if bound.get(a, origin) == origin}
        # What is known of an account that has moved tells of another upstream.
        kept_accounts = [a for a in accounts if a.id in known]
        kept_accounts += remembered(data, policy_of(config), frozenset(here))
        pool = Pool.restore(data, kept_accounts, settings, now)
    except StateError as error:
        aside = store.put_aside("unreadable") if store is not None else ""
        log.warning("%s: set aside as %s", error.message, aside)
        notices.append(f"{error.message}. It was set aside as {aside}. {error.hint}")
        return Pool(accounts, settings, now)
    for account in accounts:
        pool.add(account, now)
    pool.reorder(account.id for account in accounts)
    for account in accounts:
        # These secrets live in the config: starting again is how their owner renews them.
        if pool.states[account.id].health.state.value == "locked_out":
            pool.credential(account.id, CredentialChange("logged_in"), now)
    return pool


def _loaded(store: SavedState, notices: list[str]) -> dict[str, Any] | None:
    try:
        data = store.load()
    except StateError as error:
        log.warning("the saved state is not used: %s. %s", error.message, error.hint)
        notices.append(f"The saved state is not used: {error.message}. {error.hint.rstrip('.')}.")
        return None
    if store.set_aside is not None:
        why = "newer than this maxpool" if ".newer-" in store.set_aside else "broken"
        notices.append(f"The saved state was {why} and set aside as {store.set_aside}.")
    return data
