"""The pair of sockets between two server processes: lines, descriptors, and the lifeline."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maxpool.adapters import handover, process
from maxpool.adapters.handover import Channel, Lifeline, Offer, command, offered, possible
from maxpool.errors import StateError
from tests.rig import until

pytestmark = pytest.mark.skipif(not possible(), reason="sockets cannot be passed on here")


async def test_descriptors_and_lines_arrive_in_order():
    mine, theirs = socket.socketpair()
    mine.setblocking(False)
    channel, offer = await Channel(mine).open(), Offer(theirs)
    offer.say({"ready": {"pid": 1}})
    assert await channel.hear() == {"ready": {"pid": 1}}
    reading, writing = os.pipe()
    channel.pass_on([writing])
    channel.say({"running": ["x" * 200_000]})
    os.close(writing)
    (passed,) = await asyncio.to_thread(offer.take, 5.0)
    os.write(passed, b"through")
    assert os.read(reading, 100) == b"through"
    assert not os.get_inheritable(passed)
    other = await offer.channel().open()
    assert await other.hear() == {"running": ["x" * 200_000]}
    await channel.aclose()
    assert await other.hear() is None
    other.say({"nobody": "hears this"})
    await other.aclose()
    for descriptor in (reading, passed):
        os.close(descriptor)


def test_an_offer_that_is_taken_back_is_no_fault_of_anybody():
    mine, theirs = socket.socketpair()
    mine.close()
    offer = Offer(theirs)
    with pytest.raises(StateError, match="serves on"):
        offer.take(1.0)
    offer.say({"failed": "nobody hears this"})
    offer.close()


def test_the_variable_is_seen_once_and_never_by_programs_started_later(monkeypatch):
    mine, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    monkeypatch.setenv(process.HANDOVER_VARIABLE, str(theirs.detach()))
    found = offered()
    assert found is not None
    assert process.HANDOVER_VARIABLE not in os.environ
    assert offered() is None
    found.close()
    mine.close()
    monkeypatch.setenv(process.HANDOVER_VARIABLE, "999999")
    assert offered() is None


async def test_a_process_that_ends_at_once_is_heard_ending(monkeypatch):
    monkeypatch.setattr(
        handover, "command", lambda _: [sys.executable, "-c", "raise SystemExit(7)"]
    )
    child = await handover.start([])
    assert await child.channel.hear() is None
    assert await child.ended() == 7
    await child.kill()


async def test_a_start_that_is_taken_back_leaves_no_process(monkeypatch):
    started, real = [], subprocess.Popen

    def slowly(*given, **named):
        time.sleep(0.1)
        started.append(real(*given, **named))
        return started[-1]

    monkeypatch.setattr(handover, "command", lambda _: [sys.executable, "-c", "input()"])
    monkeypatch.setattr(subprocess, "Popen", slowly)
    starting = asyncio.ensure_future(handover.start([]))
    await asyncio.wait({starting}, timeout=0.03)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert started[0].wait(5) == -9


def test_the_new_process_is_this_very_interpreter_and_takes_no_modules_from_its_folder(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    started = command(["--port", "0"])
    assert started == [sys.executable, "-P", "-m", "maxpool", "serve", "--port", "0"]
    monkeypatch.chdir(Path(handover.__file__).parents[2])
    assert "-P" not in command([])


async def test_the_lifeline_carries_both_ways_and_tells_the_end():
    one, other = (Lifeline(sock) for sock in socket.socketpair())
    heard: list[str] = []
    one.listen(heard.append)
    other.say("pid 7\n")
    await until(lambda: heard == ["pid 7\n"])
    one.pause()
    other.say("exit 0\n")
    one.listen(heard.append)
    await until(lambda: heard[-1] == "exit 0\n")
    other.close()
    await until(lambda: heard[-1] == "")
    one.say("nobody hears this")
    one.close()
