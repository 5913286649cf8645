"""One cheap call that tells whether a new credential is good, and whose it is.

The provider's profile where an OAuth profile names one, else the list of models. The credential
goes to that address alone, never across a redirect. No network, or a service that knows neither
question, is no reason to refuse a login: the answer then is "not verified", and why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxpool.errors import StreamCut
from maxpool.ports import Call, Reply
from maxpool.wire.headers import OAUTH_BETA, authorization

if TYPE_CHECKING:
    from maxpool.ports import Destination, Secret, Upstream

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 15.0
"""A person waits for it; what takes longer is not verified and works or fails at its first use."""

MAX_ANSWER_BYTES = 1 << 20
QUOTED, SHORTEST = 16, 6
"""So much of a credential is more than the prefix of its kind; what is shorter stands in any text."""

MODELS = "/v1/models?limit=1"
ENDED = ("revoked", "expired", "disabled")
"""Words with which a 403 says that the credential is over, not merely too weak for this question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The credential is good; whose it is, as far as the provider told."""

    account_uuid: str | None = None
    organization_uuid: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider does not take the credential."""

    why: str


@dataclass(frozen=True, slots=True)
class Unverified:
    """Nobody could tell; the credential is worth keeping."""

    why: str


Finding = Verified | Refused | Unverified


async def verify(upstream: Upstream, destination: Destination, secret: Secret | None) -> Finding:
    """Ask where the account's requests will go; None is an account without a credential."""
    value = secret.reveal() if secret is not None else ""
    header, oauth = authorization(value, destination.auth_header if value else "none")
    headers = [(name.encode(), text.encode()) for name, text in destination.headers]
    url = f"{destination.base_url}{MODELS}"
    answer = await _ask(upstream, url, [*headers, *([header] if header else [])], oauth=oauth)
    return answer if isinstance(answer, Refused | Unverified) else _found(answer)


async def identify(upstream: Upstream, url: str, access_token: Secret) -> Finding:
    """Ask an OAuth provider whose access token it is; `url` is the profile's own."""
    header, oauth = authorization(access_token.reveal(), "bearer")
    assert header is not None
    answer = await _ask(upstream, url, [header], oauth=oauth)
    if isinstance(answer, Refused | Unverified):
        return answer
    account, organization = (_uuid(answer.body, name) for name in ("account", "organization"))
    if account is None:
        return Unverified("its profile does not say whose login it is")
    return Verified(account_uuid=account, organization_uuid=organization)


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: dict[str, str]
    body: Any


def _found(answer: _Answer) -> Finding:
    return Verified(organization_uuid=answer.headers.get("anthropic-organization-id") or None)


async def _ask(
    upstream: Upstream, url: str, own: list[tuple[bytes, bytes]], *, oauth: bool
) -> _Answer | Refused | Unverified:
    headers = [
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
        (b"anthropic-version", b"2023-06-01"),
        *([(b"anthropic-beta", OAUTH_BETA)] if oauth else []),
        *own,
    ]
    reply = await upstream.send(
        Call(
            method="GET",
            url=url,
            headers=headers,
            body=b"",
            connect_timeout_s=CONNECT_TIMEOUT_S,
            header_timeout_s=ANSWER_TIMEOUT_S,
            idle_timeout_s=ANSWER_TIMEOUT_S,
        )
    )
    if not isinstance(reply, Reply):
        return Unverified(f"it could not be reached ({reply.kind})")
    try:
        body = await _read(reply)
    except StreamCut:
        return Unverified("its answer broke off")
    fields = {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in reply.headers}
    said = _message(body)
    return _judged(reply.status, "" if _quotes(said, own) else said) or _Answer(fields, body)


def _judged(status: int, said: str) -> Refused | Unverified | None:
    """What a status says of the credential; None when it is good."""
    if 200 <= status < 300:
        return None
    if status == 401 and "not supported" not in said:
        return Refused(f"it answered 401{f': {said}' if said else ''}")
    if status == 403 and any(word in said.lower() for word in ENDED):
        return Refused(f"it answered 403: {said}")
    if 300 <= status < 400:
        return Unverified(f"it redirects (HTTP {status}), and a credential is never sent on")
    return Unverified(f"it answered HTTP {status}{f': {said}' if said else ''}")


async def _read(reply: Reply) -> object:
    parts: list[bytes] = []
    try:
        async for chunk in reply.stream:
            parts.append(chunk)
            if sum(map(len, parts)) > MAX_ANSWER_BYTES:
                return None
    finally:
        await reply.stream.aclose()
    try:
        return json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        return None


def _quotes(said: str, own: list[tuple[bytes, bytes]]) -> bool:
    """Whether a service's words hold what was sent to it, which no screen or log may show."""
    sent = (value.decode("latin-1").removeprefix("Bearer ") for _, value in own)
    return any(value[:QUOTED] in said for value in sent if len(value) >= SHORTEST)


def _message(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    return "".join(c for c in text[:200] if c.isprintable()) if isinstance(text, str) else ""


def _uuid(body: object, name: str) -> str | None:
    part = body.get(name) if isinstance(body, dict) else None
    value = part.get("uuid") if isinstance(part, dict) else None
    return value if isinstance(value, str) and 0 < len(value) <= 100 else None
