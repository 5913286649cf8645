"""The HTTP client of the data path: `ports.Upstream` over HTTP/1.1, on our own protocol.

Built for little work per request and per streamed event: heads are written and read here, httptools
reads chunks, and all of it happens where bytes arrive. Connections are opened by
`adapters/connections`. Like the other client (`adapters/upstream`) it never follows a redirect, keeps no cookie, adds no
header but framing, repeats no request whose bytes may have arrived, and never puts a header or a
body into an error's text.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import httpcore2

from maxpool.adapters import process
from maxpool.adapters.connections import Dialer, Route
from maxpool.adapters.http11_connection import TIMER_GRAIN_S, Connection
from maxpool.adapters.http11_head import Openings, Plan, plan, write_head
from maxpool.adapters.sockets import ConnectFailed
from maxpool.ports import Call, Reply, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

KEEPALIVE_EXPIRY_S = 55.0
"""How long an idle connection is kept: less than the 60 s after which common balancers close."""

PLANS_KEPT = 256
"""Method and URL pairs whose plan is remembered: a few for each account."""


class DirectUpstream:
    """`ports.Upstream` on real sockets.

    `keepalive_expiry_s`: how long idle connections are kept; their number is not limited.
    `ca_file`: PEM file of further trusted authorities; raises MaxpoolError when it cannot be used.
    `proxy_for`: (scheme, host) -> the proxy's URL or None, by default what the environment says;
    its answer for a URL is remembered.
    """

    def __init__(
        self,
        *,
        keepalive_expiry_s: float = KEEPALIVE_EXPIRY_S,
        ca_file: str | None = None,
        proxy_for: Callable[[str, str], str | None] | None = None,
    ) -> None:
        self._shelf = Shelf(keepalive_expiry_s)
        self._dialer = Dialer(ca_file)
        planned = partial(plan, proxy_for=proxy_for or process.EnvironmentProxies())
        self._openings = Openings()
        self._plan = lru_cache(maxsize=PLANS_KEPT)(planned)

    async def send(self, call: Call) -> Reply | Unreachable:
        """Send one request; return when response headers are there, or why they are not."""
        try:
            to = self._plan(call.method, call.url)
            head = write_head(to, call, self._openings)
        except ValueError as exc:
            return Unreachable(kind="protocol", detail=str(exc), sent=False)
        # A kept connection was alive when it was taken, and nothing can come between that and the
        # write: whatever happens then may have reached the upstream, so nothing is sent twice.
        connection = self._shelf.take(to.route) or await self._dial(to, call.connect_timeout_s)
        if isinstance(connection, Unreachable):
            return connection
        return await connection.exchange(
            head,
            call.body,
            bodiless=to.bodiless,
            header_s=call.header_timeout_s,
            idle_s=call.idle_timeout_s,
        )

    async def aclose(self) -> None:
        """Close every connection; running answers end with `StreamCut`."""
        self._shelf.close()

    async def _dial(self, to: Plan, timeout_s: float) -> Connection | Unreachable:
        if self._shelf.closed:
            return Unreachable(kind="refused", detail="the client is closed", sent=False)
        try:
            socket = await self._dialer.reach(to.route, to.address, timeout_s)
        except _DIAL_ERRORS as exc:
            return _unreachable(exc)
        connection = Connection(to.route, self._shelf)
        socket.give_to(connection)
        if self._shelf.closed:
            connection.abort()
            return Unreachable(kind="refused", detail="the client is closed", sent=False)
        self._shelf.add(connection)
        return connection


class Shelf:
    """Idle connections by route, the most recently used first; and all that are open.

    One timer for all of them: those of one route stand in the order in which they became idle.
    """

    def __init__(self, expiry_s: float) -> None:
        self.closed = False
        self._expiry_s = expiry_s
        self._idle: dict[Route, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        """A new connection, in use."""
        self._open.add(connection)

    def take(self, route: Route) -> Connection | None:
        """An idle connection that still lives, now in use."""
        idle = self._idle.get(route)
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
            connection.abort()
        return None

    def put(self, connection: Connection) -> None:
        """The connection is idle and may carry another request."""
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(connection.route, []).append(connection)
        if self._timer is None:
            self._timer = loop.call_later(self._expiry_s, self._expire)

    def forget(self, connection: Connection) -> None:
        """The connection is gone; among the idle ones `take` and the timer pass over it."""
        self._open.discard(connection)

    def close(self) -> None:
        """Drop every connection, in use or not, and take no more."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._open):
            connection.abort()
        self._idle.clear()

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        limit = loop.time() + TIMER_GRAIN_S - self._expiry_s
        for route, idle in list(self._idle.items()):
            old = [one for one in idle if one.idle_since <= limit]
            for one in old:
                one.abort()
            del idle[: len(old)]
            if not idle:
                del self._idle[route]
        oldest = min((idle[0].idle_since for idle in self._idle.values()), default=None)
        self._timer = None
        if oldest is not None:
            self._timer = loop.call_at(oldest + self._expiry_s, self._expire)


_DIAL_ERRORS = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    ValueError,
)


def _unreachable(exc: Exception) -> Unreachable:
    """Why there is no connection; nothing of the request was sent."""
    told = str(exc) or type(exc).__name__
    match exc:
        case ConnectFailed():
            return Unreachable(kind=exc.kind, detail=told, sent=False)
        case httpcore2.TimeoutException():
            return Unreachable(kind="timeout", detail=told, sent=False)
        case httpcore2.ProxyError() | ValueError():
            return Unreachable(kind="proxy", detail=told, sent=False)
        case httpcore2.ProtocolError():
            return Unreachable(kind="protocol", detail="the proxy does not speak HTTP", sent=False)
        case _:
            return Unreachable(kind="reset", detail=told, sent=False)
