"""What every HTTP client behind `ports.Upstream` must do, said once: the implementations and helpers.

The `test_upstream*.py` files hold the contract. Each of their tests runs for every entry of
`IMPLEMENTATIONS` through the fixtures `implementation`, `connect` and `client` of conftest.py.
"""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxpool.adapters.http11 import DirectUpstream
from maxpool.adapters.upstream import HttpUpstream
from maxpool.ports import Reply, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.ports import Upstream

SECRET = b"sk-secret"
"""Stands for a header's or a body's content: no error text may quote it."""


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """One client. `make` takes `keepalive_expiry_s`, `ca_file` and `proxy_for` by name.

    `cannot`: what of the contract it cannot keep and why, by a test's name, or by the name and a
    case's id in brackets. Those tests must fail; one that passes has to be taken off the list.
    """

    name: str
    make: Callable[..., Upstream]
    cannot: Mapping[str, str] = field(default_factory=dict)


IMPLEMENTATIONS = (
    Implementation(name="httpx", make=HttpUpstream),
    Implementation(name="builtin", make=DirectUpstream),
)


def direct(scheme: str, host: str) -> None:
    """No proxy for anything."""


async def whole(answer: Reply | Unreachable) -> bytes:
    """An answer's whole body."""
    assert isinstance(answer, Reply), answer
    return b"".join([chunk async for chunk in answer.stream])


def failure(answer: Reply | Unreachable) -> tuple[str, bool]:
    """Kind and `sent` of an answer that must be none; it quotes nothing that was sent or received."""
    assert isinstance(answer, Unreachable), answer
    assert SECRET.decode() not in repr(answer)
    return answer.kind, answer.sent


def queued(port: int) -> int:
    """Bytes that the kernel holds for the peer at `port`: unsent there and unread by its clients."""
    total = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        unsent, unread = (int(number, 16) for number in queues.split(":"))
        if state == "01" and local.endswith(f":{port:04X}"):
            total += unsent
        if state == "01" and remote.endswith(f":{port:04X}"):
            total += unread
    return total


@asynccontextmanager
async def full_backlog() -> Any:
    """A port of this machine at which a connect hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        clogs = [socket.socket() for _ in range(4)]
        for clog in clogs:
            clog.setblocking(False)
            clog.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for clog in clogs:
                clog.close()
