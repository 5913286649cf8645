"""The process that comes: it says what is wrong, or that it is ready, and takes what is passed on."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.adapters import process
from maxpool.adapters.handover import Channel, Offer, possible
from maxpool.adapters.lock import FolderLock, lock_state_folder
from maxpool.app import takeover
from maxpool.app.takeover import Taken
from maxpool.config.load import load
from maxpool.config.model import Config
from maxpool.errors import ConfigError, StateError
from maxpool.service.mirror import Teller
from tests.make import lease
from tests.rig import rig

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not possible(), reason="sockets cannot be passed on here")


@pytest.fixture
def before(monkeypatch):
    """The other process's end of the channel that this one was started with."""
    mine, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    monkeypatch.setenv(process.HANDOVER_VARIABLE, str(theirs.detach()))
    with mine:
        yield mine


def heard(sock: socket.socket) -> Any:
    return json.loads(sock.recv(65536))


def test_a_wrong_config_is_told_with_its_line(before, tmp_path: Path):
    path = tmp_path / "config.toml"
    path.write_text("[server]\nprot = 1\n")
    with pytest.raises(ConfigError), takeover.offer():
        load(path)
    assert heard(before)["failed"].startswith(f"{path}:2: ")
    assert before.recv(1) == b""


def test_any_other_reason_is_told_with_what_to_do(before):
    with pytest.raises(StateError), takeover.offer():
        raise StateError("the folder is gone", "Make it anew")
    assert heard(before) == {"failed": "the folder is gone. Make it anew"}


async def test_a_process_before_that_hangs_holds_its_slots_no_longer_than_it_may(monkeypatch):
    monkeypatch.setattr(takeover, "LAST_WORD_S", 0.1)
    mine, theirs = socket.socketpair()
    mine.setblocking(False)
    async with rig() as before, rig() as it:
        theirs_channel = await Channel(theirs).open()
        teller = Teller(before.proxy.pool, before.proxy.stats, theirs_channel.say)
        lease(before.proxy.pool, before.proxy.clock.now(), "s")
        teller.begin()
        teller.open()
        taken = Taken(lock=FolderLock(-1), lifeline=None, sockets=[], channel=Channel(mine))
        await taken.begin(it.proxy)
        assert len(it.proxy.pool.running) == 1
        await taken.ended(5.0, asyncio.Event())
        assert it.idle()
        await theirs_channel.aclose()


def test_an_ordinary_start_has_no_offer(monkeypatch):
    monkeypatch.delenv(process.HANDOVER_VARIABLE, raising=False)
    with takeover.offer() as found:
        assert found is None


def test_lock_lifeline_and_listening_sockets_are_told_apart(tmp_path):
    mine, theirs = socket.socketpair()
    up, down = socket.socketpair()
    listening = socket.create_server(("127.0.0.1", 0))
    with mine, up, down, listening, lock_state_folder(tmp_path) as lock:
        passed = [lock.descriptor, down.fileno(), listening.fileno()]
        socket.send_fds(mine, [b"F"], passed)
        taken = takeover.accept(Offer(theirs), Config(), tmp_path)
        said = heard(mine)["ready"]
        assert (said["port"], said["folder"]) == (Config().server.port, str(tmp_path))
        (sock,) = taken.sockets
        assert sock.getsockname() == listening.getsockname()
        assert taken.lifeline is not None
        taken.lifeline.say("pid 1\n")
        assert up.recv(100) == b"pid 1\n"
        lock.release()
        with pytest.raises(StateError):  # the copy holds it, too
            lock_state_folder(tmp_path)
        taken.lock.release()
        lock_state_folder(tmp_path).release()
        sock.close()
        taken.lifeline.close()
    theirs.close()
