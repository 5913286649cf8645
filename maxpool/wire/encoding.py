"""Content codings that can be read on the way: what the meter sees of an encoded answer.

The caller's bytes are not touched here. Only identity, gzip and deflate are read, and only those
are asked for (RFC 9110 section 8.4.1).
"""

from __future__ import annotations

import zlib
from typing import Self

ANY_ZLIB_OR_GZIP = 47  # zlib's window bits: 32 + 15, the header tells which
MAX_DECODED = 8 << 20
"""Bytes one chunk may decode to: far above any real answer, far below a decompression bomb."""
MAX_MEMBERS = 1000
"""Gzip members in one chunk: far above any real answer's, far below a flood of empty ones."""
GZIP_MAGIC = b"\x1f\x8b"


class Decoder:
    """Incremental decoder of one body; broken input ends the reading, never the relaying."""

    __slots__ = ("_inflate", "_rest", "broken", "overlong")

    def __init__(self, *, encoded: bool) -> None:
        self._inflate = zlib.decompressobj(ANY_ZLIB_OR_GZIP) if encoded else None
        self._rest = b""
        self.broken = False
        self.overlong = False  # more than is worth reading; it may well be right

    @classmethod
    def of(cls, encoding: str) -> Self | None:
        """The decoder for a `content-encoding` value; None for one that cannot be read."""
        name = encoding.strip().lower()
        if name in ("", "identity"):
            return cls(encoded=False)
        if name in ("gzip", "x-gzip", "deflate"):
            return cls(encoded=True)
        return None

    def feed(self, chunk: bytes) -> bytes:
        """The decoded bytes that this chunk completes."""
        if self._inflate is None:
            return chunk
        parts: list[bytes] = []
        left, members = MAX_DECODED, 0
        while chunk and not (self.broken or self.overlong):
            if self._inflate.eof and not self._next_member(chunk):
                break
            chunk, self._rest = self._rest + chunk, b""
            try:
                parts.append(self._inflate.decompress(chunk, left))
            except zlib.error:
                self.broken = True
                break
            left -= len(parts[-1])
            members += 1
            more = bool(self._inflate.unconsumed_tail)
            self.overlong = more or left <= 0 or members > MAX_MEMBERS
            chunk = self._inflate.unused_data
        return b"".join(parts)

    def _next_member(self, chunk: bytes) -> bool:
        """Begin the next member of a gzip body (RFC 1952 section 2.2); other leftovers are padding."""
        start = self._rest + chunk
        if start[:2] != GZIP_MAGIC:
            self._rest = start[:2] if start == GZIP_MAGIC[:1] else b""
            return False
        self._inflate = zlib.decompressobj(ANY_ZLIB_OR_GZIP)
        return True

    @property
    def complete(self) -> bool:
        """Whether the coding's own end was seen."""
        if self._inflate is None:
            return True
        return self._inflate.eof and not (self.broken or self.overlong)
