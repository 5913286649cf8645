import asyncio

import pytest

from maxpool.sim import faults
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.upstream import SimUpstream
from tests.sim.conftest import KEY, body, login


def test_a_fault_for_nobody_is_a_mistake() -> None:
    sim = SimUpstream([SimAccount("amber", "s", "pro")])
    with pytest.raises(KeyError):
        sim.inject(faults.overloaded(), account="ember")
    with pytest.raises(KeyError):
        sim.truth("ember")


def test_the_same_seed_hides_the_same_truth(clock) -> None:
    def capacity(seed: int) -> float:
        return SimUpstream([SimAccount("a", "s", "pro")], None, clock, seed).truth("a").capacity_7d

    assert capacity(1) == capacity(1) != capacity(2)


def test_what_others_spend_shows_in_the_truth(clock) -> None:
    sim = SimUpstream([SimAccount("a", "s", "pro", used_7d=0.2)], clock=clock)
    sim.set_used("a", used_5h=0.5)
    truth = sim.truth("a")
    assert (truth.utilization_5h, truth.utilization_7d) == pytest.approx((0.5, 0.2))
    assert truth.reset_5h_at == clock.now() + 18_000


async def test_a_fault_strikes_its_account_and_then_is_over(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(faults.overloaded(), account="amber")
        assert (await running.ask(KEY)).status_code == 200
        assert [(await running.ask()).status_code for _ in range(2)] == [529, 200]


async def test_cleared_faults_are_over(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(faults.status(500), times=None)
        assert (await running.ask()).status_code == 500
        running.sim.clear_faults()
        assert (await running.ask()).status_code == 200


async def test_a_condition_reads_the_request(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(
            faults.status(500), times=None, when=lambda r: r.model == "claude-opus-5-5"
        )
        assert (await running.ask()).status_code == 200
        assert (await running.ask(model="claude-opus-5-5")).status_code == 500


async def test_two_hundred_requests_at_once_are_all_answered_and_all_over(upstream) -> None:
    settings = SimSettings(capacity_5h_tokens=1e9, requests_per_minute=1e6)
    async with upstream(settings) as running:
        asked = [
            running.client.post("/v1/messages", headers=login(KEY), json=body(stream=n % 2 == 0))
            for n in range(200)
        ]
        answers = await asyncio.gather(*asked)
        assert {a.status_code for a in answers} == {200}
        truth = running.sim.truth("cobalt")
        assert (truth.served, truth.in_flight) == (200, 0)
        assert len(running.sim.requests) == 200
