"""Raw peers for the HTTP client: each connection is given to a coroutine that may misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import Any

from maxpool.ports import Call

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A listening peer; `heads` and `bodies` are what it read, `gone` when a client left."""

    port = 0

    def __init__(self, script) -> None:
        self.script = script
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.gone = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def request(self, reader):
        """Read one whole request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.bodies.append(await reader.readexactly(length))

    async def _serve(self, reader, writer):
        self.connections += 1
        self._writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await self.script(self, reader, writer)
        writer.transport.abort()

    async def left(self, reader):
        """Wait until the client has closed or reset."""
        with suppress(OSError):
            while await reader.read(65536):
                pass
        self.gone.set()


@asynccontextmanager
async def peer(script, ssl=None):
    one = Peer(script)
    server = await asyncio.start_server(one._serve, "127.0.0.1", 0, ssl=ssl, backlog=1024)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for writer in one._writers:
            writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)


def replying(data, *, then_close=False) -> Any:
    """A script: answer every request with `data`."""

    async def script(one, reader, writer):
        while True:
            await one.request(reader)
            writer.write(data)
            if then_close:
                await writer.drain()
                writer.close()
                return

    return script


def call(url, method="POST", body=b"{}", headers=(), connect=20.0, header=20.0, idle=20.0) -> Call:
    return Call(
        method=method,
        url=url,
        headers=headers,
        body=body,
        connect_timeout_s=connect,
        header_timeout_s=header,
        idle_timeout_s=idle,
    )


def reset(writer) -> None:
    """Close with a RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def saying(*pieces, then_close=False, rst=False) -> Any:
    """A script: answer one request with `pieces`, each a packet of its own, then wait or leave."""

    async def script(one, reader, writer):
        await one.request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        if rst:
            reset(writer)
        elif not then_close:
            await one.left(reader)

    return script


def forwarding(port) -> Any:
    """A script of a proxy: grant the tunnel and carry bytes both ways to `port`."""

    async def pump(reader, writer) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.transport.abort()

    async def script(one, reader, writer):
        one.heads.append(await reader.readuntil(b"\r\n\r\n"))
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    return script
