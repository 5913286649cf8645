"""The composition root: config -> pool -> services -> web application -> server.

The only place that knows every class. It builds and it runs; it decides nothing.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from maxpool import __version__
from maxpool.adapters.chance import SystemChance
from maxpool.adapters.clock import SystemClock
from maxpool.adapters.process import local_utc_offset_s, raise_open_files_limit
from maxpool.adapters.secrets import ReferenceSecrets
from maxpool.adapters.server import Server
from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.store import SqliteStateStore
from maxpool.adapters.upstream import HttpUpstream
from maxpool.config import derive
from maxpool.core.lease import CredentialChange
from maxpool.core.pool import Pool
from maxpool.errors import BindError, SecretError, StateError
from maxpool.ports import Destination
from maxpool.service.forward import Forwarder
from maxpool.service.keeper import Keeper
from maxpool.service.limits import Limits
from maxpool.service.logs import set_up_logging
from maxpool.service.models import ModelList
from maxpool.service.pulse import Pulse
from maxpool.service.stats import Stats
from maxpool.service.tasks import Tasks
from maxpool.service.timers import Timers
from maxpool.service.tokens import Tokens
from maxpool.service.waiting import WaitingRoom
from maxpool.web.application import Surfaces, application
from maxpool.web.guard import Rules
from maxpool.web.messages import BodyLimits, Messages
from maxpool.web.models import Models
from maxpool.web.report import ServerFacts
from maxpool.web.status import StatusPages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.applications import Starlette

    from maxpool.config.load import Loaded
    from maxpool.config.model import Config
    from maxpool.core.settings import PoolSettings
    from maxpool.ports import Clock, StateStore
    from maxpool.web.guard import App

log = logging.getLogger("maxpool")

SAVE_TICK_S = 1.0


def limits_of(config: Config) -> Limits:
    """The data path's limits as the config says them."""
    server, upstream, queue = config.server, config.upstream, config.queue
    return Limits(
        max_sends=upstream.max_sends,
        trying_limit_s=upstream.trying_limit_s,
        network_budget_s=upstream.network_budget_s,
        connect_timeout_s=upstream.connect_timeout_s,
        header_timeout_stream_s=upstream.header_timeout_stream_s,
        header_timeout_json_s=upstream.header_timeout_json_s,
        header_timeout_count_s=upstream.header_timeout_count_s,
        idle_timeout_s=upstream.idle_timeout_s,
        hold_bytes=server.hold_bytes,
        commit_after_s=queue.commit_after_s,
        heartbeat_s=queue.heartbeat_s,
        stall_s=server.stall_s,
        max_wait_s=queue.max_wait_s,
        max_wait_allowed_s=queue.max_wait_allowed_s,
        max_wait_json_s=queue.max_wait_json_s,
        queue_bytes=queue.max_bytes,
        show_account=server.show_account,
    )


def destinations_of(config: Config) -> dict[str, Destination]:
    """Where each account's requests go, by account id."""
    return {
        entry.stable_id: Destination(
            base_url=derive.base_url(config, entry).rstrip("/").removesuffix("/v1"),
            auth_header=entry.auth_header,
            headers=tuple(entry.headers.items()),
            strip_beta_headers=frozenset(entry.strip_beta_headers),
        )
        for entry in config.accounts
    }


