"""The HTTP server: the one door to uvicorn.

Binds before anything else starts, drains without polling, and hands each request a way to drop its
connection at once. It installs no signal handler, writes no access log and adds no header.

The protocol class closes what httptools 0.9 leaves open (tests/adapters/test_server.py shows each):
it bounds no header, takes trailers for headers, and accepts codings before `chunked`, none or two
`Host` fields, and upgrades whose body it then skips.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import uvicorn

from maxpool.adapters.listening import bind
from maxpool.adapters.orderly import LINGER_S, OrderlyProtocol
from maxpool.errors import MaxpoolError
from maxpool.wire.fieldnames import about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

ABORT = "maxpool.abort"
"""Key in `scope["extensions"]`: `abort(rst=True)` drops the connection, by RST or by FIN."""

ON_LEAVE = "maxpool.on_leave"
"""Key there: `on_leave(tell)` has `tell()` called once the client leaves without its answer."""

GRACEFUL_S = 30.0
"""How long running answers may go on after `stop`, unless told otherwise."""

KEEP_ALIVE_S = 300
"""Idle client connections: longer than any client keeps its own, so that clients close first."""

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers; Claude Code sends under 4 KB, Node itself allows 16 KB."""

MAX_HEADERS = 256

LAST_REQUEST_S = 2
"""Once another process answers here: an open connection without a request for so long is closed. Until
then its next request is answered, and told to be the last: a client that is at it never meets a closed door."""

CANCEL_S = 5.0
"""How long cancelled requests may take to tidy up before the application is shut down."""

_LINGER_RESET = struct.pack("ii", 1, 0)


class _Refused(Exception):  # noqa: N818 - never leaves the parser, which turns it into a 400
    pass


