"""Running a proxy: state folder, server, signals, drain, and handing over to another process."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from maxpool.adapters import notify, process
from maxpool.adapters.alertfile import AlertFile
from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.logfile import LogFile
from maxpool.adapters.process import raise_open_files_limit
from maxpool.adapters.server import Server
from maxpool.adapters.statefiles import (
    KeptKey,
    address_told,
    admin_key,
    client_key,
    client_key_digest,
    first_time,
)
from maxpool.adapters.store import SqliteStateStore
from maxpool.config import derive
from maxpool.config.environment import config_path
from maxpool.config.load import Loaded
from maxpool.config.load import load as load_config
from maxpool.core.snapshot import VERSION as SNAPSHOT_VERSION
from maxpool.errors import StateError
from maxpool.service.faults import LOOK_EVERY_S, FaultLimits, Faults
from maxpool.service.logs import set_up_logging

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from maxpool.adapters.handover import Offer
    from maxpool.adapters.homefiles import StateHomeFiles
    from maxpool.app.takeover import Taken
    from maxpool.config.model import Config

from maxpool.app import homes, takeover, watchdog
from maxpool.app.build import Maxpool, build
from maxpool.app.handover import HandOver
from maxpool.app.ledger import found_url
from maxpool.app.logins import refreshing
from maxpool.app.standin import HURRY, RELOAD, STOP, StandIn
from maxpool.app.vault import warnings

OPEN_NOTE = (
    "Note (told once): every user of this machine can spend this quota and read /status. "
    "[server] require_key = true asks for a key; maxpool env shows the one made for your tools."
)


async def run(
    loaded: Loaded,
    *,
    announce: Callable[[str], None],
    confirm: tuple[str, ...] = (),
    offer: Offer | None = None,
) -> int:
    """Serve until a signal says stop; returns the exit code.

    The first SIGTERM or SIGINT drains: waiters are answered, running answers finish up to
    `[server] drain`. A second one ends at once. With an `offer` a running server is taken over. Once
    another process took over from this one, it waits for that one's end, unless a service manager was told.
    """
    _log_where_asked(loaded)
    raise_open_files_limit()
    this = _Run(loaded, announce, confirm)
    stand_in = await this.serve(offer)
    if stand_in is None:
        return this.code
    gc.unfreeze()
    gc.collect()  # it only waits now: what the server was made of is given back
    return await stand_in.ended()


def _log_where_asked(loaded: Loaded) -> None:
    settings, file = loaded.config.logging, loaded.overrides.log_file
    handler = None
    if file is not None:
        handler = LogFile(file, max_bytes=settings.file_max_bytes, kept=settings.files_kept)
    set_up_logging(settings.level, settings.format, handler)


@dataclass(slots=True)
class _Run:
    """One process's time as the server."""

    loaded: Loaded
    announce: Callable[[str], None]
    confirm: tuple[str, ...]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    reload: Callable[[], object] = bool
    code: int = 0

    async def serve(self, offer: Offer | None) -> StandIn | None:
        """From the state folder's lock to the end of the drain; returns what is to be done then."""
        config = self.loaded.config
        folder = derive.state_folder(config)
        taken = takeover.accept(offer, config, folder) if offer is not None else None
        async with AsyncExitStack() as stack:
            lock = stack.enter_context(taken.lock if taken else lock_state_folder(folder))
            built = await self._build(folder)
            if taken is not None:
                await taken.begin(built)
            stack.callback(_hide, homes.watch(built, folder), built)
            server = _server(built, config, taken.sockets if taken is not None else ())
            _on_signals(self._signalled)
            built.operator.stop = self.stop.set
            self._end_when_broken(built)
            self.reload = built.reloader.reload
            with suppress(NotImplementedError, AttributeError):  # Windows has no SIGHUP
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
            await server.start()
            _tell_address(stack, folder, server.url, self.announce)
            leaving = HandOver(
                built=built,
                server=server,
                lock=lock,
                folder=folder,
                loaded=self.loaded,
                announce=self.announce,
                heard=self._heard,
                lifeline=taken.lifeline if taken is not None else None,
            )
            built.operator.hand_over = leaving.give
            if taken is not None:
                taken.serving(self._heard)
                built.last_words = partial(taken.ended, config.server.drain_s, self.hurry)
            notify.ready()
            watchdog.begin(built.tasks, built.clock)
            settle_memory()
            self._greet(built, server, taken, folder)
            await _first({self.stop, leaving.passed})
            await leaving.give_up()
            if leaving.passed.is_set():
                return await self._leave(leaving, taken)
            await self._drain(built, server)
            if leaving.lifeline is not None:
                leaving.lifeline.say("exit 0\n")
        return None

    async def _build(self, folder: Path) -> Maxpool:
        """The parts, with what the state folder remembers."""
        loaded, config = self.loaded, self.loaded.config
        notices: list[str] = []
        store = SqliteStateStore(folder / "state.db", newest_version=SNAPSHOT_VERSION)
        built = build(
            config,
            store=store,
            config_path=_config_file(loaded),
            load=lambda: load_config(loaded.path, overrides=loaded.overrides),
            admin_digest=_admin_key(folder, self.announce).digest,
            local_key=_client_key(config, folder, self.announce),
            refreshing=(logins := refreshing(config, folder)),
            ledger_url=found_url(config, loaded.path, notices),
        )
        logins.hurry = self.hurry
        built.alerting.remember(AlertFile(folder))
        built.notices += [*warnings(config), *notices]
        built.bind_origins(self.confirm)
        await logins.refresher.start()
        await built.revival.look()
        return built

    def _greet(self, built: Maxpool, server: Server, taken: Taken | None, folder: Path) -> None:
        if taken is not None:
            me = process.pid()
            self.announce(f"Process {me} took over from process {taken.before} at {server.url}.")
        else:
            self.announce(server.url)
        for notice in built.facts().notices:
            self.announce(notice)
        if not derive.key_required(built.config) and first_time(folder, "open-to-local-users"):
            self.announce(OPEN_NOTE)

    async def _drain(self, built: Maxpool, server: Server) -> None:
        """Stop for good: waiters are answered, running answers may finish."""
        notify.stopping()
        running = built.pool.view(built.clock.now()).in_flight
        if running:
            answers = "1 running answer" if running == 1 else f"{running} running answers"
            self.announce(
                f"Stopping: {answers} may finish within {built.config.server.drain_s:g} s; "
                "another Ctrl-C ends at once."
            )
        built.waiting.close()
        built.feed.close()
        await hurry_or_drain(server, self.hurry)

    async def _leave(self, leaving: HandOver, taken: Taken | None) -> StandIn | None:
        """Another process serves: finish what runs here, and tell what it still taught."""
        leaving.built.feed.close()
        stand_in = leaving.stand_in(self.hurry)
        stop = leaving.stop_successor if stand_in is None else stand_in.stop
        leaving.built.operator.stop = stop
        if self.stop.is_set():  # said in the very moment of passing on
            stop()
        draining = [hurry_or_drain(leaving.server, self.hurry, passed_on=True)]
        if taken is not None:  # what the one before it still tells goes through here
            draining.append(taken.ended(leaving.built.config.server.drain_s, self.hurry))
        await asyncio.gather(*draining)
        await leaving.finish()
        return stand_in

    def _end_when_broken(self, built: Maxpool) -> None:
        """Stop, with a code that says so, once maxpool itself failed too often."""

        def limits() -> FaultLimits:
            server = built.roster.config.server
            return FaultLimits(server.max_internal_errors, server.internal_errors_within_s)

        def count() -> int:
            return built.stats.internal_errors + built.tasks.failed

        def give_up() -> None:
            self.code = 1
            self.stop.set()

        faults = Faults(count, limits, built.clock, give_up)
        built.timers.every(LOOK_EVERY_S, "faults", faults.tick)

    def _signalled(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()

    def _heard(self, letters: str) -> None:
        """What the first process passes on: the same as signals that reach this one."""
        for letter in letters:
            if letter == STOP:
                self.stop.set()
            elif letter == HURRY:
                self.hurry.set()
            elif letter == RELOAD:
                self.reload()


def _admin_key(folder: Path, announce: Callable[[str], None]) -> KeptKey:
    """The admin key; without one the server serves, and only the admin API does not."""
    try:
        key = admin_key(folder)
    except StateError as error:
        announce(f"The admin API is off: {error.message}. {error.hint}.")
        return KeptKey(digest="")
    if key.notice is not None:
        announce(key.notice)
    return key


def _config_file(loaded: Loaded) -> Path | None:
    """Where the config is, or will be: a server that started without one follows it when it appears."""
    if loaded.path is not None:
        return loaded.path
    path = config_path().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:  # then no command can write it either
        return None
    return path


def _client_key(config: Config, folder: Path, announce: Callable[[str], None]) -> Callable[[], str]:
    """How to find the client key for this machine's tools; made where nobody made one (X10)."""
    if not config.client_keys and derive.on_loopback(config):
        try:
            key = client_key(folder)
        except StateError as error:
            announce(f"There is no client key: {error.message}. {error.hint}.")
        else:
            if key.notice is not None:
                announce(key.notice)
    return lambda: client_key_digest(folder)


def _tell_address(
    stack: AsyncExitStack, folder: Path, url: str, announce: Callable[[str], None]
) -> None:
    try:
        stack.enter_context(address_told(folder, url))
    except StateError as error:
        announce(f"Commands need --url: {error.message}. {error.hint}.")


def settle_memory() -> None:
    """Keep what start-up made out of later garbage collections.

    A full collection of some 150,000 long-lived objects would hold every stream for 30 ms and more;
    what requests leave behind is freed by reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def hurry_or_drain(server: Server, second: asyncio.Event, *, passed_on: bool = False) -> None:
    """Stop; a second signal cuts the wait short."""
    stopping = asyncio.ensure_future(server.stop(passed_on=passed_on))
    hurry = asyncio.ensure_future(second.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not stopping.done():
        await server.stop(0.0)
    await stopping


def _hide(files: StateHomeFiles, built: Maxpool) -> None:
    """Status lines show no more how the pool is, unless another process goes on telling."""
    if built.keeper is not None and not built.keeper.handed_over:
        files.hide()


def _server(built: Maxpool, config: Config, sockets: Sequence[socket.socket]) -> Server:
    server = config.server
    tls = None
    if server.tls_cert is not None and server.tls_key is not None:
        tls = (str(server.tls_cert), str(server.tls_key))
    return Server(
        built.app,
        host=server.host,
        port=server.port,
        sockets=sockets,
        graceful_s=server.drain_s,
        tls=tls,
    )


def _on_signals(signalled: Callable[[], None]) -> None:
    """Call that at each SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, signalled)


async def _first(events: set[asyncio.Event]) -> None:
    """Return when one of them is set."""
    waiting = {asyncio.ensure_future(event.wait()) for event in events}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
