from __future__ import annotations

import asyncio
from typing import Any

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.service.downstream import PIECE_BYTES, ClientWatch, Downstream
from maxpool.service.tasks import Tasks
from maxpool.wire.replies import error


class Caller:
    """The ASGI callables of one request: what was sent, and when the caller leaves."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.dropped = 0

    async def send(self, message) -> None:
        await self.takes.wait()
        self.sent.append(message)

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    def abort(self) -> None:
        self.dropped += 1

    def down(self) -> Downstream:
        return Downstream(self.send, SystemClock(), self.abort)


@pytest.fixture
async def tasks():
    one = Tasks()
    yield one
    await one.aclose(0)


async def test_an_answer_starts_once_and_ends_once():
    caller = Caller()
    down = caller.down()
    await down.start(200, [(b"a", b"b")])
    await down.answer(error(500, "api_error", "no", request_id="r"))
    await down.finish(b"again")
    assert [m["type"] for m in caller.sent] == ["http.response.start", "http.response.body"]
    assert (down.status, caller.sent[0]["status"]) == (200, 200)


async def test_a_beat_is_no_content_and_a_write_is():
    down = Caller().down()
    await down.beat(b": ping")
    assert not down.content
    await down.write(b"x")
    assert down.content


async def test_a_blocked_write_tells_since_when():
    caller = Caller()
    down = caller.down()
    caller.takes.clear()
    writing = asyncio.ensure_future(down.write(b"x"))
    await asyncio.sleep(0.01)
    assert down.writing_since is not None
    caller.takes.set()
    await writing
    assert down.writing_since is None


async def test_a_caller_that_leaves_ends_what_is_done_for_it(tasks):
    caller = Caller()
    watch = ClientWatch(caller.receive, caller.down(), tasks)
    asyncio.get_running_loop().call_later(0.01, caller.left.set)
    async with asyncio.timeout(30), watch:
        await asyncio.sleep(10)
    assert watch.gone
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_caller_that_leaves_after_its_answer_is_not_gone(tasks):
    caller = Caller()
    down = caller.down()
    async with ClientWatch(caller.receive, down, tasks) as watch:
        await down.finish(b"all")
        caller.left.set()
        await asyncio.sleep(0.01)
    assert not watch.gone


async def test_a_cancellation_from_outside_is_not_swallowed(tasks):
    caller = Caller()
    watch = ClientWatch(caller.receive, caller.down(), tasks)

    async def work() -> None:
        async with watch:
            await asyncio.sleep(10)

    running = asyncio.ensure_future(work())
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not watch.gone


async def test_leaving_and_being_cancelled_at_once_ends_as_cancelled(tasks):
    caller = Caller()

    async def work() -> None:
        async with ClientWatch(caller.receive, caller.down(), tasks):
            await asyncio.sleep(10)

    running = asyncio.ensure_future(work())
    await asyncio.sleep(0.01)
    caller.left.set()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_time_limit_inside_does_not_eat_the_cancellation(tasks):
    caller = Caller()
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, caller.left.set)
    reached = False
    async with ClientWatch(caller.receive, caller.down(), tasks) as watch:
        async with asyncio.timeout(0.02):
            await asyncio.sleep(10)
        reached = True
    assert watch.gone
    assert not reached


async def test_an_exception_passes_even_when_the_caller_has_left(tasks):
    caller = Caller()

    async def work() -> None:
        async with ClientWatch(caller.receive, caller.down(), tasks):
            caller.left.set()
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError):
        await work()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_watcher_ends_with_the_request(tasks):
    caller = Caller()
    async with ClientWatch(caller.receive, caller.down(), tasks):
        assert len(tasks) == 1
    await asyncio.sleep(0.01)
    assert len(tasks) == 0


async def test_a_dropped_caller_is_gone_and_its_connection_too(tasks):
    caller = Caller()
    watch = ClientWatch(caller.receive, caller.down(), tasks)
    async with watch:
        asyncio.get_running_loop().call_soon(watch.drop)
        await asyncio.sleep(10)
    assert (watch.gone, caller.dropped) == (True, 1)


async def test_a_long_answer_is_given_piece_by_piece_as_its_caller_takes_it():
    caller = Caller()
    down = caller.down()
    caller.takes.clear()
    writing = asyncio.ensure_future(down.finish(bytes(range(256)) * 1000))
    await asyncio.sleep(0)
    assert down.writing_since is not None
    caller.takes.set()
    await writing
    assert all(len(m["body"]) <= PIECE_BYTES for m in caller.sent)
    assert b"".join(m["body"] for m in caller.sent) == bytes(range(256)) * 1000
    assert [m["more_body"] for m in caller.sent] == [True, True, True, False]


async def test_a_server_that_tells_of_leaving_by_itself_needs_no_task_and_is_not_heard_afterwards(
    tasks,
):
    told: list[Any] = []
    caller = Caller()
    down = Downstream(caller.send, SystemClock(), caller.abort, told.append)
    async with ClientWatch(caller.receive, down, tasks) as watch:
        assert len(tasks) == 0
    (tell,) = told
    tell()
    await asyncio.sleep(0)  # a cancellation would arrive here
    assert not watch.gone


async def test_leaving_that_the_server_tells_ends_what_is_done_for_the_caller(tasks):
    told: list[Any] = []
    caller = Caller()
    down = Downstream(caller.send, SystemClock(), caller.abort, told.append)
    async with asyncio.timeout(5), ClientWatch(caller.receive, down, tasks) as watch:
        asyncio.get_running_loop().call_soon(told[0])
        await asyncio.sleep(10)
    assert watch.gone
