"""The other HTTP client of the data path, `[upstream] client = "httpx"`: `ports.Upstream` over HTTP/1.1.

httpx2's engine does the HTTP (`httpcore2.AsyncHTTP11Connection`, over h11) on connections of
`adapters/connections`. It never follows a redirect, keeps no cookie, adds no header but framing,
repeats no request whose bytes may have arrived, and never puts a header or a body into an error's
text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import httpcore2

from maxpool.adapters import process
from maxpool.adapters.connections import Address, Connection, Dialer, Proxy, Route, Shelf
from maxpool.adapters.sockets import ConnectFailed, SocketStream
from maxpool.errors import StreamCut
from maxpool.ports import Call, Reply, Unreachable

KEEPALIVE_EXPIRY_S = 55.0
"""How long an idle connection is kept: less than the 60 s after which common balancers close."""

ProxyLookup = Callable[[str, str], "str | None"]
"""(scheme, host) -> the proxy's URL, or None for a direct connection."""

_FRAMING = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"expect"}
)
_BOTH = frozenset({b"content-length", b"transfer-encoding"})
_VERSIONS = frozenset({b"HTTP/1.1", b"HTTP/1.0"})
_QUOTE = re.compile(r":| b['\"]|\(?bytearray")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class HttpUpstream:
    """`ports.Upstream` on real sockets.

    `keepalive_expiry_s`: how long idle connections are kept; their number is not limited.
    `ca_file`: PEM file of further trusted authorities; raises MaxpoolError when it cannot be used.
    `proxy_for`: which proxy to use, by default what the environment says.
    """

    def __init__(
        self,
        *,
        keepalive_expiry_s: float = KEEPALIVE_EXPIRY_S,
        ca_file: str | None = None,
        proxy_for: ProxyLookup | None = None,
    ) -> None:
        self._shelf = Shelf(keepalive_expiry_s)
        self._dialer = Dialer(ca_file)
        self._proxy_for = proxy_for or process.EnvironmentProxies()
        self._closed = False
        # At DEBUG httpcore logs response headers; no log may hold those at any level (O6).
        logging.getLogger("httpcore2").setLevel(logging.WARNING)

    async def send(self, call: Call) -> Reply | Unreachable:
        """Send one request; return when response headers are there, or why they are not."""
        try:
            address = Address.parse(call.url)
        except ValueError as exc:
            return Unreachable(kind="protocol", detail=str(exc), sent=False)
        proxy = self._proxy_for(address.scheme, address.host)
        route = Route(address.scheme, address.host, address.port, proxy)
        answer = await self._on_idle(route, address, call)
        return answer or await self._on_fresh(route, address, call)

    async def aclose(self) -> None:
        """Close every connection; running answers end with `StreamCut`."""
        self._closed = True
        self._shelf.close()

    async def _on_idle(
        self, route: Route, address: Address, call: Call
    ) -> Reply | Unreachable | None:
        """Try kept connections; None when none was left that took a byte of the request."""
        while (connection := self._shelf.take(route)) is not None:
            answer = await self._exchange(connection, address, call)
            if isinstance(answer, Reply) or answer.sent or answer.kind == "protocol":
                return answer
            # It died between being taken and being written to: nobody saw the request.
        return None

    async def _on_fresh(self, route: Route, address: Address, call: Call) -> Reply | Unreachable:
        try:
            connection = await self._dialer.dial(route, address, call.connect_timeout_s)
        except _HTTP_ERRORS as exc:
            return _unreachable(exc, None)
        except ValueError as exc:
            return Unreachable(kind="proxy", detail=str(exc), sent=False)
        if self._closed:
            connection.socket.abort()
            return Unreachable(kind="refused", detail="the client is closed", sent=False)
        self._shelf.add(connection)
        return await self._exchange(connection, address, call)

    async def _exchange(
        self, connection: Connection, address: Address, call: Call
    ) -> Reply | Unreachable:
        timeouts = {"write": call.header_timeout_s, "read": call.header_timeout_s}
        request = _request(address, call, connection.route, timeouts)
        connection.socket.begin(call.header_timeout_s)
        try:
            response = await connection.http.handle_async_request(request)
        except _HTTP_ERRORS as exc:
            self._drop(connection)
            return _unreachable(exc, connection.socket)
        except BaseException:
            self._drop(connection)  # cancelled: no await may stand between that and the close
            raise
        if (flaw := _flaw(response)) is not None:
            self._drop(connection)
            return Unreachable(kind="protocol", detail=flaw, sent=True)
        connection.socket.replied()
        timeouts["read"] = call.idle_timeout_s  # httpcore reads it anew when the body begins
        return Reply(
            status=response.status,
            headers=response.headers,
            stream=Body(response, connection, self._shelf),
        )

    def _drop(self, connection: Connection) -> None:
        connection.socket.abort()
        self._shelf.settle(connection)


