"""Scenes for pictures and browser tests: real servers on loopback, their pools in a certain state."""

from __future__ import annotations

import hashlib
import math
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxpool.adapters.ledger_engine import sqlite_url
from maxpool.adapters.server import Server
from maxpool.app.build import build
from maxpool.app.demo import demo_world
from maxpool.app.ledger import FILE_NAME
from maxpool.config.model import Config
from maxpool.core.lease import Lease, LeaseRequest, Success, TokenUsage
from maxpool.core.records import ReadingRecord
from maxpool.errors import SecretError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from maxpool.app.build import Maxpool

ADMIN_KEY = "the-admin-key-of-a-picture"
HOUR, DAY = 3600.0, 86_400.0
PREFIX = "anthropic-ratelimit-unified-"
NAMES = [
    *("work", "personal", "studio", "lab", "console", "atlas", "birch", "cedar", "delta", "ember"),
    *("fjord", "grove", "haven", "iris", "jade", "kestrel", "lumen", "maple", "north", "ocean"),
    *("pine", "quartz", "river", "slate", "thorn", "umber", "vale", "willow", "xenon", "yarrow"),
    *("zephyr", "amber", "basil", "coral", "dune", "echo", "flint", "glade", "harbor", "inlet"),
]


@dataclass(slots=True)
class Scene:
    """A running server and where to reach it."""

    url: str
    admin_key: str
    proxy: Maxpool | None = None
    server: Server | None = None


class NoSecrets:
    """No request is ever sent from a scene."""

    def resolve(self, reference: str) -> Any:
        raise SecretError("a scene has no secrets", f"{reference} is invented.")


def headers(
    now: float, five: float, week: float, five_left: float, week_left: float
) -> dict[str, str]:
    """What an answer tells of its plan's two windows."""
    told = {}
    for name, used, left in (("5h", five, five_left), ("7d", week, week_left)):
        told[f"{PREFIX}{name}-utilization"] = f"{used:.2f}"
        told[f"{PREFIX}{name}-reset"] = str(int(now + left))
        told[f"{PREFIX}{name}-status"] = "rejected" if used >= 1.0 else "allowed"
    told[f"{PREFIX}status"] = "rejected" if max(five, week) >= 1.0 else "allowed"
    return told


def config_of(count: int) -> Config:
    plans = ("max_20x", "max_5x", "max_20x", "max_5x", None)
    accounts = [
        {
            "name": name,
            "kind": "subscription" if plans[i % 5] else "api_key",
            **({"plan": plans[i % 5], "serves": ["*"]} if plans[i % 5] else {}),
            "secret": f"env:{name}",
        }
        for i, name in enumerate(NAMES[:count])
    ]
    return Config.model_validate(
        {
            "accounts": accounts,
            "upstream": {"base_url": "http://127.0.0.1:9"},
            "probes": {"enabled": False},
        }
    )


def use(proxy: Maxpool, rows: dict[str, tuple[float, float, float, float]]) -> None:
    """Let accounts have used that much, with a week's story behind it."""
    now = proxy.clock.now()
    by_name = {s.account.name: s for s in proxy.pool.states.values()}
    for name, (five, week, five_left, week_left) in rows.items():
        account_id = by_name[name].account.id
        for back in (50, 40, 30, 20, 10, 0):
            earlier = now - back * 60.0
            share = 1.0 - back / 400.0
            told = headers(
                earlier,
                five * share,
                week * (1 - back / 4000),
                five_left + back * 60,
                week_left + back * 60,
            )
            proxy.pool.observe(account_id, told, earlier)


