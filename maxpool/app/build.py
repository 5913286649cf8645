"""Building a proxy: config -> pool -> services -> web application.

The only place that knows every class of the proxy. It decides nothing.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Any

from maxpool import __version__
from maxpool.adapters.chance import SystemChance
from maxpool.adapters.clients import client_named
from maxpool.adapters.clock import SystemClock
from maxpool.adapters.configfile import changes
from maxpool.adapters.process import local_utc_offset_s
from maxpool.app import alerting
from maxpool.app.addresses import destinations_of, plans_of, references_of
from maxpool.app.edits import FileEdits
from maxpool.app.ledger import Books
from maxpool.app.memory import restored
from maxpool.app.probing import Probing
from maxpool.app.surfaces import surfaces_of
from maxpool.app.vault import lazy_vault, secret_source
from maxpool.config import derive
from maxpool.config.identity import OWN_LOGINS
from maxpool.config.load import Loaded
from maxpool.core.commands import reconfigure
from maxpool.core.health import HealthState
from maxpool.core.lease import Command, CredentialChange
from maxpool.errors import MaxpoolError
from maxpool.service.clientlogin import ClientLogins, policy_of
from maxpool.service.editing import Editing
from maxpool.service.forward import Forwarder
from maxpool.service.keeper import Keeper
from maxpool.service.limits import Limits, limits_of
from maxpool.service.operate import Operator
from maxpool.service.origins import EVERYONE, Origins
from maxpool.service.pulse import Pulse
from maxpool.service.reload import Reloader
from maxpool.service.revival import Revival
from maxpool.service.roster import GivenSecrets, Roster
from maxpool.service.stats import Stats
from maxpool.service.tasks import Tasks
from maxpool.service.timers import Timers
from maxpool.service.tokens import Tokens
from maxpool.service.waiting import WaitingRoom
from maxpool.web.application import application
from maxpool.web.guard import Guard, rules_of
from maxpool.web.report import ServerFacts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from starlette.applications import Starlette

    from maxpool.app.logins import Refreshing
    from maxpool.config.model import Config
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, Destination, SecretSource, StateStore, Upstream
    from maxpool.service.alerting import Alerting
    from maxpool.service.feed import Feed

log = logging.getLogger("maxpool")

SAVE_TICK_S = 1.0
SECRETS_TICK_S = 5.0


@dataclass(slots=True, kw_only=True)
class Maxpool:
    """Everything of one running proxy."""

    config: Config
    config_path: Path | None
    pool: Pool
    clock: Clock
    store: StateStore | None
    tasks: Tasks
    timers: Timers
    upstream: Upstream
    waiting: WaitingRoom
    pulse: Pulse
    keeper: Keeper | None
    stats: Stats
    tokens: Tokens
    origins: Origins
    destinations: dict[str, Destination]
    secrets: SecretSource
    notices: list[str]
    revival: Revival
    roster: Roster
    probing: Probing
    books: Books
    refreshing: Refreshing | None
    admin_digest: str = ""
    local_key: Callable[[], str] = str
    last_words: Callable[[], Awaitable[None]] | None = None  # heard before the last save
    logins: ClientLogins = field(init=False)
    forwarder: Forwarder = field(init=False)
    operator: Operator = field(init=False)
    reloader: Reloader = field(init=False)
    app: Guard = field(init=False)
    feed: Feed = field(init=False)
    alerting: Alerting = field(init=False)

    def facts(self) -> ServerFacts:
        """What the status document says of the server."""
        jobs: dict[str, Any] = {"timers": self.timers.counts, "tasks": len(self.tasks)}
        jobs["faults"] = {"requests": self.stats.internal_errors, "tasks": self.tasks.failed}
        jobs |= self.probing.jobs() | self.books.jobs() | {"alerts": self.alerting.report()}
        logins = self.refreshing
        jobs |= logins.jobs() if logins is not None else {}
        if self.keeper is not None:
            jobs["save"] = self.keeper.report()
        return ServerFacts(
            version=__version__,
            config_path=str(self.config_path) if self.config_path is not None else None,
            config_loaded_at=self.reloader.loaded_at,
            config_error=self.reloader.error,
            notices=(
                *self.notices,
                *self.revival.notices(),
                *self.reloader.notices(),
                *self.logins.notices(),
                *self.probing.notices(),
                *self.books.notices(),
                *(logins.notices() if logins is not None else ()),
                *(self.keeper.notices() if self.keeper is not None else ()),
            ),
            jobs=jobs,
            runtime=frozenset(self.roster.added),
            overrides=self.roster.overrides(),
        )

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Start what runs beside requests, and end it after the last one."""
        self.tasks.spawn(self.pulse.run(), "pulse", finish=False)
        if self.keeper is not None:
            self.timers.every(SAVE_TICK_S, "save", self.keeper.tick)
        self.timers.every(SECRETS_TICK_S, "secrets", self.revival.tick)
        self.probing.start(self)
        self.books.start(self)
        alerting.start(self)
        if self.refreshing is not None:
            self.refreshing.start(self)
        if self.config_path is not None:
            watch = self.reloader.follow(changes(self.config_path))
            self.tasks.spawn(watch, "config watch", finish=False)
        await self.timers.start()
        try:
            yield
        finally:
            await self.timers.aclose()
            if self.refreshing is not None:
                await self.refreshing.aclose()
            if self.keeper is not None:
                if self.last_words is not None and not self.keeper.handed_over:
                    await self.last_words()
                await self.keeper.save()
            await self.upstream.aclose()
            await self.tasks.aclose(2.0)
            handed_over = self.keeper is not None and self.keeper.handed_over
            await self.books.aclose(handed_over=handed_over)
            if self.store is not None:
                await asyncio.to_thread(self.store.close)

    def apply(self, config: Config) -> None:
        """Make a new config the running one, as far as that goes without a restart.

        Raises before anything has changed; running requests keep what they have.
        """
        where = bound_where(config, self.reloader.first)
        rules = rules_of(where, self.secrets.resolve, self.local_key())
        limits = limits_of(config)
        reconfigure(self.pool, derive.pool_settings(config), self.clock.now())
        for name in self.roster.follow(config):
            log.info("account %s: the config has it now, the run-time one is gone", name)
        self.app.admit(rules)
        self.forwarder.limit(limits)
        self.pulse.limits = limits
        self.books.follow(config)
        self.alerting.follow(alerting.alert_settings(config))
        self.settle()

    def settle(self) -> None:
        """Make the roster's accounts the pool's; running requests keep what they have."""
        config, now = self.roster.effective(), self.clock.now()
        fresh = {a.id: self.probing.catalogues.filled(a) for a in derive.accounts(config)}
        fresh |= {account.id: account for account in self.logins.follow(policy_of(config))}
        for account_id in [known for known in self.pool.states if known not in fresh]:
            self.pool.remove(account_id, now)
        for account in fresh.values():
            state = self.pool.states.get(account.id)
            if state is None or state.account != account:
                self.pool.update(account, now)
        self.pool.reorder(fresh)
        self.forwarder.router.follow(config)
        preferred = self.pool.states.get(self.pool.selector.preferred or "")
        if preferred is not None and not preferred.enabled:
            self.pool.command(Command("automatic"), now)
        self.destinations.clear()
        self.destinations.update(destinations_of(config))
        self.tokens.refer(references_of(config), plans_of(config))
        self.bind_origins()
        self.probing.follow(config)
        if self.refreshing is not None:
            self.refreshing.follow(config)
        self.waiting.wake()
        self.tasks.spawn(self.revival.look(), "secrets")

    def bind_origins(self, confirmed: Iterable[str] = ()) -> None:
        """Lock accounts whose `base_url` leads elsewhere than their credential was used for.

        `confirmed`: names of accounts whose owner confirms the new origin (`OWN_LOGINS` for those of
        clients), `*` for all; raises `MaxpoolError` for a name nobody has.
        """
        now, names = self.clock.now(), frozenset(confirmed)
        ids = ids_of(self.roster.config, names - {OWN_LOGINS})
        if names & {OWN_LOGINS, EVERYONE}:
            self.logins.confirm()
        # A run-time account names its origin and its secret together, a home's login is not sent from
        # here: there is nothing to confirm.
        free = self.roster.added.keys() | derive.homes(self.roster.config)
        configured = {a: d for a, d in self.destinations.items() if a not in free}
        for moved in self.origins.bind(configured, ids):
            state = self.pool.states[moved.account_id]
            name = state.account.name
            self.tokens.forget(moved.account_id)  # checked anew before it is sent there
            if moved.locks:
                reason = (
                    f"its base_url changed from {moved.old} to {moved.new}: confirm that with "
                    f"`maxpool accounts confirm {quote(name)}` before its credential goes there"
                )
                log.warning("account %s is locked: %s", name, reason)
                self.pool.credential(moved.account_id, CredentialChange("dead", reason=reason), now)
                continue
            if self.refreshing is not None and self.tokens.login_of(moved.account_id) is not None:
                self.refreshing.refresher.confirm(moved.account_id, moved.new)
            if state.credential.dead or state.health.state is HealthState.LOCKED_OUT:
                self.pool.credential(moved.account_id, CredentialChange("logged_in"), now)
            if moved.old != moved.new:  # benches and cooldowns are the old upstream's story
                self.pool.command(Command("reset", moved.account_id), now)


