"""The bodies of HTTP/1.1 responses: what arrives goes in, the body's own bytes come out to a reader.

Three framings (RFC 9112 section 6.3): a length, chunks, the end of the connection. Only chunks need
a parser; httptools reads them and nothing else, so none of its leniencies with heads matters here.
Decoding (gzip and the like) is not done: bodies stay as they came.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Protocol

import httptools

from maxpool.adapters.http11_head import CHUNKED, UNTIL_CLOSE, Malformed
from maxpool.errors import StreamCut

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable

_LAST_LINE = re.compile(rb"[^\r\n]\r\n\r\n")
_CHUNKS_FOLLOW = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Decoder(Protocol):
    """Takes a body's framing off."""

    def feed(self, data: bytes) -> int | None:
        """Hand the body in `data` on; how many bytes came after its end, None while there is none.

        Raises Malformed. What came before the fault has been handed on.
        """
        ...


def decoder(length: int, keep: Callable[[bytes], None]) -> Decoder:
    """The decoder for a body of `length` (see `Head`) that is not empty."""
    if length == CHUNKED:
        return Chunked(keep)
    return Whatever(keep) if length == UNTIL_CLOSE else Counted(keep, length)


class Whatever:
    """A body that ends with its connection."""

    __slots__ = ("_keep",)

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep

    def feed(self, data: bytes) -> int | None:
        """Everything is body."""
        self._keep(data)
        return None


class Counted:
    """A body of a known length; its bytes are handed on as they arrived, not copied."""

    __slots__ = ("_keep", "_left")

    def __init__(self, keep: Callable[[bytes], None], length: int) -> None:
        self._keep = keep
        self._left = length

    def feed(self, data: bytes) -> int | None:
        """Count down."""
        left = self._left = self._left - len(data)
        if left >= 0:
            self._keep(data)
            return 0 if left == 0 else None
        self._keep(data[:left])
        return -left


class _Sink:
    """What the parser calls. Apart from `Chunked`, so that parser and sink form no cycle."""

    __slots__ = ("ended", "messages", "on_body")

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self.on_body = keep
        self.messages = 0
        self.ended = False

    def on_message_begin(self) -> None:
        self.messages += 1

    def on_message_complete(self) -> None:
        self.ended = True


class Chunked:
    """A body in chunks; trailers are dropped (RFC 9110 section 6.5.1)."""

    __slots__ = ("_feed", "_sink", "_tail")

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._sink = _Sink(keep)
        self._tail = b""
        parser = httptools.HttpResponseParser(self._sink)
        # Neither is dangerous behind a head of ours: some servers pad the size with spaces, and a
        # length among the trailers goes the way of all trailers.
        parser.set_dangerous_leniencies(
            lenient_spaces_after_chunk_size=True, lenient_chunked_length=True
        )
        parser.feed_data(_CHUNKS_FOLLOW)
        self._feed = parser.feed_data

    def feed(self, data: bytes) -> int | None:
        """Parse; the parser itself does not stop at the end, so what follows it is looked for."""
        try:
            self._feed(data)
        except httptools.HttpParserError as exc:
            if not self._sink.ended:
                raise Malformed("its chunks are malformed") from exc
            return 1
        self._tail = data[-5:] if len(data) >= 5 else (self._tail + data)[-5:]
        if not self._sink.ended:
            return None
        # A second answer begins another message; empty lines, which the parser skips, do not.
        clean = self._sink.messages == 1 and _LAST_LINE.fullmatch(self._tail) is not None
        return 0 if clean else 1


class Source(Protocol):
    """Where a body's bytes come from."""

    def wait(self) -> asyncio.Future[None]:
        """A future for the next bytes, which are expected from now on."""
        ...

    def taken(self) -> None:
        """The reader has taken all there was."""
        ...

    def release(self) -> None:
        """The body is complete and nobody reads it any more."""
        ...

    def abort(self) -> None:
        """The rest is not wanted."""
        ...


class Body:
    """`ports.ByteStream`: what arrived together is handed out together; for one reader at a time.

    Holds its connection until it was read or closed. `endless`: it ends with its connection.
    """

    __slots__ = ("_cut", "_ended", "_source", "_waiter", "chunks", "endless")

    def __init__(self, source: Source, *, endless: bool) -> None:
        self.chunks: list[bytes] = []
        self.endless = endless
        self._source: Source | None = source
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._cut: Callable[[], StreamCut] | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether the reader waits and was not woken yet."""
        return self._waiter is not None and not self._waiter.done()

    def wake(self) -> None:
        """There are chunks, or there will be no more."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def end(self, cut: Callable[[], StreamCut] | None) -> None:
        """Nothing follows: the body is complete, or short of what `cut` makes.

        Made anew each time: one that is kept names whoever it was raised to, and they name the body.
        """
        self._ended = True
        self._cut = cut
        self.wake()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunks = self.chunks
        source = self._source
        if not chunks and not self._ended and source is not None:
            waiter = self._waiter = source.wait()
            try:
                await waiter
            finally:
                self._waiter = None
        if chunks:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            chunks.clear()
            if source is not None and not self._ended:
                source.taken()
            return data
        if self._cut is not None:
            raise self._cut()
        self._settle()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Give the connection back if all has arrived, else drop it. Idempotent."""
        if not self._ended and self._source is not None:
            self._source.abort()
        elif self.chunks and self._cut is None:
            self._cut = partial(StreamCut, "reset", "closed on our side")
        self.chunks.clear()
        self._settle()

    def _settle(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.release()
