import pytest

from maxpool.core.lease import TokenUsage
from maxpool.core.settings import PoolSettings
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.quota import HiddenQuota, Tariff

NOW = 1_700_000_000.0
SONNET = "claude-sonnet-5-5"


def quota(settings: SimSettings | None = None, **account) -> HiddenQuota:
    person = SimAccount("amber", "s", "pro", capacity_tokens=1000.0, phase_7d_s=0.0, **account)
    return HiddenQuota.of(person, settings or SimSettings(), NOW, seed=0)


def test_the_short_window_opens_with_the_first_request_after_the_last_one_ended() -> None:
    q = quota()
    assert q.windows(NOW)[0].reset_at is None
    q.charge(NOW + 50, SONNET, 10)
    assert q.windows(NOW + 60)[0].reset_at == NOW + 50 + 18_000
    later = NOW + 50 + 18_000
    assert q.windows(later)[0].utilization == 0
    assert q.windows(later)[0].reset_at is None
    q.charge(later + 7, SONNET, 10)
    assert q.windows(later + 8)[0].reset_at == later + 7 + 18_000


def test_one_request_may_overshoot_and_the_next_meets_the_wall() -> None:
    q = quota()
    q.charge(NOW, SONNET, 999)
    assert q.wall(NOW, SONNET) is None
    q.charge(NOW, SONNET, 500)
    wall = q.wall(NOW, SONNET)
    assert wall is not None
    assert wall.name == "5h"
    assert wall.utilization == pytest.approx(1.499)


def test_the_week_keeps_its_phase_however_it_is_used() -> None:
    q = quota(used_7d=0.5)
    reset_at = q.windows(NOW)[1].reset_at
    assert reset_at is not None
    assert reset_at % 604_800 == 0
    assert q.windows(reset_at - 1)[1].utilization == pytest.approx(0.5)
    assert q.windows(reset_at)[1].utilization == 0
    assert q.windows(reset_at)[1].reset_at == reset_at + 604_800


def test_the_wall_that_ends_last_counts() -> None:
    q = quota(used_5h=1.0, used_7d=1.0)
    wall = q.wall(NOW, SONNET)
    assert wall is not None
    assert wall.claim == "seven_day"


def test_a_family_bucket_stops_its_family_alone() -> None:
    settings = SimSettings(family_window="fable", family_window_share=0.01)
    q = quota(settings)
    q.charge(NOW, "claude-fable-5-1", 200)
    wall = q.wall(NOW, "claude-fable-5-1")
    assert wall is not None
    assert wall.name == "7d_oi"
    assert q.wall(NOW, SONNET) is None
    assert [w.name for w in q.windows(NOW, SONNET)] == ["5h", "7d"]


def test_capacities_follow_the_plan_and_repeat_with_the_seed() -> None:
    def drawn(plan, seed) -> float:
        return HiddenQuota.of(SimAccount("a", "s", plan), SimSettings(), NOW, seed).capacity_5h

    assert drawn("max_20x", 1) == drawn("max_20x", 1) != drawn("max_20x", 2)
    assert drawn("max_20x", 1) == pytest.approx(20 * drawn("pro", 1))


def test_an_answer_is_charged_by_the_scheduling_models_formula() -> None:
    tariff = Tariff(PoolSettings())
    short = TokenUsage(100, 10, cache_read=1000, cache_write_5m=200)
    assert tariff.weight(SONNET, short) == pytest.approx(0.1 * 1000 + 1.25 * 300 + 5 * 10)
    long = TokenUsage(0, 10, cache_write_1h=200)
    assert tariff.weight("claude-opus-5-5", long) == pytest.approx(5 / 3 * (2 * 200 + 50))