def bound_where(config: Config, first: Config) -> Config:
    """The config as it holds for the listening socket: that stays where the first one put it."""
    server = config.server.model_copy(update={"host": first.server.host})
    return config.model_copy(update={"server": server})


def build(  # noqa: PLR0913 - parts, all by name
    config: Config,
    *,
    store: StateStore | None = None,
    config_path: Path | None = None,
    clock: Clock | None = None,
    secrets: SecretSource | None = None,
    load: Callable[[], Loaded] | None = None,
    admin_digest: str = "",
    local_key: Callable[[], str] = str,
    refreshing: Refreshing | None = None,
    ledger_url: str = "",
) -> Maxpool:
    """A proxy for that config; it binds nothing and starts nothing.

    `load` reads the config file again. `admin_digest`: the admin key's SHA-256 in hex; without it the admin
    API answers nobody. `local_key`: the digest of the state folder's own client key, "" for none.
    `refreshing` keeps logins fresh. `ledger_url`: where the ledger is; without it nothing is kept.
    """
    probing = Probing.by(clock or SystemClock())
    clock = probing.clock
    vault = refreshing.vault if refreshing is not None else lazy_vault(config)
    secrets = secrets or secret_source(config, config_path and config_path.parent, vault)
    notices: list[str] = []
    destinations, origins = destinations_of(config), Origins()
    pool = restored(config, store, clock.now(), (notices, origins, destinations))
    limits, tasks, given = limits_of(config), Tasks(), GivenSecrets(secrets)
    tokens = Tokens(given, references_of(config), plans_of(config))
    waiting = WaitingRoom(pool, clock, limits, tasks)
    built = Maxpool(
        config=config,
        config_path=config_path,
        pool=pool,
        clock=clock,
        store=store,
        tasks=tasks,
        timers=Timers(tasks),
        upstream=_upstream(config),
        waiting=waiting,
        pulse=Pulse(clock, limits, tasks),
        keeper=Keeper(pool, store, clock, origins) if store is not None else None,
        stats=Stats(),
        tokens=tokens,
        revival=Revival(pool, tokens, origins, destinations, waiting, clock),
        origins=origins,
        destinations=destinations,
        secrets=secrets,
        notices=notices,
        roster=Roster(config, given),
        probing=probing,
        books=Books.of(config, ledger_url, pool, clock),
        refreshing=refreshing,
        admin_digest=admin_digest,
        local_key=local_key,
    )
    again = load or (lambda: Loaded(config=config, path=config_path))
    built.reloader = Reloader(config, clock, again, built.apply, clock.now())
    built.bind_origins()
    _wire(built, limits)
    return built


