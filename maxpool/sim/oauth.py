"""The simulated OAuth 2.0 server: codes with PKCE S256, rotating refresh tokens, revocation.

Logic only, no HTTP (`oauth_web` has the endpoints). Refresh tokens are single use: using one twice
ends the whole login, as RFC 9700 section 4.14.2 advises and real servers do. A login's refresh
tokens die after `grant_life_s`, however often they were rotated.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.sim.plans import FULL_SCOPES, OAUTH_PREFIX, PROFILE_SCOPE, SimSettings
from maxpool.sim.problems import Problem, forbidden, unauthenticated

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Mapping

REFRESH_PREFIX = "sk-ant-ort01-"
KEPT_TOKENS = 10_000  # the oldest are forgotten first; bounds a simulation that runs for weeks


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthError:
    """What the token endpoint answers when it refuses (RFC 6749 section 5.2)."""

    error: str
    description: str
    status: int = 400


@dataclass(slots=True, kw_only=True)
class Grant:
    """One login: everything that rotated from it lives and dies together."""

    person: str
    scopes: tuple[str, ...]
    granted_at: float
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An authorization code that waits to be exchanged."""

    grant: Grant
    challenge: str
    redirect_uri: str
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An access token and what it may do."""

    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float

    @property
    def person(self) -> str:
        """The account it speaks for."""
        return self.grant.person


@dataclass(slots=True, kw_only=True)
class Refresh:
    """A refresh token; used up by its first use."""

    grant: Grant
    scopes: tuple[str, ...]
    used: bool = False


@dataclass(slots=True)
class OAuthServer:
    """All codes and tokens handed out. `people` are the accounts one can sign in as."""

    settings: SimSettings
    people: Collection[str]
    rng: random.Random
    codes: OrderedDict[str, Code] = field(default_factory=OrderedDict)
    accesses: OrderedDict[str, Access] = field(default_factory=OrderedDict)
    refreshes: OrderedDict[str, Refresh] = field(default_factory=OrderedDict)

    def authorize(self, person: str, query: Mapping[str, str], now: float) -> str:
        """A code for a person who approved; `query` was checked with `fault_of_query`."""
        wanted = tuple(query.get("scope", "").split()) or FULL_SCOPES
        grant = Grant(
            person=person, scopes=tuple(s for s in wanted if s in FULL_SCOPES), granted_at=now
        )
        code = self._random(24)
        self.codes[code] = Code(
            grant=grant,
            challenge=query["code_challenge"],
            redirect_uri=query["redirect_uri"],
            expires_at=now + self.settings.code_life_s,
        )
        _bound(self.codes)
        return code

    def fault_of_query(self, query: Mapping[str, str]) -> str | None:
        """What is wrong with an authorization request, or None."""
        if query.get("response_type") != "code":
            return "response_type must be code"
        if query.get("client_id") != self.settings.oauth_client_id:
            return "unknown client_id"
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return "a code_challenge with method S256 is required"
        if not query.get("redirect_uri") or not query.get("state"):
            return "redirect_uri and state are required"
        return None

    def token(self, body: Mapping[str, Any], now: float) -> dict[str, Any] | OAuthError:
        """The token endpoint: exchange a code or a refresh token."""
        if body.get("client_id") != self.settings.oauth_client_id:
            return OAuthError(error="invalid_client", description="Unknown client_id", status=401)
        match body.get("grant_type"):
            case "authorization_code":
                return self._exchange(body, now)
            case "refresh_token":
                return self._refresh(body, now)
            case _:
                return OAuthError(
                    error="unsupported_grant_type", description="Unsupported grant_type"
                )

    def access(self, token: str, now: float) -> Access | Problem | None:
        """What an access token may do, why it is refused, or None when it was never handed out."""
        access = self.accesses.get(token)
        if access is None:
            return None
        if access.grant.revoked:
            return forbidden("OAuth token has been revoked. Please obtain a new token.")
        if now >= access.expires_at:
            return unauthenticated(
                "OAuth token has expired. Please obtain a new token or refresh your existing token."
            )
        return access

    def revoke(self, token: str) -> None:
        """End the login a token belongs to; unknown tokens are no error (RFC 7009 section 2.2)."""
        held = self.accesses.get(token) or self.refreshes.get(token)
        if held is not None:
            held.grant.revoked = True

    def revoke_person(self, person: str) -> None:
        """End all logins of a person."""
        grants = [access.grant for access in self.accesses.values()]
        grants += [refresh.grant for refresh in self.refreshes.values()]
        for grant in grants:
            if grant.person == person:
                grant.revoked = True

    def person_of(self, token: object) -> str | None:
        """Whose refresh token or code this is."""
        if not isinstance(token, str):
            return None
        held = self.refreshes.get(token) or self.codes.get(token)
        return None if held is None else held.grant.person

    def _exchange(self, body: Mapping[str, Any], now: float) -> dict[str, Any] | OAuthError:
        code = self.codes.pop(str(body.get("code", "")), None)
        if code is None or now >= code.expires_at:
            return OAuthError(error="invalid_grant", description="Invalid 'code' in request.")
        if body.get("redirect_uri") != code.redirect_uri:
            return OAuthError(error="invalid_grant", description="redirect_uri does not match")
        if s256(str(body.get("code_verifier", ""))) != code.challenge:
            return OAuthError(error="invalid_grant", description="code_verifier does not match")
        return self._issue(code.grant, code.grant.scopes, now)

    def _refresh(self, body: Mapping[str, Any], now: float) -> dict[str, Any] | OAuthError:
        held = self.refreshes.get(str(body.get("refresh_token", "")))
        if held is not None and held.used:
            held.grant.revoked = True
        if held is None or held.used or held.grant.revoked:
            return OAuthError(
                error="invalid_grant", description="Refresh token not found or invalid"
            )
        if now >= held.grant.granted_at + self.settings.grant_life_s:
            return OAuthError(error="invalid_grant", description="Refresh token expired")
        held.used = True
        return self._issue(held.grant, self._narrowed(held, body.get("scope")), now)

    def _narrowed(self, held: Refresh, asked: object) -> tuple[str, ...]:
        if isinstance(asked, str) and asked:
            return tuple(s for s in held.grant.scopes if s in asked.split())
        if self.settings.refresh_drops_profile:
            return tuple(s for s in held.scopes if s != PROFILE_SCOPE)
        return held.scopes

    def _issue(self, grant: Grant, scopes: tuple[str, ...], now: float) -> dict[str, Any]:
        access, refresh = OAUTH_PREFIX + self._random(48), REFRESH_PREFIX + self._random(48)
        life_s = self.settings.access_token_life_s
        self.accesses[access] = Access(grant=grant, scopes=scopes, expires_at=now + life_s)
        self.refreshes[refresh] = Refresh(grant=grant, scopes=scopes)
        _bound(self.accesses)
        _bound(self.refreshes)
        return {
            "token_type": "Bearer",
            "access_token": access,
            "expires_in": int(life_s),
            "refresh_token": refresh,
            "scope": " ".join(scopes),
        }

    def _random(self, size: int) -> str:
        return base64.urlsafe_b64encode(self.rng.randbytes(size)).decode().rstrip("=")


def s256(verifier: str) -> str:
    """The PKCE challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _bound(tokens: OrderedDict[str, Any]) -> None:
    while len(tokens) > KEPT_TOKENS:
        tokens.popitem(last=False)
