from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.adapters.http11_head import (
    CHUNKED,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    NAMES_KEPT,
    UNTIL_CLOSE,
    Malformed,
    Openings,
    plan,
    read_head,
    write_head,
)
from tests.adapters.contract import SECRET, direct
from tests.adapters.peers import call

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n"


def read(fields=b"", start=OK, *, bodiless=False):
    head = read_head(start + fields + b"\r\n", bodiless=bodiless)
    assert head is not None
    return head


def reason(data):
    with pytest.raises(Malformed) as caught:
        read_head(data, bodiless=False)
    assert SECRET.decode() not in str(caught.value)
    return str(caught.value)


def test_fields_keep_their_bytes_their_order_and_their_duplicates():
    head = read(b"x-B: \t1 2\t \r\nX-A:\r\nX-a:\xff:\x01\r\nx-B: 3\r\n")
    assert head.headers == [(b"x-B", b"1 2"), (b"X-A", b""), (b"X-a", b"\xff:\x01"), (b"x-B", b"3")]


def test_a_head_ends_where_its_empty_line_ends():
    data = OK + b"A: b\r\n\r\n" + OK + b"\r\n"
    head = read_head(data, bodiless=False)
    assert head is not None
    assert head.size == len(OK + b"A: b\r\n\r\n")


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 299\r\n", b"HTTP/1.1 299 \r\n", b"HTTP/1.1 299 \xfc \r\n"]
)
def test_the_reason_phrase_may_be_anything_or_missing(start):
    assert read(start=start).status == 299


@pytest.mark.parametrize(
    ("fields", "start", "length", "keep"),
    [
        (b"Content-Length: 7\r\n", OK, 7, True),
        (b"content-length: 007\r\nContent-Length: 007\r\n", OK, 7, True),
        (b"Content-Length: 7 , 7\r\n", OK, 7, True),
        (CHUNKS, OK, CHUNKED, True),
        (b"tRANSFER-eNCODING:CHUNKED \r\n", OK, CHUNKED, True),
        (b"", OK, UNTIL_CLOSE, False),
        (b"Content-Length: 7\r\nConnection: x, Close\r\n", OK, 7, False),
        (b"Content-Length: 7\r\nConnection: keep-alive, closed\r\n", OK, 7, True),
        (b"Content-Length: 7\r\nConnection: keep-alive\r\n", b"HTTP/1.0 200 OK\r\n", 7, False),
        (b"Content-Length: 7\r\n", b"HTTP/1.1 304 Same\r\n", 0, True),
        (b"", b"HTTP/1.1 204 None\r\n", 0, True),
        (b"", b"HTTP/1.1 103 Soon\r\n", 0, True),
    ],
)
def test_framing_follows_the_fields(fields, start, length, keep):
    head = read(fields, start)
    assert (head.length, head.keep) == (length, keep)


def test_an_answer_to_head_has_no_body_whatever_it_says():
    assert [
        read(fields, bodiless=True).length for fields in (b"Content-Length: 7\r\n", CHUNKS)
    ] == [0, 0]


def test_a_length_said_twice_is_passed_on_once():
    head = read(b"Content-Length: 7\r\nX: y\r\ncontent-length: 7\r\n")
    assert head.headers == [(b"Content-Length", b"7"), (b"X", b"y")]


