import asyncio
import zlib
from typing import Any

import pytest

from maxpool.sim.clock import HandClock
from maxpool.sim.delivery import (
    ABORT_EXTENSION,
    Abort,
    Chunk,
    ConnectionDropped,
    Delivery,
    Hang,
    Head,
    Pause,
    Script,
    gzipped,
    whole,
)


class Stage:
    """A server's side of one answer, as a transcript."""

    def __init__(self, script: Script) -> None:
        self.clock = HandClock()
        self.sent: list[dict[str, Any]] = []
        self.heads: list[int] = []
        self.ended: list[bool] = []
        self.aborted: list[bool] = []
        self.gone = asyncio.Event()
        self.delivery = Delivery(script, self.clock, self.heads.append, self.ended.append)

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def abort(self, rst: bool) -> None:
        self.aborted.append(rst)
        self.gone.set()

    async def perform(self, *, extension: bool = True) -> None:
        scope = {"extensions": {ABORT_EXTENSION: self.abort} if extension else {}}
        await self.delivery(scope, self.receive, self.send)

    @property
    def body(self) -> bytes:
        return b"".join(m["body"] for m in self.sent if m["type"] == "http.response.body")


async def test_a_script_is_sent_step_by_step_and_ends_once() -> None:
    stage = Stage([Head(200, (("x", "1"),)), Chunk(b"a"), Chunk(b"b")])
    await stage.perform()
    assert stage.sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"x", b"1")]},
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b", "more_body": False},
    ]
    assert (stage.heads, stage.ended) == ([200], [False])


async def test_a_script_that_ends_in_silence_still_closes_its_body() -> None:
    stage = Stage([Head(200, ())])
    await stage.perform()
    assert stage.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.mark.parametrize("step", [Pause(60.0), Hang(None)])
async def test_a_client_that_leaves_in_silence_is_noticed_at_once(step) -> None:
    stage = Stage([Head(200, ()), Chunk(b"a"), step, Chunk(b"never")])
    task = asyncio.create_task(stage.perform())
    await asyncio.sleep(0.01)
    assert not task.done()
    stage.gone.set()
    await asyncio.wait_for(task, 1)
    assert stage.ended == [True]
    assert stage.body == b"a"
    assert stage.clock.sleeping == 0


async def test_a_pause_lasts_as_long_as_the_clock_says() -> None:
    stage = Stage([Head(200, ()), Pause(5.0), Chunk(b"late")])
    task = asyncio.create_task(stage.perform())
    await asyncio.sleep(0.01)
    stage.clock.advance(4.9)
    await asyncio.sleep(0.01)
    assert stage.body == b""
    stage.clock.advance(0.1)
    await task
    assert stage.body == b"late"


@pytest.mark.parametrize("rst", [True, False])
async def test_a_drop_is_no_leaving_client(rst) -> None:
    stage = Stage([Head(200, ()), Chunk(b"a"), Abort(rst), Chunk(b"never")])
    await stage.perform()
    assert stage.aborted == [rst]
    assert stage.ended == [False]
    assert stage.body == b"a"


async def test_without_the_extension_an_exception_closes_the_connection() -> None:
    stage = Stage([Abort()])
    with pytest.raises(ConnectionDropped):
        await stage.perform(extension=False)
    assert stage.ended == [False]


async def test_a_send_that_fails_means_that_the_client_left() -> None:
    stage = Stage([Head(200, ())])

    async def broken(message: Any) -> None:
        raise OSError

    await stage.delivery({"extensions": {}}, stage.receive, broken)
    assert stage.ended == [True]


def test_a_compressed_stream_can_be_read_as_it_arrives() -> None:
    script = gzipped([Head(200, (("content-length", "6"),)), Chunk(b"abc"), Chunk(b"def")])
    head, first, second, last = script
    assert isinstance(head, Head)
    assert head.headers == (("content-encoding", "gzip"),)
    squeeze = zlib.decompressobj(wbits=31)
    read = [squeeze.decompress(c.data) for c in (first, second, last) if isinstance(c, Chunk)]
    assert read == [b"abc", b"def", b""]
    assert squeeze.eof


def test_a_whole_answer_knows_its_length() -> None:
    assert whole(200, (), b"abc") == [Head(200, (("content-length", "3"),)), Chunk(b"abc")]
