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


class Decoder:
    """Incremental decoder of one body; broken input ends the reading, never the relaying."""

    __slots__ = ("_inflate", "broken")

    def __init__(self, *, encoded: bool) -> None:
        self._inflate = zlib.decompressobj(ANY_ZLIB_OR_GZIP) if encoded else None
        self.broken = False

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
        if self.broken:
            return b""
        try:
            text = self._inflate.decompress(chunk, MAX_DECODED)
        except zlib.error:
            text, self.broken = b"", True
        self.broken = self.broken or bool(self._inflate.unconsumed_tail)
        return text

    @property
    def complete(self) -> bool:
        """Whether the coding's own end was seen."""
        return self._inflate is None or (self._inflate.eof and not self.broken)
