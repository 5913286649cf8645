"""TCP and TLS connections for the HTTP client: asyncio transports behind httpcore's interface.

httpcore's own asyncio backend goes through anyio, whose cancel scopes and exception maps cost more
than the HTTP itself. Here a connection is one `asyncio.Protocol` that always reads: a connection
the peer closed while idle is known to be dead at once, and closing never needs an `await`, so no
cancellation can leave a connection open. It must not know HTTP.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Literal, cast

import httpcore2

if TYPE_CHECKING:
    from collections.abc import Iterable

HIGH_WATER_BYTES = 128 * 1024
"""Received and not yet taken: beyond this the peer is held back (a stream may hold 256 KB)."""

JOIN_BYTES = 64 * 1024
"""Bodies below this are copied behind their head; above, a second packet is cheaper."""

NEXT_ADDRESS_AFTER_S = 1.0
"""How long an address may stay silent while another one is left (a first SYN is repeated at 1 s)."""

FailureKind = Literal["refused", "dns", "tls", "reset"]


class ConnectFailed(httpcore2.ConnectError):
    """No connection came about; `kind` says at which step."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: FailureKind = kind


class SocketStream(httpcore2.AsyncNetworkStream, asyncio.Protocol):
    """One connection: reads ahead into a bounded buffer, writes through to the transport.

    `sent` counts the bytes handed to the transport since `begin`; `ended` tells that the peer has
    closed or reset the connection.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._loop = asyncio.get_running_loop()
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._reading_paused = False
        self._writing_paused = False
        self._eof = False
        self._lost = False
        self._aborted = False
        self._failure: Exception | None = None
        self._holding = False
        self._held = b""
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._reply_within_s: float | None = None
        self._reply_by: float | None = None

    # -- what the transport tells ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep `data` for the reader; hold the peer back when nobody takes it."""
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > HIGH_WATER_BYTES and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        _wake(self._reader)
        if self._writer is not None and not data.startswith(b"HTTP/1.1 1"):
            # A final answer before the request is out (413, 401): writing on is pointless.
            _wake(self._writer, httpcore2.WriteError("answered before the request was complete"))

    def eof_received(self) -> bool:
        """The peer is done; the transport may close itself."""
        self._eof = True
        _wake(self._reader)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what was received before can still be read."""
        if not self._aborted:  # our own abort is no end the peer made
            self._lost = True
            self._failure = exc
        _wake(self._reader)
        _wake(self._writer, httpcore2.WriteError("the connection was lost"))

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The transport's buffer has drained."""
        self._writing_paused = False
        _wake(self._writer)

    # -- what the HTTP client asks --------------------------------------------------------------

    def begin(self, reply_within_s: float) -> None:
        """A request starts: its answer's headers are due `reply_within_s` after it was written.

        Its head is held until the next write (the body, or b"" at the end), so that both leave in
        one packet.
        """
        self.sent = 0
        self._holding, self._held = True, b""
        self._reply_within_s, self._reply_by = reply_within_s, None

    def replied(self) -> None:
        """The headers are there: from now on each read has its own time limit."""
        self._reply_within_s = self._reply_by = None

    @property
    def usable(self) -> bool:
        """Whether an idle connection may carry a request: open, and nothing unasked arrived."""
        return not (self.ended or self._aborted or self._chunks or self._transport.is_closing())

    @property
    def ended(self) -> bool:
        """Whether the peer has closed or reset the connection."""
        return self._eof or self._lost

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """At most `max_bytes`, b"" at the end; raises ReadTimeout, or ReadError after a reset."""
        if not self._chunks and not (self.ended or self._aborted):
            self._reader = self._loop.create_future()
            try:
                await self._bounded(self._reader, self._patience(timeout), httpcore2.ReadTimeout)
            finally:
                self._reader = None
        if self._chunks:
            return self._take(max_bytes)
        if self._aborted:
            raise httpcore2.ReadError("closed on our side")
        if self._failure is not None:
            raise httpcore2.ReadError(str(self._failure))
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Hand `buffer` over; waits while the transport's own buffer is full."""
        if self._holding:
            self._holding, self._held = False, buffer
            return
        if self._held and len(buffer) < JOIN_BYTES:
            buffer, self._held = self._held + buffer, b""
        for piece in (self._held, buffer):
            if piece:
                self._hand_over(piece)
        self._held = b""
        if self._writing_paused:
            self._writer = self._loop.create_future()
            try:
                await self._bounded(self._writer, timeout, httpcore2.WriteTimeout)
            finally:
                self._writer = None

    def abort(self) -> None:
        """Drop the connection now, unsent bytes included. Idempotent, never waits."""
        self._aborted = True
        self._transport.abort()
        _wake(self._reader)

    async def aclose(self) -> None:
        """The same, for httpcore."""
        self.abort()

    def give_to(self, to: asyncio.Protocol) -> None:
        """Let `to` have the connection from now on, and all that has been received unasked."""
        self._transport.set_protocol(to)
        to.connection_made(self._transport)
        for data in self._chunks:
            to.data_received(data)
        if self._reading_paused and not self.ended:
            self._transport.resume_reading()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> SocketStream:
        """Continue over TLS; raises ConnectFailed or ConnectTimeout, the connection then closed."""
        try:
            async with asyncio.timeout(timeout):
                transport = await self._loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except BaseException as exc:
            self._transport.abort()
            failure = _tls_failure(exc)
            if failure is None:
                raise
            raise failure from exc
        if transport is None:  # the loop's way to say the peer left during the handshake
            raise ConnectFailed("tls", "the connection closed during the TLS handshake")
        self._transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        """`is_readable` and whatever the transport knows."""
        return not self.usable if info == "is_readable" else self._transport.get_extra_info(info)

    # -- inside ---------------------------------------------------------------------------------

    def _hand_over(self, data: bytes) -> None:
        if self.ended or self._aborted:
            raise httpcore2.WriteError("the connection was lost")
        self.sent += len(data)
        self._transport.write(data)

    def _patience(self, timeout: float | None) -> float | None:
        """Seconds this read may wait: while the answer is due, what is left until then."""
        if self._reply_within_s is None:
            return timeout
        if self._reply_by is None:
            self._reply_by = self._loop.time() + self._reply_within_s
        return max(0.0, self._reply_by - self._loop.time())

    async def _bounded(
        self, future: asyncio.Future[None], seconds: float | None, error: type[Exception]
    ) -> None:
        # A timer and a future cost a tenth of asyncio.timeout, and this runs for every chunk.
        if seconds is None:
            return await future
        timer = self._loop.call_later(seconds, _wake, future, error(f"{seconds:g} s without data"))
        try:
            await future
        finally:
            timer.cancel()

    def _take(self, max_bytes: int) -> bytes:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        rest = data[max_bytes:]
        self._chunks = [rest] if rest else []
        self._buffered = len(rest)
        if self._reading_paused and not self.ended and self._buffered <= HIGH_WATER_BYTES:
            self._reading_paused = False
            self._transport.resume_reading()
        return data[:max_bytes] if rest else data


class SocketBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections; `local_address` and `socket_options` are not supported."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> SocketStream:
        """Connect within `timeout` seconds; raises ConnectFailed or ConnectTimeout."""
        del local_address, socket_options
        try:
            async with asyncio.timeout(timeout):
                return await _first_that_answers(await _addresses(host, port), port)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout(f"{host}:{port} did not answer") from exc
        except (socket.gaierror, UnicodeError) as exc:
            raise ConnectFailed("dns", f"{host}: {_reason(exc)}") from exc
        except OSError as exc:
            raise ConnectFailed("refused", f"{host}:{port}: {_reason(exc)}") from exc


async def _addresses(host: str, port: int) -> list[str]:
    """The host's addresses, its families taking turns, the system's first choice first."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    first = [str(item[4][0]) for item in found if item[0] == found[0][0]]
    second = [str(item[4][0]) for item in found if item[0] != found[0][0]]
    return [item for item in chain(*zip_longest(first, second)) if item is not None]


async def _first_that_answers(addresses: list[str], port: int) -> SocketStream:
    # Patient with the last address only: a family without a route must not eat the whole limit
    # (RFC 8305 races them; uvloop cannot, and one address after the other needs no tasks).
    for address in addresses[:-1]:
        try:
            async with asyncio.timeout(NEXT_ADDRESS_AFTER_S):
                return await _connect(address, port)
        except OSError:  # TimeoutError is one
            continue
    return await _connect(addresses[-1], port)


async def _connect(address: str, port: int) -> SocketStream:
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(SocketStream, address, port)
    return stream


def _tls_failure(exc: BaseException) -> httpcore2.NetworkError | httpcore2.TimeoutException | None:
    match exc:
        case TimeoutError():
            return httpcore2.ConnectTimeout("the TLS handshake took too long")
        case ssl.SSLError() | ssl.CertificateError():
            return ConnectFailed("tls", _reason(exc))
        case OSError():
            return ConnectFailed("reset", f"during the TLS handshake: {_reason(exc)}")
        case _:
            return None


def _reason(exc: BaseException) -> str:
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__


def _wake(future: asyncio.Future[None] | None, error: Exception | None = None) -> None:
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
