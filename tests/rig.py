"""The real proxy before a simulated upstream, both on free loopback ports, and a small client.

Three keys by default: `a` is preferred, `b` and `c` stand behind it. Pauses are short, so that a test
waits for nothing it does not look at.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app.build import Maxpool, build
from maxpool.config.model import Config
from maxpool.errors import StreamCut
from maxpool.ports import Call, Reply
from maxpool.service.limits import limits_of
from maxpool.sim.demo import InventedSecrets
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.upstream import SimUpstream
from maxpool.wire.sse import Scanner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from maxpool.ports import Clock, RawHeaders, StateStore

MODEL = "claude-sonnet-5-5"
JSON = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
ADMIN_KEY = "the-admin-key"
CLAUDE_CODE = {"user-agent": "claude-cli/2.1.329 (external, cli)", "x-app": "cli"}


def key(name: str, **given: Any) -> SimAccount:
    """An API key of the simulated upstream."""
    return SimAccount(name, f"sk-ant-api03-secret-of-{name}-0123456789", "api", **given)


def vendor(name: str, **given: Any) -> SimAccount:
    """An account of another vendor at the simulated upstream."""
    return SimAccount(name, f"vendor-secret-of-{name}-0123456789", "provider", **given)


def plan(name: str, **given: Any) -> SimAccount:
    """A subscription of the simulated upstream, its bearer of the OAuth kind."""
    return SimAccount(name, f"sk-ant-oat01-secret-of-{name}-0123456789", "max_20x", **given)


THREE = (key("a"), key("b"), key("c"))


@dataclass(frozen=True, slots=True)
class Got:
    """An answer as the client saw it; `cut` when it did not end properly."""

    status: int
    headers: RawHeaders
    body: bytes
    cut: bool

    @property
    def fields(self) -> dict[str, str]:
        return {n.decode().lower(): v.decode("latin-1") for n, v in self.headers}

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def error(self) -> tuple[int, str]:
        """Status and type of an error in the API's envelope."""
        assert self.json["type"] == "error", self.body
        assert self.json["error"]["message"]
        return self.status, self.json["error"]["type"]

    @property
    def events(self) -> list[str]:
        return [event.name for event in Scanner().feed(self.body)]

    @property
    def account(self) -> str | None:
        return self.fields.get("x-maxpool-account")

    @property
    def whole(self) -> bool:
        """A complete good answer, as a stream or as JSON."""
        if self.status != 200 or self.cut:
            return False
        if self.fields["content-type"].startswith("text/event-stream"):
            return self.events[0] == "message_start" and self.events[-1] == "message_stop"
        return bool(self.json["type"] == "message" and self.json["stop_reason"])


def ask(text: str = "hello", *, stream: bool = True, **more: Any) -> bytes:
    """A Messages request."""
    asked = {
        "model": MODEL,
        "max_tokens": 200,
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
        **more,
    }
    return json.dumps(asked).encode()


@dataclass(slots=True)
class Rig:
    """A running proxy, its upstream and a client."""

    sim: SimUpstream
    proxy: Maxpool
    server: Server
    upstream: Server
    client: HttpUpstream
    wires: list[Wire] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    async def admin(self, method: str, path: str, body: Any = None, **more: str) -> Got:
        """Ask the admin API, with its key."""
        headers = {**JSON, "x-maxpool-admin-key": ADMIN_KEY, **more}
        sent = b"" if body is None else json.dumps(body).encode()
        return await self.send(method, f"/admin{path}", headers, sent)

    async def post(
        self,
        body: bytes | None = None,
        path: str = "/v1/messages",
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send a Messages request and read its answer to the end."""
        return await self.send("POST", path, {**JSON, **(headers or {})}, body or ask())

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Got:
        return await self.send("GET", path, headers or {}, b"")

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Got:
        reply = await self.open(method, path, headers, body)
        parts: list[bytes] = []
        cut = False
        try:
            async for chunk in reply.stream:
                parts.append(chunk)  # noqa: PERF401 - what came before a cut counts
        except StreamCut:
            cut = True
        finally:
            await reply.stream.aclose()
        return Got(reply.status, reply.headers, b"".join(parts), cut)

    async def open(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request and return as soon as headers are there."""
        raw = [(n.encode(), v.encode()) for n, v in headers.items()]
        limits = {"connect_timeout_s": 30.0, "header_timeout_s": 60.0, "idle_timeout_s": 60.0}
        reply = await self.client.send(
            Call(method=method, url=self.url + path, headers=raw, body=body, **limits)
        )
        assert isinstance(reply, Reply), reply
        return reply

    async def status(self) -> dict[str, Any]:
        return (await self.get("/status")).json

    async def state(self, name: str) -> dict[str, Any]:
        """An account in the status document."""
        listed = (await self.status())["accounts"]
        found: dict[str, Any] = next(a for a in listed if a["name"] == name)
        return found

    async def connect(self, receive_buffer: int | None = None) -> Wire:
        """A raw connection to the proxy."""
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.server.port))
        self.wires.append(Wire(sock))
        return self.wires[-1]

    def asked(self) -> list[str | None]:
        """The accounts that were asked for an answer, in order."""
        return [seen.account for seen in self.sim.requests if seen.method == "POST"]

    def idle(self) -> bool:
        """Whether nothing is held for anybody: leases, waiters, beats, upstream requests."""
        pool = self.proxy.pool
        return not (
            pool.running
            or len(pool.queue)
            or self.proxy.waiting.parked
            or self.proxy.waiting.bytes
            or self.proxy.pulse.open
            or any(state.in_flight for state in pool.states.values())
            or pool.plan_in_flight
        )


