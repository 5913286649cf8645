"""`Downstream`: the caller's side of one request, over plain ASGI callables.

Knows whether headers and content have gone out, so that nobody starts an answer twice, writes JSON
into a stream that has begun, or ends a broken stream cleanly. Chooses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from maxpool.ports import Clock, RawHeaders
    from maxpool.service.tasks import Tasks
    from maxpool.wire.replies import Answer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EVENT_STREAM: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
)


class Downstream:
    """One answer to one caller. `started`: headers are out; `content`: bytes of the answer are."""

    __slots__ = (
        "_abort",
        "_clock",
        "_send",
        "content",
        "finished",
        "started",
        "status",
        "writing_since",
    )

    def __init__(self, send: Send, clock: Clock, abort: Callable[..., None] | None) -> None:
        self._send = send
        self._clock = clock
        self._abort = abort
        self.started = self.content = self.finished = False
        self.status = 0
        self.writing_since: float | None = None

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send status and headers; only the first call does."""
        if self.started:
            return
        self.started, self.status = True, status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )

    async def write(self, chunk: bytes) -> None:
        """Send a piece of the answer; returns when the connection can take more."""
        self.content = True
        await self._put(chunk, more=True)

    async def beat(self, chunk: bytes) -> None:
        """Send a sign of life, which is no content."""
        await self._put(chunk, more=True)

    async def finish(self, chunk: bytes = b"") -> None:
        """Send the last piece and end the answer cleanly."""
        if not self.finished:
            self.finished = True
            await self._put(chunk, more=False)

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer of maxpool's own."""
        await self.start(answer.status, answer.headers)
        await self.finish(answer.body)

    def abort(self) -> None:
        """Drop the connection, so that the caller sees that its answer is broken."""
        self.finished = True
        if self._abort is not None:
            self._abort()

    async def _put(self, chunk: bytes, *, more: bool) -> None:
        self.writing_since = self._clock.elapsed()
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})
        self.writing_since = None


class ClientWatch:
    """Cancels the request's task as soon as its caller is gone; `gone` tells why it was cancelled.

    Callers hang up with RST, which the server reports through `receive` at once. Like
    `asyncio.timeout`, the cancellation it caused ends at its own `async with`.
    """

    __slots__ = ("_down", "_owner", "_receive", "_tasks", "_watcher", "gone")

    def __init__(self, receive: Receive, down: Downstream, tasks: Tasks) -> None:
        self._receive = receive
        self._down = down
        self._tasks = tasks
        self.gone = False
        self._owner: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        self._watcher = self._tasks.spawn(self._watch(), "client-watch")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._watcher is not None:
            self._watcher.cancel()
        if not self.gone or self._owner is None:
            return False
        still_asked = self._owner.uncancel()
        return kind is not None and issubclass(kind, asyncio.CancelledError) and still_asked == 0

    def drop(self) -> None:
        """The caller takes nothing any more: treat it as gone."""
        self._down.abort()
        self._end()

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                break
        if not self._down.finished:
            self._end()

    def _end(self) -> None:
        if not self.gone and self._owner is not None:
            self.gone = True
            self._owner.cancel("the client is gone")
