"""The bearer for an account, resolved from its secret reference and kept until it is renewed.

References (`env:`, `file:`, `command:`) may block, so they are resolved in a worker thread. Those into
the vault go through `service/refresh`, which gets new tokens in time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.errors import SecretError
from maxpool.wire.headers import authorization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.ports import Destination, Secret, SecretSource
    from maxpool.service.refresh import Refresher
    from maxpool.wire.credential import StoredCredential


PLAN_TOKEN = "sk-ant-oat"  # noqa: S105 - a prefix
"""How a subscription's token begins (`claude setup-token`)."""

OWN, OPTIONAL = "vault:", "vault?:"
"""How a reference to the account's own entry in the vault begins; one without need not have any."""

LAST_S = 1.0
"""In its last minute a token that could not be refreshed is looked at again this often."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The header that authorizes a call, ready to send; `oauth` when the bearer needs its beta.

    `stale_at`: when to look for a newer one (epoch seconds); None: it is sent until it is refused.
    `mode`: the `auth_header` it was made for.
    """

    header: tuple[bytes, bytes] | None = field(repr=False)
    oauth: bool
    stale_at: float | None = field(default=None, compare=False)
    mode: str = field(default="auto", compare=False)


@dataclass(slots=True)
class Tokens:
    """Bearers by account id. `references` maps account id -> secret reference, "" for none.

    `refresher` looks after what is in the vault; without one its entries are secrets like others.
    """

    source: SecretSource
    references: Mapping[str, str]
    plans: frozenset[str] | None = None  # ids that may use a subscription's token, None = all
    ready: dict[str, Credential] = field(default_factory=dict)
    refused: dict[str, Credential] = field(default_factory=dict)
    resolving: dict[str, asyncio.Lock] = field(default_factory=dict)
    refresher: Refresher | None = None

    async def bearer(self, account_id: str, destination: Destination) -> Credential:
        """The credential to send; raises `SecretError` when the reference gives none."""
        found = self._ready(account_id, destination)
        if found is not None:
            return found
        async with self.resolving.setdefault(account_id, asyncio.Lock()):
            return self._ready(account_id, destination) or await self._fresh(
                account_id, destination
            )

    async def look(self, account_id: str, destination: Destination) -> Credential | None:
        """The same without any refresh; None for a login that needs its owner."""
        login = self.login_of(account_id)
        if login is None:
            return await self.bearer(account_id, destination)
        await login.logins.read(account_id)
        if account_id in login.logins.known and not login.logins.serves(account_id):
            login.logins.lapse(account_id)
            return None
        return self._stored(account_id, destination, login)

    def login_of(self, account_id: str) -> Refresher | None:
        """Who looks after the account's credential, when that is in the vault."""
        inside = self.references.get(account_id, "").startswith((OWN, OPTIONAL))
        return self.refresher if inside else None

    def _ready(self, account_id: str, destination: Destination) -> Credential | None:
        found = self.ready.get(account_id)
        if found is None or found.mode != destination.auth_header:  # the config may have changed it
            return None
        if found.stale_at is None or self.refresher is None:
            return found
        return found if self.refresher.logins.clock.now() < found.stale_at else None

    def _stored(self, account_id: str, destination: Destination, login: Refresher) -> Credential:
        """The credential of a stored login, as it is known now."""
        stored = login.logins.known.get(account_id)
        if stored is None:
            if self.references.get(account_id, "").startswith(OPTIONAL):
                return Credential(None, oauth=False, mode=destination.auth_header)
            again = login.logins.again(account_id)
            raise SecretError("nothing is stored for it", f"Run: {again}")
        if not login.logins.here(account_id):
            raise SecretError(
                f"its credential belongs to {stored.origin}, and its base_url leads elsewhere",
                f"Run: {login.logins.again(account_id)} (or confirm the new base_url)",
            )
        found = _made(stored, destination)
        if stored.expires_at is not None:
            now = login.logins.clock.now()
            stale_at = max(stored.expires_at - login.settings.margin_s, now + LAST_S)
            found = replace(found, stale_at=min(stale_at, stored.expires_at))
        self._check_plan(account_id, stored.secret)
        self.ready[account_id] = found
        return found

    async def _fresh(self, account_id: str, destination: Destination) -> Credential:
        login = self.login_of(account_id)
        if login is not None:
            await login.current(account_id)
            return self._stored(account_id, destination, login)
        reference = self.references.get(account_id)
        secret = await self._resolve(account_id)
        value = secret.reveal() if secret is not None else ""
        mode = destination.auth_header if value else "none"
        header, oauth = authorization(value, mode)
        self._check_plan(account_id, value)
        found = Credential(header, oauth, mode=destination.auth_header)
        if self.references.get(account_id) == reference:  # else the config has changed meanwhile
            self.ready[account_id] = found
        return found

    def _check_plan(self, account_id: str, value: str) -> None:
        of_plan = PLAN_TOKEN in value  # behind a word such as `Bearer`, too
        if of_plan and self.plans is not None and account_id not in self.plans:
            raise SecretError(
                "this secret is a subscription's token",
                'Set kind = "subscription" for the account (an OAuth login: serves = ["claude-code"]); it '
                "then serves Claude Code only.",
            )

    async def renew(
        self, account_id: str, destination: Destination, refused: Credential | None
    ) -> bool:
        """Resolve the reference anew, unless somebody has; False when it gives no other credential.

        A login gets new tokens, although those it has have not expired.
        """
        login = self.login_of(account_id)
        stored = login.logins.known.get(account_id) if login is not None else None
        if login is not None and stored is not None and _made(stored, destination) == refused:
            await login.renew(account_id, stored)
        if self.ready.get(account_id) == refused:
            self.forget(account_id)
        try:
            return await self.bearer(account_id, destination) != refused
        except SecretError:
            return False

    def forget(self, account_id: str) -> None:
        """Resolve the reference anew at the next use (a rotated key in its file, say)."""
        self.ready.pop(account_id, None)

    def refuse(
        self, account_id: str, credential: Credential | None, final: str | None = None
    ) -> None:
        """The upstream did not accept it; another one is a new login. `final`: why it never will."""
        if credential is None:
            return
        self.refused[account_id] = credential
        login = self.login_of(account_id)
        if final is not None and login is not None and self.ready.get(account_id) == credential:
            login.ended(account_id, final)

    def watched(self, account_id: str) -> bool:
        """Whether the account's secret is looked at every few seconds: in a file, or in the vault."""
        if self.login_of(account_id) is not None:
            return True
        return self.references.get(account_id, "").startswith("file:")

    def refer(self, references: Mapping[str, str], plans: frozenset[str] | None = None) -> None:
        """Take new references; a credential whose reference changed is resolved anew."""
        changed = (self.plans or frozenset()) ^ (plans or frozenset())
        for account_id in list(self.ready):
            same = references.get(account_id) == self.references.get(account_id)
            if not same or account_id in changed:  # what it may be used for is checked anew, too
                self.forget(account_id)
        self.plans = plans
        self.references = references

    async def _resolve(self, account_id: str) -> Secret | None:
        reference = self.references.get(account_id)
        if reference is None:
            raise SecretError(
                "the account has no secret", "Set `secret` for it in the configuration."
            )
        if not reference:
            return None
        return await asyncio.to_thread(self.source.resolve, reference)


def _made(stored: StoredCredential, destination: Destination) -> Credential:
    """How a stored credential is sent; what came from an OAuth sign-in is a bearer, whatever it looks
    like.
    """
    mode = destination.auth_header
    if mode == "auto" and (stored.profile is not None or stored.refresh_token is not None):
        mode = "bearer"
    return Credential(*authorization(stored.secret, mode), mode=destination.auth_header)
