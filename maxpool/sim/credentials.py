"""Who is calling: from the credential in the headers to an account, or the vendor's complaint.

Tells keys apart by their prefix, never by the header they come in (SDKs send API keys as bearers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool.sim.plans import OAUTH_BETA, OAUTH_PREFIX
from maxpool.sim.problems import Problem, forbidden, unauthenticated

if TYPE_CHECKING:
    from maxpool.sim.accounts import AccountBook, SimState
    from maxpool.sim.oauth import Access, OAuthServer
    from maxpool.sim.requests import SimRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An account and what its credential may do."""

    state: SimState
    scopes: tuple[str, ...]


def caller_of(
    request: SimRequest, accounts: AccountBook, oauth: OAuthServer, now: float
) -> Caller | Problem:
    """The caller behind a request's credential."""
    key = request.header("x-api-key")
    bearer = _bearer(request.header("authorization"))
    if key is None and bearer is None:
        return _anonymous(accounts)
    if bearer is not None and key is None and bearer.startswith(OAUTH_PREFIX):
        return _signed_in(request, bearer, accounts, oauth.access(bearer, now))
    state = None
    if key is None or not key.startswith(OAUTH_PREFIX):
        state = accounts.with_secret(key if key is not None else bearer or "")
    if state is None:
        return unauthenticated("invalid x-api-key" if key is not None else "Invalid bearer token")
    return Caller(state=state, scopes=state.account.scopes)


def _signed_in(
    request: SimRequest, bearer: str, accounts: AccountBook, issued: Access | Problem | None
) -> Caller | Problem:
    if OAUTH_BETA not in (request.header("anthropic-beta") or ""):
        return unauthenticated("OAuth authentication is currently not supported.")
    if isinstance(issued, Problem):
        return issued
    if issued is not None:
        return Caller(state=accounts.named(issued.person), scopes=issued.scopes)
    state = accounts.with_secret(bearer)
    if state is None:
        return unauthenticated("Invalid bearer token")
    return Caller(state=state, scopes=state.account.scopes)


def scope_problem(caller: Caller, scope: str) -> Problem | None:
    """403 when the credential lacks a scope."""
    if scope in caller.scopes:
        return None
    return forbidden(f"OAuth token does not meet scope requirement {scope}")


def _anonymous(accounts: AccountBook) -> Caller | Problem:
    # A local model server asks for no key: an account with an empty secret.
    state = accounts.with_secret("")
    if state is None:
        return unauthenticated("x-api-key header is required")
    return Caller(state=state, scopes=())


def _bearer(value: str | None) -> str | None:
    if value is None or not value.lower().startswith("bearer "):
        return None
    return value[7:].strip()
