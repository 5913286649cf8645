"""Time for decisions: even, at the wall clock, and never a step that nobody was told of."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from maxpool import Forbidden, Pool
from maxpool.service.clockwatch import ClockWatch, SteadyClock
from tests.make import DAY, HOUR, NOW, account, lease, reason_of


@dataclass
class TwoHands:
    """A wall clock and a clock that nobody can set, both moved by hand."""

    wall: float = NOW
    passed: float = 50.0

    def now(self) -> float:
        return self.wall

    def elapsed(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def go(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds


@pytest.fixture
def hands() -> TwoHands:
    return TwoHands()


@pytest.fixture
def watch(hands) -> ClockWatch:
    return ClockWatch(SteadyClock(hands))


def test_between_two_looks_time_runs_on_whatever_is_done_to_the_wall_clock(hands, watch):  # O7
    hands.go(1.0)
    hands.wall -= HOUR
    assert watch.clock.now() == NOW + 1
    hands.go(0.5)
    assert watch.clock.now() == NOW + 1.5


@pytest.mark.parametrize("by_s", [HOUR, -HOUR, 5.5, -400 * DAY])
def test_a_step_is_taken_over_and_told_with_its_size(hands, watch, by_s, caplog):  # O7
    heard = []
    watch.on_step.append(lambda size, now: heard.append((round(size, 3), now)))
    hands.go(1.0)
    hands.wall += by_s
    watch.look()
    watch.look()
    assert heard == [(by_s, NOW + 1 + by_s)]
    assert watch.clock.now() == hands.wall
    assert watch.report()["steps"] == 1
    assert "the clock was set" in caplog.text


def test_a_small_difference_is_followed_slowly_and_time_never_goes_backwards(hands, watch):
    hands.wall -= 4.0
    heard, times = [], [watch.clock.now()]
    watch.on_step.append(lambda size, now: heard.append(size))
    for _ in range(60):
        hands.go(1.0)
        watch.look()
        times.append(watch.clock.now())
    assert times == sorted(times)
    assert times[-1] == pytest.approx(hands.wall)
    assert heard == []


def test_a_night_of_sleep_is_no_step_and_wakes_whoever_waits(hands, watch):  # O7
    heard, woken = [], []
    watch.on_step.append(lambda size, now: heard.append(size))
    watch.on_waking.append(lambda: woken.append(1))
    hands.go(1.0)
    watch.look()
    hands.go(8 * HOUR)
    watch.look()
    assert (heard, woken, watch.notices()) == ([], [1], ())
    assert watch.clock.now() == hands.wall


def test_a_daylight_saving_change_is_nothing_at_all(hands, watch):  # O7
    for _ in range(10):  # epoch seconds know no zones
        hands.go(900.0)
        watch.look()
    assert watch.count == 0


@pytest.mark.parametrize("by_s", [HOUR, -HOUR])
def test_no_decision_sees_a_step_before_the_pool_knows_of_it(hands, watch, by_s):  # O7
    pool = Pool([account("a")], None, watch.clock.now())
    watch.on_step.append(pool.clock_stepped)
    pool.release(lease(pool, watch.clock.now()), Forbidden(), watch.clock.now())
    hands.go(100.0)
    hands.wall += by_s
    assert reason_of(pool, "a", watch.clock.now()) == "forbidden"
    watch.look()
    assert reason_of(pool, "a", watch.clock.now()) == "forbidden"
    hands.go(199.0)
    assert reason_of(pool, "a", watch.clock.now()) == "forbidden"
    hands.go(2.0)
    assert reason_of(pool, "a", watch.clock.now()) is None


def test_people_are_told_for_a_day(hands, watch):
    hands.wall -= HOUR + 150
    watch.look()
    (told,) = watch.notices()
    assert told.startswith("The clock was set back by 1 h 2 min while maxpool ran")
    hands.go(DAY + 1)
    assert watch.notices() == ()


async def test_it_looks_again_and_again_until_cancelled(hands, watch):
    running = asyncio.create_task(watch.run())
    hands.wall += HOUR
    while not watch.count:  # noqa: ASYNC110 - the loop itself is what is watched
        await asyncio.sleep(0)
    running.cancel()
    assert watch.clock.now() == hands.wall
