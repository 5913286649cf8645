from __future__ import annotations

import gzip

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.core.lease import (
    Burst,
    Cut,
    Garbage,
    NetworkFailure,
    Outcome,
    Overloaded,
    RateLimited,
    Success,
)
from maxpool.errors import StreamCut
from maxpool.ports import Reply
from maxpool.service.downstream import JSON, STREAM, Downstream
from maxpool.service.limits import Limits
from maxpool.service.relay import Relay
from maxpool.service.retry import Failed
from maxpool.wire.meter import Meter
from maxpool.wire.strip import EventFilter
from maxpool.wire.verdict_provider import Failures
from tests.wire.packing import bomb, flushed

START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":7}}}\n\n'
OPEN = b'event: content_block_start\ndata: {"type":"content_block_start","content_block":{"type":"text"}}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{}}\n\n'
SHUT = b'event: content_block_stop\ndata: {"type":"content_block_stop"}\n\n'
STOP = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}\n\n'
END = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
ERROR = (
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"O"}}\n\n'
)
WHOLE = (START, OPEN, DELTA, SHUT, STOP, END)
BROKEN = StreamCut("reset")


class Chunks:
    """A body in given chunks; an exception among them is raised."""

    def __init__(self, *chunks) -> None:
        self.left = list(chunks)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        chunk = self.left.pop(0)
        if isinstance(chunk, StreamCut):
            raise chunk
        return chunk

    async def aclose(self) -> None:
        pass


class Case:
    """One reply relayed to one caller."""

    def __init__(
        self, *chunks, kind="text/event-stream", coding="", limits=None, checked=True, **more
    ) -> None:
        self.body, self.dropped, self.ended = b"", 0, False
        self.statuses: list[int] = []
        self.headers: dict[bytes, bytes] = {}
        self.down = Downstream(self.send, SystemClock(), self.abort)
        self.relay = Relay(
            Reply(status=200, headers=(), stream=Chunks(*chunks)),
            self.down,
            limits or Limits(),
            "m",
            [(b"x", b"y"), (b"content-encoding", coding.encode())],
            kind,
            coding,
            checked=checked,
            **more,
        )

    async def send(self, message) -> None:
        if message["type"] == "http.response.start":
            self.statuses.append(message["status"])
            self.headers = dict(message["headers"])
        else:
            self.body += message["body"]
            self.ended = not message["more_body"]

    def abort(self) -> None:
        self.dropped += 1

    async def run(self) -> Outcome:
        found = await self.relay.run()
        if isinstance(found, Failed):
            assert self.body == b""
            return found.outcome
        return found


async def test_a_whole_stream_passes_and_is_counted():
    case = Case(*WHOLE)
    found = await case.run()
    assert isinstance(found, Success)
    assert (found.usage.input, found.usage.output) == (7, 3)
    assert (case.body, case.statuses, case.ended) == (b"".join(WHOLE), [200], True)


@pytest.mark.parametrize(
    ("chunks", "outcome"),
    [
        ((BROKEN,), NetworkFailure("reset")),
        ((START, OPEN, BROKEN), NetworkFailure("reset")),
        ((), Garbage("no_event")),
        ((b": hi\n\n",), Garbage("no_event")),
        ((START, OPEN), Garbage("no_event")),
        ((START[:-1],), Garbage("no_event")),
    ],
)
async def test_before_content_a_broken_stream_is_a_failure_nobody_saw(chunks, outcome):
    assert await Case(*chunks).run() == outcome


@pytest.mark.parametrize("chunks", [(ERROR,), (START, OPEN, ERROR), (START[:9], START[9:] + ERROR)])
async def test_an_error_event_before_content_is_a_failure_like_its_status(chunks):
    assert isinstance(await Case(*chunks).run(), Overloaded)


@pytest.mark.parametrize("end", [(), (BROKEN,)], ids=["clean", "cut"])
async def test_inside_a_block_the_connection_is_dropped(end):
    case = Case(START, OPEN, DELTA, *end)
    found = await case.run()
    assert isinstance(found, Cut)
    assert found.usage.input == 7
    assert (case.dropped, case.ended) == (1, False)


@pytest.mark.parametrize("end", [(), (BROKEN,)], ids=["clean", "cut"])
async def test_between_blocks_an_overloaded_event_ends_it(end):
    case = Case(START, OPEN, DELTA, SHUT, *end)
    assert isinstance(await case.run(), Cut)
    assert (case.dropped, case.ended) == (0, True)
    assert case.body.endswith(b'before it was complete."}}\n\n')


@pytest.mark.parametrize("end", [(), (BROKEN,)], ids=["clean", "cut"])
async def test_after_the_stop_reason_the_answer_is_whole(end):
    case = Case(START, OPEN, DELTA, SHUT, STOP, *end)
    assert isinstance(await case.run(), Success)
    assert (case.dropped, case.ended) == (0, True)


