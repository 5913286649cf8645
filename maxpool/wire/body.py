"""The one parse of a request body: what scheduling needs, and nothing else.

Names and numbers at the top, the type, signature and cache control of each block. Texts are
skipped, nothing is ever re-serialised: the bytes that came are the bytes that go (claim R18). What
it does not understand it leaves to the upstream to judge, since an invented 400 makes Claude
Code (2.1.329) resend up to six times; it refuses only what cannot be scheduled.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import msgspec

from maxpool.errors import RequestError
from maxpool.wire.encoding import Decoder
from maxpool.wire.resources import files_of, held

MAX_DECODED_BYTES: Final = 64 * 1024 * 1024
MAX_MODEL_CHARS: Final = 256
MAX_DEPTH: Final = 4  # a tool result with images is at depth 2

BYTES_PER_TOKEN: Final = 3.5  # English, code and JSON escapes: 49 KB of a first turn are 14k tokens
IMAGE_TOKENS: Final = 1_600  # the most one image costs after the upstream's own scaling
DOCUMENT_BYTES_PER_TOKEN: Final = 32.0  # a PDF page: about 75 KB of base64, about 2,300 tokens
CACHE_TTL_S: Final = 300.0
LONG_CACHE_TTL_S: Final = 3600.0

_BILLING_BLOCK: Final = b"x-anthropic-billing-header"
# Bounded repeats only: an unbounded one costs quadratic time on megabytes of blanks.
_CACHE_CONTROL: Final = re.compile(rb',? ?"cache_control" ?: ?\{[^{}]{0,200}\}')
_MAX_DIGESTED: Final = 64 * 1024
_JUNK: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_RAW: Final = msgspec.Raw()


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: msgspec.Raw = _RAW


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    signature: msgspec.Raw = _RAW
    cache_control: msgspec.Raw = _RAW
    source: msgspec.Raw = _RAW
    image_url: msgspec.Raw = _RAW
    file_id: msgspec.Raw = _RAW
    content: msgspec.Raw = _RAW


class _Loose(msgspec.Struct, gc=False):
    """Any body that names a model; `messages` may be anything."""

    model: str
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    system: msgspec.Raw = _RAW
    instructions: msgspec.Raw = _RAW
    tools: msgspec.Raw = _RAW
    thinking: msgspec.Raw = _RAW
    metadata: msgspec.Raw = _RAW
    cache_control: msgspec.Raw = _RAW
    prompt_cache_key: msgspec.Raw = _RAW
    container: msgspec.Raw = _RAW
    thread: msgspec.Raw = _RAW


class _Strict(_Loose, gc=False):
    """A body as the APIs document it: `messages` (Messages, chat) or `input` (Responses)."""

    messages: list[_Message] | None = None
    input: str | list[_Message] | None = None


class _Tool(msgspec.Struct, gc=False):
    cache_control: msgspec.Raw = _RAW


class _Ttl(msgspec.Struct, gc=False):
    ttl: str = ""


class _Source(msgspec.Struct, gc=False):
    type: str = ""
    data: msgspec.Raw = _RAW


class _Metadata(msgspec.Struct, gc=False):
    user_id: str = ""


class _User(msgspec.Struct, gc=False):
    session_id: str = ""


_decode_body: Final = msgspec.json.Decoder(_Strict).decode
_decode_loose: Final = msgspec.json.Decoder(_Loose).decode
_decode_blocks: Final = msgspec.json.Decoder(list[_Block]).decode
_decode_tools: Final = msgspec.json.Decoder(list[_Tool]).decode
_decode_ttl: Final = msgspec.json.Decoder(_Ttl).decode
_decode_source: Final = msgspec.json.Decoder(_Source).decode
_decode_metadata: Final = msgspec.json.Decoder(_Metadata).decode
_decode_user: Final = msgspec.json.Decoder(_User).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class Body:
    """What one body asks for; the rarely needed names are read only when asked for."""

    __slots__ = (
        "_told",
        "cache_ttl_s",
        "input_tokens",
        "max_output_tokens",
        "model",
        "needs",
        "prefix_digest",
        "resources",
        "signed_thinking",
        "stream",
        "threaded",
    )

    def __init__(self, told: _Loose, size: int) -> None:
        found = _walk(told)
        self._told = told
        self.model = told.model
        self.stream = bool(told.stream)
        self.max_output_tokens = _max_output(told)
        self.input_tokens = _estimate(size, found)
        self.needs = frozenset(found.needs)
        self.signed_thinking = found.signed
        self.cache_ttl_s = found.cache_ttl_s
        self.prefix_digest = _prefix_digest(told)
        self.resources = tuple(
            dict.fromkeys((*found.resources, *held(told.container, told.thread)))
        )
        self.threaded = _starts(told.thread, b"{")

    def user_session(self) -> str | None:
        """`session_id` in `metadata.user_id`, which is JSON in a string (Claude Code 2.1.329)."""
        if not _starts(self._told.metadata, b"{"):
            return None
        try:
            user = _decode_metadata(self._told.metadata).user_id
            return _decode_user(user).session_id if user[:1] == "{" else None
        except _JUNK:
            return None

    def prompt_cache_key(self) -> str | None:
        """What Codex calls its thread."""
        try:
            raw = self._told.prompt_cache_key
            return _decode_text(raw) if _starts(raw, b'"') else None
        except _JUNK:
            return None

    def conversation(self) -> str | None:
        """A digest of the system prompt and everything up to the first user message.

        Cache control is left out: it moves on to later messages as the conversation grows.
        """
        digest = blake2b(_CACHE_CONTROL.sub(b"", _system(self._told)), digest_size=12)
        for message in _messages(self._told):
            digest.update(_CACHE_CONTROL.sub(b"", bytes(message.content)[:_MAX_DIGESTED]))
            if message.role == "user":
                return "c-" + digest.hexdigest()
        return None


def parse(body: bytes) -> Body:
    """Read a decoded body; raises `RequestError` 400 when it is no object that names a model."""
    if not body.strip():
        raise RequestError(
            400, "invalid_request_error", "The request has no body: send a JSON object."
        )
    return Body(_decode(body), len(body))


@dataclass(slots=True)
class _Found:
    """What the blocks of a body showed; filled while walking them once."""

    signed: bool = False
    images: int = 0
    image_bytes: int = 0
    document_bytes: int = 0
    cache_ttl_s: float = CACHE_TTL_S
    needs: set[str] = field(default_factory=set)
    resources: list[str] = field(default_factory=list)


def plain(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body without its `content-encoding` (one layer), for reading only.

    Raises `RequestError` 413 beyond `max_bytes` once decoded, 400 for anything else.
    """
    decoder = Decoder.of(encoding)
    if decoder is None:
        raise _refused(
            f"content-encoding {encoding.strip()[:40]!r} is not supported: send gzip, br, zstd, "
            "deflate or identity"
        )
    text = decoder.feed(body, max_bytes + 1)
    if len(text) > max_bytes:
        raise RequestError(
            413,
            "request_too_large",
            f"the body is larger than {max_bytes // 2**20} MB once decoded: send less at a time",
        )
    if not decoder.complete:
        raise _refused(
            f"the body is not valid {encoding.strip().lower()} data: send it again, or unencoded"
        )
    return text


