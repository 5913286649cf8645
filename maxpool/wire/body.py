"""The one parse of a request body: what scheduling needs, and nothing else.

Names and numbers at the top, the type, signature and cache control of each block. Texts are
skipped, nothing is ever re-serialised: the bytes that came are the bytes that go (claim R18). What
it does not understand it leaves to the upstream to judge, since an invented 400 makes Claude
Code (2.1.329) resend up to six times; it refuses only what cannot be scheduled.
"""

from __future__ import annotations

import re
import zlib
from hashlib import blake2b
from typing import Final

import msgspec

from maxpool.core.needs import COMPACTION, PREFILL, SERVER_TOOLS, THINKING, TOOLS
from maxpool.errors import RequestError
from maxpool.wire.blocks import (
    JUNK,
    RAW,
    Block,
    Found,
    note_blocks,
    note_tools,
    note_ttl,
    starts,
    walk_blocks,
)
from maxpool.wire.encoding import Decoder
from maxpool.wire.resources import held

MAX_DECODED_BYTES: Final = 64 * 1024 * 1024
MAX_MODEL_CHARS: Final = 256

BYTES_PER_TOKEN: Final = 3.5  # English, code and JSON escapes: 49 KB of a first turn are 14k tokens
IMAGE_TOKENS: Final = 1_600  # the most one image costs after the upstream's own scaling
DOCUMENT_BYTES_PER_TOKEN: Final = 32.0  # a PDF page: about 75 KB of base64, about 2,300 tokens

_BILLING_BLOCK: Final = b"x-anthropic-billing-header"
# Bounded repeats only: an unbounded one costs quadratic time on megabytes of blanks.
_CACHE_CONTROL: Final = re.compile(rb',? ?"cache_control" ?: ?\{[^{}]{0,200}\}')
_MAX_DIGESTED: Final = 64 * 1024


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: str | list[Block] = ""


class _OddMessage(msgspec.Struct, gc=False):
    role: str = ""
    content: msgspec.Raw = RAW


class _Loose(msgspec.Struct, gc=False):
    """Any body that names a model; `messages` may be anything."""

    model: str
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    system: msgspec.Raw = RAW
    instructions: msgspec.Raw = RAW
    tools: msgspec.Raw = RAW
    thinking: msgspec.Raw = RAW
    metadata: msgspec.Raw = RAW
    cache_control: msgspec.Raw = RAW
    prompt_cache_key: msgspec.Raw = RAW
    container: msgspec.Raw = RAW
    thread: msgspec.Raw = RAW
    mcp_servers: msgspec.Raw = RAW
    context_management: msgspec.Raw = RAW


class _Strict(_Loose, gc=False):
    """A body as the APIs document it: `messages` (Messages, chat) or `input` (Responses)."""

    messages: list[_Message] | None = None
    input: str | list[_Message] | None = None


class _Odd(_Loose, gc=False):
    """The same where single messages may have any content."""

    messages: list[_OddMessage] | None = None
    input: str | list[_OddMessage] | None = None


class _Metadata(msgspec.Struct, gc=False):
    user_id: str = ""


class _User(msgspec.Struct, gc=False):
    session_id: str = ""


