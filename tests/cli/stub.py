"""A `/status` picture, and a tiny real server on loopback that serves it."""

from __future__ import annotations

import json
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

NOW = 1_790_000_000.0


def window(name: str, used: float | None, resets_in_s: float | None) -> dict[str, Any]:
    reset_at = None if resets_in_s is None else NOW + resets_in_s
    return {"window": name, "utilization": used, "estimated": None, "reset_at": reset_at}


def account(name: str, state: str = "ready", **keys: Any) -> dict[str, Any]:
    return {
        "id": f"a-{name}",
        "name": name,
        "kind": "subscription",
        "enabled": True,
        "state": state,
        "unavailable": None,
        "in_flight": 3,
        "slots": 50,
        "sessions": 4,
        "windows": [window("5h", 0.57, 8640), window("7d", 0.23, 3 * 86_400)],
        "models": {},
        **keys,
    }


def picture(*accounts: dict[str, Any], ready: int | None = None, **keys: Any) -> dict[str, Any]:
    count = sum(a["state"] in ("ready", "busy") for a in accounts) if ready is None else ready
    return {
        "version": "0.1.0",
        "now": NOW,
        "notices": [],
        "config": {"path": None, "loaded_at": NOW, "error": None},
        "summary": {
            "verdict": f"{count} of {len(accounts)} accounts ready",
            "accounts_ready": count,
            "requests_in_flight": 3,
            "queued": 0,
        },
        "accounts": list(accounts),
        "sessions": {"bound": 7},
        "throttle": {"open": []},
        "totals": {"requests": 100},
        **keys,
    }


class Stub:
    """What the server answers with, and what it was asked."""

    def __init__(self, body: bytes, status: int) -> None:
        self.body, self.status = body, status
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self.port = 0


@contextmanager
def serving(content: object, status: int = 200) -> Iterator[Stub]:
    """A server that answers everything with `content` (bytes as they are, else as JSON)."""
    stub = Stub(content if isinstance(content, bytes) else json.dumps(content).encode(), status)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            stub.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(stub.status)
            self.send_header("content-length", str(len(stub.body)))
            self.end_headers()
            self.wfile.write(stub.body)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.port = server.server_port
    stub.url = f"http://127.0.0.1:{stub.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Fake:
    """A demo world's addresses."""

    proxy_url: str
    status_url: str = "http://127.0.0.1:1/"
    upstream_url: str = "http://127.0.0.1:2"
    client_key: str | None = None
    admin_key: str = "the-demo-admin-key"


class Worlds:
    """Opens worlds over a stub server and remembers what was asked of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: dict[str, object] = {}
        self.closed = False

    def __call__(self, **keys: object) -> AbstractAsyncContextManager[Fake]:
        self.asked = keys
        return self.open()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Fake]:
        yield Fake(self.url)
        self.closed = True
