"""One refresh, under the account's lock: the refresh token is sent once, and what comes of it is kept.

In this order: journal, call, vault, and only then use; the journal's entry ends last. A token whose
call has no known end is never sent again: such a login is named, and its access token serves as long
as it lasts. Whether and when a refresh is wanted is `service/refresh`'s.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core.lease import CredentialChange
from maxpool.errors import SecretError, StateError
from maxpool.ports import Ambiguous, Rejected, Retryable, Secret, TokenPair
from maxpool.service.logins import Over, digest
from maxpool.service.origins import same_place

if TYPE_CHECKING:
    from maxpool.ports import RefreshJournal, TokenEndpoint
    from maxpool.service.logins import Logins
    from maxpool.wire.credential import StoredCredential

log = logging.getLogger("maxpool.logins")

RETRY_S = (5.0, 15.0, 60.0, 120.0, 300.0)
"""Pauses after failures that changed nothing; the last one repeats."""

LONG_PAUSE_S = 900.0
"""Pause after what only a person can mend: a refused client id, a missing profile."""

DEAD_TOKEN = "invalid_grant"  # noqa: S105 - RFC 6749 section 5.2


@dataclass(frozen=True, slots=True)
class Issuer:
    """An account's token endpoint, and the origin that its refresh tokens go to."""

    endpoint: TokenEndpoint
    origin: str


@dataclass(slots=True)
class Failing:
    """Failures in a row that changed nothing, and what the last one was."""

    count: int
    detail: str


