"""`Tap`: stands before the simulated upstream and keeps what really went over its wire."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Any, Receive, Send], Awaitable[None]]

KEPT = 1000
"""Visits that are remembered; more than ever run at once."""


@dataclass(slots=True, eq=False)
class Visit:
    """One request at the upstream, and its answer as far as that went out.

    `tag`: what the client calls its request, in the header `x-tag`. `status` is 0 until headers went out.
    `came_at`, `ended_at`: in the loop's time.
    """

    tag: str = ""

    asked: bytes = b""
    sent: bytes = b""
    status: int = 0
    came_at: float = 0.0
    ended_at: float | None = None


@dataclass(slots=True)
class Tap:
    """What the upstream was asked and what it sent; called with the application to stand before."""

    visits: deque[Visit] = field(default_factory=lambda: deque(maxlen=KEPT))

    def __call__(self, app: App) -> App:
        """The same application, overheard."""

        async def overheard(scope: Any, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            clock = asyncio.get_running_loop().time
            tag = dict(scope["headers"]).get(b"x-tag", b"").decode()
            visit = Visit(tag=tag, came_at=clock())
            self.visits.append(visit)
            try:
                await app(scope, _asked(visit, receive), _sent(visit, send))
            finally:
                visit.ended_at = clock()

        return overheard

    def of(self, tag: str) -> list[Visit]:
        """The visits that one request of a client caused, oldest first."""
        return [visit for visit in self.visits if visit.tag == tag]

    @property
    def last(self) -> Visit:
        """The newest visit."""
        return self.visits[-1]


def _asked(visit: Visit, receive: Receive) -> Receive:
    async def hear() -> Message:
        message = await receive()
        visit.asked += message.get("body", b"")
        return message

    return hear


def _sent(visit: Visit, send: Send) -> Send:
    async def say(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
        visit.sent += message.get("body", b"")
        await send(message)

    return say
