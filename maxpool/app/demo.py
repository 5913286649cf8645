"""The demo: a simulated upstream, the real proxy in front of it, and lively traffic through both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from maxpool.adapters.chance import SystemChance
from maxpool.adapters.clock import SystemClock
from maxpool.adapters.ledger_engine import sqlite_url
from maxpool.adapters.process import raise_open_files_limit
from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.service.logs import set_up_logging
from maxpool.service.tasks import Tasks
from maxpool.sim.demo import InventedSecrets, demo_config
from maxpool.sim.driver import Driver
from maxpool.sim.people import demo_world as people_of_demo
from maxpool.sim.takeover import ENTRIES, SECTIONS, takeover_world
from maxpool.sim.traffic import Traffic, TrafficSettings
from maxpool.sim.upstream import SimUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


from maxpool.app.build import build
from maxpool.app.ledger import FILE_NAME

Scenario = Literal["takeover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoWorld:
    """Where a running demo can be reached."""

    proxy_url: str
    status_url: str
    upstream_url: str
    admin_key: str
    client_key: str | None = None


@asynccontextmanager
async def demo_world(
    *,
    port: int = 0,
    minutes: float = 3.0,
    speed: float = 1.0,
    traffic: bool = True,
    seed: int = 1,
    scenario: Scenario | None = None,
) -> AsyncIterator[DemoWorld]:
    """A simulated upstream, the real proxy in front of it, and lively traffic through both.

    `minutes`: length of the 5-hour window; `speed`: how lively the traffic is. `scenario`: another cast
    than the usual one. Keeps no state.
    """
    set_up_logging("error", "text")
    raise_open_files_limit()
    clock, tasks = SystemClock(), Tasks()
    takes_over = scenario == "takeover"
    people, settings = (takeover_world if takes_over else people_of_demo)(minutes, speed)
    upstream = Server(SimUpstream(people, settings, clock, seed).app, graceful_s=0.0)
    await upstream.start()
    more = {"entries": ENTRIES, "sections": SECTIONS} if takes_over else {}
    config = demo_config(upstream.url, people, settings, port, **more)
    admin_key = SystemChance().token()
    digest = sha256(admin_key.encode()).hexdigest()
    folder = TemporaryDirectory(prefix="maxpool-demo-")
    built = build(
        config,
        clock=clock,
        secrets=InventedSecrets(people),
        admin_digest=digest,
        ledger_url=sqlite_url(Path(folder.name) / FILE_NAME),
    )
    server = Server(built.app, port=port, graceful_s=0.5)
    client = HttpUpstream()
    try:
        await server.start()
        if traffic:
            lanes = Traffic(seed, TrafficSettings(speed=speed))
            driver = Driver(lanes, client, server.url, clock)
            tasks.spawn(driver.run(), "demo traffic", finish=False)
        yield DemoWorld(
            proxy_url=server.url,
            status_url=f"{server.url}/status",
            upstream_url=upstream.url,
            admin_key=admin_key,
        )
    finally:
        await tasks.aclose(0.2)
        built.waiting.close()
        built.feed.close()
        await client.aclose()
        await server.stop(0.5)
        await upstream.stop(0.0)
        folder.cleanup()
