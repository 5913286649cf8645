"""Listening sockets, and errors that say who is in the way. It accepts nothing."""

from __future__ import annotations

import errno
import os
import re
import socket

from maxpool.adapters import process
from maxpool.errors import BindError


def bind(host: str, port: int, backlog: int = 2048) -> list[socket.socket]:
    """Listening sockets for `host`; `localhost` gives both loopback addresses on one port.

    Raises BindError; its hint names who holds the port, where the system tells.
    """
    addresses = ["127.0.0.1", "::1"] if host == "localhost" else [host]
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            if address == "::1" and not socket.has_dualstack_ipv6():
                continue
            sock = _listen(address, sockets[0].getsockname()[1] if sockets else port, backlog)
            sockets.append(sock)
    except OSError as exc:
        for sock in sockets:
            sock.close()
        raise _bind_error(exc, host, port) from exc
    return sockets


def _listen(address: str, port: int, backlog: int) -> socket.socket:
    family, kind, proto, _, where = socket.getaddrinfo(
        address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, proto)
    try:
        if os.name == "posix":  # on Windows this would let two servers share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_error(exc: OSError, host: str, port: int) -> BindError:
    if isinstance(exc, socket.gaierror):
        return BindError(f"no address for host {host!r}", "Use 127.0.0.1, ::1 or localhost")
    match exc.errno:
        case errno.EADDRINUSE:
            return BindError(f"port {port} on {host} is taken", _other_port(port))
        case errno.EACCES:
            return BindError(
                f"port {port} is reserved for the system", "Choose a port above 1023 with --port"
            )
        case errno.EADDRNOTAVAIL:
            return BindError(
                f"{host} is not an address of this machine", "Use 127.0.0.1, ::1 or localhost"
            )
        case _:
            return BindError(
                f"cannot listen on {host}:{port}: {exc.strerror}", "Try another --port"
            )


def _other_port(port: int) -> str:
    """Who holds the port, how to end it, and where to name another."""
    other = "choose another port with --port or [server] port in the config"
    holder = process.listener_on(port)
    pid = re.search(r"\(pid (\d+)\)", holder or "")
    if holder is None or pid is None:
        return f"Another program listens there: end it, or {other}"
    return (
        f"{holder} listens there: end it with kill {pid[1]} (or Ctrl-C in its terminal), or {other}"
    )