@pytest.mark.parametrize(
    "field",
    [
        b" folded: sk-secret",
        b"X-A: b\r\n sk-secret",
        b"X-A : sk-secret",
        b": sk-secret",
        b"sk-secret",
        b"X\xe4: sk-secret",
        b"X-A: sk-secret\0",
        b"X-A: sk-secret\rX: y",
        b"X-A: sk-secret\nX: y",
        b"X-A: sk-secret\x0b",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding:",
        b"Transfer-Encoding: \x01chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 6",
        b"Content-Length: 5,",
        b"Content-Length:",
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length: 5 5",
        b"Content-Length: 5_0",
        b"Content-Length: 0x5",
        b"Content-Length: 5.0",
        b"Content-Length: \xb2",
        b"Content-Length: 1000000000000000000000",
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(field):
    assert reason(OK + b"X-First: 1\r\n" + field + b"\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/0.9 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 +20 OK",
        b"HTTP/1.1 200 O\0K",
        b"HTTP/1.1\t200 OK",
        b" HTTP/1.1 200 OK",
        b"\r\nHTTP/1.1 200 OK",
        b"ICY 200 OK",
        b"",
    ],
)
def test_only_http_1_0_and_1_1_are_spoken(line):
    assert reason(line + b"\r\nContent-Length: 0\r\n\r\n")


def test_chunks_from_a_peer_too_old_for_them_are_refused():
    assert "ambiguous" in reason(b"HTTP/1.0 200 OK\r\n" + CHUNKS + b"\r\n")


def test_the_bad_line_is_named_by_its_number():
    assert reason(OK + b"A: b\r\nsk-secret\r\n\r\n") == "line 3 of its head is malformed"


@pytest.mark.parametrize("data", [b"n", b"HTTP/2", OK[:-2] + b"\n", OK + b"X: y\n"])
def test_what_cannot_become_a_head_is_refused_before_it_is_complete(data):
    assert reason(data)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_size_and_number_of_lines_are_bounded(end):
    assert "longer" in reason(OK + b"X: " + b"a" * MAX_HEAD_BYTES + end)
    assert "lines" in reason(OK + b"X: y\r\n" * (MAX_FIELDS + 1) + end[2:])
    assert len(read(b"X: y\r\n" * MAX_FIELDS).headers) == MAX_FIELDS


@pytest.mark.parametrize("value", [b" " * 60_000 + b"\0", b" \t" * 30_000 + b"x", b"x " * 30_000])
def test_no_value_makes_reading_slow(value):
    # A pattern that went back over spaces would take minutes for these.
    field = b"X: " + value + b"\r\n"
    if b"\0" in value:
        assert reason(OK + field + b"\r\n")
    else:
        assert read(field).headers == [(b"X", value.strip(b" \t"))]


@given(st.integers(0, 60))
def test_every_beginning_of_a_head_is_incomplete(at):
    data = b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n"
    head = read_head(data[:at], bodiless=False)
    assert (head is None) == (at < len(data))


@given(st.binary(max_size=80), st.booleans())
def test_garbage_is_refused_or_incomplete_or_a_head(noise, begun):
    data = (OK if begun else b"") + noise
    try:
        head = read_head(data, bodiless=False)
    except Malformed:
        return
    assert head is None or head.size <= len(data)


def written(to=None, **parts):
    wanted = call("http://a.test/x?y=%2f", **parts)
    return write_head(to or plan(wanted.method, wanted.url, direct), wanted, Openings())


def test_a_request_is_its_line_its_host_its_fields_and_its_length():
    fields = [(b"X-A", b"1"), (b"host", b"evil"), (b"EXPECT", b"x"), (b"X-A", b"2")]
    assert written(headers=fields, body=b"abc") == (
        b"POST /x?y=%2f HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\n\r\n"
    )


def test_only_methods_that_have_a_body_say_that_it_is_empty():
    assert b"Content-Length: 0" in written(method="PUT", body=b"")
    assert b"Content-Length" not in written(method="DELETE", body=b"")


@pytest.mark.parametrize(
    "field",
    [
        (b"X", b"a\r\nY: b"),
        (b"X", b"a\nb"),
        (b"X", b"a\rb"),
        (b"X", b"a\0b"),
        (b"X\r\nY", b"a"),
        (b"X: a", b"b"),
        (b"", b"a"),
        (b"X Y", b"a"),
    ],
)
def test_a_field_that_would_be_read_as_something_else_is_never_written(field):
    with pytest.raises(ValueError, match="not valid"):
        written(headers=[(b"A", b"b"), field])


def test_no_more_names_are_remembered_than_the_bound():
    openings = Openings()
    for number in range(2 * NAMES_KEPT + 1):
        assert openings[b"X-%d" % number] == b"\r\nX-%d: " % number
    assert len(openings) <= NAMES_KEPT


@pytest.mark.parametrize("method", ["", "GET /", "GÄT", "GET\r\n"])
def test_what_is_no_method_is_refused(method):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        plan(method, "http://a.test/", direct)


def test_an_http_proxy_is_told_the_whole_url_and_who_asks():
    to = plan("GET", "http://a.test:81/x", lambda scheme, host: "http://u:p@proxy:3128")
    assert written(to, method="GET", body=b"") == (
        b"GET http://a.test:81/x HTTP/1.1\r\nHost: a.test:81\r\n"
        b"Proxy-Authorization: Basic dTpw\r\n\r\n"
    )
    tunnelled = plan("GET", "https://a.test/x", lambda scheme, host: "http://u:p@proxy:3128")
    assert b"Proxy" not in written(tunnelled, method="GET", body=b"")
