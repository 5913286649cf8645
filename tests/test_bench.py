"""The logic of the lab (scripts/bench): its framing, its bytes, its arithmetic. Nothing here is timed."""

import asyncio
import json
import math
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool import Account, Pool
from maxpool.wire.sse import Scanner

answers = import_module("benchlib.answers")
asking = import_module("benchlib.asking")
client = import_module("benchlib.client")
framing = import_module("benchlib.framing")
load = import_module("benchlib.load")
profiling = import_module("benchlib.profiling")
report = import_module("benchlib.report")
streaming = import_module("benchlib.streaming")
upstream = import_module("benchlib.upstream")

STREAM = answers.opening() + answers.delta(1_000) + answers.delta(2_000) + answers.closing()
WHOLE = answers.json_answer(1024)
NEWS = b"HTTP/1.1 100 Continue\r\n\r\n"


def lab() -> ModuleType:
    path = Path(__file__).parents[1] / "scripts" / "bench"
    loader = SourceFileLoader("bench", str(path))
    spec = spec_from_loader("bench", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


class Silent:
    """A transport that sends nothing."""

    def write(self, data: bytes) -> None:
        pass


def connection() -> Any:
    made = client.Connection()
    made.connection_made(Silent())
    return made


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_a_stream_is_read_alike_wherever_it_is_split(cuts):
    seen: list[int] = []
    ends: list[Any] = []
    made = connection()
    for _ in range(2):  # the second answer on the same connection
        made.ask(b"", ends.append, lambda _now, stamps: seen.extend(stamps))
        for piece in pieces(STREAM, cuts):
            made.data_received(piece)
        assert (made.answered, made.stopped, made.events) == (True, True, 2)
    assert seen == [1_000, 2_000] * 2
    assert ends == [made, made]


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_a_whole_answer_is_counted_and_interim_ones_are_passed_over(cuts):
    ends: list[Any] = []
    made = connection()
    made.ask(b"", ends.append)
    for piece in pieces(NEWS + WHOLE, cuts):
        made.data_received(piece)
    assert (made.status, made.size, made.answered, ends) == (200, 1024, True, [made])


def test_an_answer_without_a_length_ends_with_its_connection():
    ends: list[Any] = []
    made = connection()
    made.ask(b"", ends.append)
    made.data_received(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert not ends
    made.connection_lost(None)
    assert (made.answered, made.size, len(ends)) == (True, 5, 1)


def test_a_connection_that_ends_early_is_no_answer():
    ends: list[Any] = []
    made = connection()
    made.ask(b"", ends.append, lambda *_: None)
    made.data_received(STREAM[:-5])
    made.connection_lost(None)
    assert (made.answered, len(ends)) == (False, 1)


def test_the_stream_is_one_that_the_product_reads_to_its_end():
    body: list[bytes] = []
    made = framing.Framing()
    made.answers, made.on_body = True, body.append
    made.data_received(STREAM)
    names = [event.name for event in Scanner().feed(b"".join(body))]
    deltas = ["content_block_delta"] * 2
    assert names[:4] == ["message_start", "content_block_start", "ping", deltas[0]]
    assert names[-4:] == [deltas[1], "content_block_stop", "message_delta", "message_stop"]


def test_its_headers_are_readings_of_both_windows():
    fields = (line.split(b": ", 1) for line in WHOLE.split(b"\r\n\r\n", 1)[0].split(b"\r\n")[1:])
    headers = {name.decode(): value.decode() for name, value in fields}
    pool = Pool([Account("a", "a", kind="subscription")], now=1_700_000_000.0)
    pool.observe("a", headers, 1_700_000_000.0)
    windows = pool.view(1_700_000_000.0).accounts[0].windows
    assert {window.window: window.utilization for window in windows} == {"5h": 0.25, "7d": 0.31}


@pytest.mark.parametrize("size", [1024, 4096, 40_960])
def test_a_request_has_the_size_asked_for_and_says_what_it_wants(size):
    number, data = asking.Requests(size, stream=True).make(7, b"events=3x0,2x50")
    head, body = data.split(b"\r\n\r\n", 1)
    assert len(body) == size
    assert b"content-length: %d" % size in head
    assert json.loads(body)["stream"] is True
    assert answers.wanted(body) == answers.Wanted(number, steps=((3, 0.0), (2, 0.05)))


def test_what_says_nothing_wants_a_kilobyte():
    assert answers.wanted(b"{}") == answers.Wanted(0, 1024)
    assert answers.wanted(b"bench id=4 answer=99;") == answers.Wanted(4, 99)


def test_steps_are_written_as_they_are_read():
    told = streaming.order([(3, 0.2), (0, 1.0), (10, 0.025)])
    assert answers.wanted(b"bench id=1 %s;" % told).steps == ((3, 0.2), (10, 0.025))


def test_a_late_request_is_timed_from_when_it_was_due_unless_a_timer_was_the_cause():
    assert load.since_ns(1_000_000, 1_900_000) == 1_900_000
    assert load.since_ns(1_000_000, 9_000_000) == 1_000_000


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 6), (0.99, 10), (1.0, 10)])
def test_a_percentile_is_one_of_the_values(share, value):
    assert report.percentile(range(10, 0, -1), share) == value