async def test_an_upstreams_error_after_content_is_passed_on_and_no_second_one_added():
    case = Case(START, OPEN, DELTA, ERROR)
    assert isinstance(await case.run(), Cut)
    assert (case.body.count(b"event: error"), case.ended) == (1, True)


async def test_an_answer_that_stops_without_content_is_an_answer():
    assert isinstance(await Case(START, STOP, END).run(), Success)


async def test_a_tool_call_commits_when_it_opens():
    tool = OPEN.replace(b'"text"', b'"tool_use"')
    case = Case(START, tool, BROKEN)
    assert isinstance(await case.run(), Cut)
    assert (case.statuses, case.dropped) == ([200], 1)


async def test_more_than_may_be_held_is_committed_and_its_break_is_shown():
    case = Case(START, b": " + b"x" * 300 + b"\n\n", limits=Limits(hold_bytes=200))
    assert isinstance(await case.run(), Cut)
    assert case.statuses == [200]
    assert not case.ended or b"event: error" in case.body


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_an_encoding_passes_as_it_came_but_not_after_headers_that_promised_identity(coding):
    pieces = flushed(coding, WHOLE)
    case = Case(*pieces, coding=coding)
    assert isinstance(await case.run(), Success)
    assert case.body == b"".join(pieces)
    assert (case.relay.usage.input, case.relay.usage.output) == (7, 3)
    early = Case(*pieces, coding=coding)
    await early.down.start(200, [])
    assert isinstance(await early.run(), Success)
    assert early.body == b"".join(WHOLE)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_cut_encoded_stream_is_dropped_unless_it_goes_on_in_the_clear(coding):
    pieces = flushed(coding, WHOLE)[:4]  # up to the end of the block
    case = Case(*pieces, BROKEN, coding=coding)
    assert isinstance(await case.run(), Cut)
    assert (case.dropped, case.body) == (1, b"".join(pieces))
    early = Case(*pieces, BROKEN, coding=coding)
    await early.down.start(200, [])
    assert isinstance(await early.run(), Cut)
    assert not early.dropped
    assert early.body.startswith(b"".join(WHOLE[:4]) + b"event: error")


async def test_an_identity_named_as_an_encoding_is_none():
    case = Case(*WHOLE[:4], BROKEN, coding="Identity")
    assert isinstance(await case.run(), Cut)
    assert b"event: error" in case.body
    assert not case.dropped


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
async def test_what_is_not_encoded_as_it_says_is_a_failure_nobody_saw(coding):
    """At once: a stream that cannot be read must not be held until it ends."""
    case = Case(b"\xff" * 500, *WHOLE, coding=coding)
    assert await case.run() == Garbage("encoding")
    assert len(case.relay.reply.stream.left) == len(WHOLE)  # type: ignore[attr-defined]


async def test_a_bomb_before_content_is_neither_held_nor_unpacked():
    case = Case(bomb("gzip", 20), b"", *WHOLE, coding="gzip")
    assert isinstance(await case.run(), Success)
    assert case.body == bomb("gzip", 20) + b"".join(WHOLE)
    early = Case(bomb("gzip", 20), coding="gzip")
    await early.down.start(200, [])
    assert isinstance(await early.run(), Cut)
    assert early.dropped


async def test_an_encoding_nobody_can_read_is_no_answer_once_identity_was_promised():
    case = Case(b"\x8b\x00", coding="compress")
    assert isinstance(await case.run(), Success)
    early = Case(b"\x8b\x00", coding="compress")
    await early.down.start(200, [])
    assert await early.run() == Garbage("encoding")


@pytest.mark.parametrize(
    ("body", "kind", "outcome"),
    [
        (b"", "application/json", Garbage("empty")),
        (b"<html>", "application/json", Garbage("html")),
        (b"{}", "text/html", Garbage("html")),
        (b'{"type":', "application/json", Garbage("json")),
        (b'{"type":"error"}', "application/json", Garbage("error")),
    ],
)
async def test_json_that_is_no_answer_is_a_failure_nobody_saw(body, kind, outcome):
    assert await Case(body, kind=kind).run() == outcome


async def test_a_cut_json_body_is_a_failure_nobody_saw():
    assert await Case(b'{"a"', BROKEN, kind="application/json").run() == NetworkFailure("reset")


async def test_json_is_never_written_into_a_stream_that_has_begun():
    for limits in (Limits(), Limits(hold_json_bytes=5)):
        case = Case(b'{"type":', b'"message"}', kind="application/json", limits=limits)
        await case.down.promise(STREAM, [])
        assert await case.run() == Garbage("json")


async def test_promised_json_is_the_text_itself_and_never_a_stream():  # R16
    answer = b'{"type":"message"}'
    case = Case(gzip.compress(answer), kind="application/json", coding="gzip")
    await case.down.promise(JSON, [])
    assert isinstance(await case.run(), Success)
    assert case.body == answer
    stream = Case(*WHOLE)
    await stream.down.promise(JSON, [])
    assert await stream.run() == Garbage("stream")


