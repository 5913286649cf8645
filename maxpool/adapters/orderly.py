"""Client connections that end in order: what uvicorn 0.54 leaves to chance about it.

It tells only the last of several pipelined requests that its client has left, waits without end for
the rest of half a request, sends chunks to HTTP/1.0, and closes on a body that is still coming, which
can destroy the answer.
Knows nothing of what is asked or answered. tests/adapters/test_orderly.py shows each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from maxpool.adapters.cycle import Cycle

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

LINGER_S = 2.0
"""How long the rest of a request that was answered early is read and dropped before closing.

Closing with unread data resets the connection and can destroy the answer on its way
(RFC 9112 section 9.6).
"""

MAX_AHEAD = 8
"""How many requests are read while another one is answered, so that its client is seen leaving."""


class _ToTheEnd(int):
    """The length of a body that ends with its connection: what is counted off it never uses it up."""

    __hash__ = int.__hash__

    def __lt__(self, _: object) -> bool:
        return False

    def __ne__(self, _: object) -> bool:
        return False

    def __eq__(self, _: object) -> bool:
        return True

    def __sub__(self, _: object) -> _ToTheEnd:
        return self


class _Lingering:
    """What requests take for their transport: one that is closed only once the rest of the request was taken in."""

    def __init__(self, protocol: OrderlyProtocol) -> None:
        self._protocol = protocol
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        self._protocol.linger()


class OrderlyProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with orderly ends."""

    running: RequestResponseCycle | None = None
    """The request that is answered now or was last; `cycle` is the last that was read."""

    deaf = False
    """Whether everything that still comes is dropped."""

    _unfinished = False  # half a request was read
    _tell: Callable[[], None] | None = None  # that the client of the running request has left

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._lingering: Any = _Lingering(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whichever way it ended: every request hears of it, and no timer keeps the connection."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        if self.running is not None:
            self.forget(self.running)
        # Each of these names the connection: only the collector would end that, some ten KB later.
        self.running = self.cycle = self.scope = self.parser = self._lingering = None  # type: ignore[assignment]

    def forget(self, cycle: RequestResponseCycle) -> None:
        """Nobody is there to read this answer."""
        if not cycle.response_complete:
            cycle.disconnected = True
        cycle.message_event.set()
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()

    def on_leave(self, cycle: RequestResponseCycle, tell: Callable[[], None]) -> None:
        """Call `tell`, once, as soon as the client of the running request leaves without its answer.

        As by a call of `receive` the connection is read on: a reset is seen no other way.
        """
        self.flow.resume_reading()
        if cycle.disconnected:
            tell()
        else:
            self._tell = tell

    def data_received(self, data: bytes) -> None:
        """Take in what came; half a request is waited on as long as an idle connection."""
        if not self.deaf:
            super().data_received(data)
            self._await_rest()

    def _await_rest(self) -> None:
        if self._unfinished and not self.deaf:
            self.close_later(self.config.timeout_keep_alive)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._unfinished = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head was read."""
        super().on_headers_complete()
        if self._tell is not None and len(self.pipeline) <= MAX_AHEAD:
            self.flow.resume_reading()  # uvicorn reads no more then, and sees nobody leave
        self.cycle.__class__ = (
            Cycle  # uvicorn makes it, and offers no other way to choose what it is
        )
        self.cycle.transport = self._lingering
        if self.scope["http_version"] == "1.0":  # knows no chunks (RFC 9112 section 6.1)
            self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _ToTheEnd()

    def on_message_complete(self) -> None:
        """All of it was read."""
        self._unfinished = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, unless the connection is about to close."""
        self._tell = None
        if not self.deaf:
            super().on_response_complete()
            if self.timeout_keep_alive_task is None:
                self._await_rest()

    def close_later(self, seconds: float) -> None:
        """Close, unless something comes before."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close; a client that does not take the end of its last answer is not waited for."""
        if self.deaf or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self.flow.read_paused:  # the rest waits for us
            self._await_rest()
        else:
            super().timeout_keep_alive_handler()

    def linger(self) -> None:
        """Close once the rest of the request was taken in and dropped, or the time for it is up."""
        if not self._unfinished:
            self.transport.close()
            return
        self.deaf = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.close_later(LINGER_S)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's type is private
        self.running = cycle
        super()._start_asgi_task(cycle, app)