def test_of_nothing_there_is_no_percentile():
    assert math.isnan(report.percentile([], 0.5))


def test_what_a_line_adds_is_taken_repetition_by_repetition():
    turns = {
        "direct": [{"a, ms": 1.0, "b/s": 100.0}, {"a, ms": 9.0, "b/s": 50.0}],
        "maxpool": [{"a, ms": 2.0, "b/s": 10.0, "c": 3}, {"a, ms": 10.5, "b/s": 10.0, "c": 4}],
    }
    rows = report.folded(turns)["maxpool"]
    assert rows["a, ms"]["against_direct"]["values"] == [1.0, 1.5]
    assert rows["b/s"]["against_direct"]["values"] == [0.1, 0.2]
    assert "against_direct" not in rows["c"]


def test_of_losses_the_highest_counts():
    rows = report.folded({"direct": [{"200 streams: lost": n} for n in (0, 2, 0)]})["direct"]
    assert report.told("200 streams: lost", rows["200 streams: lost"]) == "2"


def test_the_table_for_a_readme_leaves_unmeasured_cells_empty():
    turns = {"direct": [{"a, ms": 1.0}], "nginx": [{"a, ms": 0.5, "CPU, us": 40.0}]}
    lines = report.markdown(report.folded(turns), "Measured.")
    assert lines[2:] == [
        "| | direct | nginx |",
        "|---|---|---|",
        "| a, ms | 1 | 0.5 (-0.5) |",
        "| CPU, us |  | 40 |",
    ]


def test_a_profile_keeps_only_the_loops_own_thread():
    raw = "main;work 5\nThread._bootstrap (threading.py:1);wait 9\n"
    assert profiling.of_the_loop(raw, speedscope=False) == "main;work 5\n"
    threads = {"profiles": [{"name": 'Thread 1 "MainThread"'}, {"name": 'Thread 2 "worker"'}]}
    kept = json.loads(profiling.of_the_loop(json.dumps(threads), speedscope=True))
    assert [each["name"] for each in kept["profiles"]] == ['Thread 1 "MainThread"']


async def test_streams_arrive_whole_and_the_upstream_sees_who_leaves():
    loop = asyncio.get_running_loop()
    ends: dict[int, int] = {}
    ticker = upstream.Ticker(loop)
    server = await loop.create_server(lambda: upstream.Upstream(ticker, ends), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        made = asking.Requests(4096, stream=True)
        held = await streaming.held(port, made, 5, 500, 1000, 0.02)
        assert (held.lost, len(held.first_s)) == (0, 5)
        ramp = await streaming.ramp(port, made, 5, [500, 1000], 0.25, opening_rate=500)
        assert (ramp.lost, all(step.delays_ns for step in ramp.steps)) == (0, True)
        gone = await streaming.aborts(port, port, made, 3, 500, ask_more=0.0)
        assert len(gone) == 3
        assert None not in gone
        closed = await load.closed_loop(port, asking.Requests(1024), 2, 0.02)
        opened = await load.open_loop(port, asking.Requests(1024), 500, 0.02)
        assert (closed.bad, opened.bad, opened.good) == (0, 0, 10)


def test_a_part_that_is_none_is_refused_by_name(capsys):
    with pytest.raises(SystemExit):
        lab().options(["request"])
    assert "no such part: request" in capsys.readouterr().err


def test_a_quick_run_is_one_repetition_of_every_part():
    module = lab()
    chosen = module.options(["--quick"])
    assert (chosen.repetitions, tuple(chosen.parts)) == (1, module.PARTS)


def test_what_is_no_number_becomes_null_in_json():
    assert lab().clean({"a": [math.nan, 1.0]}) == {"a": [None, 1.0]}
