from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxpool.adapters.connections import Route
from maxpool.adapters.http11_connection import (
    MAX_FRAMING_BYTES,
    MAX_INTERIM,
    PIECE_BYTES,
    Connection,
)
from maxpool.adapters.sockets import HIGH_WATER_BYTES
from maxpool.errors import StreamCut
from maxpool.ports import Reply, Unreachable
from tests.adapters.contract import SECRET, failure, whole
from tests.adapters.peers import OK
from tests.adapters.test_http11_body import cut_at

ROUTE = Route("http", "a.test", 80, None)
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport without a socket: `written` is what went out; it fills up when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True
        self.closed = False
        self.fills = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        if self.fills:
            self.protocol.pause_writing()

    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return self.closed

    def abort(self):
        self.closed = True


class Drawer:
    """Keeps idle connections, and which ones are gone."""

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.gone: list[Connection] = []

    def put(self, connection):
        self.idle.append(connection)

    def forget(self, connection):
        self.gone.append(connection)


class Line:
    """A connection on a wire, and the request that runs on it."""

    def __init__(self, *, fills=False) -> None:
        self.wire, self.drawer = Wire(), Drawer()
        self.wire.fills = fills
        self.connection = self.wire.protocol = Connection(ROUTE, self.drawer)
        self.connection.connection_made(self.wire)
        self.running: asyncio.Task[Reply | Unreachable] | None = None

    async def ask(self, body=b"", *, bodiless=False, header_s=5.0, idle_s=5.0):
        exchange = self.connection.exchange(
            b"HEAD\r\n\r\n", body, bodiless=bodiless, header_s=header_s, idle_s=idle_s
        )
        self.running = asyncio.create_task(exchange)
        await asyncio.sleep(0)

    def say(self, *pieces):
        for piece in pieces:
            if not self.wire.closed:
                self.connection.data_received(piece)

    async def answer(self) -> Reply | Unreachable:
        assert self.running is not None
        async with asyncio.timeout(1):
            return await self.running


async def test_a_read_answer_leaves_the_connection_idle():
    line = Line()
    for count in (1, 2):
        await line.ask(b"body")
        line.say(OK)
        assert await whole(await line.answer()) == b"ok"
        assert len(line.drawer.idle) == count
    assert line.wire.written == [b"HEAD\r\n\r\nbody"] * 2


