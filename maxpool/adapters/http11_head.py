"""The heads of HTTP/1.1 messages: requests written, responses read strictly.

Knows bytes only: no socket, no clock, no body. A response's head is taken as RFC 9112 writes it or
not at all: no folded lines, no bare CR or LF, no space before a colon, no framing that two readers
could understand in two ways. Nothing here quotes what it read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from maxpool.adapters.connections import Address, Proxy, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.ports import Call, RawHeaders

MAX_HEAD_BYTES = 64 * 1024
"""Status line and headers of one answer; real ones stay under 8 KB, Node takes 16 KB."""

MAX_FIELDS = 256
"""Header lines of one answer; real ones have about thirty."""

NAMES_KEPT = 256
"""Header names of requests whose form is remembered; a client sends the same twenty each time."""

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]++"
_VALUE = rb"[^\x00\n\r\x0b\x0c]*+"  # other control characters occur in the wild, in cookies
_LINE = re.compile(rb"%b:%b" % (_TOKEN, _VALUE))
_FIELD = re.compile(rb"([^:]*):[ \t]*([^\r]*)\r\n")  # of lines that are known to be well formed
_STATUS_LINE = rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: %b)?+\r\n" % _VALUE
_HEAD = re.compile(rb"%b((?:%b:%b\r\n)*+)\r\n" % (_STATUS_LINE, _TOKEN, _VALUE))
_LENGTH = re.compile(rb"[0-9]{1,18}")
_NAME = re.compile(_TOKEN)
_START = b"HTTP/1."
_DECIDING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS = frozenset({204, 304})
_FRAMING = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"expect"}
)
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class Malformed(Exception):  # noqa: N818 - turned into a value before it leaves the adapter
    """What arrived is no answer we take; the text says why and quotes nothing."""


class Head(NamedTuple):
    """An answer's head. `length`: bytes of the body, or CHUNKED or UNTIL_CLOSE. `size`: its own."""

    status: int
    headers: list[tuple[bytes, bytes]]
    length: int
    keep: bool
    size: int


def read_head(data: bytes, *, bodiless: bool) -> Head | None:
    """The head at the start of `data`, None while it is incomplete; raises Malformed.

    `bodiless`: the request was a HEAD, so that whatever the framing says no body follows.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        _check_open(data)
        return None
    match = _HEAD.match(data)
    if match is None:
        raise Malformed(_first_bad_line(data[:end]))
    if end > MAX_HEAD_BYTES:
        raise Malformed(f"its head is longer than {MAX_HEAD_BYTES} bytes")
    minor, code, block = match.groups()
    headers: list[tuple[bytes, bytes]] = _FIELD.findall(block)
    if len(headers) > MAX_FIELDS:
        raise Malformed(f"its head has more than {MAX_FIELDS} lines")
    if b" \r\n" in block or b"\t\r\n" in block:
        headers = [(name, value.rstrip(b" \t")) for name, value in headers]
    status = int(code)
    old = minor == b"0"
    length, keep = _framing(headers, old=old)
    if bodiless or status < 200 or status in _BODILESS:
        length = 0
    keep = keep and not old and length != UNTIL_CLOSE
    return Head(status, headers, length, keep, match.end())


def _check_open(data: bytes) -> None:
    """Refuse early what can no longer become a head."""
    if len(data) > MAX_HEAD_BYTES:
        raise Malformed(f"its head is longer than {MAX_HEAD_BYTES} bytes")
    if not _START.startswith(data[: len(_START)]):
        raise Malformed("it does not speak HTTP/1.1")
    lines = data.count(b"\n")
    if lines != data.count(b"\r\n"):
        raise Malformed("a line of its head does not end in CR LF")
    if lines > MAX_FIELDS + 1:
        raise Malformed(f"its head has more than {MAX_FIELDS} lines")


def _first_bad_line(head: bytes) -> str:
    if not head.startswith(_START):
        return "it does not speak HTTP/1.1"
    for number, line in enumerate(head.split(b"\r\n")[1:], start=2):
        if _LINE.fullmatch(line) is None:
            return f"line {number} of its head is malformed"
    return "its status line is malformed"


def _framing(headers: list[tuple[bytes, bytes]], *, old: bool) -> tuple[int, bool]:
    """How the body ends and whether the connection may stay (RFC 9112 sections 6.3 and 9.3)."""
    said = [(name.lower(), value) for name, value in headers if name.lower() in _DECIDING]
    lengths = [value for name, value in said if name == b"content-length"]
    codings = [value for name, value in said if name == b"transfer-encoding"]
    keep = not any(_says_close(value) for name, value in said if name == b"connection")
    if codings:
        # One coding, and alone: whatever else is there, somebody would read it another way.
        if old or lengths or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Malformed("its framing is ambiguous")
        return CHUNKED, keep
    if not lengths:
        return UNTIL_CLOSE, keep
    if len(lengths) > 1:
        _keep_first_length(headers)
    return _agreed(lengths), keep


def _agreed(lengths: list[bytes]) -> int:
    """The one length that all say: a repeated equal one is common enough (RFC 9110 section 8.6)."""
    found = {item.strip(b" \t") for value in lengths for item in value.split(b",")}
    if len(found) > 1:
        raise Malformed("its lengths differ")
    only = found.pop()
    if _LENGTH.fullmatch(only) is None:
        raise Malformed("its length is no number")
    return int(only)


def _keep_first_length(headers: list[tuple[bytes, bytes]]) -> None:
    """A length said twice goes on once: readers behind us may be less patient."""
    places = [at for at, field in enumerate(headers) if field[0].lower() == b"content-length"]
    for at in reversed(places[1:]):
        del headers[at]


def _says_close(value: bytes) -> bool:
    return any(token.strip(b" \t") == b"close" for token in value.lower().split(b","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What all requests of one method to one URL share; `start` and `end` are parts of the head."""

    route: Route
    address: Address
    start: bytes
    end: bytes
    bodiless: bool
    has_length: bool


