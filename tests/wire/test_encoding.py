"""Reading encoded answers on the way: any split, no bomb, broken input harms nobody."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.encoding import MAX_DECODED, Decoder
from tests.wire.packing import PACK, bomb, flushed, packed, wide

READ = ["gzip", "br", "zstd"]
EVENTS = [b"event: ping\ndata: {}\n\n", "data: {\u00fc\u20ac}\n\n".encode(), b"x" * 3000]


def of(name):
    decoder = Decoder.of(name.rpartition(" ")[2])
    assert decoder is not None
    return decoder


def pieces(body, step):
    return [body[at : at + step] for at in range(0, len(body), step)]


@given(st.sampled_from(list(PACK)), st.binary(max_size=5000), st.integers(1, 700))
def test_every_coding_reads_the_same_however_it_is_split(coding, data, step):
    decoder = of(coding)
    out = b"".join(decoder.feed(piece) for piece in pieces(packed(coding, data), step))
    assert (out, decoder.complete) == (data, True)


@pytest.mark.parametrize("coding", PACK)
def test_every_coding_is_read_byte_by_byte_and_told_apart_from_its_beginnings(coding):
    decoder, out = of(coding), b""
    body = packed(coding, b"".join(EVENTS))
    for byte in body:
        assert not decoder.complete
        out += decoder.feed(bytes([byte]))
    assert (out, decoder.complete) == (b"".join(EVENTS), True)


@pytest.mark.parametrize("coding", READ)
def test_an_event_is_read_as_soon_as_the_upstream_has_flushed_it(coding):
    decoder = of(coding)
    *parts, end = flushed(coding, EVENTS)
    assert [decoder.feed(part) for part in parts] == EVENTS
    assert not decoder.complete
    assert (decoder.feed(end), decoder.complete) == (b"", True)


@pytest.mark.parametrize("coding", READ)
def test_a_long_event_is_read_at_once_though_decoders_give_out_block_by_block(coding):
    long = [b"data: " + b"x" * size + b"\n\n" for size in (40_000, 200_000, 1 << 21)]
    decoder = of(coding)
    assert [len(decoder.feed(part)) for part in flushed(coding, long)[:-1]] == [*map(len, long)]


@pytest.mark.parametrize("name", ["", "identity", " Identity "])
def test_identity_is_handed_through(name):
    decoder = of(name.strip())
    assert decoder.feed(b"abc") == b"abc"
    assert decoder.complete
    assert not decoder.encoded


@pytest.mark.parametrize("name", ["compress", "exi", "gzip, br", "br, br", "\x00"])
def test_a_coding_nobody_knows_has_no_decoder(name):
    assert Decoder.of(name) is None


@pytest.mark.parametrize("coding", READ)
def test_a_truncated_body_is_not_complete(coding):
    whole = packed(coding, bytes(range(256)) * 20)
    for cut in (1, len(whole) // 2, len(whole) - 1):
        decoder = of(coding)
        decoder.feed(whole[:cut])
        assert not decoder.complete


@given(st.sampled_from(list(PACK)), st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_at_all_make_it_raise(coding, chunks):
    decoder = of(coding)
    for chunk in chunks:
        assert len(decoder.feed(chunk, 1000)) <= 1000 + (1 << 20)
        assert decoder.complete in (True, False)


@given(st.sampled_from(READ), st.binary(min_size=200), st.integers(0, 5000), st.integers(0, 255))
def test_one_wrong_byte_ends_the_reading_at_worst(coding, data, where, wrong):
    body = bytearray(packed(coding, data))
    body[where % len(body)] = wrong
    decoder = of(coding)
    for piece in pieces(bytes(body), 7):
        decoder.feed(piece)
    assert not (decoder.broken and decoder.complete)


@pytest.mark.parametrize("coding", READ)
def test_broken_input_ends_the_reading_only(coding):
    decoder = of(coding)
    assert decoder.feed(b"\xff none of them begins like this") == b""
    assert (decoder.feed(b"more"), decoder.broken, decoder.complete) == (b"", True, False)


@pytest.mark.parametrize("coding", PACK)
def test_a_decompression_bomb_is_bounded_in_what_it_gives_and_in_memory(coding):
    body = bomb(coding, 40)
    decoder = of(coding)
    tracemalloc.start()
    size = len(decoder.feed(body))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size <= MAX_DECODED + (1 << 20)
    assert decoder.overlong
    assert not decoder.complete
    assert decoder.feed(body) == b""
    assert peak < 4 * MAX_DECODED


def test_a_window_larger_than_http_allows_is_not_made():
    decoder = of("zstd")
    decoder.feed(wide(bytes(1000)))
    assert decoder.broken


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_flood_of_members_is_bounded(coding):
    decoder = of(coding)
    decoder.feed(packed(coding, b"") * 20_000)
    assert decoder.overlong


@given(
    st.sampled_from(["gzip", "zstd"]),
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    st.integers(1, 97),
)
def test_several_members_are_one_body(coding, datas, step):
    decoder = of(coding)
    body = b"".join(packed(coding, data) for data in datas)
    out = b"".join(decoder.feed(piece) for piece in pieces(body, step))
    assert (out, decoder.complete) == (b"".join(datas), True)


def test_a_frame_to_be_skipped_says_nothing():
    frame = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"
    body = frame + packed("zstd", b"one") + frame + packed("zstd", b"two")
    for step in (1, len(body)):
        decoder = of("zstd")
        assert b"".join(decoder.feed(piece) for piece in pieces(body, step)) == b"onetwo"


def test_members_share_one_bound():
    member = gzip.compress(bytes(MAX_DECODED // 2))
    decoder = of("gzip")
    assert len(decoder.feed(member * 10)) <= MAX_DECODED
    assert decoder.overlong


@pytest.mark.parametrize(
    "padding",
    [b"\n", b"\x00" * 64, b"\x1f", b"PK", b"\x00" + gzip.compress(b"x")],
    ids=["line", "zeros", "half a mark", "another mark", "behind a zero"],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_padding_behind_the_last_member_is_ignored(padding, step):
    decoder = of("gzip")
    body = gzip.compress(b"abc") + padding
    assert b"".join(decoder.feed(piece) for piece in pieces(body, step)) == b"abc"
    assert decoder.complete


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_stream_of_one_member_an_event_is_read_to_its_end(coding):
    decoder = of(coding)
    assert all(decoder.feed(packed(coding, b"event")) == b"event" for _ in range(3000))
    assert decoder.complete
