"""The first process stays while anybody serves, and ends as that one does."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from maxpool.adapters.handover import Channel, Child, Lifeline, possible
from maxpool.app.standin import StandIn
from tests.rig import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not possible(), reason="sockets cannot be passed on here")


@contextmanager
def stand_in(code: str) -> Iterator[tuple[StandIn, Lifeline]]:
    """One for a child that runs this code, and the child's end of the lifeline."""
    mine, theirs = (Lifeline(sock) for sock in socket.socketpair())
    process = subprocess.Popen([sys.executable, "-c", code])
    child = Child(process, Channel(sock := socket.socket()))
    found = StandIn(line=mine, child=child, hurry=asyncio.Event())
    found.begin()
    yield found, theirs
    theirs.close()
    process.wait()
    sock.close()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_it_ends_with_the_last_ones_exit_code():
    with stand_in("") as (one, serving):
        serving.say("pid 7\n")
        serving.say("exit 3\n")
        serving.close()
        assert await one.ended() == 3


async def test_a_death_without_a_word_is_told_as_shells_do():
    with stand_in("import os; os.kill(os.getpid(), 9)") as (one, serving):
        serving.close()
        assert await one.ended() == 128 + 9


async def test_an_end_without_a_word_is_a_failure():
    with stand_in("") as (one, serving):
        serving.close()
        assert await one.ended() == 1


async def test_signals_go_down_the_lifeline_and_only_the_second_hurries():
    with stand_in("") as (one, serving):
        heard: list[str] = []
        serving.listen(heard.append)
        signal.raise_signal(signal.SIGHUP)
        await until(lambda: "".join(heard) == "r")
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: "".join(heard) == "rs")
        assert not one.hurry.is_set()
        signal.raise_signal(signal.SIGINT)
        await until(lambda: "".join(heard) == "rsh")
        assert one.hurry.is_set()
        serving.pause()
        serving.close()
        assert await one.ended() == 1


ORPHANS = """
import asyncio, ctypes, os, socket, subprocess, sys
from maxpool.adapters.handover import Channel, Child, Lifeline
from maxpool.app.standin import StandIn

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans come here, as to a container's first process

async def main():
    mine, theirs = (Lifeline(sock) for sock in socket.socketpair())
    first = "import os, sys; os.fork() and os._exit(7); os.read(0, 1)"
    process = subprocess.Popen([sys.executable, "-c", first], stdin=subprocess.PIPE)
    one = StandIn(line=mine, child=Child(process, Channel(socket.socket())), hurry=asyncio.Event(), reaps=True)
    one.begin()
    ending = asyncio.ensure_future(one.ended())
    while process.poll() is None:
        await asyncio.sleep(0.01)
    process.stdin.close()  # the orphan ends, too
    while os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
        if not open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split():
            break
        await asyncio.sleep(0.01)
    theirs.close()
    print(await ending)

asyncio.run(asyncio.wait_for(main(), 20))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans go elsewhere here")
def test_as_a_containers_first_process_it_leaves_no_zombie():
    done = subprocess.run(
        [sys.executable, "-c", ORPHANS], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("7\n", "")
