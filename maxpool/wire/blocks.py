"""What the blocks of a request body show: pictures, documents, signatures, cache control, named files.

Looks at types and sizes; texts are skipped. Blocks of unknown shapes are passed over, since the
upstream judges those. `wire/body` parses the body they stand in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from maxpool.core.needs import CITATIONS, COMPACTION, DOCUMENTS, SERVER_TOOLS, UNSIGNED_THINKING
from maxpool.wire.resources import files_of

MAX_DEPTH: Final = 4  # a tool result with images is at depth 2
CACHE_TTL_S: Final = 300.0
LONG_CACHE_TTL_S: Final = 3600.0

JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for what is no valid JSON, or has another shape than expected."""

RAW: Final = msgspec.Raw()
"""Stands for a member that is not there."""

_SERVER_KINDS: Final = ("server_tool_use", "_tool_result", "mcp_tool_use")
"""How blocks are called in which Anthropic itself ran something."""

_CLIENT_TOOLS: Final = (None, "", "custom", "function")
"""Types of tools that clients describe themselves."""

_PLAIN: Final = frozenset({"text", "tool_use", "tool_result"})
"""Kinds of blocks that say nothing of themselves; most blocks are of these."""


class Kind(msgspec.Struct, gc=False):
    """One block of a message's content, as far as it matters, without what stands inside it."""

    type: str = ""
    signature: msgspec.Raw = RAW
    cache_control: msgspec.Raw = RAW
    source: msgspec.Raw = RAW
    image_url: msgspec.Raw = RAW
    file_id: msgspec.Raw = RAW
    citations: msgspec.Raw = RAW


class Block(Kind, gc=False):
    """One block as the APIs document it."""

    content: str | list[Block] | None = None


class _OddBlock(Kind, gc=False):
    """One block whose content may be anything."""

    content: msgspec.Raw = RAW


class _Tool(msgspec.Struct, gc=False):
    type: str | None = None
    cache_control: msgspec.Raw = RAW


class _Ttl(msgspec.Struct, gc=False):
    ttl: str = ""


class _Source(msgspec.Struct, gc=False):
    type: str = ""
    data: msgspec.Raw = RAW


_NO_SOURCE: Final = _Source()

_decode_blocks: Final = msgspec.json.Decoder(list[_OddBlock]).decode
_decode_tools: Final = msgspec.json.Decoder(list[_Tool]).decode
_decode_ttl: Final = msgspec.json.Decoder(_Ttl).decode
_decode_source: Final = msgspec.json.Decoder(_Source).decode


@dataclass(slots=True)
class Found:
    """What the blocks of a body showed; filled while walking them once."""

    signed: bool = False
    images: int = 0
    image_bytes: int = 0
    document_bytes: int = 0
    cache_ttl_s: float = CACHE_TTL_S
    needs: set[str] = field(default_factory=set)
    resources: list[str] = field(default_factory=list)


def walk_blocks(raw: msgspec.Raw, found: Found, depth: int = 0) -> None:
    """Look at the blocks of a content as it was written; anything but a list has none."""
    if depth > MAX_DEPTH or not starts(raw, b"["):
        return
    try:
        blocks = _decode_blocks(raw)
    except JUNK:
        return
    for block in blocks:
        _note_block(block, found)
        if block.content is not RAW:
            walk_blocks(block.content, found, depth + 1)


def note_blocks(blocks: list[Block], found: Found, depth: int = 0) -> None:
    """Look at blocks that were decoded."""
    for block in blocks:
        if block.type not in _PLAIN or block.cache_control is not RAW:
            _note_block(block, found)
        if isinstance(block.content, list) and depth < MAX_DEPTH:
            note_blocks(block.content, found, depth + 1)


def _note_block(block: Kind, found: Found) -> None:
    if block.type not in _PLAIN:
        _note_kind(block, found)
    if block.cache_control is not RAW:
        note_ttl(block.cache_control, found)


def _note_kind(block: Kind, found: Found) -> None:
    kind = block.type
    if kind == "thinking":
        if memoryview(block.signature).nbytes > 2:
            found.signed = True
        else:
            found.needs.add(UNSIGNED_THINKING)
    elif kind == "redacted_thinking":
        found.signed = True
    elif kind in ("image", "image_url", "input_image"):
        found.needs.add("images")
        found.images += 1
        found.image_bytes += _base64_bytes(block)
        found.resources += files_of(RAW, block.source)
    elif kind == "document":
        _note_document(block, found)
    elif kind == "container_upload":
        found.resources += files_of(block.file_id, RAW)
        found.needs.add(SERVER_TOOLS)
    elif kind == "search_result":
        _note_citing(block, found)
    elif kind == "compaction":
        found.needs.add(COMPACTION)
    elif kind.endswith(_SERVER_KINDS):
        found.needs.add(SERVER_TOOLS)


def _note_document(block: Kind, found: Found) -> None:
    source = _source_of(block)
    if source.type == "base64":
        found.document_bytes += memoryview(source.data).nbytes
    if source.type not in ("text", "content"):
        found.needs.add(DOCUMENTS)
    _note_citing(block, found)
    found.resources += files_of(RAW, block.source)


def _note_citing(block: Kind, found: Found) -> None:
    if starts(block.citations, b"{") and b"true" in bytes(block.citations):
        found.needs.add(CITATIONS)


def _base64_bytes(block: Kind) -> int:
    """How much of the body is an encoded picture rather than text."""
    if starts(block.source, b"{"):
        source = _source_of(block)
        return memoryview(source.data).nbytes if source.type == "base64" else 0
    return memoryview(block.image_url).nbytes


def _source_of(block: Kind) -> _Source:
    try:
        return _decode_source(block.source) if starts(block.source, b"{") else _NO_SOURCE
    except JUNK:
        return _NO_SOURCE


def note_tools(tools: msgspec.Raw, found: Found) -> None:
    """Look at the cache control of tools, and for such as only Anthropic has."""
    try:
        for tool in _decode_tools(tools):
            if tool.cache_control is not RAW:
                note_ttl(tool.cache_control, found)
            if tool.type not in _CLIENT_TOOLS:
                found.needs.add(SERVER_TOOLS)
    except JUNK:
        return


def note_ttl(raw: msgspec.Raw, found: Found) -> None:
    """Look at one cache control."""
    if starts(raw, b"{"):
        try:
            if _decode_ttl(raw).ttl == "1h":
                found.cache_ttl_s = LONG_CACHE_TTL_S
        except JUNK:
            return


def starts(raw: msgspec.Raw, mark: bytes) -> bool:
    """Whether a member is there and begins so."""
    return raw is not RAW and memoryview(raw)[:1] == mark
