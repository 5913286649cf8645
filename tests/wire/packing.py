"""Every coding that is read, as a server would write it, and bombs of each."""

from __future__ import annotations

import gzip
import sys
import zlib
from functools import partial
from typing import TYPE_CHECKING

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, mtime=0),
    "br": partial(brotli.compress, quality=5),
    "zstd": zstd.compress,
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
}


def packed(coding: str, data: bytes) -> bytes:
    """The whole of `data` in that coding."""
    return PACK[coding](data)


def flushed(coding: str, parts: Iterable[bytes]) -> list[bytes]:
    """One body, flushed after each part as servers do behind each event; the last piece ends it."""
    match coding:
        case "br":
            br = brotli.Compressor()
            return [*(br.process(part) + br.flush() for part in parts), br.finish()]
        case "zstd":
            zs = zstd.ZstdCompressor()
            return [*(zs.compress(part, zs.FLUSH_BLOCK) for part in parts), zs.flush()]
        case _:
            gz = zlib.compressobj(wbits=31)
            flush = zlib.Z_SYNC_FLUSH
            return [*(gz.compress(part) + gz.flush(flush) for part in parts), gz.flush()]


def wide(data: bytes) -> bytes:
    """zstd with a window of 128 MB."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    packer = zstd.ZstdCompressor(options=options)
    return packer.compress(data) + packer.flush()


def bomb(coding: str, megabytes: int) -> bytes:
    """Much from little."""
    return packed(coding, bytes(megabytes << 20))
