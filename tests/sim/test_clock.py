import asyncio

from maxpool.sim.clock import HandClock, WallClock


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock, woken = HandClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(s)) for s in (5.0, 1.0, 3.0)]
    await asyncio.sleep(0)
    clock.advance(3.5)
    await asyncio.sleep(0)
    assert woken == [1.0, 3.0]
    assert clock.sleeping == 1
    clock.advance(10)
    await asyncio.gather(*tasks)


async def test_a_hand_moved_clock_never_moves_by_itself() -> None:
    clock = HandClock(time=100.0)
    await clock.sleep(0)
    assert clock.now() == 100.0


async def test_the_wall_clock_really_waits() -> None:
    clock = WallClock()
    before = clock.now()
    await clock.sleep(0.02)
    assert clock.now() - before >= 0.015