class Body:
    """`ports.ByteStream`: an answer's raw bytes; holds its connection until read or closed."""

    def __init__(self, response: httpcore2.Response, connection: Connection, shelf: Shelf) -> None:
        assert isinstance(response.stream, AsyncIterable)
        self._stream: Any = response.stream
        self._chunks: AsyncIterator[bytes] = aiter(response.stream)
        self._connection = connection
        self._shelf = shelf
        self._complete = False
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._closed and not self._complete:
            raise StreamCut("reset", "closed on our side")
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            self._complete = True
            await self.aclose()
            raise
        except _HTTP_ERRORS as exc:
            raise _cut(exc, self._connection.socket) from exc

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else drop it. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._complete:
                await self._stream.aclose()
        finally:
            self._shelf.settle(self._connection)


_HTTP_ERRORS = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
)


def _request(
    address: Address, call: Call, route: Route, timeouts: dict[str, float]
) -> httpcore2.Request:
    headers = [(b"Host", address.authority)]
    headers += [field for field in call.headers if field[0].lower() not in _FRAMING]
    if call.body or call.method in _BODY_METHODS:
        headers.append((b"Content-Length", b"%d" % len(call.body)))
    url = address.url()
    if route.proxy is not None and route.scheme == "http":
        url = address.url(b"http://" + address.authority + address.target)
        headers += Proxy.parse(route.proxy).headers
    return httpcore2.Request(
        call.method, url, headers=headers, content=call.body, extensions={"timeout": timeouts}
    )


def _flaw(response: httpcore2.Response) -> str | None:
    """What h11 lets pass and must not be believed, if anything."""
    if response.status == 101:
        return "it switched protocols"
    if response.extensions["http_version"] not in _VERSIONS:
        return "not a version of HTTP/1"
    if {name.lower() for name, _ in response.headers} >= _BOTH:
        # RFC 9112 section 6.3: it may be one answer smuggled inside another.
        return "both a length and a transfer coding"
    return None


def _unreachable(exc: Exception, socket: SocketStream | None) -> Unreachable:
    sent = socket is not None and socket.sent > 0
    detail = _told(exc)
    match exc:
        case ConnectFailed():
            return Unreachable(kind=exc.kind, detail=detail, sent=False)
        case httpcore2.TimeoutException():
            return Unreachable(kind="timeout", detail=detail, sent=sent)
        case httpcore2.ProxyError():
            return Unreachable(kind="proxy", detail=detail, sent=False)
        case httpcore2.ProtocolError() if socket is None or not socket.ended:
            return Unreachable(kind="protocol", detail=detail, sent=sent)
        case _:
            return Unreachable(kind="reset", detail=detail, sent=sent)


def _cut(exc: Exception, socket: SocketStream) -> StreamCut:
    match exc:
        case httpcore2.TimeoutException():
            return StreamCut("idle", _told(exc))
        case httpcore2.ProtocolError():
            return StreamCut("truncated" if socket.ended else "protocol", _told(exc))
        case _:
            return StreamCut("reset", _told(exc))


def _told(exc: Exception) -> str:
    """What `exc` says, without the header or the bytes that h11 quotes in its messages."""
    if isinstance(exc, httpcore2.LocalProtocolError):
        return "the request's headers are not valid HTTP"
    text = (
        _QUOTE.split(str(exc), maxsplit=1)[0]
        if isinstance(exc, httpcore2.ProtocolError)
        else str(exc)
    )
    return text or type(exc).__name__