def plan(method: str, url: str, proxy_for: Callable[[str, str], str | None]) -> Plan:
    """Plan for `url`, taken byte for byte; raises ValueError when it is none, or no method."""
    if _NAME.fullmatch(method.encode("ascii")) is None:
        raise ValueError("not a method")
    address = Address.parse(url)
    proxy = proxy_for(address.scheme, address.host)
    target = address.target
    fields: RawHeaders = ()
    if proxy is not None and address.scheme == "http":
        target = b"http://" + address.authority + target
        fields = _credentials(proxy)
    return Plan(
        route=Route(address.scheme, address.host, address.port, proxy),
        address=address,
        start=b"%b %b HTTP/1.1\r\nHost: %b" % (method.encode("ascii"), target, address.authority),
        end=b"".join(b"\r\n%b: %b" % (name, value) for name, value in fields) + b"\r\n\r\n",
        bodiless=method == "HEAD",
        has_length=method in _BODY_METHODS,
    )


def write_head(to: Plan, call: Call, openings: Openings) -> bytes:
    """The request's head, its fields as they are but for framing; raises ValueError."""
    fields = [start + value for name, value in call.headers if (start := openings[name])]
    head = to.start + b"".join(fields)
    lines = 1 + len(fields)
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise ValueError("the request's headers are not valid HTTP")
    if to.has_length or call.body:
        return b"%b\r\nContent-Length: %d%b" % (head, len(call.body), to.end)
    return head + to.end


class Openings(dict[bytes, bytes]):
    """By name, how a field begins; empty for one that only we may set. Makes what is missing."""

    def __missing__(self, name: bytes) -> bytes:
        if _NAME.fullmatch(name) is None:
            raise ValueError("the request's headers are not valid HTTP")
        opening = b"" if name.lower() in _FRAMING else b"\r\n%b: " % name
        if len(self) >= NAMES_KEPT:
            self.clear()
        self[name] = opening
        return opening


def _credentials(proxy: str) -> RawHeaders:
    """What an http proxy wants to see with each request; a proxy we cannot use fails at the dial."""
    try:
        return Proxy.parse(proxy).headers
    except ValueError:
        return ()
