from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.service.downstream import PIECE_BYTES, STREAM, ClientWatch, Downstream
from maxpool.service.tasks import Tasks
from maxpool.wire.chat_answer import CHAT_SURFACE
from maxpool.wire.replies import PING, error, sse_error
from maxpool.wire.responses_answer import RESPONSES_SURFACE


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


TEXT = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n'
DONE = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}\n\n'


def speaking(caller: Caller, surface: Any = CHAT_SURFACE) -> Downstream:
    down = Downstream(caller.send, SystemClock(), caller.abort, None, surface)
    down.speak(surface, surface.writer(b'{"model":"m"}', request_id="r", now=0.0))
    return down


def said(caller: Caller) -> bytes:
    return b"".join(m.get("body", b"") for m in caller.sent)


async def test_a_caller_of_another_api_gets_the_answer_in_its_own_form():
    caller = Caller()
    down = speaking(caller)
    await down.start(200, [])
    for part in (TEXT[:30], TEXT[30:], DONE):
        await down.write(part)
    await down.finish()
    assert b'"content":"hi"' in said(caller)
    assert said(caller).endswith(b"data: [DONE]\n\n")
    assert b"event:" not in said(caller)


async def test_an_answer_in_its_own_form_already_passes_as_it_is():
    caller = Caller()
    down = speaking(caller)
    down.turns = False
    await down.start(200, [])
    await down.write(b"data: native\n\n")
    await down.finish()
    assert said(caller) == b"data: native\n\n"


async def test_an_error_behind_half_an_event_is_read_all_the_same():
    caller = Caller()
    down = speaking(caller)
    await down.start(200, [])
    await down.write(TEXT[:40])
    await down.fail(sse_error("overloaded_error", "cut"))
    last = said(caller).strip().rpartition(b"data: ")[2]
    assert json.loads(last)["error"]["message"] == "cut"
    assert b"[DONE]" not in said(caller)


async def test_errors_and_signs_of_life_have_its_form_too():
    caller = Caller()
    down = speaking(caller)
    await down.promise(STREAM, [])
    await down.beat(PING)
    assert said(caller) == CHAT_SURFACE.heartbeat
    refused = Caller()
    await speaking(refused).answer(error(404, "not_found_error", "no", request_id="r"))
    assert set(json.loads(said(refused))) == {"error"}


def test_a_cut_is_shown_in_the_way_from_which_clients_recover_best():
    chat, responses = speaking(Caller()), speaking(Caller(), RESPONSES_SURFACE)
    assert [Caller().down().drops_cuts(in_block=here) for here in (True, False)] == [True, False]
    assert [chat.drops_cuts(in_block=here) for here in (True, False)] == [False, False]
    assert [responses.drops_cuts(in_block=here) for here in (True, False)] == [True, True]