class Protocol(OrderlyProtocol):
    """uvicorn's HTTP/1.1 protocol with bounds, stricter reading, and a way to drop connections."""

    _head_open = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that never asks anything is closed like an idle one."""
        super().connection_made(transport)
        if self.connections.retiring:  # type: ignore[attr-defined]
            self.timeout_keep_alive = LAST_REQUEST_S
        self._await_request()

    def retire(self) -> None:
        """Another process answers from now on: what is asked here once more is the last."""
        self.timeout_keep_alive = LAST_REQUEST_S
        cycle = getattr(self, "cycle", None)
        if cycle is not None and not cycle.response_started:
            cycle.keep_alive = False
        if self.timeout_keep_alive_task is not None and not (self.deaf or self._unfinished):
            self._await_request()

    def _await_request(self) -> None:
        self.close_later(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that grows beyond its bound is refused before it is complete."""
        super().data_received(data)
        if self._head_open and not self.deaf:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("Request head too large.")

    def on_message_begin(self) -> None:
        """A request line starts."""
        self._head_open, self._head_bytes = True, 0
        super().on_message_begin()
        self.scope["extensions"] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers come this way too and are dropped (RFC 9110 section 6.5.1)."""
        if self._head_open:
            name = about(name).lower
            if name == b"expect":
                self.expect_100_continue = value.lower() == b"100-continue"
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the head as a whole, then start the application."""
        self._head_open = False
        self._check_head()
        super().on_headers_complete()
        extensions = self.scope["extensions"]
        assert extensions is not None
        extensions[ABORT] = partial(self.abort, self.cycle)  # type: ignore[assignment]
        extensions[ON_LEAVE] = partial(self.on_leave, self.cycle)  # type: ignore[assignment]
        if self.connections.retiring:  # type: ignore[attr-defined]
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse and close, unless an answer has begun: then only closing is left."""
        self.deaf = True
        self.pipeline.clear()
        cycle = self.running  # None until the first head was complete
        if cycle is not None and not cycle.response_complete:
            self.forget(cycle)
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(msg), msg.encode("ascii"))
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_later(LINGER_S)

    def abort(self, cycle: RequestResponseCycle, rst: bool = True) -> None:
        """Drop the connection at once; the application may then just return, unlogged."""
        self.forget(cycle)
        if not rst:
            self.transport.close()
            return
        sock = self.transport.get_extra_info("socket")
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self.transport.abort()

    def _check_head(self) -> None:
        if len(self.headers) > MAX_HEADERS:
            raise _Refused
        size = len(self.url) + len(b"".join(chain.from_iterable(self.headers)))
        if size > MAX_HEAD_BYTES or self.parser.should_upgrade():
            raise _Refused
        hosts, host = 0, b""
        version = self.parser.get_http_version()
        old = version != "1.1"
        for name, value in self.headers:
            if name == b"host":
                hosts, host = hosts + 1, value
            elif name == b"transfer-encoding" and (old or value.strip().lower() != b"chunked"):
                raise _Refused
        if hosts > 1 or (hosts == 0 and not old) or (old and version != "1.0"):
            raise _Refused
        # A target that names an authority means that one, whatever Host says (RFC 9112 section 3.2.2).
        scheme, named, rest = self.url.partition(b"://")
        if named and b"/" not in scheme and rest.partition(b"/")[0].lower() != host.lower():
            raise _Refused


class _Open(set[Any]):
    """The open connections; `none_left` is set while there are none. `retiring`: see `Protocol.retire`."""

    def __init__(self) -> None:
        super().__init__()
        self.retiring = False
        self.none_left = asyncio.Event()
        self.none_left.set()

    def add(self, connection: Protocol) -> None:
        super().add(connection)
        self.none_left.clear()

    def discard(self, connection: object) -> None:
        super().discard(connection)
        if not self:
            self.none_left.set()


class Server:
    """An ASGI application behind real sockets.

    `host` may be a name, an address or `localhost` (both families). `port` 0 takes a free one.
    `sockets` are listening sockets to use instead (they are closed by `stop`). `graceful_s` is the
    drain limit in seconds. `lifespan`: `auto`, `on` or `off`. `tls`: certificate and key files.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        app: Any,  # noqa: ANN401 - any ASGI application
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        sockets: Sequence[socket.socket] | None = None,
        graceful_s: float = GRACEFUL_S,
        backlog: int = 2048,
        lifespan: Any = "auto",  # noqa: ANN401 - uvicorn's literal type is private
        tls: tuple[str, str] | None = None,
    ) -> None:
        self.host = host
        self.sockets: list[socket.socket] = list(sockets or ())
        self._app = app
        self._port = port
        self._graceful_s = graceful_s
        self._backlog = backlog
        self._scheme = "https" if tls else "http"
        self._open = _Open()
        self._accepting: list[asyncio.Server] = []
        self._limit: asyncio.Timeout | None = None
        self._stopped = asyncio.Event()
        self._startup_error: BaseException | None = None
        self._started = False
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                self._call,
                http=Protocol,
                ws="none",
                loop="none",
                interface="asgi3",
                lifespan=lifespan,
                log_config=None,
                log_level="warning",  # below that it only talks about itself
                access_log=False,
                server_header=False,
                date_header=False,  # an upstream's own date is relayed
                proxy_headers=False,
                backlog=backlog,
                timeout_keep_alive=KEEP_ALIVE_S,
                ssl_certfile=tls[0] if tls else None,
                ssl_keyfile=tls[1] if tls else None,
            )
        )

        self._uvicorn.server_state.connections = self._open

    @property
    def port(self) -> int:
        """The port that is listened on; before `start` the one asked for."""
        return self._port

    @property
    def url(self) -> str:
        """Where a client on this machine reaches the server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 - read, not bound
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def start(self) -> None:
        """Bind, run the application's start-up, then accept.

        Raises BindError when the address cannot be had, and whatever the application's start-up
        raised; nothing is left open then.
        """
        if not self.sockets:
            self.sockets = bind(self.host, self._port, self._backlog)
        self._port = int(self.sockets[0].getsockname()[1])
        config = self._uvicorn.config
        try:
            config.load()
            self._uvicorn.lifespan = config.lifespan_class(config)
            await self._uvicorn.startup(sockets=[])
            await self.resume()
        except BaseException as exc:
            self._close_sockets()
            if isinstance(exc, SystemExit):  # uvicorn's way to say that start-up failed
                raise self._startup_error or MaxpoolError("the application did not start") from None
            raise
        self._started = True

    async def resume(self) -> None:
        """Accept; after `pause`, those who connected meanwhile first."""
        config, state = self._uvicorn.config, self._uvicorn.server_state

        def protocol() -> Protocol:
            return Protocol(config, state, self._uvicorn.lifespan.state)

        for sock in self.sockets:  # a copy, since who stops accepting closes what it accepted from
            server = await asyncio.get_running_loop().create_server(
                protocol, sock=sock.dup(), ssl=config.ssl, backlog=self._backlog
            )
            self._accepting.append(server)

    def pause(self) -> None:
        """Accept nothing, refuse nobody: who connects waits, for `resume` or for another process.

        That one can be given copies of `sockets`. Open connections go on as before.
        """
        for server in self._accepting:
            server.close()
        self._accepting.clear()

    async def stop(self, graceful_s: float | None = None, *, passed_on: bool = False) -> None:
        """Stop accepting, let running answers finish for `graceful_s`, then end the rest.

        A second call while the first one drains shortens the wait to its own limit. `passed_on`: another
        process accepts from the same sockets, so open connections are closed only when they rest.
        """
        seconds = self._graceful_s if graceful_s is None else graceful_s
        if not self._started:
            self._close_sockets()
            self._stopped.set()
            return
        if self._limit is not None:
            self._hasten(self._limit, seconds)
            await self._stopped.wait()
            return
        self._limit = asyncio.timeout(seconds)
        try:
            await self._drain(self._limit, passed_on=passed_on)
            await self._uvicorn.lifespan.shutdown()
        finally:
            self._stopped.set()

    async def wait(self) -> None:
        """Return once `stop` has ended everything."""
        await self._stopped.wait()

    async def _call(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http" or self._limit is None:
                raise
            # The drain limit has passed. What was written goes out; the missing end is the message.
            scope["extensions"][ABORT](rst=False)  # type: ignore[operator]
        except BaseException as exc:
            if scope["type"] == "lifespan":
                self._startup_error = exc
            raise
        finally:
            if scope["type"] == "http":
                # They name the request: a reference cycle that only the collector would end.
                scope["extensions"].clear()

    async def _drain(self, limit: asyncio.Timeout, *, passed_on: bool) -> None:
        self.pause()
        self._close_sockets()
        self._open.retiring = passed_on
        for connection in list(self._open):
            (connection.retire if passed_on else connection.shutdown)()
        try:
            async with limit:
                await self._idle()
        except TimeoutError:
            await self._end_all()

    async def _idle(self) -> None:
        while self._uvicorn.server_state.tasks:
            await asyncio.wait(list(self._uvicorn.server_state.tasks))
        await self._open.none_left.wait()  # the last bytes are out

    async def _end_all(self) -> None:
        tasks = list(self._uvicorn.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_S)
        for connection in list(self._open):
            connection.transport.abort()

    def _hasten(self, limit: asyncio.Timeout, seconds: float) -> None:
        until = limit.when()
        sooner = asyncio.get_running_loop().time() + seconds
        if until is not None and sooner < until:
            with suppress(RuntimeError):  # the drain is over already
                limit.reschedule(sooner)

    def _close_sockets(self) -> None:
        for sock in self.sockets:
            sock.close()
