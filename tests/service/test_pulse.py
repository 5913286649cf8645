from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from maxpool.service.downstream import ClientWatch, Downstream
from maxpool.service.limits import Limits
from maxpool.service.pulse import Pulse
from maxpool.service.tasks import Tasks
from maxpool.sim.clock import HandClock
from maxpool.wire.replies import PING

LIMITS = Limits(commit_after_s=20.0, heartbeat_s=10.0, stall_s=60.0)


class Open:
    """One open request under a pulse whose clock is moved by hand."""

    def __init__(
        self,
        *,
        streaming: bool = True,
        limit: int = 100,
        clock: HandClock | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.clock, self.tasks = clock or HandClock(), Tasks(limit=limit)
        self.pulse = Pulse(self.clock, limits, self.tasks)
        self.sent: list[dict[str, Any]] = []
        self.stuck = False
        self.down = Downstream(self.send, self.clock, lambda: None)
        self.watch = ClientWatch(self.receive, self.down, self.tasks)
        self.beat = self.pulse.join(self.down, self.watch, "r1", streaming=streaming)

    async def send(self, message) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        self.sent.append(message)

    async def receive(self):
        await asyncio.Event().wait()

    async def after(self, seconds: float) -> int:
        """Pings so far, after that much more time and one tick."""
        self.clock.advance(seconds)
        self.pulse.tick()
        await asyncio.sleep(0.001)
        return sum(m.get("body") == PING for m in self.sent)


async def test_nothing_goes_out_before_its_time_then_headers_and_a_ping_each_beat():
    one = Open()
    assert await one.after(19.9) == 0
    assert not one.down.started
    assert await one.after(0.2) == 1
    assert one.sent[0]["status"] == 200
    assert (b"x-request-id", b"r1") in one.sent[0]["headers"]
    assert await one.after(5) == 1
    assert await one.after(5) == 2
    assert not one.down.content


@pytest.mark.parametrize("why", ["json", "content", "finished", "left"])
async def test_no_pings_where_they_do_not_belong(why):
    one = Open(streaming=why != "json")
    if why == "content":
        await one.down.write(b"x")
    elif why == "finished":
        await one.down.finish()
    elif why == "left":
        one.pulse.leave(one.beat)
    assert await one.after(100) == 0


async def test_who_waits_for_json_gets_white_space_where_the_owner_wants_it():  # Q3
    one = Open(streaming=False, limits=replace(LIMITS, json_keepalive=True))
    one.down.waits = True
    await one.after(19.9)
    assert not one.sent
    await one.after(0.2)
    assert (one.sent[0]["status"], one.down.promised) == (200, "json")
    assert (b"content-type", b"application/json") in one.sent[0]["headers"]
    one.down.waits = False  # it has an account now, which has not answered yet
    await one.after(10)
    assert [m["body"] for m in one.sent[1:]] == [b" ", b" "]


@pytest.mark.parametrize("wanted", [False, True])
async def test_json_that_does_not_wait_in_the_queue_keeps_its_status(wanted):
    one = Open(streaming=False, limits=replace(LIMITS, json_keepalive=wanted))
    one.down.waits = not wanted
    await one.after(100)
    assert not one.sent


async def test_no_beat_goes_between_an_answers_own_headers_and_its_first_bytes():
    one = Open()
    await one.down.start(200, [(b"content-encoding", b"gzip")])
    assert await one.after(100) == 0


async def test_a_caller_that_takes_nothing_is_dropped_after_its_time():
    one = Open()
    ended: list[str] = []

    async def work() -> None:
        async with one.watch:
            one.stuck = True
            await one.down.write(b"x")
        ended.append("here")

    working = asyncio.ensure_future(work())
    await asyncio.sleep(0.001)
    await one.after(59)
    assert not one.watch.gone
    await one.after(2)
    await working
    assert one.watch.gone
    assert ended == ["here"]


async def test_the_pulse_goes_on_when_no_task_can_be_started():
    one = Open(limit=0)
    assert await one.after(30) == 0
    assert await one.after(30) == 0


async def test_it_ticks_by_itself_until_cancelled():
    one = Open()
    running = asyncio.ensure_future(one.pulse.run())
    await asyncio.sleep(0)
    one.clock.advance(25)
    await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)
    assert one.down.started
    running.cancel()


class SteppedClock(HandClock):
    """Its wall time jumps back an hour once `stepped` is set; elapsed time goes on."""

    stepped = False

    def now(self) -> float:
        return super().now() - (3600.0 if SteppedClock.stepped else 0.0)


async def test_a_step_of_the_wall_clock_delays_no_heartbeat(monkeypatch):
    it = Open(clock=SteppedClock())
    assert await it.after(19.0) == 0
    monkeypatch.setattr(SteppedClock, "stepped", True)
    assert await it.after(2.0) == 1
    assert await it.after(10.0) == 2
