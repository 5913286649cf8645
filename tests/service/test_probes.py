"""Probes against the simulated usage endpoint, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from maxpool import CredentialChange, Pool
from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.errors import MaxpoolError, SecretError
from maxpool.ports import Destination, Secret
from maxpool.service.limits import Limits
from maxpool.service.probes import Prober, UsageUrl
from maxpool.service.tasks import Tasks
from maxpool.service.tokens import Tokens
from maxpool.service.waiting import WaitingRoom
from maxpool.sim.clock import HandClock
from maxpool.sim.faults import redirect, status
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.upstream import SimUpstream
from tests.make import account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GAP_S = 600.0


def plan(name: str, **given: Any) -> SimAccount:
    return SimAccount(name, f"sk-ant-oat01-secret-of-{name}-0123456789", "max_20x", **given)


@dataclass
class Drawer:
    """`ports.SecretSource`: secrets that can be exchanged while they are in use."""

    secrets: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def resolve(self, reference: str) -> Secret:
        self.asked += 1
        if reference not in self.secrets:
            raise SecretError("nobody knows it", "Ask somebody else.")
        return Secret(self.secrets[reference])


@dataclass
class Bench:
    """A prober, its pool and its upstream."""

    sim: SimUpstream
    pool: Pool
    prober: Prober
    clock: HandClock
    drawer: Drawer

    def asked(self) -> list[str | None]:
        return [seen.account for seen in self.sim.requests]

    def probing(self, name: str = "a"):
        return self.pool.states[name].probing

    def known(self, name: str = "a") -> dict[str, float | None]:
        windows = self.pool.states[name].quota.windows
        return {w.name: w.utilization for w in windows.values()}


@asynccontextmanager
async def bench(*people: SimAccount, **settings: Any) -> AsyncIterator[Bench]:
    people = people or (plan("a", used_5h=0.3, used_7d=0.6),)
    clock, client = HandClock(), HttpUpstream()
    sim = SimUpstream(people, SimSettings(**settings), clock)
    server = Server(sim.app, graceful_s=0.0)
    await server.start()
    names = [person.name for person in people]
    pool = Pool([account(n, probes=True) for n in names], None, clock.now())
    drawer = Drawer({f"env:{person.name}": person.secret for person in people})
    tasks = Tasks()
    prober = Prober(
        pool=pool,
        upstream=client,
        tokens=Tokens(drawer, {n: f"env:{n}" for n in names}),
        waiting=WaitingRoom(pool, clock, Limits(), tasks),
        clock=clock,
        destinations={n: Destination(base_url=server.url) for n in names},
        targets={n: UsageUrl(url=f"{server.url}/api/oauth/usage") for n in names},
        timeout_s=5.0,
    )
    try:
        yield Bench(sim, pool, prober, clock, drawer)
    finally:
        await client.aclose()
        await server.stop(0.0)
        await tasks.aclose(0.0)


async def test_a_never_seen_account_is_asked_and_its_windows_are_known():
    async with bench() as it:
        await it.prober.tick()
        assert it.known() == {"5h": 0.3, "7d": 0.6}
        assert it.probing().last_result == "ok"
        assert it.probing().next_at >= it.clock.now() + GAP_S
        assert it.pool.states["a"].organization
        (seen,) = it.sim.requests
        assert seen.header("anthropic-beta") == "oauth-2025-04-20"
        assert (seen.header("user-agent") or "").startswith("maxpool/")


async def test_a_probe_is_no_traffic_and_says_nothing_of_health():
    async with bench() as it:
        it.sim.inject(status(500), "a", when=lambda seen: True)
        await it.prober.tick()
        view = it.pool.view(it.clock.now()).accounts[0]
        assert (view.total.requests, view.failures, view.last_status) == (0, 0, None)
        assert view.state == "ready"
        assert it.probing().last_result == "500"


async def test_one_account_at_a_time_and_each_far_apart():
    async with bench(plan("a"), plan("b"), plan("c")) as it:
        for _ in range(12):
            await it.prober.tick()
            it.clock.advance(10.0)
        assert sorted(map(str, it.asked())) == ["a", "b", "c"]
        it.clock.advance(GAP_S * 1.2)
        await it.prober.tick()
        assert len(it.asked()) == 4


async def test_a_refusal_keeps_what_was_known_and_doubles_the_gap():
    async with bench(usage_gap_s=2000.0) as it:
        await it.prober.tick()
        it.clock.advance(GAP_S * 1.2)
        await it.prober.tick()
        told = it.probing()
        assert (told.last_result, it.known()) == ("429", {"5h": 0.3, "7d": 0.6})
        assert told.paused_until >= it.clock.now() + 1200
        it.clock.advance(1199.0)
        await it.prober.tick()
        assert len(it.asked()) == 2


async def test_a_refused_login_is_renewed_once_and_asked_again():
    async with bench() as it:
        good = it.drawer.secrets["env:a"]
        it.drawer.secrets["env:a"] = "sk-ant-oat01-an-older-one-0123456789"
        destination = it.prober.destinations["a"]
        await it.prober.tokens.bearer("a", destination)
        it.drawer.secrets["env:a"] = good
        await it.prober.tick()
        assert it.known() == {"5h": 0.3, "7d": 0.6}
        assert (len(it.sim.requests), it.probing().refusals) == (2, 0)


async def test_a_login_that_stays_refused_is_asked_three_times_in_all():
    async with bench() as it:
        it.drawer.secrets["env:a"] = "sk-ant-oat01-nobodys-0123456789"
        for _ in range(8):
            await it.prober.tick()
            it.clock.advance(3 * 3600.0)
        assert (len(it.sim.requests), it.probing().barred) == (3, "401")
        it.pool.credential("a", CredentialChange("logged_in"), it.clock.now())
        await it.prober.tick()
        assert len(it.sim.requests) == 4


@pytest.mark.parametrize(
    ("scopes", "asks"),
    [(("user:inference",), 0), (("user:inference", "user:profile"), 1), ((), 1)],
)
async def test_a_login_without_the_profile_scope_is_never_sent(scopes, asks):
    async def told(_account_id: str):
        return scopes

    async with bench() as it:
        it.prober.scopes = told
        for _ in range(3):
            await it.prober.tick()
            it.clock.advance(60.0)
        assert len(it.sim.requests) == asks


async def test_a_setup_token_of_unknown_scope_is_found_out_and_left_alone():
    async with bench(plan("a", scopes=("user:inference",))) as it:
        for _ in range(8):
            await it.prober.tick()
            it.clock.advance(3 * 3600.0)
        assert (len(it.sim.requests), it.probing().barred) == (3, "403")


@pytest.mark.parametrize("fault", [status(503), redirect(), status(429)])
async def test_an_answer_of_another_kind_means_unknown(fault):
    async with bench() as it:
        it.sim.inject(fault, "a", when=lambda seen: True)
        await it.prober.tick()
        assert (it.known(), it.probing().failures) == ({}, 1)
        assert len(it.sim.requests) == 1


@asynccontextmanager
async def saying(body: bytes | None) -> AsyncIterator[str]:
    """The address of a server that says that with status 200; None: nothing, ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if body is not None:
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/usage"
    finally:
        server.close()


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"[]", b"{}", b'{"five_hour": 7}', b"[" * 100_000, b'"' + b"x" * 2**19 + b'"'],
)
async def test_a_report_that_is_none_means_unknown(body):
    async with bench() as it, saying(body) as url:
        it.prober.targets = {"a": UsageUrl(url=url)}
        await it.prober.tick()
        assert (it.known(), it.probing().last_result) == ({}, "junk")


