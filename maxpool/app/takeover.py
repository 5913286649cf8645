"""`maxpool reload --exec`, the side that comes: take a running server over from the process before.

Until `serving` is said the other one can go on as if nothing had happened; so whatever can fail here
comes before that, and nothing of the state folder is written. The other side is `app/handover`.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool import __version__
from maxpool.adapters import handover, process
from maxpool.adapters.handover import Lifeline
from maxpool.adapters.lock import FolderLock
from maxpool.core.snapshot import VERSION as SNAPSHOT_VERSION
from maxpool.errors import ConfigError, MaxpoolError, StateError
from maxpool.service.mirror import Repeater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from maxpool.adapters.handover import Channel, Offer
    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config

WAIT_S = 60.0
"""How long the process before may take for its last save: on a healthy disk it is milliseconds."""

LAST_WORD_S = 30.0
"""How long after its drain a process may still be heard of: one that hangs must not hold slots for ever."""


@dataclass(slots=True, kw_only=True)
class Taken:
    """What the process before has passed on. `lifeline`: to the first process, where one stays."""

    lock: FolderLock
    lifeline: Lifeline | None
    sockets: list[socket.socket]
    channel: Channel
    before: int = 0
    following: asyncio.Task[None] | None = None

    async def begin(self, built: Maxpool) -> None:
        """Take in what ran there at the last save, and listen to what becomes of it."""
        await self.channel.open()
        first = await self.channel.hear()
        if first is None:
            raise StateError("the process before is gone", "Start it with: maxpool serve")
        self.before = int(first.get("from", 0))
        repeater = Repeater(built.pool, built.stats, built.waiting, built.clock)
        repeater.hear(first)
        last_s = float(first.get("drain", built.config.server.drain_s)) + LAST_WORD_S
        self.following = asyncio.ensure_future(self._follow(repeater, last_s))

    def serving(self, heard: Callable[[str], None]) -> None:
        """This process is the server now; raises OSError."""
        self.lock.claim()
        self.channel.say({"serving": process.pid()})
        if self.lifeline is not None:
            self.lifeline.say(f"pid {process.pid()}\n")
            self.lifeline.listen(heard)

    async def ended(self, within_s: float, hurry: asyncio.Event) -> None:
        """Wait until the process before has told its last, at most so long."""
        if self.following is None or self.following.done():
            return
        hurried = asyncio.ensure_future(hurry.wait())
        await asyncio.wait(
            {self.following, hurried}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED
        )
        hurried.cancel()

    async def _follow(self, repeater: Repeater, within_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (message := await self.channel.hear()) is not None:
                    repeater.hear(message)
        repeater.lost()
        await self.channel.aclose()


@contextmanager
def offer() -> Iterator[Offer | None]:
    """The offer with which this process was started, if with any; an error here is told there."""
    found = handover.offered()
    if found is None:
        yield None
        return
    try:
        yield found
    except MaxpoolError as error:
        found.say({"failed": _told(error)})
        raise
    finally:
        found.close()


def accept(found: Offer, config: Config, folder: Path) -> Taken:
    """Say that this process can take over, and wait until it may; raises StateError."""
    said = {
        "pid": process.pid(),
        "version": __version__,
        "reads": SNAPSHOT_VERSION,
        "host": config.server.host,
        "port": config.server.port,
        "folder": str(folder.absolute()),
    }
    found.say({"ready": said})
    lock, *others = found.take(WAIT_S)
    sockets = [socket.socket(fileno=number) for number in others]
    lines = [sock for sock in sockets if sock.family == socket.AF_UNIX]
    return Taken(
        lock=FolderLock(lock),
        lifeline=Lifeline(lines[0]) if lines else None,
        sockets=[sock for sock in sockets if sock not in lines],
        channel=found.channel(),
    )


def _told(error: MaxpoolError) -> str:
    if isinstance(error, ConfigError):
        lines = (f"{p.path}:{p.line}: {p.message}" for p in error.problems)
        return "; ".join(one.replace(":0: ", ": ", 1) for one in lines)
    return f"{error.message}. {error.hint}".strip().rstrip(".")
