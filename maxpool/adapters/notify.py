"""Telling systemd how the service is (sd_notify(3)): one datagram where $NOTIFY_SOCKET says.

Without that variable nobody asked, and nothing is sent. A message that cannot be sent costs nothing.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

from maxpool.adapters import process

LISTEN_S: Final = 1.0
"""How long a service manager whose queue is full is waited for: meanwhile nothing else happens here."""


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


def alive() -> bool:
    """The event loop still turns; whoever watches goes on waiting."""
    return _tell("WATCHDOG=1", within_s=0.0)  # one that does not listen now hears the next


def watched_s() -> float | None:
    """How long a silence may last before the service manager ends this process (sd_watchdog_enabled(3)).

    None where it does not watch, or watches another process.
    """
    found = process.environment()
    limit, whom = found.get("WATCHDOG_USEC", ""), found.get("WATCHDOG_PID")
    if whom not in (None, str(process.pid())) or not (limit.isascii() and limit.isdigit()):
        return None
    return int(limit) / 1e6 or None


def _tell(state: str, within_s: float = LISTEN_S) -> bool:
    where = process.environment().get("NOTIFY_SOCKET", "")
    if not where.startswith(("/", "@")):
        return False
    address = f"\0{where[1:]}" if where.startswith("@") else where
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(within_s)
        sock.connect(address)
        sock.sendall(state.encode("ascii"))
        return True
    return False
