"""`maxpool reload --exec`, the side that leaves: another process of this program takes the server over.

In this order, so that nothing is lost and everything can be taken back until the other one serves:
it starts, reads the config and says `ready`; this one accepts no more (the sockets stay open: who
connects waits), saves for the last time and passes on the lock, the lifeline and the sockets; it takes
the saved state back, accepts and says `serving`. Then this one drains, and tells all that its running
answers still teach. A process that a shell or a supervisor waits for stays for as long as maxpool runs.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.adapters import handover, notify, process
from maxpool.adapters.handover import Lifeline
from maxpool.adapters.statefiles import tell_address
from maxpool.app.standin import StandIn
from maxpool.core.snapshot import VERSION as SNAPSHOT_VERSION
from maxpool.errors import MaxpoolError, RequestError, StateError
from maxpool.service.mirror import Teller

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maxpool.adapters.handover import Child
    from maxpool.adapters.lock import FolderLock
    from maxpool.adapters.server import Server
    from maxpool.app.build import Maxpool
    from maxpool.config.load import Loaded

log = logging.getLogger("maxpool.handover")

TAKE_S = 10.0
"""How long the other process may take from the last save until it serves: new connections wait so long."""

LAST_WORD_S = 2.0
"""So long before the drain ends those who still wait are answered, so that they can ask the other one."""


@dataclass(slots=True, kw_only=True)
class HandOver:
    """Hands this process's server over, once it is asked to. `passed` is set when that has happened.

    `lifeline`: to the first process of a chain, None in the first one itself; `heard` takes what comes
    over it. `ours`: the first process's own end, once there is another process.
    """

    built: Maxpool
    server: Server
    lock: FolderLock
    folder: Path
    loaded: Loaded
    announce: Callable[[str], None]
    heard: Callable[[str], None]
    lifeline: Lifeline | None = None
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    child: Child | None = None
    teller: Teller | None = None
    ours: Lifeline | None = None
    _giving: asyncio.Task[dict[str, Any] | RequestError] | None = None

    async def give(self) -> dict[str, Any]:
        """Hand over; returns both pids and what still runs here, or raises `RequestError`."""
        if not handover.possible():
            raise _refused(
                "This system cannot pass open sockets on: run maxpool stop, then maxpool serve."
            )
        if self.stopping or self.passed.is_set():
            raise _refused("This server is stopping already.")
        if self._giving is not None:
            raise _refused("Another process is taking over already.")
        self._giving = self.built.tasks.spawn(self._attempt(), "hand-over")
        giving = self._giving
        try:
            found = await asyncio.shield(giving)
        except asyncio.CancelledError:
            if giving.cancelled():
                raise _refused("This server is stopping.") from None
            raise
        finally:
            if giving.done():
                self._giving = None
        if isinstance(found, RequestError):
            raise found
        return found

    async def give_up(self) -> None:
        """The server is to stop: a hand-over that is not complete is taken back."""
        self.stopping = True
        if self._giving is not None and not self.passed.is_set():
            self._giving.cancel()
            await asyncio.wait({self._giving})

    # -- until it serves ---------------------------------------------------------------------------

    async def _attempt(self) -> dict[str, Any] | RequestError:
        """What came of it; that nobody took over is an answer and no failure of the task."""
        try:
            return await self._give()
        except RequestError as refusal:
            return refusal

    async def _give(self) -> dict[str, Any]:
        limit_s = self.built.config.server.handover_s
        log.info("by hand: another process is to take over")
        try:
            self.child = await handover.start(_options(self.loaded))
            await self._said(self.child, "ready", limit_s, self._check)
            await self._pass_on(self.child)
            await self._said(self.child, "serving", TAKE_S)
        except BaseException as error:  # whatever it is, this server goes on
            told = await self._take_back(error)
            if not isinstance(error, OSError | MaxpoolError | TimeoutError):
                raise
            log.warning("nobody took over: %s", told)
            raise _refused(f"{told} Process {process.pid()} serves on as before.") from None
        return self._passed(self.child)

    async def _said(
        self,
        child: Child,
        word: str,
        within_s: float,
        check: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """Wait until the other process says that word."""
        try:
            async with asyncio.timeout(within_s):
                message = await child.channel.hear()
        except TimeoutError:
            raise StateError(
                f"process {child.pid} did not say in {within_s:g} s that it is {word}"
            ) from None
        if message is None:
            code = await child.ended()
            raise StateError(
                f"the new process ended (code {code}) before it was {word}; its output says why"
            )
        if word not in message:
            raise StateError(f"the new process cannot start: {message.get('failed')}")
        check(message[word])

    def _check(self, told: dict[str, Any]) -> None:
        """Whether what the new process would serve with goes with what it is given."""
        server = self.built.reloader.first.server
        want = {"host": server.host, "port": server.port, "folder": str(self.folder.absolute())}
        for name, mine in want.items():
            if told.get(name) != mine:
                raise StateError(
                    f"its config has another {name} ({told.get(name)}, here it is {mine}): that needs "
                    "maxpool stop and maxpool serve"
                )
        if int(told.get("reads", 0)) < SNAPSHOT_VERSION:
            raise StateError("the new process is an older maxpool that cannot read the saved state")

    async def _pass_on(self, child: Child) -> None:
        """Accept no more, save for the last time, and give everything away."""
        built, keeper = self.built, self.built.keeper
        assert keeper is not None
        self.server.pause()
        built.timers.pause()
        built.operator.leaving = True
        drain_s = built.reloader.first.server.drain_s
        self.teller = Teller(
            built.pool, built.stats, child.channel.say, source=process.pid(), drain_s=drain_s
        )
        await keeper.save_last(self.teller.begin)
        if keeper.last_error is not None:
            raise StateError(f"the state cannot be saved: {keeper.last_error}")
        line, theirs = self._line()
        passed = [self.lock.descriptor, *line, *(s.fileno() for s in self.server.sockets)]
        try:
            child.channel.pass_on(passed)
        finally:
            if theirs is not None:
                theirs.close()
        self.teller.open()

    def _line(self) -> tuple[list[int], socket.socket | None]:
        """The lifeline's end for the other process: the one that we have, or one of a new pair."""
        if self.lifeline is not None:
            self.lifeline.pause()
            return [self.lifeline.sock.fileno()], None
        if notify.asked():
            return [], None  # the service manager is told; nobody waits for this process
        mine, theirs = socket.socketpair()
        self.ours = Lifeline(mine)
        return [theirs.fileno()], theirs

    async def _take_back(self, error: BaseException) -> str:
        """As if nothing had happened; returns what had."""
        child, self.child = self.child, None
        if child is not None:
            await child.kill()
        if self.teller is not None:
            await self._go_on(self.teller)
            self.teller = None
        if isinstance(error, MaxpoolError):
            return f"{error.message[:1].upper()}{error.message[1:]}."
        return f"No new process could be started ({error})."

    async def _go_on(self, teller: Teller) -> None:
        teller.end()
        built, keeper = self.built, self.built.keeper
        built.operator.leaving = False
        if keeper is not None:
            keeper.handed_over = False
            built.pool.revision += 1  # saved anew, whatever the other one wrote meanwhile
        if self.ours is not None:
            self.ours.close()
            self.ours = None
        if self.lifeline is not None:
            self.lifeline.listen(self.heard)
        try:
            self.lock.claim()
            tell_address(self.folder, self.server.url)
        except (OSError, StateError) as error:
            log.warning("commands may not find this server (%s)", type(error).__name__)
        built.timers.resume()
        await self.server.resume()

    # -- afterwards --------------------------------------------------------------------------------

    def _passed(self, child: Child) -> dict[str, Any]:
        built = self.built
        notify.main_process(child.pid)
        drain_s = built.reloader.first.server.drain_s
        running = len(built.pool.running) + len(built.waiting.parked)
        answers = f"{running} answer{'' if running == 1 else 's'}"
        self.announce(
            f"Process {child.pid} serves now; {answers} may finish here within {drain_s:g} s."
            if running
            else f"Process {child.pid} serves now."
        )
        loop = asyncio.get_running_loop()
        loop.call_later(max(drain_s - LAST_WORD_S, 0.0), built.waiting.close)
        threading.Thread(target=child.process.wait, daemon=True).start()  # leaves no zombie behind
        self.passed.set()
        return {
            "pid": child.pid,
            "old_pid": process.pid(),
            "in_flight": running,
            "drain_s": drain_s,
        }

    def stand_in(self, hurry: asyncio.Event) -> StandIn | None:
        """What this process is for from now on, when whoever started it waits for it."""
        if self.child is None or self.ours is None:
            return None
        first = process.pid() == 1  # a container's: whoever loses its parent becomes its child
        found = StandIn(line=self.ours, child=self.child, hurry=hurry, reaps=first)
        found.begin()
        return found

    def stop_successor(self) -> None:
        """What is asked of this process, on a connection it still has, is meant for whoever serves."""
        if self.child is not None:
            with suppress(OSError):
                self.child.process.terminate()

    async def finish(self) -> None:
        """The drain is over: tell the last counts, and hang up."""
        if self.child is not None and self.teller is not None:
            self.teller.end()
            self.child.channel.say(self.teller.last())
            with suppress(TimeoutError):
                async with asyncio.timeout(handover.END_S):
                    await self.child.channel.aclose()


def _options(loaded: Loaded) -> list[str]:
    """The options that this server effectively has. A confirmed origin is not confirmed once more."""
    given = loaded.overrides
    found: list[str] = []
    for name, value in (
        ("--config", loaded.path),
        ("--host", given.host),
        ("--port", given.port),
        ("--log-level", given.log_level),
        ("--log-file", given.log_file),
    ):
        if value is not None:
            found += [name, str(value)]
    return found


def _refused(message: str) -> RequestError:
    return RequestError(409, "invalid_request_error", message)
