"""The bearer for an account, resolved from its secret reference and kept until it is renewed.

References (`env:`, `file:`, `command:`) may block, so they are resolved in a worker thread. Refresh
of logins belongs here too; accounts from config have nothing to refresh.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.errors import SecretError
from maxpool.wire.headers import authorization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.ports import Destination, Secret, SecretSource


PLAN_TOKEN = "sk-ant-oat"  # noqa: S105 - a prefix
"""How a subscription's token begins (`claude setup-token`)."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The header that authorizes a call, ready to send; `oauth` when the bearer needs its beta."""

    header: tuple[bytes, bytes] | None
    oauth: bool


@dataclass(slots=True)
class Tokens:
    """Bearers by account id. `references` maps account id -> secret reference, "" for none."""

    source: SecretSource
    references: Mapping[str, str]
    plans: frozenset[str] | None = None  # ids that may use a subscription's token, None = all
    ready: dict[str, Credential] = field(default_factory=dict)
    refused: dict[str, Credential] = field(default_factory=dict)
    resolving: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def bearer(self, account_id: str, destination: Destination) -> Credential:
        """The credential to send; raises `SecretError` when the reference gives none."""
        found = self.ready.get(account_id)
        if found is not None:
            return found
        async with self.resolving.setdefault(account_id, asyncio.Lock()):
            return self.ready.get(account_id) or await self._fresh(account_id, destination)

    async def _fresh(self, account_id: str, destination: Destination) -> Credential:
        reference = self.references.get(account_id)
        secret = await self._resolve(account_id)
        value = secret.reveal() if secret is not None else ""
        mode = destination.auth_header if value else "none"
        header, oauth = authorization(value, mode)
        of_plan = value.strip().startswith(PLAN_TOKEN)
        if of_plan and self.plans is not None and account_id not in self.plans:
            raise SecretError(
                "this secret is a subscription's token",
                'Set kind = "subscription" for the account; it then serves Claude Code only.',
            )
        found = Credential(header, oauth)
        if self.references.get(account_id) == reference:  # else the config has changed meanwhile
            self.ready[account_id] = found
        return found

    async def renew(
        self, account_id: str, destination: Destination, refused: Credential | None
    ) -> bool:
        """Resolve the reference anew, unless somebody has; False when it gives no other credential."""
        if self.ready.get(account_id) == refused:
            self.forget(account_id)
        try:
            return await self.bearer(account_id, destination) != refused
        except SecretError:
            return False

    def forget(self, account_id: str) -> None:
        """Resolve the reference anew at the next use (a rotated key in its file, say)."""
        self.ready.pop(account_id, None)

    def refuse(self, account_id: str, credential: Credential | None) -> None:
        """The upstream did not accept it; another one is a new login."""
        if credential is not None:
            self.refused[account_id] = credential

    def in_file(self, account_id: str) -> bool:
        """Whether the account's secret is read from a file."""
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
