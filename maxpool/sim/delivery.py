"""Sending an answer: a script of steps, and the ASGI response that performs it.

An answer is a list of small values (`Head`, `Chunk`, `Pause`, `Hang`, `Abort`), so that faults can be
written as pure changes of that list (`damage`). Performing watches the client all the while: who
hangs up is noticed at once, also during a pause. Nothing here knows of quotas or formats.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Receive, Scope, Send

    from maxpool.ports import Clock
    from maxpool.sim.problems import HeaderList
    from maxpool.sim.prompts import FrameKind

ABORT_EXTENSION = "maxpool.abort"
ABORT_SETTLES_S = 1.0  # real seconds until a dropped connection is reported back; then give up
HANG_LIMIT_S = 3600.0  # an endless hang ends some time, so that no test server waits for ever
GZIP_WBITS = 31


class ConnectionDropped(Exception):  # noqa: N818  (an event, not an error of the program)
    """Raised to make a server without the abort extension close the connection."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and headers."""

    status: int
    headers: HeaderList


@dataclass(frozen=True, slots=True)
class Chunk:
    """Body bytes; `kind` is the event's part in a stream, None in a plain body."""

    data: bytes
    kind: FrameKind | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before what follows."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing for `seconds` (None: until the client leaves), then go on."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Abort:
    """Drop the connection: with RST, else with FIN."""

    rst: bool = True


Step = Head | Chunk | Pause | Hang | Abort
Script = list[Step]


def whole(status: int, headers: HeaderList, body: bytes) -> Script:
    """A plain answer with its length."""
    return [Head(status, (*headers, ("content-length", str(len(body))))), Chunk(body)]


def without_length(head: Head) -> Head:
    """The same head for a body whose length will differ."""
    return Head(head.status, tuple(h for h in head.headers if h[0] != "content-length"))


def gzipped(script: Script) -> Script:
    """The script with its body compressed, flushed after each chunk; once is enough."""
    if any(isinstance(s, Head) and "content-encoding" in dict(s.headers) for s in script):
        return script
    squeeze = zlib.compressobj(wbits=GZIP_WBITS)
    out: Script = []
    for step in script:
        if isinstance(step, Head):
            bare = without_length(step)
            out.append(Head(bare.status, (*bare.headers, ("content-encoding", "gzip"))))
        elif isinstance(step, Chunk):
            data = squeeze.compress(step.data) + squeeze.flush(zlib.Z_SYNC_FLUSH)
            out.append(Chunk(data, step.kind))
        else:
            out.append(step)
    out.append(Chunk(squeeze.flush()))
    return out


class Delivery(Response):
    """Performs a script; `on_head(status)` as headers go out, `on_end(gone)` exactly once."""

    def __init__(
        self,
        script: Sequence[Step],
        clock: Clock,
        on_head: Callable[[int], None],
        on_end: Callable[[bool], None],
    ) -> None:
        # Not Response.__init__: headers and body are the script's, and differ by fault.
        self.background = None
        self._script = script
        self._clock = clock
        self._on_head = on_head
        self._on_end = on_end
        self._hung_up = asyncio.Event()
        self._dropped = False
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, unless the client leaves first."""
        sending = asyncio.ensure_future(self._send(scope, send))
        watching = asyncio.ensure_future(self._watch(receive))
        try:
            await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                with contextlib.suppress(OSError):  # how some servers tell that the client left
                    sending.result()
        finally:
            for task in (sending, watching):
                task.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)
            self._end(gone=True)

    def _end(self, *, gone: bool) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(gone)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._hung_up.set()
        if self._dropped:
            await asyncio.Event().wait()  # our own doing: let the sender finish

    async def _send(self, scope: Scope, send: Send) -> None:
        last = len(self._script) - 1
        for at, step in enumerate(self._script):
            match step:
                case Head():
                    self._on_head(step.status)
                    await send(_start(step))
                case Chunk():
                    await self._send_body(send, step.data, last=at == last)
                case Pause():
                    await self._clock.sleep(step.seconds)
                case Hang():
                    seconds = HANG_LIMIT_S if step.seconds is None else step.seconds
                    await self._clock.sleep(seconds)
                case Abort():
                    await self._drop(scope, rst=step.rst)
                    return
        if not isinstance(self._script[-1], Chunk):
            await self._send_body(send, b"", last=True)

    async def _send_body(self, send: Send, data: bytes, *, last: bool) -> None:
        if last:
            # Before the bytes: whoever has read the whole answer finds the request ended.
            self._end(gone=False)
        if data or last:
            await send({"type": "http.response.body", "body": data, "more_body": not last})

    async def _drop(self, scope: Scope, *, rst: bool) -> None:
        self._dropped = True
        self._end(gone=False)
        abort = scope.get("extensions", {}).get(ABORT_EXTENSION)
        if abort is None:
            raise ConnectionDropped
        abort(rst)
        # Return only when the server knows, else it reports an answer that never came.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hung_up.wait(), ABORT_SETTLES_S)


def _start(head: Head) -> dict[str, object]:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.headers]
    return {"type": "http.response.start", "status": head.status, "headers": raw}