def rules_of(config: Config, secrets: ReferenceSecrets) -> Rules:
    """Whom the guard lets in."""
    server = config.server
    keys: list[tuple[str, str]] = []
    for entry in config.client_keys:
        if entry.sha256 is not None:
            keys.append((entry.name, entry.sha256.lower()))
        elif entry.key is not None:
            value = secrets.resolve(entry.key).reveal()
            keys.append((entry.name, sha256(value.encode()).hexdigest()))
    required = derive.key_required(config)
    if required and not keys:
        raise BindError(
            f"[server] host = {server.host!r} is open to other machines, and there is no client key",
            "Add a [[client_keys]] entry to the configuration, or listen on 127.0.0.1.",
        )
    return Rules(
        hosts=frozenset(h.lower() for h in (*server.allowed_hosts, server.host)),
        origins=frozenset(server.allowed_origins),
        networks=tuple(ip_network(net) for net in server.allowed_ips),
        keys=tuple(keys),
        require_key=required,
    )


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
    upstream: HttpUpstream
    waiting: WaitingRoom
    pulse: Pulse
    keeper: Keeper | None
    stats: Stats
    notices: list[str]
    app: App = field(init=False)

    def facts(self) -> ServerFacts:
        """What the status document says of the server."""
        jobs: dict[str, Any] = {"timers": self.timers.counts, "tasks": len(self.tasks)}
        if self.keeper is not None:
            jobs["save"] = self.keeper.report()
        return ServerFacts(
            version=__version__,
            config_path=str(self.config_path) if self.config_path is not None else None,
            config_loaded_at=self.pool.started_at,
            config_error=None,
            notices=tuple(self.notices),
            jobs=jobs,
        )

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Start what runs beside requests, and end it after the last one."""
        pulse = self.tasks.spawn(self.pulse.run(), "pulse")
        if self.keeper is not None:
            self.timers.every(SAVE_TICK_S, "save", self.keeper.tick)
        await self.timers.start()
        try:
            yield
        finally:
            await self.timers.aclose()
            pulse.cancel()
            if self.keeper is not None:
                await self.keeper.save()
            await self.upstream.aclose()
            await self.tasks.aclose(2.0)
            if self.store is not None:
                await asyncio.to_thread(self.store.close)


def build(
    config: Config,
    *,
    store: StateStore | None = None,
    config_path: Path | None = None,
    clock: Clock | None = None,
) -> Maxpool:
    """A proxy for that config; it binds nothing and starts nothing."""
    clock = clock or SystemClock()
    chance = SystemChance()
    secrets = ReferenceSecrets()
    settings = derive.pool_settings(config)
    notices: list[str] = []
    pool = _pool(config, settings, store, clock.now(), notices)
    limits = limits_of(config)
    tasks, stats = Tasks(), Stats()
    ca_file = config.upstream.ca_file
    upstream = HttpUpstream(
        keepalive_expiry_s=config.upstream.keepalive_expiry_s,
        ca_file=str(ca_file) if ca_file is not None else None,
    )
    destinations = destinations_of(config)
    tokens = Tokens(secrets, {e.stable_id: e.secret or "" for e in config.accounts})
    waiting = WaitingRoom(pool, clock, limits, tasks)
    forwarder = Forwarder(
        pool,
        upstream,
        tokens,
        waiting,
        clock,
        chance,
        destinations,
        limits,
        stats,
        local_utc_offset_s,
    )
    pulse = Pulse(clock, limits, tasks)
    built = Maxpool(
        config=config,
        config_path=config_path,
        pool=pool,
        clock=clock,
        store=store,
        tasks=tasks,
        timers=Timers(tasks),
        upstream=upstream,
        waiting=waiting,
        pulse=pulse,
        keeper=Keeper(pool, store, clock) if store is not None else None,
        stats=stats,
        notices=notices,
    )
    bodies = BodyLimits(
        sent=config.server.max_body_bytes, decoded=config.server.max_body_decoded_bytes
    )
    surfaces = Surfaces(
        messages=Messages(forwarder, pulse, tasks, bodies),
        count_tokens=Messages(forwarder, pulse, tasks, bodies, counts_tokens=True),
        models=Models(ModelList(pool, upstream, tokens, clock, destinations)),
        status=StatusPages(pool, stats, clock, built.facts),
        open_paths=tuple(config.server.allowed_paths),
    )
    built.app = application(surfaces, rules_of(config, secrets), chance.token, built.lifespan)
    return built


def _pool(
    config: Config,
    settings: PoolSettings,
    store: StateStore | None,
    now: float,
    notices: list[str],
) -> Pool:
    """The pool with what the last run remembers; a memory that cannot be used is said, not fatal."""
    accounts = derive.accounts(config)
    data = None
    if store is not None:
        data = store.load()
        if store.set_aside is not None:
            notices.append(f"The saved state was broken and set aside as {store.set_aside}.")
    if data is None:
        return Pool(accounts, settings, now)
    try:
        pool = Pool.restore(data, accounts, settings, now)
    except StateError as error:
        log.exception("%s", error.message)
        notices.append(f"{error.message}. {error.hint}")
        return Pool(accounts, settings, now)
    for account in accounts:
        # These secrets live in the config: starting again is how their owner renews them.
        if pool.states[account.id].health.state.value == "locked_out":
            pool.credential(account.id, CredentialChange("logged_in"), now)
    return pool


# -- running ---------------------------------------------------------------------------------------


async def run(loaded: Loaded, *, announce: Callable[[str], None]) -> int:
    """Serve until a signal says stop; returns the exit code.

    The first SIGTERM or SIGINT drains: waiters are answered, running answers finish up to
    `[server] drain`. A second one ends at once.
    """
    config = loaded.config
    set_up_logging(config.logging.level, config.logging.format)
    raise_open_files_limit()
    folder = derive.state_folder(config)
    async with AsyncExitStack() as stack:
        stack.enter_context(lock_state_folder(folder))
        store = SqliteStateStore(folder / "state.db")
        built = build(config, store=store, config_path=loaded.path)
        await _check_secrets(built, config)
        server = _server(built, config)
        await server.start()
        announce(server.url)
        for notice in built.notices:
            announce(notice)
        if not derive.key_required(config) and config.accounts:
            announce("Note: without [server] require_key every local user can spend this quota.")
        stop = _signals()
        await stop.wait()
        built.waiting.close()
        second = _signals()
        await _drain(server, second)
    return 0


async def _drain(server: Server, second: asyncio.Event) -> None:
    """Stop; a second signal cuts the wait short."""
    stopping = asyncio.ensure_future(server.stop())
    hurry = asyncio.ensure_future(second.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not stopping.done():
        await server.stop(0.0)
    await stopping


async def _check_secrets(built: Maxpool, config: Config) -> None:
    """Say at once which account's secret cannot be found; the others serve all the same."""
    secrets = ReferenceSecrets()
    for entry in config.accounts:
        if not entry.secret or not entry.enabled:
            continue
        try:
            await asyncio.to_thread(secrets.resolve, entry.secret)
        except SecretError as error:
            text = f"Account {entry.name!r}: {error.message}. {error.hint}"
            log.warning("%s", text)
            built.notices.append(text)
            now = built.clock.now()
            change = CredentialChange("dead", reason=f"secret not found: {error.message}"[:200])
            built.pool.credential(entry.stable_id, change, now)


def _server(built: Maxpool, config: Config) -> Server:
    server = config.server
    tls = None
    if server.tls_cert is not None and server.tls_key is not None:
        tls = (str(server.tls_cert), str(server.tls_key))
    return Server(built.app, host=server.host, port=server.port, graceful_s=server.drain_s, tls=tls)


def _signals() -> asyncio.Event:
    """An event that the next SIGTERM or SIGINT sets."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, event.set)
    return event
