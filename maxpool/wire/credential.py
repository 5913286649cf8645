"""What the vault keeps of an account's credential: one JSON text per account, and its value here.

A codec only. Whoever shows or logs a credential shows `fingerprint`: the first 8 hex digits of a
SHA-256 tell two tokens apart and tell nobody the token.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

VERSION = 1
FAR = 1e11
"""Epoch seconds: later than any time that an entry can mean (the year 5138)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """An account's key, long-lived token, or pair of OAuth tokens.

    `secret`: what is sent (API key, setup token, access token). `origin`: scheme, host and port it
    belongs to. `expires_at` (of `secret`) and `granted_at` (of the login) are epoch seconds.
    `profile`: the `[oauth.NAME]` it came from, `issuer`: the origin that its refresh token goes to.
    Uuids where the provider told them.
    """

    secret: str = field(repr=False)
    origin: str
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    granted_at: float | None = None
    scopes: tuple[str, ...] = ()
    profile: str | None = None
    account_uuid: str | None = None
    organization_uuid: str | None = None
    issuer: str | None = None

    @property
    def fingerprint(self) -> str:
        """Of the refresh token where there is one, else of the secret: it changes with each rotation."""
        return fingerprint(self.refresh_token or self.secret)


def fingerprint(token: str) -> str:
    """The only form in which a token may be shown: 8 hex digits of its SHA-256."""
    return sha256(token.encode()).hexdigest()[:8]


def encode(credential: StoredCredential) -> str:
    """The vault's text for a credential."""
    held = {key: value for key, value in asdict(credential).items() if value not in (None, ())}
    return json.dumps({"version": VERSION, **held}, separators=(",", ":"))


def decode(text: str) -> StoredCredential:
    """The credential in a vault's text; raises ValueError, without quoting it, when there is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the entry is not JSON") from None
    if not isinstance(data, dict):
        raise ValueError("the entry is no JSON object")  # noqa: TRY004 - one error for all of them
    if data.get("version") != VERSION:
        raise ValueError(f"the entry has version {data.get('version')!r:.20}, not {VERSION}")
    secret = _text(data, "secret")
    if not secret:
        raise ValueError("the entry holds no secret")
    return StoredCredential(
        secret=secret,
        origin=_text(data, "origin") or "",
        refresh_token=_text(data, "refresh_token"),
        expires_at=_time(data, "expires_at"),
        granted_at=_time(data, "granted_at"),
        scopes=_words(data, "scopes"),
        profile=_text(data, "profile"),
        account_uuid=_text(data, "account_uuid"),
        organization_uuid=_text(data, "organization_uuid"),
        issuer=_text(data, "issuer"),
    )


def _text(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value


def _time(data: dict[str, Any], key: str) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is no time")  # noqa: TRY004
    if not abs(value) < FAR:
        raise ValueError(f"{key} is no time")
    return float(value)


def _words(data: dict[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key) or ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} is no list")  # noqa: TRY004
    return tuple(str(one) for one in value)