@dataclass(slots=True, kw_only=True)
class Renewal:
    """Sends refresh tokens. `ahead_s`: how long before its end a login was due for that.

    `broken_at`: when a journal that has broken was last written, in epoch seconds.
    """

    logins: Logins
    journal: RefreshJournal
    ahead_s: float
    broken_at: float | None = None
    failing: dict[str, Failing] = field(default_factory=dict)
    unended: set[str] = field(default_factory=set)  # whose journal entries could not be ended
    refreshes: int = 0
    failures: int = 0

    async def sendable(
        self, account_id: str, found: StoredCredential, issuer: Issuer | None = None
    ) -> bool:
        """Whether its refresh token was surely never sent, and belongs there; else the login is over."""
        came_from = found.issuer
        if issuer is not None and came_from and not same_place(came_from, issuer.origin):
            moved = f"came from {came_from}, and its token_url leads to {issuer.origin}"
            self._over(account_id, found, f"{moved}: {self.logins.again(account_id)}")
            return False
        if account_id in self.unended:
            await self._end(account_id)
        entries = [
            one
            for one in await asyncio.to_thread(self.journal.begun)
            if one.account_id == account_id
        ]
        if any(one.fingerprint == found.fingerprint for one in entries):
            self.lost(account_id, found, "was being refreshed when the program ended")
            return False
        if entries and account_id not in self.logins.stored.unsaved:
            await self.ended(account_id)
        written = self.broken_at
        if written is not None and expires(found) - self.ahead_s <= written:
            # Its refresh was due when the broken journal was last written: that may have been why.
            await self._begin(account_id, found)
            self.lost(account_id, found, "may have been refreshed before the journal broke")
            return False
        return True

    async def send(self, account_id: str, found: StoredCredential, issuer: Issuer) -> None:
        """Send the refresh token, once, and keep what comes of it."""
        token = Secret(found.refresh_token or "")
        await self._begin(account_id, found)
        result = await issuer.endpoint.refresh(token, found.scopes)
        match result:
            case TokenPair():
                fresh = replace(self._fresh(found, result), issuer=issuer.origin)
                await self.keep(account_id, fresh, found)
                await self._done(account_id, used_up=fresh.fingerprint != found.fingerprint)
            case Rejected(error=error) if error == DEAD_TOKEN:
                await self._dead(account_id, found, result)
            case Rejected() | Retryable():
                self.failed(account_id, result)
                await self.ended(account_id)
            case Ambiguous():
                # The journal keeps its entry: no run of the program sends that token again.
                self.failures += 1
                self.lost(
                    account_id, found, f"was refreshed, and the answer was lost ({result.detail})"
                )

    def _fresh(self, found: StoredCredential, pair: TokenPair) -> StoredCredential:
        """The credential with its new tokens; without a new refresh token the old one goes on (RFC 6749
        section 6).
        """
        life_s, refresh = pair.expires_in_s, pair.refresh_token
        return replace(
            found,
            secret=pair.access_token.reveal(),
            refresh_token=refresh.reveal() if refresh is not None else found.refresh_token,
            expires_at=self.logins.clock.now() + life_s if life_s is not None else None,
            scopes=pair.scopes or found.scopes,
        )

    async def keep(
        self, account_id: str, fresh: StoredCredential, earlier: StoredCredential
    ) -> StoredCredential | None:
        """Store a credential, and only then use it; one that cannot be stored is used all the same."""
        held = await self.logins.stored.write(account_id, fresh, earlier, self.logins.clock.now())
        unsaved = self.logins.stored.unsaved.get(account_id)
        if unsaved is not None:
            log.error(
                "account %s: its new tokens could not be stored (%s); they are kept in memory",
                self.logins.name(account_id),
                unsaved.error,
            )
        if held is None:
            self.logins.forget(account_id)
        else:
            self.logins.adopt(account_id, held, refreshed=held == fresh)
        return held

    async def _done(self, account_id: str, *, used_up: bool) -> None:
        """A refresh worked; its entry ends unless the vault still has a token that is used up."""
        self.refreshes += 1
        self.failing.pop(account_id, None)
        log.info("account %s: it has new tokens", self.logins.name(account_id))
        if not (used_up and account_id in self.logins.stored.unsaved):
            await self.ended(account_id)

    async def _dead(self, account_id: str, found: StoredCredential, result: Rejected) -> None:
        """The token endpoint says that this token is dead, unless somebody has another one by now."""
        self.failures += 1
        now: StoredCredential | None = found
        with suppress(SecretError):  # a vault that cannot be read tells of no other login
            now = await self.logins.read(account_id)
        if now == found:
            reason = f"{result.error}: {result.description}".removesuffix(": ")
            dead = (digest(found.refresh_token or ""),)
            text = self.logins.text(account_id, reason)
            over = Over(found.fingerprint, text, reason=reason, unburied=dead)
            self.logins.end(account_id, over)
            await self.logins.bury(account_id)
            if over.unburied:
                return  # then the entry is all that tells the next run of the program
        await self.ended(account_id)

    def lost(self, account_id: str, found: StoredCredential, what: str) -> None:
        """Nobody knows whether the token was used up: it is never sent again."""
        doubt = f"its token ({found.fingerprint}) may be used up"
        self._over(account_id, found, f"{what}; {doubt}: {self.logins.again(account_id)}")

    def _over(self, account_id: str, found: StoredCredential, what: str) -> None:
        text = f"The login {self.logins.name(account_id)} {what}"
        self.logins.end(account_id, Over(found.fingerprint, text))

    def failed(self, account_id: str, result: Rejected | Retryable) -> None:
        """Nothing was used up: again after a pause, and until then the old tokens serve."""
        self.failures += 1
        state = self.logins.pool.states.get(account_id)
        if state is None or not state.credential.retry_at:
            self.failing.pop(account_id, None)  # the first one since the last that worked
        failing = self.failing.setdefault(account_id, Failing(0, ""))
        if isinstance(result, Rejected):
            pause_s = LONG_PAUSE_S
            detail = f"{result.error}: {result.description}".removesuffix(": ")
        else:
            step_s = RETRY_S[min(failing.count, len(RETRY_S) - 1)]
            pause_s, detail = max(step_s, result.retry_after_s or 0.0), result.detail
        failing.count, failing.detail = failing.count + 1, detail
        log.warning(
            "account %s: not refreshed (%s), again in %d s",
            self.logins.name(account_id),
            detail,
            pause_s,
        )
        until = self.logins.clock.now() + pause_s
        change = CredentialChange("stalled", until=until)
        self.logins.pool.credential(account_id, change, self.logins.clock.now())

    async def _begin(self, account_id: str, found: StoredCredential) -> None:
        await asyncio.to_thread(
            self.journal.begin, account_id, found.fingerprint, self.logins.clock.now()
        )

    async def ended(self, account_id: str) -> None:
        """Have the journal know the end; until it does, nothing is sent for that account."""
        try:
            await self._end(account_id)
        except StateError as error:  # it changes nothing about how the refresh ended
            log.warning("the end of a refresh is not noted: %s. %s", error.message, error.hint)

    async def _end(self, account_id: str) -> None:
        self.unended.add(account_id)
        await asyncio.to_thread(self.journal.end, account_id)
        self.unended.discard(account_id)


def expires(found: StoredCredential) -> float:
    """When its access token expires; infinity where nobody said."""
    return found.expires_at if found.expires_at is not None else float("inf")
