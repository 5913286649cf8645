"""Reading encoded answers on the way: any split, no bomb, broken input harms nobody."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.encoding import MAX_DECODED, Decoder


def of(name):
    decoder = Decoder.of(name)
    assert decoder is not None
    return decoder


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_gzip_reads_the_same_however_it_is_split(data, step):
    decoder = of("gzip")
    packed = gzip.compress(data)
    out = b"".join(decoder.feed(packed[i : i + step]) for i in range(0, len(packed), step))
    assert (out, decoder.complete) == (data, True)


@pytest.mark.parametrize("name", ["", "identity", " Identity "])
def test_identity_is_handed_through(name):
    decoder = of(name)
    assert decoder.feed(b"abc") == b"abc"
    assert decoder.complete


def test_deflate_is_read():
    assert of("deflate").feed(zlib.compress(b"abc")) == b"abc"


@pytest.mark.parametrize("name", ["br", "zstd", "gzip, br"])
def test_a_coding_nobody_asked_for_has_no_decoder(name):
    assert Decoder.of(name) is None


def test_a_truncated_body_is_not_complete():
    decoder = of("gzip")
    decoder.feed(gzip.compress(b"x" * 1000)[:-9])
    assert not decoder.complete


def test_broken_input_ends_the_reading_only():
    decoder = of("gzip")
    assert decoder.feed(b"no gzip at all") == b""
    assert (decoder.feed(b"more"), decoder.broken) == (b"", True)


def test_a_decompression_bomb_is_bounded():
    decoder = of("gzip")
    bomb = gzip.compress(bytes(4 * MAX_DECODED))
    assert len(decoder.feed(bomb)) <= MAX_DECODED
    assert decoder.overlong
    assert not decoder.complete


def test_a_flood_of_members_is_bounded():
    decoder = of("gzip")
    decoder.feed(gzip.compress(b"") * 5000)
    assert decoder.overlong


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 97))
def test_several_members_are_one_body(datas, step):
    decoder = of("gzip")
    packed = b"".join(gzip.compress(data) for data in datas)
    out = b"".join(decoder.feed(packed[i : i + step]) for i in range(0, len(packed), step))
    assert (out, decoder.complete) == (b"".join(datas), True)


def test_members_share_one_bound():
    member = gzip.compress(bytes(MAX_DECODED // 2))
    decoder = of("gzip")
    assert len(decoder.feed(member * 10)) <= MAX_DECODED
    assert decoder.overlong


@pytest.mark.parametrize("padding", [b"\n", b"\x00" * 64, b"\x1f", b"PK"])
def test_padding_behind_the_last_member_is_ignored(padding):
    decoder = of("gzip")
    body = gzip.compress(b"abc") + padding
    assert b"".join(decoder.feed(bytes([byte])) for byte in body) == b"abc"
    assert decoder.complete


def test_a_stream_of_one_member_an_event_is_read_to_its_end():
    decoder = of("gzip")
    assert all(decoder.feed(gzip.compress(b"event")) == b"event" for _ in range(3000))
    assert decoder.complete
