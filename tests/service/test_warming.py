"""Checks of warmth against the simulated upstream, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from maxpool import Account, Pool
from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.core.warmth import Mode, Warmth
from maxpool.ports import Destination, Reply
from maxpool.service.tasks import Tasks
from maxpool.service.tokens import Tokens
from maxpool.service.warming import Question, Warmer, judged, smallest
from maxpool.sim.clock import HandClock
from maxpool.sim.demo import InventedSecrets
from maxpool.sim.faults import status
from maxpool.sim.plans import SimAccount
from maxpool.sim.upstream import SimUpstream
from maxpool.wire.apiroot import models_url, requests_url
from tests.rig import MODEL, key, plan, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Bench:
    """A warmer, its pool and its upstream."""

    sim: SimUpstream
    pool: Pool
    warmer: Warmer
    clock: HandClock

    async def run(self, seconds: float, step: float = 1.0) -> None:
        """Let that much time pass, ticking as the server's timers do."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            tick = asyncio.ensure_future(self.warmer.tick())
            while not tick.done():
                await asyncio.sleep(0)
                self.clock.advance(0.25 if self.clock.sleeping else 0.0)
            await tick
            await until(lambda: not self.checking)

    @property
    def checking(self) -> bool:
        return any(entry.out for entry in self.warmer.warmth.entries.values())

    def asked(self) -> list[tuple[str | None, str]]:
        return [(seen.account, seen.path) for seen in self.sim.requests]

    def entry(self, name: str) -> dict[str, Any]:
        return next(e for e in self.warmer.report()["entries"] if e["account"] == name)


@asynccontextmanager
async def bench(
    *people: SimAccount, mode: Mode = "eco", focus: tuple[str, ...] = (MODEL,)
) -> AsyncIterator[Bench]:
    clock, client = HandClock(), HttpUpstream()
    sim = SimUpstream(people, clock=clock)
    server = Server(sim.app, graceful_s=0.0)
    await server.start()
    kinds = {"api": "api_key", "provider": "provider"}
    accounts = [Account(p.name, p.name, kind=kinds.get(p.plan, "subscription")) for p in people]
    pool, tasks = Pool(accounts, None, clock.now()), Tasks()
    question = Question(
        free_url=models_url(server.url, "anthropic"),
        message_url=requests_url(server.url, "anthropic"),
    )
    warmer = Warmer(
        pool=pool,
        upstream=client,
        tokens=Tokens(InventedSecrets(people), {p.name: f"env:{p.name}" for p in people}),
        clock=clock,
        tasks=tasks,
        destinations={p.name: Destination(base_url=server.url) for p in people},
        warmth=Warmth(mode=mode),
        questions={p.name: question for p in people},
        focus=focus,
    )
    try:
        yield Bench(sim, pool, warmer, clock)
    finally:
        await tasks.aclose(1.0)
        await client.aclose()
        await server.stop(0.0)


async def test_a_key_in_focus_is_asked_a_free_question_some_seconds_after_the_start():
    async with bench(key("a")) as it:
        await it.run(4)
        assert it.asked() == []
        await it.run(7)
        assert it.asked() == [("a", "/v1/models")]
        found = it.entry("a")
        assert (found["state"], found["model"], found["failures"]) == ("warm", MODEL, 0)
        assert found["latency_ms"] is not None


async def test_nothing_is_ever_sent_for_a_plan():
    async with bench(plan("p"), key("a"), mode="aggressive") as it:
        await it.run(60)
        assert {account for account, _ in it.asked()} == {"a"}


async def test_a_plans_token_in_an_accounts_place_of_a_key_is_not_used_either():
    wrong = SimAccount("a", "sk-ant-oat01-secret-of-a-0123456789", "api")
    async with bench(wrong) as it:
        await it.run(12)
        assert it.asked() == []
        assert it.entry("a")["detail"] == "a plan's token is not used for checks"


async def test_without_focus_the_most_used_models_are_kept_warm():
    async with bench(key("a"), focus=()) as it:
        for _ in range(3):
            it.pool.habits.count("claude-often", it.clock.now())
        await it.run(12)
        assert it.entry("a")["model"] == "claude-often"


async def test_eco_spends_no_token_where_nothing_is_free_and_balanced_says_a_word():
    modes: list[tuple[Mode, int]] = [("eco", 0), ("balanced", 1)]
    for mode, posts in modes:
        async with bench(key("a"), mode=mode) as it:
            it.sim.inject(status(404), times=None, when=lambda seen: seen.path == "/v1/models")
            await it.run(70)
            sent = [path for _, path in it.asked()]
            assert "/v1/models" in sent
            assert (sent.count("/v1/messages") >= 1) is bool(posts)
            assert it.entry("a")["state"] == "warm"


async def test_a_refused_credential_is_told_and_takes_nobody_out_of_service():
    async with bench(key("a")) as it:
        refused = status(401)
        it.sim.inject(refused, times=None, when=lambda seen: seen.method == "GET")
        await it.run(12)
        found = it.entry("a")
        assert (found["state"], found["failures"]) == ("failed", 1)
        assert "does not take the credential" in found["detail"]
        assert it.pool.view(it.clock.now()).accounts[0].state == "ready"


async def test_a_disabled_account_is_let_be():
    async with bench(key("a")) as it:
        it.pool.states["a"].enabled = False
        await it.run(20)
        assert it.asked() == []


async def test_a_request_for_a_cold_model_brings_its_check_forward():
    async with bench(key("a")) as it:
        await it.run(1)
        it.pool.habits.count(MODEL, it.clock.now())
        await it.run(2)
        assert it.asked() == [("a", "/v1/models")]


async def test_switching_off_ends_the_checks_and_a_quiet_pool_has_none():
    async with bench(key("a"), mode="aggressive") as it:
        await it.run(12)
        it.warmer.switch("off")
        seen = len(it.asked())
        await it.run(60)
        assert len(it.asked()) == seen
        it.warmer.switch("aggressive")
        it.clock.advance(2 * it.warmer.warmth.quiet_s)
        await it.run(60)
        assert len(it.asked()) == seen
        assert it.warmer.report()["quiet"]


class Nothing:
    """A body that is there and empty."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: tuple[bytes, ...] = ()
        for chunk in chunks:
            yield chunk

    async def aclose(self) -> None:
        return


@pytest.mark.parametrize(
    ("code", "ok", "free", "wait_s"),
    [
        (200, True, True, 0.0),
        (429, True, True, 7.0),
        (404, True, False, 0.0),
        (401, False, True, 0.0),
        (503, False, None, 0.0),
    ],
)
def test_what_an_answer_says_of_a_target(code, ok, free, wait_s):
    found = judged(Reply(status=code, headers=[(b"retry-after", b"7")], stream=Nothing()), 0.0)
    assert (found.ok, found.free, found.wait_s) == (ok, free, wait_s)


@pytest.mark.parametrize("api_format", ["anthropic", "openai-chat", "generate"])
def test_the_smallest_request_asks_for_one_token(api_format):
    assert b"1" in smallest("m", api_format)
    assert json.loads(smallest("m", api_format))["model"] == "m"
