"""`/events` over a real connection: the picture, then news; bounded, guarded, gone with its caller."""

from __future__ import annotations

import asyncio
import json

from maxpool.wire.sse import Scanner
from tests.rig import ADMIN_KEY, key, rig, until


class Stream:
    """A caller of the feed."""

    def __init__(self, reply):
        self.reply, self.scanner, self.events = reply, Scanner(), []
        self.chunks = aiter(reply.stream)

    async def next(self, name):
        """The data of the next event of that name."""
        async with asyncio.timeout(15):
            while True:
                while self.events:
                    event = self.events.pop(0)
                    if event.name == name:
                        return json.loads(event.data)
                self.events += self.scanner.feed(await anext(self.chunks))


async def follow(it, **headers):
    reply = await it.open("GET", "/events", headers, b"")
    assert reply.status == 200, reply
    return Stream(reply)


async def test_a_request_shows_within_a_second():
    async with rig(key("a")) as it:
        stream = await follow(it)
        hello = await stream.next("hello")
        assert [a["name"] for a in hello["accounts"]] == ["a"]
        assert hello["you"] == {"admin": False, "csrf": None, "can_sign_in": True}
        await it.post()
        began = asyncio.get_running_loop().time()
        assert (await stream.next("request"))["status"] == 200
        assert asyncio.get_running_loop().time() - began < 3.0, "one second, on a busy machine"
        await stream.reply.stream.aclose()


async def test_who_leaves_is_forgotten():
    async with rig(key("a")) as it:
        stream = await follow(it)
        await stream.next("hello")
        assert len(it.proxy.feed.listeners) == 1
        await stream.reply.stream.aclose()
        await until(lambda: not it.proxy.feed.listeners)


async def test_a_sixth_of_one_address_is_told_so():
    async with rig(key("a"), server={"max_listeners_per_address": 2}) as it:
        streams = [await follow(it) for _ in range(2)]
        got = await it.get("/events")
        assert got.error == (429, "rate_limit_error")
        for stream in streams:
            await stream.reply.stream.aclose()


async def test_a_server_that_stops_waits_for_no_listener():
    async with rig(key("a")) as it:
        stream = await follow(it)
        await stream.next("hello")
        it.proxy.feed.close()
        async with asyncio.timeout(5):
            await it.server.stop(30.0)
        assert [c async for c in stream.chunks] == []


async def test_a_browser_that_signed_in_is_told_its_word():
    async with rig(key("a")) as it:
        got = await it.admin("POST", "/login")
        cookie = got.fields["set-cookie"].partition(";")[0]
        stream = await follow(it, cookie=cookie)
        assert (await stream.next("hello"))["you"]["csrf"] == got.json["csrf"]
        await stream.reply.stream.aclose()


async def test_no_secret_is_ever_on_it():
    async with rig(key("a")) as it:
        await it.post()
        stream = await follow(it, **{"x-maxpool-admin-key": ADMIN_KEY})
        text = json.dumps(await stream.next("hello"))
        assert "secret-of" not in text
        assert ADMIN_KEY not in text
        await stream.reply.stream.aclose()
