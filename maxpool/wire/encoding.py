"""Content codings that are read on the way: what the meter, the verdict and the scheduler see.

Only reading: the bytes that pass are passed as they came. `READABLE` is what is asked for upstream
(RFC 9110 section 8.4.1); deflate is read, too, where somebody sends it. Whatever the input says,
what one call gives and what it costs are bounded.
"""

from __future__ import annotations

import sys
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, Self

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

READABLE: Final = (b"gzip", b"br", b"zstd")
MAX_DECODED: Final = 8 << 20
"""Bytes one chunk may decode to: far above any real answer, far below a decompression bomb."""
MAX_MEMBERS: Final = 1000
"""Members (gzip) or frames (zstd) in one chunk: far above any real answer's, below a flood of them."""
MAX_WINDOW_LOG: Final = 23
"""8 MB, the most that zstd on HTTP may ask a reader to keep (RFC 9659)."""

_SLICE: Final = 64 * 1024  # each member costs a copy of what follows it in its slice
_BROTLI_STEP: Final = 1 << 20  # its limit is exceeded by up to its own size
_SKIPPABLE: Final = tuple(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))
_BROKEN: Final = (zlib.error, zstd.ZstdError, brotli.error)


class _Engine(Protocol):
    """One member of an encoded body; `eof` and `unused_data` as in `zlib`."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Brotli:
    """`brotli.Decompressor` in the shape of the other two; a stream has no second member."""

    unused_data = b""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        parts: list[bytes] = []
        while max_length > 0:
            step = min(max_length, _BROTLI_STEP)
            part = self._stream.process(data, output_buffer_limit=step)
            parts.append(part)
            max_length -= len(part)
            data = b""
            if self.eof or not part:  # one call need not give out all there is, and none says so
                break
        return b"".join(parts)


def _gzip(_: bytes) -> _Engine:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _deflate(start: bytes) -> _Engine:
    """With zlib's header, or without: some senders mean raw deflate (RFC 9110 8.4.1.2, note)."""
    return zlib.decompressobj(zlib.MAX_WBITS if start[0] & 0x0F == 8 else -zlib.MAX_WBITS)


def _brotli(_: bytes) -> _Engine:
    return _Brotli()


def _zstd(_: bytes) -> _Engine:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=options)


_MAGIC: Final[Mapping[object, tuple[bytes, ...]]] = MappingProxyType(
    {_gzip: (b"\x1f\x8b",), _zstd: (b"\x28\xb5\x2f\xfd", *_SKIPPABLE)}
)
"""How another member begins (RFC 1952 section 2.2, RFC 8878 section 3.1)."""
_CODINGS: Final[Mapping[str, Callable[[bytes], _Engine]]] = MappingProxyType(
    {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
)


class Decoder:
    """Incremental decoder of one body; broken input ends the reading, never the relaying.

    `encoded`: whether there is anything to decode. `broken`: the input is not what its coding
    demands. `overlong`: more than is worth reading; it may well be right.
    """

    __slots__ = ("_begin", "_engine", "_padded", "_rest", "broken", "encoded", "overlong")

    def __init__(self, begin: Callable[[bytes], _Engine] | None) -> None:
        self._begin = begin
        self._engine: _Engine | None = None
        self._rest = b""
        self._padded = False
        self.encoded = begin is not None
        self.broken = False
        self.overlong = False

    @classmethod
    def of(cls, encoding: str) -> Self | None:
        """The decoder for a `content-encoding` value; None for one that cannot be read."""
        name = encoding.strip().lower()
        if name in ("", "identity"):
            return cls(None)
        begin = _CODINGS.get(name)
        return None if begin is None else cls(begin)

    def feed(self, chunk: bytes, most: int = MAX_DECODED) -> bytes:
        """The decoded bytes that this chunk completes, about `most` of them at most."""
        if self._begin is None:
            return chunk
        parts: list[bytes] = []
        left, members = most, 0
        for at in range(0, len(chunk), _SLICE):
            data = chunk[at : at + _SLICE]
            while data and not (self.broken or self.overlong):
                engine = self._engine_for(data)
                if engine is None:
                    break
                data, self._rest = self._rest + data, b""
                try:
                    parts.append(engine.decompress(data, left))
                except _BROKEN:
                    self.broken = True
                    break
                data = engine.unused_data if engine.eof else b""
                left -= len(parts[-1])
                members += 1
                self.overlong = left <= 0 or members > MAX_MEMBERS
        return b"".join(parts)

    def _engine_for(self, data: bytes) -> _Engine | None:
        """What reads `data`: the open member, or the next one; None for padding behind the last."""
        assert self._begin is not None
        if self._engine is None or (self._engine.eof and self._goes_on(data)):
            self._engine = self._begin(self._rest + data)
        return None if self._engine.eof else self._engine

    def _goes_on(self, data: bytes) -> bool:
        """Whether another member begins; what may be the first bytes of one is kept."""
        if self._padded:
            return False
        magic = _MAGIC.get(self._begin, ())
        start = self._rest + data
        if start.startswith(magic):
            return True
        self._padded = not any(known.startswith(start) for known in magic)
        self._rest = b"" if self._padded else start
        return False

    @property
    def complete(self) -> bool:
        """Whether the coding's own end was seen."""
        if self._begin is None:
            return True
        if self.broken or self.overlong or self._engine is None:
            return False
        return self._engine.eof
