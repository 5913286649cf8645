"""One differ for all who listen: whole picture first, then what changed, nothing while nobody is there."""

from __future__ import annotations

import asyncio
import json

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.errors import RequestError
from maxpool.service.feed import BEAT, MAX_PENDING, Feed, FeedLimits, Picture
from maxpool.service.tasks import Tasks


class Paced(SystemClock):
    """A clock whose pauses end when the test says so."""

    def __init__(self):
        self.rings = asyncio.Semaphore(0)

    async def sleep(self, _seconds):
        await self.rings.acquire()


class World:
    """A picture that a test changes, and the feed that looks at it."""

    def __init__(self, listeners=10, per_address=5):
        self.parts = {("summary", ""): {"free": 1}, ("account", "a"): {"id": "a", "used": 0.1}}
        self.clock, self.tasks = Paced(), Tasks()
        limits = FeedLimits(listeners=listeners, per_address=per_address)
        self.feed = Feed(self.look, lambda: {"now": 7}, lambda: limits, self.clock, self.tasks)

    def look(self):
        return Picture(head={"version": "1"}, parts=dict(self.parts))

    async def later(self, listener):
        """Let a second pass; what the listener was told."""
        looks = self.feed.looks
        self.clock.rings.release()
        async with asyncio.timeout(5):
            while self.feed.looks == looks:  # noqa: ASYNC110 - a look is no event
                await asyncio.sleep(0)
        return told(listener)


def told(listener):
    raw = b"".join(listener.pending).decode()
    listener.pending.clear()
    blocks = [block.split("\n") for block in raw.split("\n\n") if block]
    return [(b[0].removeprefix("event: "), json.loads(b[1].removeprefix("data: "))) for b in blocks]


@pytest.fixture
async def world():
    found = World()
    yield found
    found.feed.close()
    await found.tasks.aclose(0.1)


async def test_who_joins_hears_the_whole_picture_first(world):
    listener = world.feed.join("1", b'{"admin":true}')
    (event,) = told(listener)
    assert event == (
        "hello",
        {
            "version": "1",
            "now": 7,
            "you": {"admin": True},
            "summary": {"free": 1},
            "accounts": [{"id": "a", "used": 0.1}],
            "requests": [],
        },
    )


async def test_only_what_changed_is_told(world):
    listener = world.feed.join("1")
    told(listener)
    world.parts["account", "b"] = {"id": "b"}
    assert await world.later(listener) == [("account", {"id": "b"})]
    assert await world.later(listener) == []


async def test_what_is_gone_is_told_as_removed(world):
    listener = world.feed.join("1")
    told(listener)
    del world.parts["account", "a"]
    assert await world.later(listener) == [("account", {"id": "a", "removed": True})]


async def test_all_listeners_share_the_same_bytes(world):
    one, two = world.feed.join("1"), world.feed.join("2")
    told(one), told(two)
    world.parts["summary", ""] = {"free": 0}
    world.clock.rings.release()
    await asyncio.wait_for(one.woken.wait(), 5)
    assert one.pending[-1] is two.pending[-1]


async def test_nothing_is_looked_at_while_nobody_listens(world):
    assert world.feed.looks == 0
    world.feed.leave(world.feed.join("1"))
    looks = world.feed.looks
    for _ in range(3):
        world.clock.rings.release()
        await asyncio.sleep(0)
    assert world.feed.looks == looks
    assert len(world.tasks) == 0


async def test_a_reconnect_gets_the_picture_as_it_is_now(world):
    world.feed.leave(world.feed.join("1"))
    world.parts["summary", ""] = {"free": 0}
    assert told(world.feed.join("1"))[0][1]["summary"] == {"free": 0}


async def test_too_many_listeners_are_refused_in_all_and_by_address():
    world = World(listeners=3, per_address=2)
    world.feed.join("1"), world.feed.join("1")
    with pytest.raises(RequestError, match="2 of 2 listeners of this address") as refused:
        world.feed.join("1")
    assert refused.value.status == 429
    world.feed.join("2")
    with pytest.raises(RequestError, match="3 of 3 in all"):
        world.feed.join("3")
    world.feed.close()
    await world.tasks.aclose(0.1)


async def test_one_who_reads_too_slowly_gets_the_picture_anew(world):
    listener = world.feed.join("1")
    for i in range(MAX_PENDING + 5):
        world.feed.tell("event", {"n": i})
    assert len(listener.pending) <= MAX_PENDING
    assert told(listener)[0][0] == "hello"


async def test_silence_is_broken_by_a_comment(world, monkeypatch):
    monkeypatch.setattr("maxpool.service.feed.HEARTBEAT_S", 0.01)
    listener = world.feed.join("1")
    messages = listener.messages()
    assert (await anext(messages)).startswith(b"event: hello\n")
    assert await anext(messages) == BEAT
    await messages.aclose()


async def test_a_server_that_stops_sends_everybody_away_and_lets_nobody_in(world):
    listener = world.feed.join("1")
    world.feed.close()
    assert [m async for m in listener.messages()] == []
    with pytest.raises(RequestError, match="stops"):
        world.feed.join("1")


async def test_leaving_twice_is_no_error(world):
    listener = world.feed.join("1")
    world.feed.leave(listener)
    world.feed.leave(listener)
    assert world.feed.listeners == []
