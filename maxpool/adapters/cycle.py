"""How an answer is written: uvicorn's own way, at a third of its cost.

uvicorn 0.54 searches each name and each value of an answer's head for characters that may not be
there. Here names are remembered and the values looked through all at once. What goes out is the same
(tests/adapters/test_cycle.py compares), but that a client whose body was never asked for (Expect) is
told to close, and that no status is unknown. Reading requests stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from maxpool.wire.fieldnames import about

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_BODILESS: Final = frozenset({204, 304})


class Cycle(RequestResponseCycle):
    """One request and its answer; a protocol makes its request objects to such."""

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Write one ASGI message; waits while the client takes nothing."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.response_started:
            self._write_body(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.start" and not self.response_started:
            self.response_started = True
            if self.waiting_for_100_continue:
                # Without our word the body may never come, and nothing tells it from the next request.
                self.waiting_for_100_continue = self.keep_alive = False
            self._write_head(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"{kind!r} has no place here in an answer")

    def _write_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        parts, lines = [STATUS_LINE.get(status) or b"HTTP/1.1 %d \r\n" % status], 2
        said_to_close = False
        for field, value in headers:
            name = about(field)
            if not name.valid:
                raise RuntimeError("a header name holds characters that names may not")
            if name.lower in _FRAMING:
                said_to_close |= self._frame(name.lower, value)
            parts += (name.lower, b": ", value, b"\r\n")
            lines += 1
        if not (self.keep_alive or said_to_close):
            parts.append(b"connection: close\r\n")
            lines += 1
        if self.chunked_encoding is None and self._has_body(status):
            self.chunked_encoding = True
            parts.append(b"transfer-encoding: chunked\r\n")
            lines += 1
        parts.append(b"\r\n")
        head = b"".join(parts)
        if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
            raise RuntimeError("a header value holds a line break or NUL")
        self.transport.write(head)

    def _frame(self, name: bytes, value: bytes) -> bool:
        """Take in a field about framing; whether it says that the connection closes."""
        if name == b"content-length" and self.chunked_encoding is None:
            self.expected_content_length, self.chunked_encoding = int(value), False
        elif name == b"transfer-encoding" and value.lower() == b"chunked":
            self.expected_content_length, self.chunked_encoding = 0, True
        elif name == b"connection" and b"close" in [t.strip() for t in value.lower().split(b",")]:
            self.keep_alive = False
            return True
        return False

    def _has_body(self, status: int) -> bool:
        return status not in _BODILESS and self.scope["method"] != "HEAD"

    def _write_body(self, body: bytes, more: bool) -> None:
        if self.response_complete:
            raise RuntimeError("the answer was complete already")
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            end = b"" if more else b"0\r\n\r\n"
            if body:
                self.transport.write(b"%x\r\n%b\r\n%b" % (len(body), body, end))
            elif end:
                self.transport.write(end)
        else:
            if len(body) > self.expected_content_length:
                raise RuntimeError("the answer is longer than its content-length")
            self.expected_content_length -= len(body)
            self.transport.write(body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        if self.expected_content_length != 0:
            raise RuntimeError("the answer is shorter than its content-length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