def _upstream(config: Config) -> Upstream:
    ca_file, expiry_s = config.upstream.ca_file, config.upstream.keepalive_expiry_s
    named = str(ca_file) if ca_file is not None else None
    return client_named(config.upstream.client, keepalive_expiry_s=expiry_s, ca_file=named)


def _wire(built: Maxpool, limits: Limits) -> None:
    """Connect the parts to the forwarder and to the web application."""
    chance, clock, policy = SystemChance(), built.clock, policy_of(built.config)
    built.logins = ClientLogins(built.pool, policy, built.origins, clock.now())
    built.forwarder = Forwarder(
        built.pool,
        built.upstream,
        built.tokens,
        built.waiting,
        built.clock,
        chance,
        built.destinations,
        limits,
        built.stats,
        local_utc_offset_s,
        built.logins,
    )
    built.forwarder.router.follow(built.config)
    built.operator = Operator(
        pool=built.pool,
        roster=built.roster,
        reloader=built.reloader,
        waiting=built.waiting,
        clock=built.clock,
        settle=built.settle,
        origins=built.origins,
        bind_origins=built.bind_origins,
        config_path=built.config_path,
        local_key=built.local_key,
    )
    if built.config_path is not None:
        edits = FileEdits(built.config_path)
        built.operator.editing = Editing(edits, built.operator.reload)
    built.probing.connect(built)
    built.books.connect(built)
    if built.refreshing is not None:
        built.refreshing.connect(built)
    built.alerting = alerting.alerting_of(built)
    surfaces = surfaces_of(built)
    rules = rules_of(built.config, built.secrets.resolve, built.local_key())
    built.app = application(
        surfaces, rules, chance.token, built.lifespan, clock, built.admin_digest
    )


def ids_of(config: Config, names: frozenset[str]) -> frozenset[str]:
    """Account ids for names as people write them; `*` stays."""
    known = {entry.name: entry.stable_id for entry in config.accounts}
    unknown = names - known.keys() - {EVERYONE}
    if unknown:
        raise MaxpoolError(
            f"there is no account called {', '.join(sorted(unknown))}",
            f"The config knows: {', '.join(known) or 'none'}.",
        )
    return frozenset(known.get(name, name) for name in names)
