"""`Downstream`: the caller's side of one request, over plain ASGI callables.

Knows whether headers and content have gone out, so that nobody starts an answer twice, writes JSON
into a stream that has begun, or ends a broken stream cleanly. Chooses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Self

from maxpool.wire.translation import RESPONSES

if TYPE_CHECKING:
    from types import TracebackType

    from maxpool.ports import Clock, RawHeaders
    from maxpool.service.tasks import Tasks
    from maxpool.wire.replies import Answer
    from maxpool.wire.translation import AnswerWriter, Surface

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EVENT_STREAM: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
)

PLAIN_JSON: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-cache"),
)
PIECE_BYTES = 64 * 1024
"""What is given to the server at a time: it waits for a slow caller before it takes more, not after."""
STREAM = "stream"
JSON = "json"


class Downstream:
    """One answer to one caller. `started`: headers are out; `content`: bytes of the answer are.

    `promised`: the form of answer (`STREAM`, `JSON`) that headers which went out early have announced.
    `waits`: it stands in the queue, for an answer whose form is known. `on_leave`: how the server is
    asked to say when the caller leaves, where it can.

    `surface`: the API that the caller speaks, None for Messages. All that is written here is Messages all
    the same, and goes out in the caller's own form by its `writer`; but while `turns` is False, an
    answer that is in that form already.

    `first_at`: when the first of the answer went out, by the clock that nobody sets. `failed`: it ended
    with an error, or was cut, after headers had promised an answer.
    """

    __slots__ = (
        "_abort",
        "_clock",
        "_send",
        "content",
        "failed",
        "finished",
        "first_at",
        "on_leave",
        "promised",
        "started",
        "status",
        "surface",
        "turns",
        "waits",
        "writer",
        "writing_since",
    )

    def __init__(
        self,
        send: Send,
        clock: Clock,
        abort: Callable[..., None] | None,
        on_leave: Callable[[Callable[[], None]], None] | None = None,
        surface: Surface | None = None,
    ) -> None:
        self._send = send
        self._clock = clock
        self._abort = abort
        self.on_leave = on_leave
        self.started = self.content = self.finished = self.waits = self.failed = False
        self.first_at: float | None = None
        self.promised = ""
        self.status = 0
        self.writing_since: float | None = None
        self.surface = surface
        self.writer: AnswerWriter | None = None
        self.turns = True

    def speak(self, surface: Surface, writer: AnswerWriter) -> None:
        """The caller speaks that API, and `writer` tells it the answer."""
        self.surface, self.writer = surface, writer

    def drops_cuts(self, *, in_block: bool) -> bool:
        """Whether a broken answer ends with its connection rather than with an error, as it recovers best.

        Chat has no blocks, and its clients keep nothing of a broken answer: an error says more. Clients
        of Responses repeat after a dropped connection, and not after an error.
        """
        return in_block if self.surface is None else self.surface.name == RESPONSES

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send status and headers; only the first call does."""
        if self.started:
            return
        self.started, self.status = True, status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )

    async def promise(self, form: str, headers: RawHeaders) -> None:
        """Send status 200 and headers before there is an answer, which must then have that form."""
        if not self.started:
            self.promised = form
            await self.start(200, headers)

    async def write(self, chunk: bytes) -> None:
        """Send a piece of the answer; returns when the connection can take more."""
        if not self.content:
            self.content, self.first_at = True, self._clock.elapsed()
        if self.writer is not None and self.turns:
            chunk = self.writer.feed(chunk)
            if not chunk:
                return
        await self._put(chunk, more=True)

    async def beat(self, chunk: bytes) -> None:
        """Send a sign of life, which is no content: this one, or the stream's own."""
        if self.writer is not None and self.promised == STREAM:
            chunk = self.writer.feed(chunk)  # a ping in the form that this moment of it allows
        elif self.surface is not None and self.promised == STREAM:
            chunk = self.surface.heartbeat
        await self._put(chunk, more=True)

    def whole(self, body: bytes) -> bytes:
        """A whole answer in the caller's form; raises `ValueError` for what is none."""
        return body if self.writer is None else self.writer.whole(body)

    async def finish(self, chunk: bytes = b"") -> None:
        """Send the last piece of an answer that ended as it should, and end it cleanly."""
        if self.writer is not None and self.turns and not self.finished:
            chunk = self.writer.feed(chunk) + self.writer.end()
        await self.end(chunk)

    async def fail(self, event: bytes) -> None:
        """End a stream with an error; `event`: as the Messages API has it."""
        self.failed = True
        if self.writer is not None:  # behind what may be half an event
            event = self.writer.feed(b"\n\n" + event)
        await self.end(event)

    async def end(self, chunk: bytes) -> None:
        """Send the last bytes as they are, and end the answer cleanly."""
        if not self.finished:
            self.finished = True
            if self.first_at is None:
                self.first_at = self._clock.elapsed()
            await self._put(chunk, more=False)

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer of maxpool's own, or an error of an upstream."""
        if self.surface is not None and answer.status >= 400:
            answer = self.surface.error(answer)
        await self.start(answer.status, answer.headers)
        await self.end(answer.body)

    def abort(self) -> None:
        """Drop the connection, so that the caller sees that its answer is broken."""
        self.finished = self.failed = True
        if self._abort is not None:
            self._abort()

    async def _put(self, chunk: bytes, *, more: bool) -> None:
        if len(chunk) > PIECE_BYTES:
            chunk = await self._all_but_the_last(chunk)
        self.writing_since = self._clock.elapsed()
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})
        self.writing_since = None

    async def _all_but_the_last(self, chunk: bytes) -> bytes:
        """Send a long chunk as the caller takes it; returns its last piece."""
        at = 0
        while len(chunk) - at > PIECE_BYTES:
            await self._put(chunk[at : at + PIECE_BYTES], more=True)
            at += PIECE_BYTES
        return chunk[at:]


class ClientWatch:
    """Cancels the request's task as soon as its caller is gone; `gone` tells why it was cancelled.

    Callers hang up with RST, which the server tells at once: by a call where it can (a task for each
    request that waits on `receive` costs more than the choice of its account), else through `receive`.
    Like `asyncio.timeout`, the cancellation it caused ends at its own `async with`.
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
        if self._down.on_leave is None:
            self._watcher = self._tasks.spawn(self._watch(), "client-watch")
        else:
            self._down.on_leave(self._left)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._watcher is not None:
            self._watcher.cancel()
        owner, self._owner = self._owner, None  # nothing cancels it from now on
        if not self.gone or owner is None:
            return False
        still_asked = owner.uncancel()
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
        self._left()

    def _left(self) -> None:
        if not self._down.finished:
            self._end()

    def _end(self) -> None:
        if not self.gone and self._owner is not None:
            self.gone = True
            self._owner.cancel("the client is gone")
