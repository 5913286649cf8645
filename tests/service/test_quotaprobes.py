"""Quota probes against a small page over real HTTP on loopback."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from maxpool import Command, Pool
from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.errors import SecretError
from maxpool.ports import Destination, Secret
from maxpool.service.limits import Limits
from maxpool.service.quotaprobes import MAX_ANSWER_BYTES, QuotaPage, QuotaProber
from maxpool.service.tasks import Tasks
from maxpool.service.tokens import Tokens
from maxpool.service.waiting import WaitingRoom
from maxpool.sim.clock import HandClock
from tests.make import key, reason_of, until_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

MAP = {"remaining": "left", "limit": "total", "reset": "resets_in duration", "unit": "usd"}
EVERY_S = 300.0


@dataclass
class Page:
    """What the provider answers; keeps what it was asked."""

    told: dict[str, Any] = field(default_factory=lambda: {"left": 4, "total": 10})
    status: int = 200
    body: bytes | None = None
    asked: list[Request] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        body = self.body if self.body is not None else json.dumps(self.told).encode()
        return Response(body, self.status)


class Drawer:
    """`ports.SecretSource` with one secret, or none."""

    secret: str | None = "the-secret"

    def resolve(self, reference: str) -> Secret:
        if self.secret is None:
            raise SecretError("nobody knows it", "Ask somebody else.")
        return Secret(self.secret)


@dataclass
class Bench:
    """A prober, its pool and its provider."""

    page: Page
    pool: Pool
    prober: QuotaProber
    clock: HandClock
    drawer: Drawer

    @property
    def quota(self):
        return self.pool.view(self.clock.now()).accounts[0].purse.quota

    def reason(self) -> str | None:
        return reason_of(self.pool, "k", self.clock.now())


@asynccontextmanager
async def bench(**given: Any) -> AsyncIterator[Bench]:
    clock, client, page, drawer, tasks = HandClock(), HttpUpstream(), Page(), Drawer(), Tasks()
    app = Starlette(routes=[Route("/balance", page.answer, methods=["GET", "POST"])])
    server = Server(app, graceful_s=0.0)
    await server.start()
    pool = Pool([key("k")], None, clock.now())
    prober = QuotaProber(
        pool=pool,
        upstream=client,
        tokens=Tokens(drawer, {"k": "env:K"}),
        waiting=WaitingRoom(pool, clock, Limits(), tasks),
        clock=clock,
        destinations={
            "k": Destination(
                base_url=server.url, auth_header="bearer", headers=(("X-Team", "blue"),)
            )
        },
    )
    url = f"{server.url}/balance"
    prober.follow({"k": QuotaPage(**{"url": url, "quota_map": MAP, **given})}, 5.0)
    try:
        yield Bench(page, pool, prober, clock, drawer)
    finally:
        await client.aclose()
        await server.stop(0.0)
        await tasks.aclose(0.0)


async def test_what_is_left_is_asked_with_the_accounts_own_credential():
    async with bench() as it:
        await it.prober.tick()
        assert (it.quota.used, it.quota.remaining, it.quota.unit) == (6, 4, "usd")
        (asked,) = it.page.asked
        assert asked.method == "GET"
        assert asked.headers["authorization"] == "Bearer the-secret"
        assert asked.headers["x-team"] == "blue"
        assert it.prober.report() == {"asked": 1, "failed": 0, "accounts": 1}


async def test_a_page_may_want_a_post():
    async with bench(method="POST") as it:
        await it.prober.tick()
        assert (it.page.asked[0].method, it.quota.last_result) == ("POST", "ok")


async def test_nothing_left_closes_until_the_reset_and_an_event_opens():
    async with bench() as it:
        it.page.told = {"left": 0, "total": 10, "resets_in": "PT2H"}
        await it.prober.tick()
        assert until_of(it.pool, "k", it.clock.now()) == it.clock.now() + 7200
        it.clock.advance(EVERY_S)
        it.page.told = {"left": 1, "total": 10}
        await it.prober.tick()
        assert it.reason() is None


async def test_what_is_only_observed_closes_nothing():
    async with bench(gates=False) as it:
        it.page.told = {"left": 0, "total": 10}
        await it.prober.tick()
        assert (it.reason(), it.quota.remaining) == (None, 0)


async def test_it_is_asked_as_often_as_its_owner_says_and_less_after_failures():
    async with bench() as it:
        for _ in range(3):
            await it.prober.tick()
        assert len(it.page.asked) == 1
        it.clock.advance(EVERY_S)
        it.page.status = 500
        await it.prober.tick()
        it.clock.advance(EVERY_S)
        await it.prober.tick()
        assert len(it.page.asked) == 2
        it.clock.advance(EVERY_S)
        await it.prober.tick()
        assert len(it.page.asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"", "500"),
        (302, b"", "302"),
        (200, b"<html>", "junk"),
        (200, b"{}", "junk"),
        (200, b"[" * 100_000, "junk"),
        (200, b" " * (MAX_ANSWER_BYTES + 1), "junk"),
    ],
)
async def test_a_failing_probe_never_blocks_and_forgets_nothing(status, body, why):
    async with bench() as it:
        await it.prober.tick()
        it.clock.advance(EVERY_S)
        it.page.status, it.page.body = status, body
        await it.prober.tick()
        assert (it.quota.last_result, it.quota.remaining, it.reason()) == (why, 4, None)
        assert it.prober.counts["failed"] == 1


async def test_a_secret_that_cannot_be_read_and_a_place_that_is_gone_are_failures():
    async with bench() as it:
        it.drawer.secret = None
        assert await it.prober.ask("k") == "secret"
        it.prober.destinations = {}
        assert await it.prober.ask("k") == "gone"
        assert it.page.asked == []


async def test_an_upstream_that_is_not_there_is_a_failure():
    async with bench() as it:
        page = it.prober.pages["k"]
        gone = QuotaPage(url="http://127.0.0.1:9/balance", quota_map=page.quota_map)
        it.prober.follow({"k": gone}, 5.0)
        assert await it.prober.ask("k") == "network"


async def test_a_disabled_account_is_not_asked():
    async with bench() as it:
        it.pool.command(Command("disable", "k"), it.clock.now())
        assert it.prober.due(it.clock.now()) == []
        it.pool.command(Command("enable", "k"), it.clock.now())
        assert it.prober.due(it.clock.now()) == ["k"]


async def test_a_page_that_is_no_longer_configured_leaves_nothing():
    async with bench() as it:
        await it.prober.tick()
        it.prober.follow({}, 5.0)
        assert (it.quota, it.pool.budget.quotas) == (None, {})
