"""Running a proxy: state folder, server, signals, drain."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from maxpool.adapters.lock import lock_state_folder
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
from maxpool.service.logs import set_up_logging

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maxpool.config.model import Config

from maxpool.app import homes
from maxpool.app.build import Maxpool, build
from maxpool.app.logins import refreshing
from maxpool.app.vault import warnings

OPEN_NOTE = (
    "Note (told once): every user of this machine can spend this quota and read /status. "
    "[server] require_key = true asks for a key; maxpool env shows the one made for your tools."
)


async def run(
    loaded: Loaded, *, announce: Callable[[str], None], confirm: tuple[str, ...] = ()
) -> int:
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
        built = build(
            config,
            store=store,
            config_path=_config_file(loaded),
            load=lambda: load_config(loaded.path, overrides=loaded.overrides),
            admin_digest=_admin_key(folder, announce).digest,
            local_key=_client_key(config, folder, announce),
            refreshing=(logins := refreshing(config, folder)),
        )
        built.notices += warnings(config)
        built.bind_origins(confirm)
        await logins.refresher.start()
        await built.revival.look()
        stack.callback(homes.watch(built, folder).hide)
        server = _server(built, config)
        stop = _signals()
        built.operator.stop = stop.set
        with suppress(NotImplementedError, AttributeError):  # Windows has no SIGHUP
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, built.reloader.reload)
        await server.start()
        settle_memory()
        _tell_address(stack, folder, server.url, announce)
        announce(server.url)
        for notice in built.facts().notices:
            announce(notice)
        if not derive.key_required(config) and first_time(folder, "open-to-local-users"):
            announce(OPEN_NOTE)
        await stop.wait()
        running = built.pool.view(built.clock.now()).in_flight
        if running:
            answers = "1 running answer" if running == 1 else f"{running} running answers"
            announce(
                f"Stopping: {answers} may finish within {config.server.drain_s:g} s; "
                "another Ctrl-C ends at once."
            )
        built.waiting.close()
        second = logins.hurry = _signals()
        await hurry_or_drain(server, second)
    return 0


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


async def hurry_or_drain(server: Server, second: asyncio.Event) -> None:
    """Stop; a second signal cuts the wait short."""
    stopping = asyncio.ensure_future(server.stop())
    hurry = asyncio.ensure_future(second.wait())
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not stopping.done():
        await server.stop(0.0)
    await stopping


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
