"""What the simulated world's tests share: a clock moved by hand, and the upstream on a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from maxpool.adapters.server import Server
from maxpool.sim.clock import HandClock
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.upstream import SimUpstream

OAUTH = "sk-ant-oat01-amber"
KEY = "sk-ant-api03-cobalt"

PEOPLE = (
    SimAccount("amber", OAUTH, "max_20x", capacity_tokens=1_000_000.0),
    SimAccount("cobalt", KEY, "api"),
    SimAccount("dune", "dune-key", "provider", models=("big-*",)),
)


@dataclass(frozen=True)
class Running:
    """A simulated upstream that listens, and a client of it."""

    sim: SimUpstream
    client: httpx2.AsyncClient
    port: int

    async def ask(self, secret: str = OAUTH, **changes: Any) -> httpx2.Response:
        return await self.client.post("/v1/messages", headers=login(secret), json=body(**changes))


Upstream = Callable[..., AbstractAsyncContextManager[Running]]


def login(secret: str = OAUTH) -> dict[str, str]:
    return {
        "authorization": f"Bearer {secret}",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "oauth-2025-04-20",
    }


def body(**changes: Any) -> dict[str, Any]:
    asked = [{"role": "user", "content": changes.pop("text", "hello")}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 200, "messages": asked, **changes}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def upstream() -> Upstream:
    """`async with upstream(settings, accounts) as running`."""

    @asynccontextmanager
    async def run(
        settings: SimSettings | None = None,
        accounts: tuple[SimAccount, ...] = PEOPLE,
        clock: HandClock | None = None,
    ) -> AsyncIterator[Running]:
        sim = SimUpstream(accounts, settings, clock)
        server = Server(sim.app, host="127.0.0.1", port=0)
        await server.start()
        try:
            async with httpx2.AsyncClient(base_url=server.url) as client:
                yield Running(sim, client, server.port)
        finally:
            await server.stop(graceful_s=0.1)

    return run