_decode_body: Final = msgspec.json.Decoder(_Strict).decode
_decode_odd: Final = msgspec.json.Decoder(_Odd).decode
_decode_loose: Final = msgspec.json.Decoder(_Loose).decode
_decode_metadata: Final = msgspec.json.Decoder(_Metadata).decode
_decode_user: Final = msgspec.json.Decoder(_User).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class Body:
    """What one body asks for; the rarely needed names are read only when asked for."""

    __slots__ = (
        "_text",
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

    def __init__(self, told: _Loose, text: bytes) -> None:
        found = _walk(told)
        self._told = told
        self._text = text
        self.model = told.model
        self.stream = bool(told.stream)
        self.max_output_tokens = _max_output(told)
        self.input_tokens = _estimate(len(text), found)
        self.needs = frozenset(found.needs)
        self.signed_thinking = found.signed
        self.cache_ttl_s = found.cache_ttl_s
        self.prefix_digest = _prefix_digest(told)
        self.resources = tuple(
            dict.fromkeys((*found.resources, *held(told.container, told.thread)))
        )
        self.threaded = starts(told.thread, b"{")

    def user_session(self) -> str | None:
        """`session_id` in `metadata.user_id`, which is JSON in a string (Claude Code 2.1.329)."""
        if not starts(self._told.metadata, b"{"):
            return None
        try:
            user = _decode_metadata(self._told.metadata).user_id
            return _decode_user(user).session_id if user[:1] == "{" else None
        except JUNK:
            return None

    def prompt_cache_key(self) -> str | None:
        """What Codex calls its thread."""
        try:
            raw = self._told.prompt_cache_key
            return _decode_text(raw) if starts(raw, b'"') else None
        except JUNK:
            return None

    def conversation(self) -> str | None:
        """A digest of the system prompt and everything up to the first user message.

        Cache control is left out: it moves on to later messages as the conversation grows.
        """
        digest = blake2b(_CACHE_CONTROL.sub(b"", _system(self._told)), digest_size=12)
        for message in _odd_messages(self._text):
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
    return Body(_decode(body), body)


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
        told = _typed(body)
    except msgspec.ValidationError as wrong:
        raise _refused(f"{wrong}: send a JSON object with a `model` string") from wrong
    except RecursionError as deep:
        raise _refused("the body is nested too deeply: flatten it") from deep
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise _refused(f"the body is not valid JSON ({broken}): send one JSON object") from broken
    if not told.model or len(told.model) > MAX_MODEL_CHARS:
        raise _refused(f"`model` must name a model, in at most {MAX_MODEL_CHARS} characters")
    return told


def _typed(body: bytes) -> _Loose:
    try:
        told: _Loose = _decode_body(body)
    except msgspec.ValidationError:
        try:
            told = _decode_odd(body)
        except msgspec.ValidationError:
            told = _decode_loose(body)
    return told


def _refused(message: str) -> RequestError:
    return RequestError(400, "invalid_request_error", message)


def _walk(told: _Loose) -> Found:
    """Visit every block once; blocks of unknown shapes are passed over."""
    found = Found()
    messages = _messages(told)
    contents = [message.content for message in messages]
    note_blocks([block for one in contents if isinstance(one, list) for block in one], found)
    for content in contents:
        if isinstance(content, msgspec.Raw):
            walk_blocks(content, found)
    walk_blocks(told.system, found, 0)
    note_ttl(told.cache_control, found)
    if starts(told.tools, b"[") and memoryview(told.tools).nbytes > 2:
        found.needs.add(TOOLS)
        note_tools(told.tools, found)
    if starts(told.thinking, b"{") and b'"disabled"' not in bytes(told.thinking):
        found.needs.add(THINKING)
    if messages and messages[-1].role == "assistant":
        found.needs.add(PREFILL)
    if starts(told.mcp_servers, b"[") or _is_set(told.container):
        found.needs.add(SERVER_TOOLS)
    if told.context_management is not RAW and b'"compact' in bytes(told.context_management):
        found.needs.add(COMPACTION)
    return found


def _is_set(raw: msgspec.Raw) -> bool:
    return raw is not RAW and not starts(raw, b"n")


def _messages(told: _Loose) -> list[_Message] | list[_OddMessage]:
    if not isinstance(told, _Strict | _Odd):
        return []
    return told.messages or (told.input if isinstance(told.input, list) else [])


def _odd_messages(body: bytes) -> list[_OddMessage]:
    """The messages with their content as it was written."""
    try:
        told = _decode_odd(body)
    except JUNK:
        return []
    return told.messages or (told.input if isinstance(told.input, list) else [])


def _estimate(size: int, found: Found) -> int:
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
    system = bytes(told.system if told.system is not RAW else told.instructions)
    start = system.find(_BILLING_BLOCK, 0, 128)
    return system[system.find(b"}", start) :] if start >= 0 else system
