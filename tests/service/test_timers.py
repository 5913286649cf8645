from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from maxpool.service.tasks import Tasks
from maxpool.service.timers import Timers


@pytest.fixture
async def tasks():
    one = Tasks()
    yield one
    await one.aclose(0)


async def rung(timers, name, count) -> None:
    async with asyncio.timeout(30):
        while timers.counts[name] < count:  # noqa: ASYNC110 - counters have no event
            await asyncio.sleep(0.005)


async def test_a_timer_rings_again_and_again_until_closed(tasks):
    timers, rings = Timers(tasks), []

    async def work() -> None:
        rings.append(1)

    timers.every(0.01, "work", work)
    await timers.start()
    await rung(timers, "runs", 3)
    await timers.aclose()
    await timers.aclose()
    seen = len(rings)
    await asyncio.sleep(0.05)
    assert len(rings) == seen


async def test_work_that_raises_is_counted_and_rings_again(tasks, caplog):
    timers = Timers(tasks)

    async def work() -> None:
        raise ZeroDivisionError("text")

    timers.every(0.01, "work", work)
    await timers.start()
    await rung(timers, "errors", 2)
    await timers.aclose()
    assert "text" not in caplog.text
    assert "work failed: ZeroDivisionError" in caplog.text


async def test_work_never_overlaps_itself_and_the_skipped_rings_are_counted(tasks):
    timers, running, most = Timers(tasks), 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.06)
        running -= 1

    timers.every(0.01, "work", work)
    await timers.start()
    await rung(timers, "skipped", 2)
    await timers.aclose()
    assert most == 1


async def test_work_that_runs_survives_the_end_of_the_timers(tasks):
    timers = Timers(tasks)
    started, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        await may_end.wait()
        ended.set()

    timers.every(0.01, "work", work)
    await timers.start()
    await started.wait()
    await timers.aclose()
    assert not ended.is_set()
    may_end.set()
    await tasks.aclose(30)
    assert ended.is_set()


async def test_a_stall_of_the_loop_drops_no_ring(tasks):
    timers = Timers(tasks)

    async def work() -> None:
        pass

    timers.every(0.02, "work", work)
    await timers.start()
    time.sleep(1.2)  # noqa: ASYNC251 - the stall
    await rung(timers, "runs", 1)
    await timers.aclose()
    assert timers.counts["missed"] == 0


async def test_after_a_step_of_the_clock_every_timer_counts_from_now(tasks):  # O7
    timers, rings = Timers(tasks), []

    async def work() -> None:
        rings.append(1)

    timers.every(0.01, "work", work)
    await timers.start()
    stuck = datetime.now(UTC) + timedelta(hours=1)  # where a clock set back by an hour leaves it
    timers._scheduler.modify_job("work", next_run_time=stuck)
    before = timers.counts["runs"]
    timers.realign()
    await rung(timers, "runs", before + 2)
    await timers.aclose()
    assert rings


async def test_a_paused_timer_rings_no_more_until_it_is_resumed(tasks):
    timers, rings = Timers(tasks), []

    async def work() -> None:
        rings.append(1)

    timers.every(0.01, "work", work)
    await timers.start()
    await rung(timers, "runs", 1)
    timers.pause()
    await asyncio.sleep(0.02)  # one that was on its way
    seen = len(rings)
    await asyncio.sleep(0.05)
    assert len(rings) == seen
    timers.resume()
    await rung(timers, "runs", seen + 2)
    await timers.aclose()