async def test_an_upstream_that_says_nothing_is_given_up():
    async with bench() as it, saying(None) as url:
        it.prober.targets, it.prober.timeout_s = {"a": UsageUrl(url=url)}, 0.05
        await it.prober.tick()
        assert it.probing().last_result in ("network", "timeout")
        assert not it.prober.lane.locked()


async def test_an_upstream_that_is_gone_means_unknown():
    async with bench() as it:
        it.prober.targets = {"a": UsageUrl(url="http://127.0.0.1:1/usage")}
        await it.prober.tick()
        assert (it.probing().last_result, it.known()) == ("network", {})


async def test_a_locked_accounts_login_goes_nowhere():
    async with bench() as it:
        it.pool.credential("a", CredentialChange("dead", reason="moved"), it.clock.now())
        await it.prober.tick()
        assert (await it.prober.probe("a")).startswith("It was locked")
        assert len(it.sim.requests) == 0


async def test_a_person_may_ask_before_the_gap_is_over():
    async with bench() as it:
        await it.prober.tick()
        it.sim.set_used("a", used_5h=0.5)
        it.clock.advance(31.0)
        assert await it.prober.probe("a") == "5h 50 % used, 7d 60 % used."
        assert it.known()["5h"] == 0.5


async def test_a_person_is_told_of_the_upstreams_own_pause():
    async with bench(usage_gap_s=2000.0) as it:
        await it.prober.tick()
        it.clock.advance(31.0)
        assert "429" in await it.prober.probe("a")
        it.clock.advance(60.0)
        with pytest.raises(MaxpoolError, match="asked for a pause") as caught:
            await it.prober.probe("a")
        assert "32 min" in caught.value.hint
        assert len(it.sim.requests) == 2


async def test_nobody_asks_twice_within_the_lane():
    async with bench() as it:
        one, two = await asyncio.gather(
            it.prober.probe("a"), it.prober.probe("a"), return_exceptions=True
        )
        assert one == "5h 30 % used, 7d 60 % used."
        assert isinstance(two, MaxpoolError)
        assert len(it.sim.requests) == 1


@pytest.mark.parametrize("why", ["disabled", "nowhere", "unknown"])
async def test_what_cannot_be_asked_is_said(why):
    async with bench() as it:
        if why == "disabled":
            it.pool.states["a"].enabled = False
        elif why == "nowhere":
            it.prober.targets = {}
        with pytest.raises(MaxpoolError) as caught:
            await it.prober.probe("nobody" if why == "unknown" else "a")
        assert caught.value.hint
        assert len(it.sim.requests) == 0


async def test_a_question_that_nobody_waits_for_any_more_still_counts():
    async with bench() as it, saying(None) as url:
        it.prober.targets = {"a": UsageUrl(url=url)}
        asking = asyncio.create_task(it.prober.tick())
        while not it.prober.lane.locked():  # noqa: ASYNC110 - a lock has no event for its taking
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        assert it.probing().last_at == it.clock.now()
        assert not it.prober.lane.locked()


async def test_the_log_says_probe_and_never_the_token(caplog):
    caplog.set_level("DEBUG")
    async with bench() as it:
        await it.prober.tick()
    assert "probe of a: 5h 30 % used" in caplog.text
    assert "sk-ant" not in caplog.text
