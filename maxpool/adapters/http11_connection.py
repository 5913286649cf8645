"""One HTTP/1.1 connection to an upstream: a request out, its answer in, one after the other.

An `asyncio.Protocol` that does all its work where bytes arrive: no task, one future for each wait,
one timer that is moved only when it must ring earlier. Closing never waits, so no cancellation can
leave a connection open. It knows neither URLs nor proxies, and does not choose who is reused.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, cast

from maxpool.adapters.http11_body import Body, Decoder, decoder
from maxpool.adapters.http11_head import UNTIL_CLOSE, Malformed, read_head
from maxpool.adapters.sockets import HIGH_WATER_BYTES
from maxpool.errors import StreamCut
from maxpool.ports import Reply, Unreachable

if TYPE_CHECKING:
    from maxpool.adapters.connections import Route

MAX_INTERIM = 1_000
"""1xx answers before the real one; real upstreams send one or two."""

MAX_FRAMING_BYTES = 64 * 1024
"""Chunk extensions or trailers in a row, without a byte of body between them."""

PIECE_BYTES = 256 * 1024
"""A body goes out in pieces of this size: what an early answer makes pointless is then not sent."""

TIMER_GRAIN_S = 0.001
"""Timers of event loops are exact to a millisecond."""


Kind = Literal["protocol", "reset", "timeout"]


class Keeper(Protocol):
    """Who owns connections between two requests."""

    def put(self, connection: Connection) -> None:
        """The connection is idle and may carry another request."""
        ...

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        ...


class Connection(asyncio.Protocol):
    """At any moment idle, waiting for a head (`_head`) or receiving a body (`_body`)."""

    def __init__(self, route: Route, keeper: Keeper) -> None:
        self.route = route
        self.idle_since = 0.0
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._head: asyncio.Future[Reply | Unreachable] | None = None
        self._body: Body | None = None
        self._decoder: Decoder | None = None
        self._received = b""
        self._unread = 0
        self._framing = 0
        self._unsent: memoryview | None = None
        self._sent = False
        self._keep = False
        self._bodiless = False
        self._interim = 0
        self._fresh = True
        self._gone = False
        self._reading_paused = False
        self._writing_paused = False
        self._header_s = 0.0
        self._idle_s = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # -- what its owner asks --------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether it still lives, as far as this side knows."""
        return not (self._gone or self._transport.is_closing())

    async def exchange(
        self, head: bytes, body: bytes, *, bodiless: bool, header_s: float, idle_s: float
    ) -> Reply | Unreachable:
        """Send a request; its answer's head is due `header_s` after the request was written.

        `idle_s`: how long the answer's body may pause. `bodiless`: it is an answer to HEAD.
        """
        waiting = self._head = self._loop.create_future()
        self._sent, self._bodiless, self._interim = False, bodiless, 0
        self._header_s, self._idle_s = header_s, idle_s
        self._expect(header_s)
        self._fresh = False
        if self._received:  # it spoke before it was asked: too busy, say; that is its answer
            self._read_head(b"")
        if self._head is not None:
            self._write(head, body)
        elif not self.usable:
            self._ended(None)
        try:
            answer: Reply | Unreachable = await waiting
        except BaseException:
            self.abort()  # cancelled: no await may stand between that and the close
            raise
        return answer

    def abort(self) -> None:
        """Drop the connection now, unsent bytes included. Idempotent, never waits."""
        self._end("reset", "closed on our side")

    # -- what the transport tells ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take an answer's next bytes; anything unasked makes the connection useless."""
        body = self._body
        if body is not None:
            self._read_body(body, data)
        elif self._head is not None:
            self._read_head(data)
        elif self._fresh:
            self._received += data
        else:
            self.abort()

    def eof_received(self) -> bool:
        """The peer is done; the transport may close itself."""
        self._ended(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what was received before can still be read."""
        self._ended(exc)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The transport's buffer has drained."""
        self._writing_paused = False
        self._push()
        if self._head is not None:  # a long body on a slow line is no silence of the peer's
            self._expect(self._header_s)

    # -- the request ----------------------------------------------------------------------------

    def _write(self, head: bytes, body: bytes) -> None:
        if not self.usable:
            self._end("reset", "the connection was lost")
            return
        self._sent = True
        if len(body) <= PIECE_BYTES:
            self._transport.writelines((head, body))
            return
        self._transport.write(head)
        self._unsent = memoryview(body)
        self._push()

    def _push(self) -> None:
        while self._unsent and not self._writing_paused:
            piece, self._unsent = self._unsent[:PIECE_BYTES], self._unsent[PIECE_BYTES:]
            self._transport.write(piece)

    # -- the answer's head ----------------------------------------------------------------------

    def _read_head(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        self._received = b""
        try:
            head = read_head(received, bodiless=self._bodiless)
            while head is not None and head.status < 200:
                self._skip(head.status)
                received = received[head.size :]
                head = read_head(received, bodiless=self._bodiless)
        except Malformed as exc:
            self._end("protocol", str(exc))
            return
        if head is None:
            self._received = received
            return
        # Answered before the request is out (413, 401): writing on is pointless.
        whole = self._sent and not (self._unsent or self._writing_paused)
        self._unsent = None
        self._keep = head.keep and whole
        body = self._open(head.length)
        self._answer(Reply(status=head.status, headers=head.headers, stream=body))
        rest = received[head.size :]
        if head.length == 0:
            self._complete(body, len(rest))
        elif rest:
            self._read_body(body, rest)

    def _answer(self, answer: Reply | Unreachable) -> None:
        waiting, self._head = self._head, None
        if waiting is not None and not waiting.done():  # done: cancelled, and not yet dropped
            waiting.set_result(answer)

    def _skip(self, status: int) -> None:
        self._interim += 1
        if status == 101:
            raise Malformed("it switched protocols")
        if self._interim > MAX_INTERIM:
            raise Malformed(f"it sent more than {MAX_INTERIM} interim answers")

    # -- the answer's body ----------------------------------------------------------------------

    def _open(self, length: int) -> Body:
        body = self._body = Body(self, endless=length == UNTIL_CLOSE)
        self._decoder = decoder(length, body.chunks.append) if length else None
        self._unread = self._framing = 0
        return body

    def _read_body(self, body: Body, data: bytes) -> None:
        assert self._decoder is not None
        try:
            surplus = self._decoder.feed(data)
            if surplus is None and not body.chunks:
                self._count_framing(len(data))
        except Malformed as exc:
            self._end("protocol", str(exc))
            return
        if surplus is not None:
            self._complete(body, surplus)
        elif body.chunks:
            self._framing = 0
            self._unread += len(data)
            if self._unread > HIGH_WATER_BYTES and not self._reading_paused:
                self._reading_paused = True
                self._transport.pause_reading()
            body.wake()

    def _count_framing(self, size: int) -> None:
        self._framing += size
        if self._framing > MAX_FRAMING_BYTES:
            raise Malformed("its chunks carry more than they should")
        self._due = self._loop.time() + self._idle_s  # any byte counts as life

    def _complete(self, body: Body, surplus: int) -> None:
        self._body = self._decoder = None
        body.end(None)
        if surplus or not self._keep:
            self.abort()
        else:
            self.taken()

    def release(self) -> None:
        """Nobody reads the answer any more."""
        if self.usable:
            self._keeper.put(self)

    def taken(self) -> None:
        """Nothing of the body waits here any more: the peer may go on."""
        self._unread = 0
        if self._reading_paused:
            self._reading_paused = False
            if self.usable:
                self._transport.resume_reading()

    # -- ends and limits ------------------------------------------------------------------------

    def wait(self) -> asyncio.Future[None]:
        """A future for the body's next bytes, which are expected from now on."""
        self._expect(self._idle_s)
        return self._loop.create_future()

    def _expect(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds
        if self._timer is None or self._timer_at > self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer_at = self._due
        self._timer = self._loop.call_at(self._due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._head is None and (self._body is None or not self._body.is_awaited):
            return
        if self._loop.time() + TIMER_GRAIN_S < self._due:
            self._set_timer()
        elif self._head is not None:
            self._end("timeout", f"no answer within {self._header_s:g} s")
        else:
            self._end("timeout", f"{self._idle_s:g} s without data", cut="idle")

    def _ended(self, exc: Exception | None) -> None:
        """The peer has closed the connection, or reset it with `exc`."""
        if self._body is not None and self._body.endless and exc is None:
            self._keep = False
            self._complete(self._body, 0)
        elif exc is None:
            self._end("reset", "the connection closed", cut="truncated")
        else:
            self._end("reset", "the connection was reset")

    def _end(self, kind: Kind, detail: str, cut: str | None = None) -> None:
        """Drop the connection; what was going on fails with `kind`, a body with `cut` if given."""
        if self._gone:
            return
        self._gone = True
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        self._keeper.forget(self)
        body, self._body = self._body, None
        self._decoder = self._timer = self._unsent = None
        if body is not None:
            body.end(partial(StreamCut, cut or kind, detail))
        self._answer(Unreachable(kind=kind, detail=detail, sent=self._sent))