@dataclass(slots=True)
class Wire:
    """A raw client connection."""

    sock: socket.socket

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self, most: int = 65536) -> bytes:
        """What has arrived; nothing at the end, or after a reset."""
        try:
            return await asyncio.get_running_loop().sock_recv(self.sock, most)
        except ConnectionError:
            return b""

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and with the chunk that holds the mark."""
        got = b""
        while mark not in got:
            chunk = await self.read()
            assert chunk, got
            got += chunk
        return got

    async def rest(self) -> bytes:
        got = b""
        while chunk := await self.read():
            got += chunk
        return got

    def reset(self) -> None:
        """Hang up with RST, as real clients do."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


def request_bytes(body: bytes | None = None, path: str = "/v1/messages", **headers: str) -> bytes:
    """A whole HTTP request as it goes over the wire."""
    body = ask() if body is None else body
    fields = {"host": "127.0.0.1", **JSON, "content-length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def until(true: Callable[[], object], within_s: float = 30.0) -> None:
    """Wait until something holds; the limit is generous, for machines that are slow and busy."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is looked at has no event
            await asyncio.sleep(0.005)


def config_of(url: str, people: Sequence[SimAccount], sections: Mapping[str, Any]) -> Config:
    """The proxy's config: the first account has priority 0, the others 1; `entries` adds to them."""
    kinds = {"api": "api_key", "provider": "provider"}
    entries: Mapping[str, Any] = sections.get("entries", {})
    accounts = [
        {
            "name": person.name,
            "kind": kinds.get(person.plan, "subscription"),
            "secret": f"env:{person.name}",
            "priority": 0 if person is people[0] else 1,
            **entries.get(person.name, {}),
        }
        for person in people
    ]
    given = {name: value for name, value in sections.items() if name != "entries"}
    given["upstream"] = {"base_url": url, **given.get("upstream", {})}
    return Config.model_validate({"accounts": accounts, **given})


def _untapped(app: Any) -> Any:
    return app


@asynccontextmanager
async def rig(
    *people: SimAccount,
    sim: SimSettings | None = None,
    clock: Clock | None = None,
    store: StateStore | None = None,
    limits: Mapping[str, Any] | None = None,
    visitors: Sequence[SimAccount] = (),
    tap: Callable[[Any], Any] = _untapped,
    ledger_url: str = "",
    **sections: Any,
) -> AsyncIterator[Rig]:
    """`async with rig(queue={"commit_after": 0.1}) as it`: keywords are config sections.

    `visitors`: accounts that the upstream knows, and the config does not. `tap` may put something before the
    upstream's application.
    """
    people = people or THREE
    world = SimUpstream((*people, *visitors), sim)
    upstream = Server(tap(world.app), graceful_s=0.0)
    await upstream.start()
    config = config_of(upstream.url, people, sections)
    quick = {
        "retry_same_s": (0.0, 0.01),
        "backoff_s": (0.0, 0.01),
        "provider_backoff_s": (0.0, 0.01),
        **(limits or {}),
    }
    digest = hashlib.sha256(ADMIN_KEY.encode()).hexdigest()
    secrets = InventedSecrets(people)
    proxy = build(
        config,
        clock=clock,
        store=store,
        secrets=secrets,
        admin_digest=digest,
        ledger_url=ledger_url,
    )
    proxy.pulse.limits = replace(limits_of(config), **quick)
    proxy.forwarder.limit(proxy.pulse.limits)
    server = Server(proxy.app, graceful_s=0.2)
    client = HttpUpstream()
    running = Rig(world, proxy, server, upstream, client)
    try:
        await server.start()
        yield running
    finally:
        for wire in running.wires:
            wire.close()
        proxy.waiting.close()
        proxy.feed.close()
        await client.aclose()
        await server.stop(0.2)
        with suppress(asyncio.CancelledError):
            await upstream.stop(0.0)
