"""Headers and one pass over the body -> `LeaseRequest`.

Says who asks (session, agent, program, switches); what is asked comes from `wire/body`, which
parses once. Neither touches the bytes that go upstream.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from math import isfinite
from typing import TYPE_CHECKING, Final

from maxpool.core.lease import LeaseRequest
from maxpool.wire.body import MAX_DECODED_BYTES, Body, parse, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ID_CHARS: Final = 80  # real ids are UUIDs (36) or `ses_...` (30)
MAX_PRIORITY: Final = 100
MAX_WAIT_S: Final = 7 * 86_400.0

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._\-]+")
_AGENTS: Final = ("claude-cli/", "claude-code/")
_SESSION_HEADERS: Final = ("x-maxpool-session", "x-claude-code-session-id")
_OTHER_SESSION_HEADERS: Final = ("session-id", "thread-id", "x-session-id", "x-session-affinity")


def read(
    fields: Mapping[str, str],
    body: bytes,
    *,
    key_id: str | None,
    arrived_at: float,
    stream_allowed: bool = True,
    max_decoded_bytes: int = MAX_DECODED_BYTES,
) -> tuple[LeaseRequest, Body]:
    """What the pool may know of a request, and its body as read; raises `RequestError` 400 where it cannot be scheduled.

    `fields`: lower-case header names. `body`: as it came; a `content-encoding` is decoded for
    reading, at most to `max_decoded_bytes` (413 beyond). `stream_allowed` is False for calls that
    never stream (`count_tokens`). The `x-maxpool-*` switches may only narrow (claim X9): a priority
    below 0 and anything unreadable is ignored rather than answered with an invented 400.
    """
    encoding = fields.get("content-encoding")
    asked = parse(body if encoding is None else plain(body, encoding, max_decoded_bytes))
    request = LeaseRequest(
        model=asked.model,
        session=_session(fields, asked, key_id),
        agent=_bounded(fields.get("x-claude-code-agent-id")),
        input_tokens=asked.input_tokens,
        max_output_tokens=asked.max_output_tokens,
        stream=asked.stream and stream_allowed,
        needs=asked.needs,
        signed_thinking=asked.signed_thinking,
        cache_ttl_s=asked.cache_ttl_s,
        prefix_digest=asked.prefix_digest,
        program=program_of(fields),
        client_key=key_id,
        profile=_bounded(fields.get("x-maxpool-profile")),
        priority=_priority(fields.get("x-maxpool-priority")),
        arrived_at=arrived_at,
        max_wait_s=_seconds(fields.get("x-maxpool-max-wait")),
    )
    return request, asked


def program_of(fields: Mapping[str, str]) -> str | None:
    """What the client declares itself to be; it cannot be verified and is not meant to be."""
    if fields.get("x-app") == "cli" and fields.get("user-agent", "").startswith(_AGENTS):
        return "claude-code"
    return None


def is_claude_code(fields: Mapping[str, str]) -> bool:
    """Whether it says so of itself in a question that is no model call: there `x-app` is missing."""
    return fields.get("user-agent", "").startswith(_AGENTS)


def _session(fields: Mapping[str, str], asked: Body, key_id: str | None) -> str | None:
    """The conversation's key: our own header, Claude Code's, its metadata, other clients', a digest.

    Scoped by client key, so that two keys never share a binding: no id can hold the `:`.
    """
    name = (
        _header(fields, _SESSION_HEADERS)
        or _bounded(asked.user_session())
        or _header(fields, _OTHER_SESSION_HEADERS)
        or _bounded(asked.prompt_cache_key())
        or asked.conversation()
    )
    return f"{key_id}:{name}" if name and key_id else name


def _header(fields: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        if fields.get(name):
            return _bounded(fields[name])
    return None


def _bounded(name: str | None) -> str | None:
    """An id fit for map keys and logs: long or odd ones are replaced by their digest."""
    if not name:
        return None
    if len(name) <= MAX_ID_CHARS and _PLAIN_ID.fullmatch(name):
        return name
    return "h-" + blake2b(name.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _priority(value: str | None) -> int:
    """0 is the most urgent there is: a caller may only step back, up to `MAX_PRIORITY`."""
    if value is None or len(value) > 4 or not (value.isascii() and value.isdigit()):
        return 0
    return min(int(value), MAX_PRIORITY)


def _seconds(value: str | None) -> float | None:
    """A patience in seconds; the pool caps it further by its own settings."""
    if value is None or len(value) > 32:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return min(seconds, MAX_WAIT_S) if isfinite(seconds) and seconds >= 0 else None
