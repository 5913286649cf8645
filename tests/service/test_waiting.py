from __future__ import annotations

import asyncio

import pytest

from maxpool import Lease, NetworkFailure, Refusal, Success
from maxpool.adapters.clock import SystemClock
from maxpool.core.eligibility import Reason
from maxpool.core.pool import Pool
from maxpool.core.settings import PoolSettings
from maxpool.service.clockwatch import SteadyClock
from maxpool.service.limits import Limits
from maxpool.service.tasks import Tasks
from maxpool.service.waiting import WaitingRoom
from tests.make import account, ask

NOBODY: frozenset[str] = frozenset()


class Room:
    """A waiting room over a pool with one slot."""

    def __init__(self, *, queue_bytes: int = 1000, **settings) -> None:
        self.clock = SystemClock()
        chosen = PoolSettings(slots_per_account=1, **settings)
        self.pool = Pool([account("a")], chosen, self.clock.now())
        limits = Limits(queue_bytes=queue_bytes)
        self.waiting = WaitingRoom(self.pool, self.clock, limits, Tasks())

    async def take(self, size: int = 10, **given) -> Lease | Refusal:
        return await self.waiting.acquire(ask(**given), NOBODY, size)

    def join(self, **given) -> asyncio.Future[Lease | Refusal]:
        return asyncio.ensure_future(self.take(**given))

    def give_back(self, lease) -> None:
        self.pool.release(lease, Success(), self.clock.now())
        self.waiting.wake()

    def empty(self) -> bool:
        left = self.waiting
        return not (left.parked or left.bytes or len(self.pool.queue))


async def test_waiters_are_served_in_their_order_by_the_event_that_frees_a_slot():
    room = Room()
    held = await room.take()
    first, second = room.join(), room.join()
    await asyncio.sleep(0)
    room.give_back(held)
    lease = await first
    assert isinstance(lease, Lease)
    assert not second.done()
    room.give_back(lease)
    assert isinstance(await second, Lease)
    assert room.empty()


async def test_a_step_of_the_clock_is_no_time_that_somebody_waited():  # O7
    room = Room()
    room.waiting.clock = steady = SteadyClock(room.clock)
    held = await room.take()
    waiter = room.join()
    await asyncio.sleep(0)
    steady.follow(3600.0)
    room.pool.clock_stepped(3600.0, steady.now())
    room.give_back(held)
    await waiter
    assert room.waiting.held_s < 60.0


class Walking(SystemClock):
    """Time passes between any two looks at it; a sleep is as long as asked."""

    def __init__(self, step_s: float) -> None:
        super().__init__()
        self.step_s, self.walked_s = step_s, 0.0

    def now(self) -> float:
        self.walked_s += self.step_s
        return super().now() + self.walked_s


@pytest.mark.parametrize("looks", range(1, 9))
async def test_what_ends_between_two_looks_at_the_clock_wakes_whoever_waits_for_it(looks):
    room = Room(network_s=0.1 * looks - 0.05)
    room.waiting.clock = clock = Walking(0.1)
    now = clock.now()
    lease = room.pool.acquire(ask(), now)
    assert isinstance(lease, Lease)
    room.pool.release(lease, NetworkFailure("reset", sent=True), now)
    async with asyncio.timeout(20):
        first, second = room.join(max_wait_s=600.0), room.join(max_wait_s=600.0)
        room.give_back(await first)
        assert isinstance(await second, Lease)


@pytest.mark.parametrize("events", range(1, 5))
@pytest.mark.parametrize("ends_after_s", [1.05, 1.15, 1.25])
async def test_what_ends_while_an_event_is_told_wakes_whoever_waits_for_it(events, ends_after_s):
    room = Room(network_s=ends_after_s)
    room.waiting.clock = clock = Walking(0.1)
    now = clock.now()
    lease = room.pool.acquire(ask(), now)
    assert isinstance(lease, Lease)
    room.pool.release(lease, NetworkFailure("reset", sent=True), now)
    async with asyncio.timeout(20):
        waiter = room.join(max_wait_s=600.0)
        await asyncio.sleep(0)
        for _ in range(events):
            room.waiting.wake()
        assert isinstance(await waiter, Lease)


async def test_a_waiter_that_leaves_frees_its_place():
    room = Room()
    await room.take()
    waiter = room.join()
    await asyncio.sleep(0)
    assert room.waiting.bytes == 10
    waiter.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert room.empty()


async def test_a_lease_handed_to_a_waiter_that_leaves_at_that_moment_goes_to_the_next():
    room = Room()
    held = await room.take()
    first, second = room.join(), room.join()
    await asyncio.sleep(0)
    room.give_back(held)  # the lease is the first one's, who has not run yet
    first.cancel()
    lease = await asyncio.wait_for(second, 30)
    assert isinstance(lease, Lease)
    assert first.cancelled()
    assert len(room.pool.running) == 1
    room.give_back(lease)
    assert not room.pool.running
    assert room.empty()


