"""The live feed: what changed on the status picture, to everybody who listens, at most once a second.

One differ serves all listeners: each part of the picture is encoded once, and its bytes are shared. While
nobody listens nothing is computed. What the picture shows is not decided here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from maxpool.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from maxpool.ports import Clock
    from maxpool.service.tasks import Tasks

EVERY_S: Final = 1.0
"""Between two looks at the pool: soon enough for a person, a small share of a core for 200 accounts."""

HEARTBEAT_S: Final = 15.0
"""Of silence, before a comment is sent: boxes on the way close what is silent for 30 to 60 seconds."""

MAX_PENDING: Final = 64
"""Looks that a listener may be behind; then it gets the whole picture anew instead of every change."""

BEAT: Final = b":\n\n"
SUMMARY: Final = ("summary", "")

Key = tuple[str, str]
"""The event's name, and which of several it is: `("account", "a-1")`, `("queue", "")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What there is to see now. `listed`: event names whose parts are many; a lost one is told as removed.

    `head` stands in front of every full picture (the version, the start).
    """

    head: Mapping[str, object]
    parts: Mapping[Key, object]
    listed: frozenset[str] = frozenset({"account", "request"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLimits:
    """How many may listen at once: in all, and from one address."""

    listeners: int = 10
    per_address: int = 5


@dataclass(slots=True, eq=False)
class Listener:
    """Somebody who listens; `about`: what only this one is told, as JSON."""

    address: str
    about: bytes = b"null"
    pending: deque[bytes] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def close(self) -> None:
        """No more for this one."""
        self.closed = True
        self.woken.set()

    def hear(self, message: bytes) -> None:
        """Something to send."""
        self.pending.append(message)
        self.woken.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """What to send, one after the other, until this one is closed."""
        while not self.closed:
            if not self.pending:
                self.woken.clear()
                try:
                    await asyncio.wait_for(self.woken.wait(), HEARTBEAT_S)
                except TimeoutError:
                    yield BEAT
                continue
            joined = b"".join(self.pending)
            self.pending.clear()
            yield joined


@dataclass(slots=True)
class Feed:
    """Looks once a second while somebody listens. `look` takes the picture, `limits` is read at each join.

    `fresh`: what a full picture says of its very moment (the time, what happened until then).
    """

    look: Callable[[], Picture]
    fresh: Callable[[], Mapping[str, object]]
    limits: Callable[[], FeedLimits]
    clock: Clock
    tasks: Tasks
    listeners: list[Listener] = field(default_factory=list)
    looks: int = 0
    _seen: dict[Key, bytes] = field(default_factory=dict)
    _picture: Picture | None = None
    _running: asyncio.Task[None] | None = None
    _closed: bool = False

    def join(self, address: str, about: bytes = b"null") -> Listener:
        """Listen from now on, beginning with the whole picture; raises `RequestError` when too many do."""
        limits = self.limits()
        same = sum(one.address == address for one in self.listeners)
        if self._closed:
            raise _refused(503, "overloaded_error", "This server stops.")
        if len(self.listeners) >= limits.listeners or same >= limits.per_address:
            raise _refused(
                429,
                "rate_limit_error",
                f"{same} of {limits.per_address} listeners of this address and {len(self.listeners)} of "
                f"{limits.listeners} in all are there already ([server] max_listeners).",
            )
        if self._running is None:
            self._take()
            self._running = self.tasks.spawn(self._run(), "live feed", finish=False)
        listener = Listener(address, about)
        listener.hear(self._hello(listener))
        self.listeners.append(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no more; what was never there is no error."""
        listener.close()
        if listener in self.listeners:
            self.listeners.remove(listener)
        if not self.listeners and self._running is not None:
            self._running.cancel()
            self._running = None
            self._seen.clear()
            self._picture = None

    def close(self) -> None:
        """The server stops: everybody is sent away, and nobody comes in."""
        self._closed = True
        for listener in list(self.listeners):
            self.leave(listener)

    def tell(self, name: str, what: object) -> None:
        """Something that happened, at once, to all who listen."""
        if self.listeners:
            message = _message(name, msgspec.json.encode(what))
            for listener in self.listeners:
                self._send(listener, message)

    async def _run(self) -> None:
        while True:
            await self.clock.sleep(EVERY_S)
            changed = self._take()
            if changed:
                message = b"".join(changed)
                for listener in self.listeners:
                    self._send(listener, message)

    def _send(self, listener: Listener, message: bytes) -> None:
        if len(listener.pending) >= MAX_PENDING:
            listener.pending.clear()
            message = self._hello(listener)
        listener.hear(message)

    def _take(self) -> list[bytes]:
        """Look, and return what changed since the last look as messages."""
        self.looks += 1
        picture = self._picture = self.look()
        encode = msgspec.json.encode
        seen = {key: encode(part) for key, part in picture.parts.items()}
        before, self._seen = self._seen, seen
        changed = [_message(key[0], data) for key, data in seen.items() if before.get(key) != data]
        gone = [key for key in before.keys() - seen.keys() if key[0] in picture.listed]
        changed += [_message(k[0], encode({"id": k[1], "removed": True})) for k in sorted(gone)]
        return changed

    def _hello(self, listener: Listener) -> bytes:
        """The whole picture, made of the parts as they were encoded for everybody."""
        picture = self._picture
        assert picture is not None
        head = msgspec.json.encode({**picture.head, **self.fresh()})
        lists: dict[str, list[bytes]] = {name: [] for name in sorted(picture.listed)}
        single = []
        for (name, _), data in self._seen.items():
            if name in picture.listed:
                lists[name].append(data)
            else:
                single.append(b'"%s":%s' % (name.encode(), data))
        whole = [b'"%ss":[%s]' % (name.encode(), b",".join(data)) for name, data in lists.items()]
        inside = b",".join([head[1:-1], b'"you":' + listener.about, *single, *whole])
        return _message("hello", b"{%s}" % inside)


def _message(name: str, data: bytes) -> bytes:
    """One event of the stream; JSON has no line breaks of its own."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _refused(status: int, kind: str, message: str) -> RequestError:
    return RequestError(status, kind, message)