@pytest.mark.parametrize(
    "data",
    [
        OK + b"x",
        OK + OK,
        CHUNKS + b"0\r\n\r\n\r\n",
        OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
        OK.replace(b"1.1", b"1.0"),
        b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_said_more_or_goodbye_is_dropped_and_its_answer_kept(data):
    line = Line()
    await line.ask()
    line.say(data)
    assert line.wire.closed
    assert await whole(await line.answer()) in (b"ok", b"")
    assert (line.drawer.idle, line.drawer.gone) == ([], [line.connection])


@pytest.mark.parametrize("read", [True, False])
async def test_what_comes_unasked_drops_the_connection(read):
    line = Line()
    await line.ask()
    line.say(OK)
    answer = await line.answer()
    if read:
        await whole(answer)
    line.say(b"x")
    assert not line.connection.usable
    if not read:
        assert await whole(answer) == b"ok"
    assert len(line.drawer.idle) == int(read)


async def test_what_was_said_before_the_request_is_its_answer_and_nothing_is_sent():
    line = Line()
    line.say(b"HTTP/1.1 503 Busy\r\n", b"Content-Length: 4\r\n\r\nbusy")
    await line.ask(b"body")
    answer = await line.answer()
    assert await whole(answer) == b"busy"
    assert (line.wire.written, line.wire.closed) == ([], True)


@pytest.mark.parametrize(("drained", "kept"), [(4, 1), (3, 0)])
async def test_a_large_body_goes_out_in_pieces_and_its_last_must_be_out(drained, kept):
    line = Line(fills=True)
    await line.ask(bytes(2 * PIECE_BYTES + 1))
    for _ in range(drained):
        line.connection.resume_writing()
    assert [len(piece) for piece in line.wire.written] == [8, PIECE_BYTES, PIECE_BYTES, 1]
    line.say(OK)
    assert await whole(await line.answer()) == b"ok"
    assert len(line.drawer.idle) == kept


async def test_a_body_that_goes_out_slowly_is_no_silence_of_the_peer():
    line = Line(fills=True)
    await line.ask(bytes(6 * PIECE_BYTES), header_s=0.2)
    for _ in range(6):
        await asyncio.sleep(0.08)
        line.connection.resume_writing()
    line.say(OK)
    assert await whole(await line.answer()) == b"ok"


async def test_an_answer_stops_a_request_that_is_not_out_but_an_interim_one_does_not():
    line = Line(fills=True)
    await line.ask(bytes(4 * PIECE_BYTES))
    line.say(b"HTTP/1.1 100 Continue\r\n\r\n")
    line.connection.resume_writing()
    assert len(line.wire.written) == 2
    line.say(b"HTTP/1.1 413 Big\r\nContent-Length: 3\r\n\r\n")
    line.connection.resume_writing()
    assert len(line.wire.written) == 2
    line.say(b"big")
    assert await whole(await line.answer()) == b"big"
    assert line.wire.closed


async def test_reading_stops_at_the_bound_and_goes_on_when_all_is_taken():
    line = Line()
    await line.ask()
    line.say(b"HTTP/1.1 200 OK\r\n\r\n", bytes(HIGH_WATER_BYTES))
    assert line.wire.reading
    line.say(b"x")
    assert not line.wire.reading
    answer = await line.answer()
    assert isinstance(answer, Reply)
    assert len(await anext(aiter(answer.stream))) == HIGH_WATER_BYTES + 1
    assert line.wire.reading


@pytest.mark.parametrize(
    "filler", [b"1;" + b"a" * 70_000, b"0\r\n" + b"X: y\r\n" * 12_000, b"0" * 70_000]
)
async def test_framing_without_a_body_is_bounded(filler):
    line = Line()
    await line.ask()
    line.say(CHUNKS + b"2\r\nok\r\n")
    answer = await line.answer()
    assert isinstance(answer, Reply)
    assert await anext(aiter(answer.stream)) == b"ok"
    assert len(filler) > MAX_FRAMING_BYTES
    line.say(*(filler[at : at + 4_000] for at in range(0, len(filler), 4_000)))
    with pytest.raises(StreamCut, match="protocol"):
        await whole(answer)


async def test_interim_answers_are_counted():
    line = Line()
    await line.ask()
    line.say(b"HTTP/1.1 103 Hints\r\n\r\n" * (MAX_INTERIM + 1))
    assert failure(await line.answer()) == ("protocol", True)


@pytest.mark.parametrize("body", [b"", b"a" * 1_000_000])
async def test_a_connection_that_died_before_the_request_sent_nothing(body):
    line = Line()
    line.wire.closed = True
    await line.ask(body)
    assert failure(await line.answer()) == ("reset", False)
    assert line.wire.written == []


async def test_one_timer_serves_all_chunks_of_a_stream():
    line = Line()
    await line.ask(header_s=5, idle_s=50)
    timer = line.connection._timer
    line.say(CHUNKS)
    answer = await line.answer()
    assert isinstance(answer, Reply)
    for _ in range(5):
        reading = asyncio.ensure_future(anext(aiter(answer.stream)))
        await asyncio.sleep(0)
        line.say(b"1\r\nx\r\n")
        assert await reading == b"x"
    assert line.connection._timer is timer


async def test_a_pause_is_counted_from_the_last_byte_though_no_body_came():
    line = Line()
    await line.ask(idle_s=0.2)
    line.say(CHUNKS)
    answer = await line.answer()
    assert isinstance(answer, Reply)
    start = asyncio.get_running_loop().time()
    reading = asyncio.ensure_future(anext(aiter(answer.stream)))
    await asyncio.sleep(0.1)
    line.say(b"5")
    with pytest.raises(StreamCut, match="idle"):
        await reading
    assert asyncio.get_running_loop().time() - start > 0.29


async def test_bytes_that_come_with_the_alarm_count():
    line = Line()
    await line.ask(idle_s=0.01)
    line.say(OK[:-2])
    reading = asyncio.ensure_future(whole(await line.answer()))
    await asyncio.sleep(0)
    time.sleep(0.02)  # noqa: ASYNC251 - a process that was stopped meets bytes and alarm in one turn
    asyncio.get_running_loop().call_soon(line.say, b"o")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    line.say(b"k")
    assert await reading == b"ok"


async def test_a_reader_that_takes_its_time_is_no_pause_of_the_upstream():
    line = Line()
    await line.ask(header_s=0.02, idle_s=0.02)
    line.say(CHUNKS + b"1\r\nx\r\n")
    answer = await line.answer()
    await asyncio.sleep(0.06)
    line.say(b"1\r\ny\r\n0\r\n\r\n")
    assert await whole(answer) == b"xy"


RESPONSES = [
    b"HTTP/1.1 103 Soon\r\n\r\n" + OK,
    b"HTTP/1.1 200 OK\r\nA: b\r\na:  c \r\nContent-Length: 11\r\n\r\nhello there",
    CHUNKS + b"5;a=b\r\nhello\r\n6 \r\n there\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 204 No\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nhello there",
]


async def outcome(pieces, *, end=True):
    """Status, headers and body of the answer, or the failure, and how the connection stands."""
    line = Line()
    await line.ask()
    line.say(*pieces)
    if end:
        line.connection.eof_received()
    answer = await line.answer()
    if isinstance(answer, Unreachable):
        return answer.kind, answer.sent, answer.detail
    try:
        body: Any = await whole(answer)
    except StreamCut as cut:
        body = cut.kind
    return answer.status, answer.headers, body


@settings(deadline=None)
@given(st.sampled_from(RESPONSES), st.lists(st.integers(0, 1_000), max_size=30))
def test_a_response_cut_anywhere_is_the_same_answer(data, places):
    async def both():
        assert await outcome(cut_at(data, places)) == await outcome([data])

    asyncio.run(both())


@pytest.mark.parametrize("data", RESPONSES[:-1])
async def test_a_response_that_ends_early_anywhere_is_a_failure(data):
    for at in range(len(data)):
        first, *_, last = await outcome([data[:at]])
        assert first == "reset" or last == "truncated", data[:at]


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", CHUNKS]),
    st.binary(max_size=60).filter(len) | st.text("019afX: ;\r\n\0", min_size=1).map(str.encode),
    st.lists(st.integers(0, 100), max_size=5),
)
def test_garbage_ends_as_a_failure_or_an_answer(start, noise, places):
    kinds = {"reset", "protocol", "truncated"}
    first, *_, last = asyncio.run(outcome(cut_at(start + noise, places)))
    assert first in kinds or isinstance(last, bytes) or last in kinds


@pytest.mark.parametrize("said", [b"", CHUNKS + b"2\r\nok"])
async def test_every_end_frees_timer_and_owner_once(said):
    line = Line()
    await line.ask()
    line.say(said)
    line.connection.connection_lost(ConnectionResetError(SECRET.decode()))
    line.connection.connection_lost(None)
    line.connection.abort()
    assert line.drawer.gone == [line.connection]
    assert line.connection._timer is None
    answer = await line.answer()
    if said:
        with pytest.raises(StreamCut, match="reset") as caught:
            await whole(answer)
        assert SECRET.decode() not in str(caught.value)
    else:
        assert failure(answer) == ("reset", True)


async def test_a_request_cancelled_while_it_waits_drops_the_connection_at_once():
    line = Line()
    await line.ask()
    assert line.running is not None
    line.running.cancel()
    line.say(OK)  # arrives before the cancelled task has run
    with suppress(asyncio.CancelledError):
        await line.running
    assert line.wire.closed
    assert line.drawer.idle == []
