"""What is known of each stored login: its credential, and whether and why it is over.

A new entry in the vault is noticed here and is a new login; dead tokens are remembered by value, so
that no restart sends one again. Refreshing is `service/refresh`'s, choosing among accounts the pool's.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from hashlib import sha256
from shlex import quote
from typing import TYPE_CHECKING

from maxpool.core.lease import CredentialChange
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, RefreshJournal
    from maxpool.service.stored import StoredLogins
    from maxpool.wire.credential import StoredCredential

log = logging.getLogger("maxpool.logins")


@dataclass(slots=True)
class Over:
    """A login that is not refreshed any more: of which token that is said, and why.

    `text` is for people. `final`: its access token does not work either. `unburied`: digests of dead
    tokens that the journal does not hold yet, and `reason` what it is to say of them.
    """

    fingerprint: str
    text: str
    final: bool = False
    reason: str = ""
    unburied: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Logins:
    """Stored logins by account id. `changed` is told whose credential is another one now.

    `belongs`: whether an account may send a credential that was got for this origin. `grant_life_s`: how long a login lasts in all, from its sign-in.
    """

    pool: Pool
    stored: StoredLogins
    journal: RefreshJournal
    clock: Clock
    changed: Callable[[str], None]
    belongs: Callable[[str, str], bool]
    grant_life_s: float = 28 * 86_400.0
    known: dict[str, StoredCredential] = field(default_factory=dict)
    over: dict[str, Over] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)  # when another login was first seen

    async def read(self, account_id: str) -> StoredCredential | None:
        """The account's credential as the vault has it now; raises `SecretError` when it cannot tell."""
        before = self.known.get(account_id)
        found = await self.stored.read(account_id)
        if self.known.get(account_id) is not before:
            return self.known.get(
                account_id
            )  # a refresh ended meanwhile: this may be what it replaced
        if found is None:
            self.forget(account_id)
            return None
        over = await self._exhume(account_id, found)
        if over is not None:
            self.end(account_id, over)
        self.adopt(account_id, found)
        return found

    async def look(self, account_id: str) -> StoredCredential | None:
        """The credential if it is there and works, without any refresh; raises `SecretError`."""
        found = await self.read(account_id)
        return found if found is not None and self.serves(account_id) else None

    def adopt(self, account_id: str, fresh: StoredCredential, *, refreshed: bool = False) -> None:
        """Go by this credential from now on; one that we did not get ourselves is a new login."""
        old, state = self.known.get(account_id), self.pool.states.get(account_id)
        if old == fresh or state is None:
            return
        self.known[account_id] = fresh
        over = self.over.get(account_id)
        again = old is not None and old.granted_at != fresh.granted_at  # a token may be given anew
        still_over = over is not None and over.fingerprint == fresh.fingerprint and not again
        pairs = [(one.secret, one.refresh_token) for one in (old, fresh) if one is not None]
        same = not again and len(pairs) == 2 and pairs[0] == pairs[1]
        told = bool(state.credential.ending)  # of the one before, or by the program's last run
        kind = "refreshed" if refreshed and not same else "expires"
        if not (still_over or refreshed or same) and (told or over is not None or old is not None):
            self.over.pop(account_id, None)
            kind = "logged_in" if _another(old, fresh) or told else "refreshed"
            if kind == "logged_in":
                self.arrived[account_id] = self.clock.now()
            log.info("account %s: it has another login or new tokens", state.account.name)
        self._tell(account_id, kind, fresh)
        if still_over:
            self._ending(account_id)
        self.changed(account_id)
        self.here(account_id)

    def here(self, account_id: str) -> bool:
        """Whether its credential may go where the account's requests go now (claim X5)."""
        found = self.known.get(account_id)
        if found is None or not found.origin:
            return True
        return self.belongs(account_id, found.origin)

    def serves(self, account_id: str) -> bool:
        """Whether its access token is worth sending."""
        found, over = self.known.get(account_id), self.over.get(account_id)
        if found is None or (over is not None and over.final):
            return False
        return found.expires_at is None or found.expires_at > self.clock.now()

    def end(self, account_id: str, over: Over) -> None:
        """No refresh any more; the access token serves as long as it lasts."""
        self.over[account_id] = over
        log.warning("%s (token %s)", over.text, over.fingerprint)
        if account_id in self.known:
            self._ending(account_id)

    def _ending(self, account_id: str) -> None:
        text = self.over[account_id].text
        self._tell(account_id, "ending", self.known[account_id], text)
        self.lapse(account_id)

    def ended(self, account_id: str, reason: str) -> None:
        """The upstream said that the login is over for good: neither of its tokens is used again."""
        found = self.known.get(account_id)
        if found is not None:
            text = self.text(account_id, reason)
            digests = tuple(digest(t) for t in (found.secret, found.refresh_token) if t)
            self.end(account_id, Over(found.fingerprint, text, True, reason, digests))

    def lapse(self, account_id: str) -> None:
        """Lock an account whose login is over, once its access token is too."""
        over = self.over.get(account_id)
        if over is not None and not self.serves(account_id):
            self._tell(account_id, "dead", self.known.get(account_id), over.text)

    async def bury(self, account_id: str) -> None:
        """Have the journal remember dead tokens; what does not work now is tried again."""
        over = self.over.get(account_id)
        if over is None:
            return
        try:
            for dead in over.unburied:
                now = self.clock.now()
                await asyncio.to_thread(self.journal.bury, account_id, dead, over.reason, now)
        except StateError as error:
            log.warning("a dead login cannot be remembered: %s. %s", error.message, error.hint)
        else:
            over.unburied = ()

    def forget(self, account_id: str) -> None:
        """There is no login for that account, or no such account."""
        self.over.pop(account_id, None)
        self.arrived.pop(account_id, None)
        if self.known.pop(account_id, None) is not None:
            self.changed(account_id)

    def why(self, account_id: str) -> tuple[str, str]:
        """Why its credential cannot be sent, and what to do about it."""
        over = self.over.get(account_id)
        if over is not None:
            return over.text, ""
        return (
            "its access token has expired, and it could not be refreshed yet",
            "It is tried again.",
        )

    def name(self, account_id: str) -> str:
        """The account's label."""
        state = self.pool.states.get(account_id)
        return state.account.name if state is not None else account_id

    def text(self, account_id: str, reason: str) -> str:
        """For people: that a login is over, and what to do."""
        return f"The login {self.name(account_id)} has ended ({reason}): {self.again(account_id)}"

    def again(self, account_id: str) -> str:
        """The command for a new login."""
        return f"maxpool login {quote(self.name(account_id))}"

    def notices(self) -> list[str]:
        """A sentence for each login that needs its owner, or is kept in memory only."""
        found = [over.text for over in self.over.values()]
        for account_id, waiting in self.stored.unsaved.items():
            found.append(
                f"The new tokens of {self.name(account_id)} could not be stored ({waiting.error}): the "
                "login is lost if maxpool ends before that works. It is tried again and again."
            )
        return found

    async def _exhume(self, account_id: str, found: StoredCredential) -> Over | None:
        """What is known of its tokens' death; a journal that fails knows nothing.

        (Then nothing is refreshed either.)
        """
        if self.known.get(account_id) == found:
            return None
        for token in (found.secret, found.refresh_token):
            try:
                reason = token and await asyncio.to_thread(
                    self.journal.dead, digest(token), found.granted_at
                )
            except StateError:
                return None
            if reason:
                return Over(found.fingerprint, self.text(account_id, reason), token == found.secret)
        return None

    def _tell(
        self, account_id: str, kind: str, credential: StoredCredential | None, reason: str = ""
    ) -> None:
        granted_at = credential.granted_at if credential is not None else None
        rotates = credential is not None and credential.refresh_token is not None
        ends_at = granted_at + self.grant_life_s if rotates and granted_at is not None else None
        change = CredentialChange(
            kind,  # type: ignore[arg-type]
            expires_at=credential.expires_at if credential is not None else None,
            reason=reason,
            granted_at=granted_at,
            grant_expires_at=ends_at,
        )
        self.pool.credential(account_id, change, self.clock.now())


def digest(token: str) -> str:
    """How a dead token is remembered: whole, so that no other one is ever taken for it."""
    return sha256(token.encode()).hexdigest()


def _another(old: StoredCredential | None, fresh: StoredCredential) -> bool:
    """Whether a credential is another login than the one before, not newer tokens of the same."""
    return old is None or old.granted_at != fresh.granted_at or old.refresh_token is None