def _decode(body: bytes) -> _Loose:
    """The typed view of a body; messages of an unknown shape are the upstream's to judge."""
    try:
        try:
            told: _Loose = _decode_body(body)
        except msgspec.ValidationError:
            told = _decode_loose(body)
    except msgspec.ValidationError as wrong:
        raise _refused(f"{wrong}: send a JSON object with a `model` string") from wrong
    except RecursionError as deep:
        raise _refused("the body is nested too deeply: flatten it") from deep
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise _refused(f"the body is not valid JSON ({broken}): send one JSON object") from broken
    if not told.model or len(told.model) > MAX_MODEL_CHARS:
        raise _refused(f"`model` must name a model, in at most {MAX_MODEL_CHARS} characters")
    return told


def _refused(message: str) -> RequestError:
    return RequestError(400, "invalid_request_error", message)


def _walk(told: _Loose) -> _Found:
    """Visit every block once; blocks of unknown shapes are passed over."""
    found = _Found()
    for message in _messages(told):
        _walk_blocks(message.content, found, 0)
    _walk_blocks(told.system, found, 0)
    _note_ttl(told.cache_control, found)
    if _starts(told.tools, b"[") and memoryview(told.tools).nbytes > 2:
        found.needs.add("tools")
        if found.cache_ttl_s == CACHE_TTL_S:
            _note_tool_ttls(told.tools, found)
    if _starts(told.thinking, b"{") and b'"disabled"' not in bytes(told.thinking):
        found.needs.add("thinking")
    return found


