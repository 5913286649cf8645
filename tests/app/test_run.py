"""Running: memory is settled for streams; the drain can be hurried. (Signals: tests/claims.)"""

from __future__ import annotations

import asyncio
import gc

import pytest

from maxpool.adapters.server import Server
from maxpool.app.run import hurry_or_drain, settle_memory


@pytest.fixture
def _collector():
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_collector")
def test_what_start_up_made_is_out_of_later_collections():
    settle_memory()
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[0] > 700


async def _slow(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(30)


async def test_a_second_signal_cuts_the_drain_short():
    server = Server(_slow, graceful_s=20.0, lifespan="off")
    await server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await asyncio.sleep(0.1)
    second = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, second.set)
    async with asyncio.timeout(3):
        await hurry_or_drain(server, second)
    writer.close()
