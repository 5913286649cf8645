from __future__ import annotations

import asyncio
import queue
from contextlib import contextmanager
from pathlib import Path

import pytest

from maxpool.cli import top_feed
from maxpool.cli.status import Source
from maxpool.cli.top_feed import Feed, events
from tests.cli.stub import account, picture, serving
from tests.rig import rig

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(top_feed, "AGAIN_S", 0.01)


@contextmanager
def followed(find):
    """What a feed tells, as it comes."""
    told: queue.Queue[tuple[str, object]] = queue.Queue()
    feed = Feed(find, lambda name, data: told.put((name, data)))
    feed.start()
    try:
        yield told
    finally:
        feed.close()


def until(told, name):
    while True:
        kind, data = told.get(timeout=PATIENCE_S)
        if kind == name:
            return data


def test_events_are_read_over_line_ends_comments_and_several_data_lines():
    lines = b': hello\nevent: a\ndata: {"x":\r\ndata: 1}\n\n:\n\nevent:b\ndata:2\n\nevent: c\n\n'
    assert list(events(lines.splitlines(keepends=True))) == [("a", {"x": 1}), ("b", 2)]


async def test_a_request_is_told_live():
    async with rig() as it:
        with followed(lambda: Source(url=it.url)) as told:
            hello = await asyncio.to_thread(until, told, "hello")
            assert [a["name"] for a in hello["accounts"]] == ["a", "b", "c"]
            await it.post()
            request = await asyncio.to_thread(until, told, "request")
            assert request["model"] == "claude-sonnet-5-5"


def test_a_server_without_the_feed_is_looked_at_again_and_again():
    with serving(picture(account("a")), status=200) as stub:
        stub.body = b"not found"

        class Old(Source):
            def look(self):
                return picture(account("a"))

        stub.status = 404
        with followed(lambda: Old(url=stub.url)) as told:
            assert until(told, "status")["accounts"][0]["name"] == "a"
            assert until(told, "status")


def test_no_server_is_said_and_the_next_one_is_found():
    urls = ["http://127.0.0.1:1"]
    with (
        serving(b'event: hello\ndata: {"now": 1}\n\n') as stub,
        followed(lambda: Source(url=urls[0], certificate=Path("none"))) as told,
    ):
        assert "lost" in until(told, "gone")
        urls[0] = stub.url
        assert until(told, "hello") == {"now": 1}
