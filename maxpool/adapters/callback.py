"""The loopback address to which a browser returns after a sign-in (RFC 8252 section 7.3).

Lives for one sign-in. Answers `GET` on its own path under its own name and nothing else, so that no
web page can reach it by another name (DNS rebinding); decides nothing about the answer it was
brought. Pages are plain: no script, nothing loaded, everything escaped.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from maxpool.errors import BindError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATH = "/callback"
MAX_HEAD_BYTES = 32 * 1024
"""A request's head; codes and browser headers take a few kilobytes."""

HEAD_TIMEOUT_S = 10.0
"""How long a connection may take to say what it wants; browsers open spare ones that say nothing."""

MAX_CONNECTIONS = 16

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1rem;"
    "color:#1c1c1c;background:#fff}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = (
    "content-type: text/html; charset=utf-8\r\n"
    f"content-security-policy: default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n"
    "x-content-type-options: nosniff\r\n"
    "referrer-policy: no-referrer\r\n"
    "cache-control: no-store\r\n"
    "connection: close\r\n"
)
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the browser is shown."""

    status: int = 200
    title: str
    text: str


@asynccontextmanager
async def listening(
    judge: Callable[[str], Page], *, port: int = 0, path: str = PATH
) -> AsyncIterator[int]:
    """Listen on loopback as long as the context lasts; yields the port (0: any free one).

    Raises BindError when the port is taken.
    """
    callback = _Callback(judge, path)
    sockets = _bound(port)
    callback.port = sockets[0].getsockname()[1]
    servers = [
        await asyncio.start_server(callback.serve, sock=one, limit=MAX_HEAD_BYTES)
        for one in sockets
    ]
    try:
        yield callback.port
    finally:
        for server in servers:
            server.close()
        callback.hang_up()


class _Callback:
    def __init__(self, judge: Callable[[str], Page], path: str) -> None:
        self._judge = judge
        self._path = path
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    def hang_up(self) -> None:
        for writer in self._open:
            writer.close()  # what was written still goes out

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(writer)
        try:
            async with asyncio.timeout(HEAD_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_rendered(self._answer(head)))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it left, said nothing, or talked too long: nobody waits for a word
        finally:
            self._open.discard(writer)
            with suppress(OSError):
                writer.close()

    def _answer(self, head: bytes) -> Page:
        first, _, rest = head.decode("latin-1").partition("\r\n")
        method, _, target = first.removesuffix(" HTTP/1.1").removesuffix(" HTTP/1.0").partition(" ")
        hosts = [
            value.strip().lower()
            for name, _, value in (line.partition(":") for line in rest.split("\r\n"))
            if name.strip().lower() == "host"
        ]
        if len(hosts) != 1 or hosts[0] not in self._names:
            return Page(status=403, title="Not here", text="This address is asked by a wrong name.")
        try:
            parts = urlsplit(target)
        except ValueError:  # no address at all
            parts = urlsplit("")
        if method != "GET" or parts.scheme or parts.path != self._path:
            return Page(status=404, title="Nothing here", text="There is no such page.")
        return self._judge(parts.query)

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(f"{host}:{self.port}" for host in ("localhost", "127.0.0.1", "[::1]"))


def _bound(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and, where it exists, the same port on ::1 (so that nobody else takes it)."""
    first = socket.socket(socket.AF_INET)
    try:
        first.bind(("127.0.0.1", port))
    except OSError as exc:
        first.close()
        raise BindError(
            f"cannot listen on 127.0.0.1:{port} for the browser's answer: {exc.strerror}",
            "End the program that uses this port, or sign in with --paste",
        ) from exc
    found = [first]
    with suppress(OSError):
        second = socket.socket(socket.AF_INET6)
        try:
            second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            second.bind(("::1", first.getsockname()[1]))
        except OSError:
            second.close()
            raise
        found.append(second)
    return found


def _rendered(page: Page) -> bytes:
    title, text = escape(page.title), escape(page.text)
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>maxpool: {title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{text}</p></html>"
    ).encode()
    head = f"HTTP/1.1 {page.status} {_REASONS[page.status]}\r\n{_HEADERS}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body
