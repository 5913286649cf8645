"""The OAuth 2.0 client: what a sign-in sends the browser to, and the calls to the token endpoint.

Authlib makes verifiers, states and authorization URLs. The calls are ours: its client raises errors
without an HTTP status and posts no JSON, and whether a refresh token may ever be sent again hangs on
what exactly happened to the request. Nothing here sends anything twice, and no text that it returns
holds a token.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from maxpool.errors import MaxpoolError, StreamCut
from maxpool.ports import (
    Ambiguous,
    Call,
    Rejected,
    Reply,
    Retryable,
    Secret,
    TokenPair,
    TokenResult,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from maxpool.config.oauth import OAuthProfileConfig
    from maxpool.ports import Upstream

VERIFIER_CHARACTERS = 64
"""Between the 43 and 128 of RFC 7636 section 4.1; 62 kinds of character make this 381 random bits."""

STATE_CHARACTERS = 43
MAX_ANSWER_BYTES = 64 * 1024
"""Real answers have some 500 bytes, with signed tokens a few thousand."""

DEAD = "invalid_grant"
MAX_TEXT = 200
SECRET = frozenset({"code", "code_verifier", "refresh_token", "client_secret"})
QUOTED = 16
"""So much of a secret at its beginning is more than the prefix that tells its kind."""

MAX_LIFE_S = 10 * 366 * 86_400.0
ANSWER_LOST = frozenset({504, 520, 524})
"""A gateway's words for "it was handed on, and no answer came back": it may have been processed."""

PASSING = frozenset({"server_error", "temporarily_unavailable", "slow_down"})
"""OAuth errors that are no verdict (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5)."""

_TOKEN = re.compile(
    r"[\x21-\x7e]+"
)  # RFC 6749 appendix A.12, without blanks: it goes into a header
_CODE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,80}")  # section 5.2, bounded


def new_verifier() -> str:
    """A fresh PKCE verifier (RFC 7636 section 4.1)."""
    return str(generate_token(VERIFIER_CHARACTERS))


def new_state() -> str:
    """A fresh state: ties the browser's way back to the sign-in that began it."""
    return str(generate_token(STATE_CHARACTERS))


