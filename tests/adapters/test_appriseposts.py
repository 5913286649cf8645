from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from maxpool.adapters.appriseposts import post_by_apprise
from maxpool.adapters.server import Server
from maxpool.errors import MaxpoolError
from tests.service.test_delivery import Receiver

HERE = importlib.util.find_spec("apprise") is not None


async def test_without_apprise_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)  # as if it were not installed
    with pytest.raises(MaxpoolError, match="not installed") as error:
        await post_by_apprise("json://127.0.0.1:1/", "title", "text")
    assert "maxpool[apprise]" in error.value.hint


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own imports
@pytest.mark.skipif(not HERE, reason="apprise is not installed")
async def test_apprise_brings_title_and_text():
    receiver = Receiver()
    server = Server(receiver.app, graceful_s=0.0)
    await server.start()
    try:
        assert await post_by_apprise(f"json://127.0.0.1:{server.port}/x", "a title", "a text")
    finally:
        await server.stop(0.0)
    told = json.dumps(receiver.got[0][2])
    assert "a title" in told
    assert "a text" in told


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own imports
@pytest.mark.skipif(not HERE, reason="apprise is not installed")
async def test_a_url_that_apprise_does_not_know_is_said():
    with pytest.raises(MaxpoolError, match="does not know"):
        await post_by_apprise("nothing-like-that://x", "title", "text")