def _messages(told: _Loose) -> list[_Message]:
    if not isinstance(told, _Strict):
        return []
    return told.messages or (told.input if isinstance(told.input, list) else [])


def _walk_blocks(raw: msgspec.Raw, found: _Found, depth: int) -> None:
    if depth > MAX_DEPTH or not _starts(raw, b"["):
        return
    try:
        blocks = _decode_blocks(raw)
    except _JUNK:
        return
    for block in blocks:
        kind = block.type
        if kind == "thinking":
            found.signed = found.signed or memoryview(block.signature).nbytes > 2
        elif kind == "redacted_thinking":
            found.signed = True
        elif kind in ("image", "image_url", "input_image"):
            found.needs.add("images")
            found.images += 1
            found.image_bytes += _base64_bytes(block)
            found.resources += files_of(_RAW, block.source)
        elif kind == "document":
            found.document_bytes += _base64_bytes(block)
            found.resources += files_of(_RAW, block.source)
        elif kind == "container_upload":
            found.resources += files_of(block.file_id, _RAW)
        _note_ttl(block.cache_control, found)
        _walk_blocks(block.content, found, depth + 1)


def _base64_bytes(block: _Block) -> int:
    """How much of the body is encoded picture or file rather than text."""
    if _starts(block.source, b"{"):
        try:
            source = _decode_source(block.source)
        except _JUNK:
            return 0
        return memoryview(source.data).nbytes if source.type == "base64" else 0
    return memoryview(block.image_url).nbytes


def _note_tool_ttls(tools: msgspec.Raw, found: _Found) -> None:
    try:
        for tool in _decode_tools(tools):
            _note_ttl(tool.cache_control, found)
    except _JUNK:
        return


def _note_ttl(raw: msgspec.Raw, found: _Found) -> None:
    if _starts(raw, b"{"):
        try:
            if _decode_ttl(raw).ttl == "1h":
                found.cache_ttl_s = LONG_CACHE_TTL_S
        except _JUNK:
            return


def _starts(raw: msgspec.Raw, mark: bytes) -> bool:
    return raw is not _RAW and memoryview(raw)[:1] == mark


def _estimate(size: int, found: _Found) -> int:
    """Input tokens: text by bytes, pictures by number, documents by a flatter rate.

    Good to some 20 % for text; the pool corrects what follows from it by the answer's usage.
    """
    text = size - found.image_bytes - found.document_bytes
    pictures = found.images * IMAGE_TOKENS
    return int(text / BYTES_PER_TOKEN + pictures + found.document_bytes / DOCUMENT_BYTES_PER_TOKEN)


def _max_output(told: _Loose) -> int | None:
    for limit in (told.max_tokens, told.max_completion_tokens, told.max_output_tokens):
        if limit is not None:
            return limit if 0 <= limit <= 10**9 else None
    return None


def _prefix_digest(told: _Loose) -> str | None:
    """Names tools + system, the part of a prompt that sessions of one program share.

    Checksums and sizes, not a cryptographic hash: five times faster, and a collision costs one
    misjudged cache, which the next answer's usage corrects.
    """
    system = _system(told)
    tools = memoryview(told.tools)
    if not system and not tools.nbytes:
        return None
    return f"{zlib.crc32(tools):08x}{zlib.crc32(system):08x}{tools.nbytes + len(system):06x}"


def _system(told: _Loose) -> bytes:
    """The system prompt's bytes without the billing block, which Anthropic strips (A3)."""
    system = bytes(told.system if told.system is not _RAW else told.instructions)
    start = system.find(_BILLING_BLOCK, 0, 128)
    return system[system.find(b"}", start) :] if start >= 0 else system
