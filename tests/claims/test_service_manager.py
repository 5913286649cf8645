"""A real `maxpool serve` under a service manager that listens at a real notify socket (O5, Q8)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from maxpool.adapters.lock import lock_state_folder
from tests.claims.test_handover import handed_over, serving
from tests.claims.test_operations import place
from tests.rig import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only systemd asks that way"),
]


@dataclass(slots=True)
class Manager:
    """What was told, and by which process."""

    sock: socket.socket
    told: asyncio.Queue[tuple[int, str]]

    def hear(self) -> None:
        """Take one message in: as the real one it listens all the time."""
        text, ancillary, _, _ = self.sock.recvmsg(200, socket.CMSG_SPACE(12))
        ((_, _, credentials),) = ancillary
        self.told.put_nowait((struct.unpack("3i", credentials)[0], text.decode()))

    async def hears(self, within_s: float = 30.0) -> tuple[int, str]:
        async with asyncio.timeout(within_s):
            return await self.told.get()

    async def until(self, told: str, by: int | None = None) -> int:
        """Wait for that word; returns who said it."""
        while True:
            pid, text = await self.hears()
            if text == told and by in (None, pid):
                return pid


@pytest.fixture
async def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        found = Manager(sock, asyncio.Queue())
        asyncio.get_running_loop().add_reader(sock, found.hear)
        yield found
        asyncio.get_running_loop().remove_reader(sock)


async def test_it_tells_that_it_serves_that_it_lives_and_that_it_stops(manager, tmp_path):  # O5
    async with place(tmp_path) as one, serving(one) as (running, _):
        me = running.process.pid
        assert await manager.hears() == (me, "READY=1")
        for _ in range(2):
            assert await manager.hears() == (me, "WATCHDOG=1")
        ending = asyncio.ensure_future(running.end())
        await manager.until("STOPPING=1", by=me)
        assert await ending == 0


async def test_a_server_that_hangs_gives_no_sign_of_life(manager, tmp_path):
    async with place(tmp_path) as one, serving(one) as (running, _):
        await manager.until("WATCHDOG=1")
        running.process.send_signal(signal.SIGSTOP)
        while not manager.told.empty():  # said before
            manager.told.get_nowait()
        with pytest.raises(TimeoutError):
            await manager.hears(within_s=0.7)
        running.process.send_signal(signal.SIGCONT)
        await manager.until("WATCHDOG=1")
        assert await running.end() == 0


async def test_after_a_hand_over_the_new_process_is_the_one_that_is_watched(
    manager, tmp_path
):  # Q8
    async with place(tmp_path) as one, serving(one) as (running, _):
        told = await handed_over(one)
        await manager.until(f"MAINPID={told['pid']}", by=running.process.pid)
        await manager.until("WATCHDOG=1", by=told["pid"])
        # `wait()` would wait for the output's end as well, and that is the new one's now.
        await until(lambda: running.process.returncode is not None)
        assert running.process.returncode == 0
        os.kill(told["pid"], signal.SIGTERM)
        assert await running.end(None) == 0  # its output is the new one's, too


async def test_a_stop_that_is_asked_of_the_leaving_process_reaches_whoever_serves(
    manager, tmp_path
):  # O5
    async with place(tmp_path) as one, serving(one) as (running, rig):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        key = (one.state / "admin.key").read_bytes().strip()
        told = await handed_over(one)
        writer.write(
            b"POST /admin/stop HTTP/1.1\r\nhost: 127.0.0.1\r\nx-maxpool-admin-key: %b\r\n"
            b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % key
        )
        assert (await reader.readline()).split()[1] == b"202"
        writer.close()
        await manager.until("STOPPING=1", by=told["pid"])
        assert await running.end(None) == 0
        lock_state_folder(one.state).release()