async def test_json_too_long_to_check_is_passed_on_and_its_break_is_shown():
    limits = Limits(hold_json_bytes=5)
    case = Case(b"123456", b"789", kind="application/json", limits=limits)
    assert isinstance(await case.run(), Success)
    assert (case.body, case.ended) == (b"123456789", True)
    broken = Case(b"123456", BROKEN, kind="application/json", limits=limits)
    assert isinstance(await broken.run(), Cut)
    assert broken.dropped == 1


async def test_an_answer_of_unknown_form_is_not_judged():
    case = Case(b"\x89PNG", kind="image/png", checked=False)
    assert isinstance(await case.run(), Success)
    assert case.body == b"\x89PNG"


async def test_the_kind_of_answer_is_read_in_any_case_of_letters():
    assert isinstance(await Case(*WHOLE, kind="Text/Event-Stream").run(), Success)


SETTLED = b'event: settle\ndata: {"cost_usd": 0.5}\n\n'


def stripping(*chunks, **more) -> Case:
    strip, meter = EventFilter(frozenset({"settle"})), Meter("settle")
    return Case(*chunks, edit=strip, meter=meter, cost_usd=0.25, **more)


@pytest.mark.parametrize("step", [1, 50, 10_000])
async def test_events_named_in_the_config_are_metered_and_taken_out(step):
    stream = SETTLED + b"".join((*WHOLE, SETTLED))
    case = stripping(*(stream[i : i + step] for i in range(0, len(stream), step)))
    found = await case.run()
    assert isinstance(found, Success)
    assert (found.usage.output, found.usage.cost_usd) == (3, 0.5)
    assert (case.body, case.ended) == (b"".join(WHOLE), True)


async def test_an_encoded_stream_is_passed_on_plain_where_events_are_taken_out():
    packed = gzip.compress(b"".join((START, SETTLED, OPEN, DELTA, SHUT, STOP, END)))
    case = stripping(packed[:40], packed[40:], coding="gzip")
    assert isinstance(await case.run(), Success)
    assert case.body == b"".join(WHOLE)
    assert b"content-encoding" not in case.headers
    unread = stripping(b"\x8b\x00", coding="compress")
    assert isinstance(await unread.run(), Success)
    assert (unread.body, unread.headers[b"content-encoding"]) == (b"\x8b\x00", b"compress")


async def test_what_the_filter_held_goes_out_before_an_honest_end():
    case = stripping(START, OPEN, DELTA, SHUT, b": half a comment\n", BROKEN)
    assert isinstance(await case.run(), Cut)
    assert b": half a comment\nevent: error" in case.body


@pytest.mark.parametrize(
    ("chunks", "kind", "cost"),
    [
        (WHOLE, "text/event-stream", 0.25),
        ((b'{"type":"message","usage":{"cost":0.125}}',), "application/json", 0.125),
        ((b'{"type":"message","usage":{}}',), "application/json", 0.25),
    ],
)
async def test_a_cost_header_counts_where_the_answer_itself_tells_none(chunks, kind, cost):
    found = await Case(*chunks, kind=kind, cost_usd=0.25).run()
    assert isinstance(found, Success)
    assert found.usage.cost_usd == cost


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_a_reader_sees_a_whole_answer_in_the_clear_and_may_change_it(coding):
    body, read = b'{"type":"message"}', []

    def edit(text: bytes) -> bytes:
        read.append(text)
        return text + b" "

    sent = gzip.compress(body) if coding else body
    case = Case(sent, kind="application/json", coding=coding, reader=edit)
    assert isinstance(await case.run(), Success)
    assert (read, case.body) == ([body], body + b" ")
    assert case.headers[b"content-length"] == b"%d" % len(case.body)
    assert b"content-encoding" not in case.headers


async def test_what_a_reader_leaves_as_it_is_goes_on_as_it_came():
    sent = gzip.compress(b'{"type":"message"}')
    case = Case(sent, kind="application/json", coding="gzip", reader=lambda text: text)
    assert isinstance(await case.run(), Success)
    assert (case.body, case.headers[b"content-encoding"]) == (sent, b"gzip")


async def test_a_reader_sees_nothing_that_is_no_answer():
    read: list[bytes] = []

    def edit(text: bytes) -> bytes:
        read.append(text)
        return text

    case = Case(b"<html>", kind="text/html", reader=edit)
    assert await case.run() == Garbage("html")
    assert not read


async def test_another_vendors_silent_answer_is_a_failure_before_it_is_begun():
    assert await Case(START, OPEN, SHUT, STOP, END, failures=Failures()).run() == Garbage("empty")
    assert isinstance(await Case(START, OPEN, SHUT, STOP, END).run(), Success)
    assert isinstance(await Case(*WHOLE, failures=Failures()).run(), Success)


async def test_an_error_event_of_another_vendor_is_read_by_its_own_table():
    error = b'event: error\ndata: {"error":{"type":"rate_limit_error","message":"M"}}\n\n'
    assert await Case(error, failures=Failures()).run() == RateLimited()
    assert isinstance(await Case(error).run(), Burst)