async def test_who_waits_too_long_is_refused_at_its_time():
    room = Room()
    await room.take()
    found = await asyncio.wait_for(room.take(max_wait_s=0.05), 30)
    assert isinstance(found, Refusal)
    assert room.empty()


async def test_bodies_beyond_the_bound_do_not_wait():
    room = Room(queue_bytes=25)
    await room.take()
    waiters = [room.join() for _ in range(2)]
    await asyncio.sleep(0)
    found = await room.take()
    assert isinstance(found, Refusal)
    assert found.reason is Reason.QUEUE_FULL
    assert len(room.pool.queue) == 2
    for waiter in waiters:
        waiter.cancel()


async def test_closing_answers_every_waiter_and_takes_no_more():
    room = Room()
    await room.take()
    waiter = room.join()
    await asyncio.sleep(0)
    room.waiting.close()
    for found in (await waiter, await room.take()):
        assert isinstance(found, Refusal)
        assert found.reason is Reason.PAUSED
    assert room.empty()


async def test_a_cooldown_that_ends_wakes_without_polling():
    room = Room(key_price_after_s=0.05)
    room.pool.states["a"].cool(Reason.NETWORK, room.clock.now() + 0.1)
    room.pool.index.renew("a", room.clock.now())
    found = await asyncio.wait_for(room.take(), 30)
    assert isinstance(found, Lease)


@pytest.mark.parametrize("size", [0, 10**9])
async def test_a_free_account_never_asks_for_a_bodys_size(size):
    assert isinstance(await Room(queue_bytes=1).take(size), Lease)


async def test_a_short_patience_ends_in_time_behind_a_long_one_of_the_same_class():
    room = Room()
    held = await room.take()
    long, short = room.join(max_wait_s=900.0), room.join(max_wait_s=0.3)
    async with asyncio.timeout(30):
        refused = await short
    assert isinstance(refused, Refusal)
    assert not long.done()
    room.give_back(held)
    assert isinstance(await long, Lease)


async def test_who_stands_behind_a_waiter_that_leaves_is_served_at_once():
    room = Room()
    held = await room.take()
    first, second = room.join(), room.join()
    await asyncio.sleep(0)
    first.cancel()
    assert isinstance(held, Lease)
    room.pool.release(held, Success(), room.clock.now())
    async with asyncio.timeout(30):
        assert isinstance(await second, Lease)


async def test_a_client_key_takes_at_most_half_of_the_bytes_where_there_are_several():  # Q4
    room = Room(queue_bytes=40, client_keys=2)
    await room.take()
    waiters = [room.join(client_key="a") for _ in range(2)]
    await asyncio.sleep(0)
    found = await room.take(client_key="a")
    assert isinstance(found, Refusal)
    assert found.reason is Reason.QUEUE_FULL
    waiters.append(room.join(client_key="b"))
    await asyncio.sleep(0)
    assert room.waiting.bytes_of == {"a": 20, "b": 10}
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert room.empty()
    assert not room.waiting.bytes_of


async def test_who_loses_its_place_to_a_more_urgent_request_hears_it_at_once():  # Q4
    room = Room(queue_limit=1)
    held = await room.take()
    late = room.join(priority=5)
    await asyncio.sleep(0)
    urgent = room.join()
    found = await asyncio.wait_for(late, 1)
    assert isinstance(found, Refusal)
    assert found.reason is Reason.QUEUE_FULL
    assert room.waiting.bytes == 10
    room.give_back(held)
    assert isinstance(await urgent, Lease)
    assert room.empty()


async def test_who_takes_a_place_takes_its_bytes_too():  # Q4
    room = Room(queue_limit=1, queue_bytes=15)
    held = await room.take()
    late = room.join(priority=5)
    await asyncio.sleep(0)
    urgent = room.join()
    assert isinstance(await asyncio.wait_for(late, 1), Refusal)
    assert not urgent.done()
    room.give_back(held)
    assert isinstance(await urgent, Lease)
    assert room.empty()


async def test_without_keys_one_person_has_the_whole_queue():  # Q4
    room = Room(queue_bytes=40)
    await room.take()
    waiters = [room.join() for _ in range(4)]
    await asyncio.sleep(0)
    assert room.waiting.bytes == 40
    for waiter in waiters:
        waiter.cancel()


async def test_a_retry_takes_the_place_of_its_dead_predecessor_at_once():  # Q6
    room = Room(queue_limit=1, queue_bytes=10)
    await room.take(session="s")
    first = room.join(session="s")
    await asyncio.sleep(0)
    first.cancel()
    again = room.join(session="s")  # asks before the first one's own way out has run
    await asyncio.sleep(0)
    assert not again.done()
    assert len(room.pool.queue) == 1
    again.cancel()


async def test_a_retry_does_not_evict_a_living_request_of_its_session():  # Q6
    room = Room(queue_limit=1)
    await room.take(session="s")
    living = room.join(session="s")
    await asyncio.sleep(0)
    found = await room.take(session="s")
    assert isinstance(found, Refusal)
    assert not living.done()
    living.cancel()
