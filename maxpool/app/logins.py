"""What keeps a running proxy's logins fresh, put together: vault, locks, journal, token endpoints.

Composition only; the rules are in `service/refresh`, `service/renewal` and `service/logins`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.adapters.journal import SqliteRefreshJournal
from maxpool.adapters.oauth import HttpTokenEndpoint
from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app.vault import lazy_vault
from maxpool.errors import MaxpoolError, StateError
from maxpool.service.logins import Logins
from maxpool.service.origins import origin_of
from maxpool.service.refresh import Refresher, RefreshSettings
from maxpool.service.renewal import Issuer, Renewal
from maxpool.service.stored import StoredLogins

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config
    from maxpool.config.oauth import OAuthProfileConfig
    from maxpool.ports import RefreshJournal, RefreshLocks, SecretSource, Upstream, Vault

log = logging.getLogger("maxpool.logins")

REFRESH_TICK_S = 5.0
"""How often it is looked what is due: retries begin 5 s apart, and a new login is to be seen soon."""

LOCKS_FOLDER = "locks"
JOURNAL_NAME = "logins.db"


@dataclass(slots=True, kw_only=True)
class Refreshing:
    """The parts that outlive a run, and the refresher once `connect` was called.

    `broken_at`: when a journal that has broken was last written; `notice` says that one has.
    """

    vault: Vault
    locks: RefreshLocks
    journal: RefreshJournal
    broken_at: float | None = None
    notice: str = ""
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  # set: end without waiting
    refresher: Refresher = field(init=False)
    upstream: HttpUpstream = field(init=False)

    def connect(self, built: Maxpool) -> None:
        """Make the refresher, and let everybody who needs a login ask it."""
        ca_file = built.config.upstream.ca_file
        # No connection is kept: one that dies unnoticed would leave a refresh without a known end.
        self.upstream = HttpUpstream(
            keepalive_expiry_s=0.0, ca_file=str(ca_file) if ca_file is not None else None
        )
        logins = Logins(
            pool=built.pool,
            stored=StoredLogins(self.vault),
            journal=self.journal,
            clock=built.clock,
            changed=built.tokens.forget,
            belongs=lambda account_id, origin: belongs(built, account_id, origin),
        )
        self.refresher = Refresher(
            logins=logins,
            renewal=Renewal(
                logins=logins, journal=self.journal, ahead_s=0.0, broken_at=self.broken_at
            ),
            locks=self.locks,
            issuer=lambda account_id: self._issuer(built, account_id),
            mine=lambda account_id: built.tokens.login_of(account_id) is not None,
            tasks=built.tasks,
            settings=RefreshSettings(),
        )
        self.follow(built.config)
        built.tokens.refresher = self.refresher
        built.operator.refresh = lambda account_id: ask(built, self.refresher, account_id)
        built.probing.prober.scopes = self._scopes

    def follow(self, config: Config) -> None:
        """Go by this config from now on."""
        given, refresher = config.refresh, self.refresher
        refresher.settings = RefreshSettings(
            ahead_s=given.ahead_s,
            margin_s=given.margin_s,
            call_s=given.connect_timeout_s + 2.0 * given.read_timeout_s,
        )
        refresher.renewal.ahead_s = given.ahead_s
        refresher.logins.grant_life_s = given.grant_life_s

    def start(self, built: Maxpool) -> None:
        """Begin, with the server: what expired while nothing ran is refreshed at once."""
        built.timers.every(REFRESH_TICK_S, "refresh", self.refresher.tick)
        built.tasks.spawn(self.refresher.tick(), "refresh")

    def notices(self) -> tuple[str, ...]:
        """What people should know."""
        return (*((self.notice,) if self.notice else ()), *self.refresher.notices())

    def jobs(self) -> dict[str, Any]:
        """Numbers for the status page."""
        return {"refresh": self.refresher.report()}

    async def aclose(self) -> None:
        """Let the refreshes that run come to their end."""
        await self.refresher.aclose(self.hurry)
        await self.upstream.aclose()

    async def _scopes(self, account_id: str) -> tuple[str, ...]:
        found = self.refresher.logins.known.get(account_id)
        return found.scopes if found is not None else ()

    def _issuer(self, built: Maxpool, account_id: str) -> Issuer | None:
        config = built.roster.effective()
        entry = next((e for e in config.accounts if e.stable_id == account_id), None)
        profile = config.oauth.get(entry.oauth or "") if entry is not None else None
        if profile is None:
            return None
        endpoint = token_endpoint(config, profile, self.upstream, built.secrets)
        return Issuer(endpoint, origin_of(profile.token_url))


def refreshing(config: Config, folder: Path) -> Refreshing:
    """The parts in a state folder; a journal that cannot be used costs refreshes, not the start."""
    journal, notice = SqliteRefreshJournal(folder / JOURNAL_NAME), ""
    try:
        journal.open()
    except StateError as error:
        notice = f"Logins cannot be refreshed: {error.message}. {error.hint}."
        log.warning("%s", notice)
    if journal.set_aside is not None:
        notice = f"The record of refreshes was broken and set aside as {journal.set_aside}."
        log.warning("%s", notice)
    return Refreshing(
        vault=lazy_vault(config),
        locks=FileRefreshLocks(folder / LOCKS_FOLDER),
        journal=journal,
        broken_at=journal.broken_at,
        notice=notice,
    )


def token_endpoint(
    config: Config, profile: OAuthProfileConfig, upstream: Upstream, source: SecretSource
) -> HttpTokenEndpoint:
    """A profile's token endpoint, as `[refresh]` says how long it may take."""
    reference = profile.client_secret
    return HttpTokenEndpoint(
        profile=profile,
        upstream=upstream,
        connect_timeout_s=config.refresh.connect_timeout_s,
        read_timeout_s=config.refresh.read_timeout_s,
        client_secret=(lambda: source.resolve(reference)) if reference is not None else None,
    )


def belongs(built: Maxpool, account_id: str, origin: str) -> bool:
    """Whether an account's credential, got for `origin`, may go where its requests go now."""
    destination = built.destinations.get(account_id)
    if destination is None:
        return False
    here, origins = origin_of(destination.base_url), built.origins
    locked = account_id in origins.locked
    refresher = built.refreshing.refresher if built.refreshing is not None else None
    if refresher is not None and refresher.moved.get(account_id) == here:
        return not locked  # its owner has confirmed that, and its entry will say so
    if origin == here and not locked:
        return True
    if not (locked and origin == origins.bound.get(account_id) != here):
        origins.bound[account_id] = origin
        built.bind_origins()
    return account_id not in origins.locked


async def ask(built: Maxpool, refresher: Refresher, account_id: str) -> str:
    """Refresh a login because a person asks; raises `MaxpoolError` with what came in between."""
    state = built.pool.states[account_id]
    name = state.account.name
    if built.tokens.login_of(account_id) is None:
        raise MaxpoolError(
            f"{name} has nothing to refresh",
            "Its secret is read again by `maxpool reload`, or when its file changes.",
        )
    if not state.enabled:
        raise MaxpoolError(f"{name} is disabled", "Enable it before refreshing its login.")
    result, detail = await refresher.ask(account_id)
    await built.revival.look(files_only=True)
    match result:
        case "refreshed":
            return f"{name}: {detail or 'it has new tokens'}."
        case "unchanged":
            return f"{name} is as it was: {detail}."
        case "over":
            raise MaxpoolError(detail)
        case "failed":
            raise MaxpoolError(f"{name} was not refreshed: {detail}", "Its old tokens stay.")
