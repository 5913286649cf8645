"""The feed of a built proxy follows that proxy's pool and config."""

from __future__ import annotations

import json

import pytest

from maxpool.errors import RequestError
from tests.rig import key, rig


async def test_the_picture_is_the_status_document():
    async with rig(key("a")) as it:
        listener = it.proxy.feed.join("1")
        told = json.loads(listener.pending[0].split(b"data: ")[1])
        status = await it.status()
        assert [a["id"] for a in told["accounts"]] == [a["id"] for a in status["accounts"]]
        assert told["summary"]["summary"]["verdict"] == status["summary"]["verdict"]


async def test_a_new_config_changes_how_many_may_listen():
    async with rig(key("a")) as it:
        feed, config = it.proxy.feed, it.proxy.roster.config
        feed.join("1")
        server = config.server.model_copy(update={"max_listeners": 1})
        it.proxy.apply(config.model_copy(update={"server": server}))
        with pytest.raises(RequestError):
            feed.join("2")