def remember(proxy: Maxpool) -> None:
    """Put the way to where each window stands into the ledger: busy by day, quiet by night."""
    ledger, now = proxy.books.ledger, proxy.clock.now()
    assert ledger is not None
    for n, state in enumerate(proxy.pool.states.values()):
        for window in state.quota.windows.values():
            if window.reset_at is None or not window.utilization:
                continue
            began = window.reset_at - window.length_s
            passed = [began + i * window.length_s / 160 for i in range(160)]
            passed = [at for at in passed if at < now]
            weights = [
                0.12 + max(math.sin((at / DAY - 0.3 + n * 0.04) * math.tau), 0.0) for at in passed
            ]
            done = 0.0
            for at, weight in zip(passed, weights, strict=True):
                done += weight
                share = window.utilization * done / sum(weights)
                told = ReadingRecord(
                    state.account.id, window.name, at, share, window.reset_at, "headers"
                )
                ledger.record(told)


def work(proxy: Maxpool, requests: int, running: int = 0) -> None:
    """Some traffic, the last of it still running."""
    pool, now = proxy.pool, proxy.clock.now()
    usage = TokenUsage(
        input=900, output=1400, cache_read=31_000, cache_write_5m=2_400, cache_write_1h=0
    )
    for i in range(requests + running):
        at = now - (requests + running - i) * 7.0
        asked = LeaseRequest(
            "claude-sonnet-5-5",
            session=f"{i % 9:x}3f0c2e{i % 9}-demo",
            input_tokens=34_000,
            arrived_at=at,
        )
        lease = pool.acquire(asked, at)
        if isinstance(lease, Lease) and i < requests:
            pool.release(lease, Success(usage), at + 3.0 + i % 5)


@asynccontextmanager
async def served(config: Config, port: int = 0) -> AsyncIterator[Scene]:
    """That config behind a real server."""
    digest = hashlib.sha256(ADMIN_KEY.encode()).hexdigest()
    with tempfile.TemporaryDirectory(prefix="maxpool-scene-") as folder:
        url = sqlite_url(Path(folder) / FILE_NAME)
        proxy = build(config, secrets=NoSecrets(), admin_digest=digest, ledger_url=url)
        server = Server(proxy.app, port=port, graceful_s=0.2)
        await server.start()
        try:
            yield Scene(server.url, ADMIN_KEY, proxy, server)
        finally:
            proxy.feed.close()
            await server.stop(0.2)


@asynccontextmanager
async def week(count: int = 5) -> AsyncIterator[Scene]:
    """A working day on `count` accounts."""
    async with served(config_of(count)) as scene:
        assert scene.proxy is not None
        shares = [(0.41, 0.63), (0.08, 0.22), (0.96, 0.71), (0.30, 0.97), (0.0, 0.0)]
        rows = {}
        for i, name in enumerate(NAMES[:count]):
            if i % 5 == 4:
                continue
            five, used = shares[i % 5]
            shift = (i * 37 % 50) / 100 - 0.2 if i > 4 else 0.0
            rows[name] = (
                min(max(five + shift, 0.02), 0.99),
                min(max(used - shift, 0.03), 0.99),
                (0.4 + i * 0.83 % 4.4) * HOUR,
                (0.6 + i * 1.37 % 6.2) * DAY,
            )
        use(scene.proxy, rows)
        work(scene.proxy, 60, running=3)
        remember(scene.proxy)
        yield scene


@asynccontextmanager
async def empty() -> AsyncIterator[Scene]:
    """No account yet."""
    async with served(config_of(0)) as scene:
        yield scene


@asynccontextmanager
async def exhausted() -> AsyncIterator[Scene]:
    """Every plan used up, the key disabled by its budget."""
    async with served(config_of(4)) as scene:
        assert scene.proxy is not None
        rows = {n: (1.0, 0.8, (0.4 + i) * HOUR, (1.5 + i) * DAY) for i, n in enumerate(NAMES[:3])}
        rows[NAMES[3]] = (0.6, 1.0, 2.2 * HOUR, 3.1 * DAY)
        use(scene.proxy, rows)
        yield scene


@asynccontextmanager
async def live() -> AsyncIterator[Scene]:
    """The demo, with its traffic."""
    async with demo_world(minutes=3.0, speed=1.5) as world:
        yield Scene(world.proxy_url, world.admin_key)
