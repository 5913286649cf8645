"""`/events` over a real connection: the picture, then news; bounded, guarded, gone with its caller."""

from __future__ import annotations

import asyncio
import json

import pytest

from maxpool.adapters.ledger_engine import sqlite_url
from maxpool.core.records import ReadingRecord
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


@pytest.mark.parametrize(
    "shown",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
)
async def test_a_page_of_another_site_hears_nothing(shown):  # X1
    async with rig(key("a")) as it:
        assert (await it.get("/events", shown)).status == 403
        assert not it.proxy.feed.looks


async def test_where_keys_are_required_nobody_hears_anything_without():  # X2
    keys = [{"name": "laptop", "key": "env:a"}]
    async with rig(key("a"), server={"require_key": True}, client_keys=keys) as it:
        for shown in ({}, {"x-api-key": "wrong"}, {"x-maxpool-admin-key": ADMIN_KEY}):
            assert (await it.get("/events", shown)).status == 401


async def test_the_past_of_the_windows_is_read_like_the_status(tmp_path):
    async with rig(key("a"), ledger_url=sqlite_url(tmp_path / "ledger.db")) as it:
        told = ReadingRecord("a-1", "7d", it.proxy.clock.now(), 0.25, None, "headers")
        assert it.proxy.books.ledger is not None
        it.proxy.books.ledger.record(told)
        async with asyncio.timeout(15):
            while not (await it.get("/status/readings?window=7d")).json["readings"]:  # noqa: ASYNC110 - a thread writes
                await asyncio.sleep(0.02)
        (row,) = (await it.get("/status/readings?window=7d")).json["readings"]
        assert (row["account"], row["utilization"]) == ("a-1", 0.25)


async def test_what_happened_is_told_at_once_and_again_to_who_comes_later():
    async with rig(key("a")) as it:
        stream = await follow(it)
        await stream.next("hello")
        it.proxy.books.events.tell("login_dead", "a-1", "a", reason="over")
        told = await stream.next("event")
        assert (told["kind"], told["name"], told["detail"]) == (
            "login_dead",
            "a",
            {"reason": "over"},
        )
        later = await (await follow(it)).next("hello")
        assert later["happened"][0] == told
        await stream.reply.stream.aclose()
