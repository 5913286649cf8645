from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.adapters.http11_body import Body, decoder
from maxpool.adapters.http11_head import CHUNKED, UNTIL_CLOSE, Malformed
from maxpool.errors import StreamCut


def decoded(length, *pieces):
    """The body's bytes, and what the last piece made of its end."""
    chunks: list[bytes] = []
    one = decoder(length, chunks.append)
    ends = [one.feed(piece) for piece in pieces]
    assert all(end is None for end in ends[:-1])
    return b"".join(chunks), ends[-1]


def cut_at(data, places):
    edges = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def test_a_counted_body_is_handed_on_uncopied():
    chunks: list[bytes] = []
    data = bytes(100_000)
    decoder(200_000, chunks.append).feed(data)
    assert chunks[0] is data


def test_a_body_that_ends_with_its_connection_has_no_end_of_its_own():
    assert decoded(UNTIL_CLOSE, b"a", b"b") == (b"ab", None)


@pytest.mark.parametrize("surplus", [b"", b"x", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_follows_a_counted_body_is_no_part_of_it(surplus):
    assert decoded(3, b"ab", b"c" + surplus) == (b"abc", len(surplus))


@pytest.mark.parametrize(
    "end", [b"0\r\n\r\n", b"000;x=y\r\n\r\n", b"0\r\nX: y\r\nContent-Length: 3\r\n\r\n"]
)
@pytest.mark.parametrize(
    "surplus", [b"", b"x", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_what_follows_the_last_chunk_is_noticed(end, surplus):
    body, left = decoded(CHUNKED, b"3\r\nabc\r\n" + end + surplus)
    assert body == b"abc"
    assert left is not None
    assert bool(left) == bool(surplus)


@given(st.lists(st.integers(0, 30), max_size=6), st.sampled_from([b"", b"\r\n", b"\n", b"x"]))
def test_an_end_in_pieces_is_told_from_one_with_something_behind_it(places, surplus):
    *begun, last = cut_at(b"3\r\nabc\r\n0\r\n\r\n", places)
    body, left = decoded(CHUNKED, *begun, last + surplus)
    assert body == b"abc"
    assert left == len(surplus[:1])


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    st.lists(st.integers(0, 10_000), max_size=20),
    st.sampled_from([b"", b" ", b";a=b", b';a="b c"']),
    st.sampled_from([b"", b"X-Late: y\r\n"]),
)
def test_chunks_cut_anywhere_are_the_same_body(parts, places, extension, trailers):
    lines = [b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts]
    data = b"".join(lines) + b"0\r\n" + trailers + b"\r\n"
    body, left = decoded(CHUNKED, *cut_at(data, places))
    assert body == b"".join(parts)
    assert left is not None


@pytest.mark.parametrize(
    "data",
    [
        b"3\nabc\r\n",
        b"3\r\nabc\n",
        b"3\r\nabcd\r\n",
        b"+3\r\nabc\r\n",
        b"-3\r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"3_0\r\n",
        b"\r\n",
        b"10000000000000003\r\nabc\r\n",
        b"3;\0\r\nabc\r\n",
        b"3;a\nb\r\nabc\r\n",
        b"3\rabc\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: y\n\r\n",
        b"0\r\nX: y\r\n z\r\n\r\n",
        b"0\n\n",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_chunks_that_could_be_read_in_two_ways_are_refused(data, whole):
    with pytest.raises(Malformed):
        decoded(CHUNKED, *([data] if whole else [data[at : at + 1] for at in range(len(data))]))


@given(st.lists(st.binary(max_size=30), max_size=6))
def test_garbage_is_refused_or_waits_for_more(pieces):
    one = decoder(CHUNKED, list[bytes]().append)
    try:
        for piece in pieces:
            if one.feed(piece) is not None:
                return
    except Malformed:
        return


class Origin:
    """Where a body comes from in these tests; `asked` is what it asked for."""

    def __init__(self):
        self.asked: list[str] = []

    def wait(self):
        self.asked.append("wait")
        return asyncio.get_running_loop().create_future()

    def taken(self):
        self.asked.append("taken")

    def release(self):
        self.asked.append("release")

    def abort(self):
        self.asked.append("abort")


async def test_what_arrived_together_is_handed_out_together():
    body = Body(origin := Origin(), endless=False)
    body.chunks += [b"a", b"b"]
    assert await anext(body) == b"ab"
    body.chunks += [b"c"]
    body.end(None)
    assert [chunk async for chunk in body] == [b"c"]
    assert origin.asked == ["taken", "release"]


async def test_a_waiting_reader_is_woken_by_bytes_and_by_the_end():
    body = Body(origin := Origin(), endless=False)
    reading = asyncio.create_task(anext(body))
    await asyncio.sleep(0)
    assert body.is_awaited
    body.chunks.append(b"a")
    body.wake()
    assert await reading == b"a"
    ending = asyncio.create_task(anext(body, b"end"))
    await asyncio.sleep(0)
    body.end(None)
    assert await ending == b"end"
    assert origin.asked == ["wait", "taken", "wait", "release"]


async def test_a_cut_comes_after_all_that_arrived_and_stays():
    body = Body(Origin(), endless=False)
    body.chunks.append(b"a")
    body.end(partial(StreamCut, "truncated"))
    assert await anext(body) == b"a"
    for _ in range(2):
        with pytest.raises(StreamCut, match="truncated"):
            await anext(body)


async def test_a_cut_body_is_let_go_by_its_last_reader():
    gc.collect()
    gc.disable()
    try:
        body = Body(Origin(), endless=False)
        body.end(partial(StreamCut, "truncated"))
        with suppress(StreamCut):
            await anext(body)
        del body
        assert not [one for one in gc.get_objects() if isinstance(one, Body)]
    finally:
        gc.enable()


async def test_closing_gives_a_complete_body_back_and_drops_any_other():
    complete, open_ = (
        Body(first := Origin(), endless=False),
        Body(second := Origin(), endless=False),
    )
    complete.chunks.append(b"a")
    complete.end(None)
    for body in (complete, open_):
        await body.aclose()
        await body.aclose()
    assert first.asked == ["release"]
    assert second.asked[0] == "abort"
    with pytest.raises(StreamCut):
        await anext(complete)
