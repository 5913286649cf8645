"""What the name of a header field says: whether it is one, and where such a field may go.

Clients and upstreams send the same names again and again: what is known of one is remembered.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

KEPT_NAMES: Final = 1024
KEPT_NAME_BYTES: Final = 64
"""Longer names are looked at each time: nobody can fill the memory with them."""

# RFC 9110 7.6.1, and `keep-alive`/`proxy-connection`, which old clients still send.
HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# The second line is what other vendors' SDKs call a key, the last says to whom a caller's own OpenAI key
# or login belongs, which is not the account's.
_CREDENTIALS: Final = frozenset(
    (
        *(b"authorization", b"x-api-key", b"x-maxpool-key"),
        *(b"api-key", b"x-goog-api-key"),
        *(b"openai-organization", b"openai-project", b"chatgpt-account-id"),
    )
)
_STAYS_HERE: Final = frozenset(
    (
        *(b"host", b"content-length", b"expect", b"accept-encoding"),
        *(b"cookie", b"cookie2", b"origin", b"referer", b"forwarded", b"x-real-ip"),
    )
)
_NEVER_UPSTREAM: Final = HOP_BY_HOP | _CREDENTIALS | _STAYS_HERE
_NEVER_UPSTREAM_PREFIXES: Final = (b"x-maxpool-", b"x-forwarded-")
# `server` and the rest speak about the upstream's own origin (its `date` is the answer's), and
# `access-control-*` would let web pages read our answers (claim X1).
_NEVER_DOWNSTREAM: Final = HOP_BY_HOP | frozenset(
    (
        *(b"server", b"set-cookie", b"set-cookie2", b"alt-svc"),
        *(b"strict-transport-security", b"nel", b"report-to"),
    )
)
_NEVER_DOWNSTREAM_PREFIXES: Final = (b"x-maxpool-", b"access-control-")
_RATELIMIT_PREFIXES: Final = (
    *(b"anthropic-ratelimit-", b"anthropic-priority-", b"anthropic-fast-"),
    b"x-ratelimit-",
)
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 5.1


class Name(NamedTuple):
    """A field's name: `lower` as bytes and as `text`, and what of it is decided by the name alone.

    `valid`: it is a token. `up`: such a field of a caller may go upstream. `down`: such a field of an
    answer may go to the caller; `limits`: it tells one account's limits.
    """

    lower: bytes
    text: str
    valid: bool
    up: bool
    down: bool
    limits: bool


def about(name: bytes) -> Name:
    """What `name` says, as it was sent."""
    return _kept(name) if len(name) <= KEPT_NAME_BYTES else _look(name)


def _look(name: bytes) -> Name:
    lower = name.lower()
    return Name(
        lower,
        lower.decode("latin-1"),
        _TOKEN.fullmatch(name) is not None,
        lower not in _NEVER_UPSTREAM and not lower.startswith(_NEVER_UPSTREAM_PREFIXES),
        lower not in _NEVER_DOWNSTREAM and not lower.startswith(_NEVER_DOWNSTREAM_PREFIXES),
        lower.startswith(_RATELIMIT_PREFIXES),
    )


_kept: Final = lru_cache(maxsize=KEPT_NAMES)(_look)
