"""Raw peers for the HTTP client: each connection is given to a coroutine that may misbehave."""

from __future__ import annotations

import asyncio
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


def call(url, method="POST", body=b"{}", headers=(), connect=2.0, header=2.0, idle=2.0) -> Call:
    return Call(
        method=method,
        url=url,
        headers=headers,
        body=body,
        connect_timeout_s=connect,
        header_timeout_s=header,
        idle_timeout_s=idle,
    )
