"""Signs of life come from the event loop, and only where they are asked for."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.app import watchdog
from maxpool.service.tasks import Tasks

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")


@pytest.fixture
def manager(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield found


async def sign(manager: socket.socket) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(manager, 100)


async def test_a_loop_that_turns_gives_signs_again_and_again(manager):
    tasks = Tasks()
    watchdog.begin(tasks, SystemClock())
    assert [await sign(manager) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    await tasks.aclose(1.0)


async def test_a_loop_that_is_stuck_gives_none(manager):
    tasks = Tasks()
    watchdog.begin(tasks, SystemClock())
    await sign(manager)
    time.sleep(0.1)  # noqa: ASYNC251 - three times what may pass; nothing else runs meanwhile
    with pytest.raises(BlockingIOError):
        manager.recv(100)
    assert await sign(manager) == b"WATCHDOG=1"
    await tasks.aclose(1.0)


async def test_where_nobody_watches_nothing_runs(monkeypatch):
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    tasks = Tasks()
    watchdog.begin(tasks, SystemClock())
    assert len(tasks) == 0
