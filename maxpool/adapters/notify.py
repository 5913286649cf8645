"""Telling systemd how the service is (sd_notify(3)): one datagram where $NOTIFY_SOCKET says.

Without that variable nobody asked, and nothing is sent. A message that cannot be sent costs nothing.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from maxpool.adapters import process


def asked() -> bool:
    """Whether a service manager wants to be told."""
    return bool(process.environment().get("NOTIFY_SOCKET"))


def ready() -> bool:
    """The server serves; whether a service manager was told."""
    return _tell("READY=1")


def stopping() -> bool:
    """The server drains and ends."""
    return _tell("STOPPING=1")


def main_process(pid: int) -> bool:
    """Another process is the service from now on; this one may end."""
    return _tell(f"MAINPID={pid}")


def _tell(state: str) -> bool:
    where = process.environment().get("NOTIFY_SOCKET", "")
    if not where.startswith(("/", "@")):
        return False
    address = f"\0{where[1:]}" if where.startswith("@") else where
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.sendall(state.encode("ascii"))
        return True
    return False
