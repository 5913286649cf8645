"""Refreshing logins in time: whether one is to be refreshed, and one refresh at a time for each.

At a time: one task here, one process by the account's lock, and then the vault is read again, since
somebody else may have done it. How a refresh goes is `service/renewal`'s; what is due is
`pool.due(now)`; timers only ring.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from maxpool.core.lease import CredentialChange
from maxpool.errors import MaxpoolError, SecretError, StateError
from maxpool.ports import Rejected, Retryable
from maxpool.service.logins import Over
from maxpool.service.renewal import expires
from maxpool.service.tasks import TooManyTasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.ports import Held, RefreshLocks
    from maxpool.service.logins import Logins
    from maxpool.service.renewal import Issuer, Renewal
    from maxpool.service.tasks import Tasks
    from maxpool.wire.credential import StoredCredential

log = logging.getLogger("maxpool.logins")

FORCED_GAP_S = 60.0
"""A token that is refused although it is this new does not get better by another refresh."""

LOCK_EXTRA_S = 15.0
"""How much longer than one call another process's refresh is waited for."""

LOCK_POLL_S = 0.1

Result = Literal["refreshed", "unchanged", "failed", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSettings:
    """When to refresh, in seconds. `call_s`: the longest that one call to a token endpoint takes."""

    ahead_s: float = 600.0
    margin_s: float = 60.0
    call_s: float = 65.0


@dataclass(slots=True, kw_only=True)
class Refresher:
    """Gets new tokens for `logins`. `issuer` finds an account's, None when the config names none.

    `mine`: whether an account's credential is such a login at all.
    """

    logins: Logins
    renewal: Renewal
    locks: RefreshLocks
    issuer: Callable[[str], Issuer | None]
    mine: Callable[[str], bool]
    tasks: Tasks
    settings: RefreshSettings
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)  # the origin that its owner confirmed
    closing: bool = False

    # -- what others ask for -----------------------------------------------------------------------

    async def current(self, account_id: str) -> StoredCredential | None:
        """The credential to send, refreshed when it must be; raises `SecretError` when none works."""
        known, logins = self.logins.known, self.logins
        found = known.get(account_id) or await logins.read(account_id)
        if found is not None and self._left_s(found) <= self.settings.margin_s:
            if self._may_try(account_id):
                await self.refresh(account_id)
            found = known.get(account_id)
        if found is not None and not logins.serves(account_id):
            logins.lapse(account_id)
            self._stall(account_id)
            raise SecretError(*logins.why(account_id))
        return found

    def ended(self, account_id: str, reason: str) -> None:
        """The upstream said that the login is over for good."""
        self.logins.ended(account_id, reason)
        with suppress(TooManyTasks):
            self.tasks.spawn(self.logins.bury(account_id), "bury a login")

    async def renew(self, account_id: str, refused: StoredCredential) -> None:
        """The upstream refused that access token: get another one, unless there is one already."""
        running = self.running.get(account_id)
        if running is not None:
            await asyncio.wait({running})
        if refused.refresh_token is None:
            await self.logins.read(account_id)
            return
        state = self.logins.pool.states.get(account_id)
        if state is None or self.logins.known.get(account_id) != refused:
            return
        last = state.credential.refreshed_at
        if last is None or self._now() - last >= FORCED_GAP_S:
            await self.refresh(account_id, instead_of=refused.secret)

    async def ask(self, account_id: str) -> tuple[Result, str]:
        """A person asks: take a new login from the vault, else refresh the one there is.

        Raises `SecretError` when the vault cannot be read.
        """
        before, done = self.logins.known.get(account_id), self.renewal.refreshes
        found = await self.logins.read(account_id)
        if found is None:
            return "failed", "there is no stored login for it"
        if (before is not None and before != found) or self._arrived(account_id):
            return "refreshed", "there was a new login"
        if found.refresh_token is None:
            return "unchanged", "its token is not of the kind that is refreshed"
        if account_id not in self.logins.over:
            await self.refresh(account_id, instead_of=found.secret)
        if self.renewal.refreshes > done or self.logins.known.get(account_id) != found:
            return "refreshed", ""
        if account_id in self.logins.over:
            return "over", self.logins.over[account_id].text
        failing = self.renewal.failing.get(account_id)
        return "failed", failing.detail if failing is not None else "nothing came of it"

    async def refresh(self, account_id: str, *, instead_of: str | None = None) -> None:
        """Refresh a login if it needs that; returns when that has ended, whoever began it.

        `instead_of`: the access token to get rid of, although it has not expired.
        """
        task = self._spawn(account_id, instead_of)
        if task is not None:
            await asyncio.wait({task})  # who is cancelled here does not take the refresh along

    def confirm(self, account_id: str, origin: str) -> None:
        """Its owner lets the account's credential go to another origin: its entry will say so."""
        self.moved[account_id] = origin
        self._spawn(account_id, None)

    # -- what is repeated --------------------------------------------------------------------------

    async def start(self) -> None:
        """Find the logins whose refresh has no known end, before anything is served or sent."""
        states = self.logins.pool.states
        try:
            begun = {one.account_id for one in await asyncio.to_thread(self.renewal.journal.begun)}
        except StateError as error:
            log.warning("logins are not refreshed: %s. %s", error.message, error.hint)
            return
        asked = begun if self.renewal.broken_at is None else begun | states.keys()
        for account_id in [one for one in states if one in asked]:
            held = None
            try:
                held = await asyncio.to_thread(self.locks.acquire, account_id, 0.0)
                if held is None:
                    continue  # another process is at it; whoever refreshes next looks again
                found = await self.logins.stored.read(account_id)
                if found is not None and found.refresh_token is not None:
                    await self.renewal.sendable(account_id, found)
                await self.logins.read(account_id)
            except MaxpoolError as error:
                log.warning("account %s: %s", self.logins.name(account_id), error.message)
            finally:
                if held is not None:
                    held.release()

    async def tick(self) -> None:
        """Begin what is due, look for new logins, and keep what is still to be kept."""
        now, logins = self._now(), self.logins
        for due in logins.pool.due(now):
            if due.kind == "refresh" and due.account_id and self.mine(due.account_id):
                self._spawn(due.account_id, None)
        for account_id in [one for one in logins.known if not self.mine(one)]:
            logins.forget(account_id)
        unsaved = [a for a, one in logins.stored.unsaved.items() if one.try_at <= now]
        for account_id in {*unsaved, *self.moved}:
            self._spawn(account_id, None)
        for account_id in list(logins.over):
            await logins.bury(account_id)
            try:
                await logins.read(account_id)
            except SecretError as error:
                log.debug("account %s: %s", logins.name(account_id), error.message)

    async def aclose(self, hurry: asyncio.Event) -> None:
        """Wait for the refreshes that run, and try a last time to keep what is not stored yet.

        `hurry` ends the waiting: a refresh that is cut off then is named at the next start.
        """
        self.closing = True
        hurried = self.tasks.spawn(hurry.wait(), "hurry", finish=False)
        while self.running and not hurry.is_set():  # each ends within `call_s`
            await asyncio.wait(
                {hurried, *self.running.values()}, return_when=asyncio.FIRST_COMPLETED
            )
        for account_id in list(self.logins.stored.unsaved):
            await self.logins.stored.store(account_id, self._now())
        for text in self.logins.notices():
            log.warning("%s", text)

    def notices(self) -> tuple[str, ...]:
        """A sentence for each login in trouble."""
        failing = (
            f"{self.logins.name(account_id)} could not be refreshed: {one.detail}."
            for account_id, one in self.renewal.failing.items()
            if account_id not in self.logins.over and self._paused(account_id)
        )
        return (*self.logins.notices(), *failing)

    def report(self) -> dict[str, Any]:
        """Numbers for the status page."""
        return {
            "refreshes": self.renewal.refreshes,
            "failures": self.renewal.failures,
            "running": len(self.running),
            "unsaved": len(self.logins.stored.unsaved),
        }

    # -- one refresh -------------------------------------------------------------------------------

    def _spawn(self, account_id: str, instead_of: str | None) -> asyncio.Task[None] | None:
        """The account's running refresh, else a new one; None when the server is closing."""
        task = self.running.get(account_id)
        if task is not None:
            return task
        try:
            task = self.tasks.spawn(self._alone(account_id, instead_of), f"refresh {account_id}")
        except TooManyTasks:
            return None
        self.running[account_id] = task
        task.add_done_callback(lambda _: self.running.pop(account_id, None))
        return task

    async def _alone(self, account_id: str, instead_of: str | None) -> None:
        try:
            held = await self._hold(account_id)
            if held is None:
                self.renewal.failed(
                    account_id, Retryable(detail="another process is refreshing it")
                )
                return
            try:
                await self._if_wanted(account_id, instead_of)
            finally:
                held.release()
        except MaxpoolError as error:
            told = f"{error.message}. {error.hint}".strip()
            self.renewal.failed(account_id, Retryable(detail=told))
        except Exception as error:
            self.renewal.failed(account_id, Retryable(detail=f"a fault: {type(error).__name__}"))
            raise  # to be logged with its place

    async def _hold(self, account_id: str) -> Held | None:
        """The lock between processes; asked again and again, so that no thread is kept waiting."""
        most_s = self.settings.call_s + LOCK_EXTRA_S
        for _ in range(int(most_s / LOCK_POLL_S)):
            held = await asyncio.to_thread(self.locks.acquire, account_id, 0.0)
            if held is not None:
                return held
            if self.closing:  # nothing is lost by leaving it to the other process
                return None
            await self.logins.clock.sleep(LOCK_POLL_S)
        return None

    async def _if_wanted(self, account_id: str, instead_of: str | None) -> None:
        """Read the vault again, and refresh what is there if that is still wanted."""
        logins, origin = self.logins, self.moved.get(account_id)
        await self._store(account_id)
        found = await logins.read(account_id)
        if found is not None and origin is not None and origin != found.origin:
            found = await self.renewal.keep(account_id, replace(found, origin=origin), found)
        self.moved.pop(account_id, None)
        if found is None or account_id not in logins.pool.states:
            return
        if not self._wanted(account_id, found, instead_of):
            logins.lapse(account_id)
            return
        issuer = self.issuer(account_id)
        if found.refresh_token is None:
            text = (
                f"The login {logins.name(account_id)} cannot be renewed: {logins.again(account_id)}"
            )
            logins.end(account_id, Over(found.fingerprint, text))
        elif issuer is None:
            self.renewal.failed(account_id, Rejected(error="its [oauth.NAME] section is missing"))
        elif await self.renewal.sendable(account_id, found, issuer):
            await self.renewal.send(account_id, found, issuer)

    async def _store(self, account_id: str) -> None:
        """Store what could not be stored; the journal hears of the refresh's end only then."""
        unsaved = self.logins.stored.unsaved
        if account_id in unsaved:
            await self.logins.stored.store(account_id, self._now())
            if account_id not in unsaved:
                await self.renewal.ended(account_id)
                log.info("account %s: its new tokens are stored", self.logins.name(account_id))

    def _wanted(self, account_id: str, found: StoredCredential, instead_of: str | None) -> bool:
        """Whether a login as the vault has it now is to be refreshed, by us, now."""
        state = self.logins.pool.states[account_id]
        if not state.enabled or account_id in self.logins.over or not self.logins.here(account_id):
            return False
        if instead_of is not None:
            return found.secret == instead_of
        early_s = state.credential.early_s(self.settings.ahead_s)
        return self._left_s(found) <= early_s and self._may_try(account_id)

    def _may_try(self, account_id: str) -> bool:
        """Whether no pause after a failure holds, and there is anything to be sent."""
        state = self.logins.pool.states.get(account_id)
        if state is None or account_id in self.logins.over:
            return False
        return state.credential.retry_at <= self._now()

    def _arrived(self, account_id: str) -> bool:
        """Whether a look at the vault found another login a moment ago; told once."""
        arrived_at = self.logins.arrived.pop(account_id, None)
        return arrived_at is not None and self._now() - arrived_at < FORCED_GAP_S

    def _paused(self, account_id: str) -> bool:
        """Whether the last refresh failed, and nothing has made up for that yet."""
        state = self.logins.pool.states.get(account_id)
        return state is not None and state.credential.retry_at > 0.0

    def _stall(self, account_id: str) -> None:
        """An expired token whose refresh has to wait: nobody is to be sent there until then."""
        state, now = self.logins.pool.states.get(account_id), self._now()
        if state is not None and state.credential.retry_at > now:
            change = CredentialChange("stalled", until=state.credential.retry_at)
            self.logins.pool.credential(account_id, change, now)

    def _left_s(self, found: StoredCredential) -> float:
        return expires(found) - self._now()

    def _now(self) -> float:
        return self.logins.clock.now()
