"""The driver sends a workload's turns and counts what came back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from maxpool.errors import StreamCut
from maxpool.ports import Reply, Unreachable
from maxpool.sim.clock import HandClock
from maxpool.sim.driver import AFTER_FAILURE_S, Driver
from maxpool.sim.traffic import SimTurn

TURN = SimTurn("s", None, "m", (("x-a", "b"),), b"{}", 1.0)


class Body:
    def __init__(self, *, cut=False):
        self.cut = cut
        self.closed = False

    async def __aiter__(self):
        yield b"data"
        if self.cut:
            raise StreamCut("reset")

    async def aclose(self):
        self.closed = True


class Client:
    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    async def send(self, call):
        self.calls.append(call)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def aclose(self):
        pass


def reply(status=200, *, cut=False):
    return Reply(status=status, headers=(), stream=Body(cut=cut))


async def _drive(client, seconds):
    clock = HandClock()
    lane = SimpleNamespace(step=lambda: (TURN,))
    driver = Driver(cast("Any", SimpleNamespace(lanes=[lane])), client, "http://h", clock)
    task = asyncio.ensure_future(driver.run())
    for _ in range(seconds * 10):
        await asyncio.sleep(0)
        clock.advance(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return driver


async def test_a_lane_pauses_sends_and_steps_again():
    client = Client(reply())
    driver = await _drive(client, 10)
    assert 5 <= driver.statuses[200] <= 10
    call = client.calls[0]
    assert (call.url, call.headers, call.body) == ("http://h/v1/messages", [(b"x-a", b"b")], b"{}")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (reply(503), 503),
        (reply(cut=True), 0),
        (Unreachable(kind="refused", detail="", sent=False), 0),
    ],
)
async def test_a_failed_turn_is_counted_and_the_lane_goes_on_more_slowly(answer, status):
    driver = await _drive(Client(answer), 10)
    assert 2 <= driver.statuses[status] <= 10 / (1 + AFTER_FAILURE_S) + 1
