"""The composition root: config -> pool -> services -> web application -> server.

The only place that knows every class. It builds and it runs; it decides nothing.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool import __version__
from maxpool.adapters.chance import SystemChance
from maxpool.adapters.clock import SystemClock
from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.process import local_utc_offset_s, raise_open_files_limit
from maxpool.adapters.secrets import ReferenceSecrets
from maxpool.adapters.server import Server
from maxpool.adapters.store import SqliteStateStore
from maxpool.adapters.upstream import HttpUpstream
from maxpool.config import derive
from maxpool.core.lease import CredentialChange
from maxpool.core.pool import Pool
from maxpool.core.snapshot import VERSION as SNAPSHOT_VERSION
from maxpool.errors import SecretError, StateError
from maxpool.ports import Destination
from maxpool.service.forward import Forwarder
from maxpool.service.keeper import Keeper
from maxpool.service.limits import limits_of
from maxpool.service.logs import set_up_logging
from maxpool.service.models import ModelList
from maxpool.service.pulse import Pulse
from maxpool.service.stats import Stats
from maxpool.service.tasks import Tasks
from maxpool.service.timers import Timers
from maxpool.service.tokens import Tokens
from maxpool.service.waiting import WaitingRoom
from maxpool.sim.demo import InventedSecrets, demo_config
from maxpool.sim.driver import Driver
from maxpool.sim.people import demo_world as people_of_demo
from maxpool.sim.traffic import Traffic, TrafficSettings
from maxpool.sim.upstream import SimUpstream
from maxpool.web.application import Surfaces, application
from maxpool.web.guard import rules_of
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
    from maxpool.ports import Clock, SecretSource, StateStore
    from maxpool.web.guard import App

log = logging.getLogger("maxpool")

SAVE_TICK_S = 1.0


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
        self.tasks.spawn(self.pulse.run(), "pulse", finish=False)
        if self.keeper is not None:
            self.timers.every(SAVE_TICK_S, "save", self.keeper.tick)
        await self.timers.start()
        try:
            yield
        finally:
            await self.timers.aclose()
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
    secrets: SecretSource | None = None,
) -> Maxpool:
    """A proxy for that config; it binds nothing and starts nothing."""
    clock = clock or SystemClock()
    chance = SystemChance()
    secrets = secrets or ReferenceSecrets()
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
    built = Maxpool(
        config=config,
        config_path=config_path,
        pool=pool,
        clock=clock,
        store=store,
        tasks=tasks,
        timers=Timers(tasks),
        upstream=upstream,
        waiting=WaitingRoom(pool, clock, limits, tasks),
        pulse=Pulse(clock, limits, tasks),
        keeper=Keeper(pool, store, clock) if store is not None else None,
        stats=stats,
        notices=notices,
    )
    forwarder = Forwarder(
        pool,
        upstream,
        tokens,
        built.waiting,
        clock,
        chance,
        destinations,
        limits,
        stats,
        local_utc_offset_s,
    )
    listing = ModelList(pool, upstream, tokens, clock, destinations)
    surfaces = _surfaces(built, forwarder, listing)
    built.app = application(
        surfaces, rules_of(config, secrets.resolve), chance.token, built.lifespan
    )
    return built


def _surfaces(built: Maxpool, forwarder: Forwarder, listing: ModelList) -> Surfaces:
    server = built.config.server
    bodies = BodyLimits(sent=server.max_body_bytes, decoded=server.max_body_decoded_bytes)
    messages = Messages(forwarder, built.pulse, built.tasks, bodies)
    return Surfaces(
        messages=messages,
        count_tokens=Messages(forwarder, built.pulse, built.tasks, bodies, counts_tokens=True),
        models=Models(listing),
        status=StatusPages(built.pool, built.stats, built.clock, built.facts),
        open_paths=tuple(server.allowed_paths),
    )


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
        store = SqliteStateStore(folder / "state.db", newest_version=SNAPSHOT_VERSION)
        built = build(config, store=store, config_path=loaded.path)
        await _check_secrets(built, config)
        server = _server(built, config)
        stop = _signals()
        await server.start()
        announce(server.url)
        for notice in built.notices:
            announce(notice)
        if not derive.key_required(config) and config.accounts:
            announce("Note: without [server] require_key every local user can spend this quota.")
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


# -- the demo --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoWorld:
    """Where a running demo can be reached."""

    proxy_url: str
    status_url: str
    upstream_url: str
    client_key: str | None = None


@asynccontextmanager
async def demo_world(
    *, port: int = 0, minutes: float = 3.0, speed: float = 1.0, traffic: bool = True, seed: int = 1
) -> AsyncIterator[DemoWorld]:
    """A simulated upstream, the real proxy in front of it, and lively traffic through both.

    `minutes`: length of the 5-hour window; `speed`: how lively the traffic is. Keeps no state.
    """
    set_up_logging("error", "text")
    raise_open_files_limit()
    clock, tasks = SystemClock(), Tasks()
    people, settings = people_of_demo(minutes, speed)
    upstream = Server(SimUpstream(people, settings, clock, seed).app, graceful_s=0.0)
    await upstream.start()
    config = demo_config(upstream.url, people, settings, port)
    built = build(config, clock=clock, secrets=InventedSecrets(people))
    server = Server(built.app, port=port, graceful_s=0.5)
    client = HttpUpstream()
    try:
        await server.start()
        if traffic:
            lanes = Traffic(seed, TrafficSettings(speed=speed))
            driver = Driver(lanes, client, server.url, clock)
            tasks.spawn(driver.run(), "demo traffic", finish=False)
        yield DemoWorld(
            proxy_url=server.url, status_url=f"{server.url}/status", upstream_url=upstream.url
        )
    finally:
        await tasks.aclose(0.2)
        built.waiting.close()
        await client.aclose()
        await server.stop(0.5)
        await upstream.stop(0.0)