def authorization_url(
    profile: OAuthProfileConfig, redirect_uri: str, verifier: str, state: str
) -> str:
    """Where the browser goes to sign in; of the verifier only its S256 challenge is in there."""
    return str(
        prepare_grant_uri(
            profile.authorize_url,
            client_id=profile.client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=" ".join(profile.scopes) or None,
            state=state,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTokenEndpoint:
    """`ports.TokenEndpoint` of one `[oauth.NAME]` profile. Timeouts in seconds.

    `upstream`: an HTTP client that follows no redirect and says whether anything was sent.
    `client_secret` looks the client's own secret up, where the provider gave one; it may block.
    """

    profile: OAuthProfileConfig
    upstream: Upstream
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    client_secret: Callable[[], Secret] | None = None

    async def exchange(
        self, code: Secret, *, verifier: Secret, redirect_uri: str, state: str
    ) -> TokenResult:
        """Exchange an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        fields = {
            "grant_type": "authorization_code",
            "code": code.reveal(),
            "redirect_uri": redirect_uri,
            "code_verifier": verifier.reveal(),
        }
        if self.profile.token_body == "json":  # noqa: S105 - such endpoints look at it again
            fields["state"] = state
        return await self._ask(fields)

    async def refresh(self, refresh_token: Secret, scopes: Sequence[str]) -> TokenResult:
        """Exchange a refresh token, once (RFC 6749 section 6).

        The scopes are named again: without them some servers give fewer than the login had.
        """
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}
        if scopes:
            fields["scope"] = " ".join(scopes)
        return await self._ask(fields)

    async def revoke(self, token: Secret) -> bool:
        """End the login at the provider (RFC 7009); False when that is not known to have worked."""
        if self.profile.revoke_url is None:
            return False
        try:
            fields = {"token": token.reveal(), **await self._client()}
            answer = await self._post(self.profile.revoke_url, fields)
        except MaxpoolError:
            return False
        return isinstance(answer, _Answer) and 200 <= answer.status < 300

    async def _ask(self, fields: Mapping[str, str]) -> TokenResult:
        try:
            client = await self._client()
        except MaxpoolError as error:
            return Retryable(detail=f"the client secret cannot be read: {error.message}"[:MAX_TEXT])
        sent = {**fields, **client}
        answer = await self._post(self.profile.token_url, sent)
        if isinstance(answer, Retryable | Ambiguous):
            return answer
        result = read_answer(answer)
        if isinstance(result, Rejected) and _repeats(
            result, [v for k, v in sent.items() if k in SECRET]
        ):
            return Rejected(error=DEAD if DEAD in result.error else "refused")
        return result

    async def _client(self) -> dict[str, str]:
        fields = {"client_id": self.profile.client_id}
        if self.client_secret is not None:
            fields["client_secret"] = (await asyncio.to_thread(self.client_secret)).reveal()
        return fields

    async def _post(self, url: str, fields: Mapping[str, str]) -> _Answer | Retryable | Ambiguous:
        as_json = self.profile.token_body == "json"  # noqa: S105 - a format
        kind = b"application/json" if as_json else b"application/x-www-form-urlencoded"
        call = Call(
            method="POST",
            url=url,
            headers=(
                (b"content-type", kind),
                (b"accept", b"application/json"),
                (b"accept-encoding", b"identity"),
            ),
            body=(json.dumps(fields) if as_json else urlencode(fields)).encode(),
            connect_timeout_s=self.connect_timeout_s,
            header_timeout_s=self.read_timeout_s,
            idle_timeout_s=self.read_timeout_s,
        )
        reply = await self.upstream.send(call)
        if isinstance(reply, Unreachable):
            told = f"{reply.kind}: {reply.detail}"[:MAX_TEXT]
            return Ambiguous(detail=told) if reply.sent else Retryable(detail=told)
        return await self._read(reply)

    async def _read(self, reply: Reply) -> _Answer:
        """The whole answer; its body None when that was cut, late or endless."""
        body = bytearray()
        whole = False
        try:
            async with asyncio.timeout(self.read_timeout_s):
                async for chunk in reply.stream:
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        break
                else:
                    whole = True
        except (StreamCut, TimeoutError):
            whole = False
        finally:
            await reply.stream.aclose()
        found = {n.lower(): v for n, v in reply.headers}
        retry_after = found.get(b"retry-after", b"").decode("latin-1").strip()
        return _Answer(reply.status, bytes(body) if whole else None, retry_after)


@dataclass(frozen=True, slots=True)
class _Answer:
    """Status, body (None when it did not come whole) and `retry-after` of a token endpoint's answer."""

    status: int
    body: bytes | None
    retry_after: str = ""


def read_answer(answer: _Answer) -> TokenResult:
    """What an answer of a token endpoint means for the token that was sent.

    A refusal (3xx, 4xx) was not processed, whatever its body says. A 2xx without tokens was: the
    tokens are lost.
    """
    data = _object(answer.body)
    error, said = _error(data)
    if 200 <= answer.status < 300:
        if error is not None and "access_token" not in data:
            return Rejected(error=error, description=said)  # some servers refuse with 200
        return _pair(data) or Ambiguous(detail=f"status {answer.status} without usable tokens")
    if answer.status in ANSWER_LOST:
        return Ambiguous(detail=f"status {answer.status}: a gateway waited in vain")
    passing = answer.status >= 500 or answer.status == 429 or error is None or error in PASSING
    if error is not None and not passing:
        return Rejected(error=error, description=said)
    told = "a redirect, never followed" if answer.status < 400 else error or "no OAuth error"
    return Retryable(
        detail=f"status {answer.status}, {told}", retry_after_s=_seconds(answer.retry_after)
    )


def _repeats(result: Rejected, sent: Collection[str]) -> bool:
    """Whether a refusal quotes what was sent, which no log may hold."""
    told = f"{result.error} {result.description}"
    return any(value[:QUOTED] in told for value in sent if len(value) >= QUOTED)


def _pair(data: Mapping[str, Any]) -> TokenPair | None:
    access, refresh = data.get("access_token"), data.get("refresh_token")
    if not _is_token(access) or not (refresh in (None, "") or _is_token(refresh)):
        return None
    scope = data.get("scope")
    return TokenPair(
        access_token=Secret(str(access)),
        refresh_token=Secret(str(refresh)) if refresh else None,
        expires_in_s=_life(data.get("expires_in")),
        scopes=tuple(scope.split()) if isinstance(scope, str) else (),
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _life(value: object) -> float | None:
    """Seconds a token lasts; None where that is not said in any usable way."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        life_s = float(value)
    except (ValueError, OverflowError):
        return None
    return life_s if math.isfinite(life_s) and 0.0 < life_s <= MAX_LIFE_S else None


def _error(data: Mapping[str, Any]) -> tuple[str | None, str]:
    """The OAuth error code and its description, where the answer has one."""
    found, said = data.get("error"), data.get("error_description")
    inner = found if isinstance(found, dict) else None
    if inner is not None:  # some servers wrap it in an error object of their own
        found, said = inner.get("type"), inner.get("message")
        if not (isinstance(found, str) and found.startswith(DEAD)):
            return None, ""
        found = DEAD
    if not isinstance(found, str) or _CODE.fullmatch(found) is None:
        return None, ""
    text = said if isinstance(said, str) else ""
    return found, "".join(c if c.isprintable() else " " for c in text)[:MAX_TEXT]


def _object(body: bytes | None) -> Mapping[str, Any]:
    try:
        data = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _seconds(text: str) -> float | None:
    """`retry-after` in seconds; a date says no more than that there is a pause."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
