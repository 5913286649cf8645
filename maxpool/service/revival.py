"""Accounts whose secret is missing or was refused, and how they come back without a restart.

A secret rests in the vault, where `maxpool login` puts a new one, or outside (`env:`, `file:`,
`command:`), where its owner renews it. Vault and files are looked at every few seconds, everything else
when the config is reloaded; another secret than the refused one is the new login. The refused one itself is tried again after growing pauses, since a 401
may have been the upstream's slip: such a try costs one failover that nobody sees.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.effects import REFUSED
from maxpool.core.health import HealthState
from maxpool.core.lease import CredentialChange
from maxpool.errors import SecretError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.ports import Clock, Destination
    from maxpool.service.origins import Origins
    from maxpool.service.tokens import Tokens
    from maxpool.service.waiting import WaitingRoom

log = logging.getLogger("maxpool.accounts")

SECOND_CHANCE_S = (300.0, 900.0, 3600.0)
"""Pauses before a refused secret is tried again; the last one repeats."""

NO_SECRET = "no secret"  # noqa: S105 - how the reason of such a lock begins
COMMAND_EVERY_S = 60.0
"""How often a secret that a command did not give is asked for again."""


@dataclass(slots=True)
class Chance:
    """When a refused credential is tried again; how many chances it had."""

    at: float
    given_at: float = 0.0
    count: int = 0


@dataclass(slots=True)
class Revival:
    """Looks after the secrets of all accounts; `missing` holds what the status page says of them."""

    pool: Pool
    tokens: Tokens
    origins: Origins
    destinations: Mapping[str, Destination]
    waiting: WaitingRoom
    clock: Clock
    missing: dict[str, str] = field(default_factory=dict)
    chances: dict[str, Chance] = field(default_factory=dict)
    asked_at: float = 0.0

    async def look(self, *, files_only: bool = False) -> None:
        """Lock accounts without a secret, revive those that have another one than was refused."""
        for account_id, state in list(self.pool.states.items()):
            locked = state.health.state is HealthState.LOCKED_OUT
            unready = locked or account_id not in self.tokens.ready
            login = self.tokens.login_of(account_id)
            looked_at = not files_only or self.tokens.watched(account_id)
            # A new login of its own binds an account to where it leads now.
            bound = account_id not in self.origins.locked or login is not None
            renewed = login is not None and not files_only  # it may have changed although it works
            if state.enabled and (unready or renewed) and looked_at and bound:
                await self._look_at(account_id, state, locked=locked)
        for gone in self.missing.keys() - self.pool.states.keys():
            del self.missing[gone]

    async def tick(self) -> None:
        """What is repeated every few seconds: files, and now and then what is missing elsewhere."""
        now = self.clock.now()
        often = not (self.missing and now - self.asked_at >= COMMAND_EVERY_S)
        if not often:
            self.asked_at = now
        await self.look(files_only=often)
        self._second_chances(now)

    def _second_chances(self, now: float) -> None:
        for account_id in list(self.tokens.refused):
            state = self.pool.states.get(account_id)
            if state is None or state.health.state is not HealthState.LOCKED_OUT:
                chance = self.chances.get(account_id)
                last = state.tally.last_well if state is not None else now
                if chance is None or last > chance.given_at:
                    self.chances.pop(account_id, None)
                    self.tokens.refused.pop(account_id, None)
            elif state.health.reason == REFUSED and account_id not in {
                *self.origins.locked,
                *self.missing,
            }:
                self._second_chance(account_id, state.account.name, now)

    def _second_chance(self, account_id: str, name: str, now: float) -> None:
        chance = self.chances.setdefault(account_id, Chance(at=now + SECOND_CHANCE_S[0]))
        if now < chance.at:
            return
        chance.count = min(chance.count + 1, len(SECOND_CHANCE_S) - 1)
        chance.given_at, chance.at = now, now + SECOND_CHANCE_S[chance.count]
        log.info("account %s: its refused credential gets another chance", name)
        self.pool.credential(account_id, CredentialChange("logged_in"), now)
        self.waiting.wake()

    def clock_stepped(self, by_s: float, _now: float) -> None:
        """The wall clock was set: pauses of its own last as long as before."""
        self.asked_at += by_s
        for chance in self.chances.values():
            chance.at += by_s
            chance.given_at += by_s

    def notices(self) -> tuple[str, ...]:
        """A sentence for each account without a secret."""
        return tuple(self.missing.values())

    async def _look_at(self, account_id: str, state: AccountState, *, locked: bool) -> None:
        destination = self.destinations.get(account_id)
        if destination is None:
            return
        name = state.account.name
        if locked:
            self.tokens.forget(account_id)
        try:
            found = await self.tokens.look(account_id, destination)
        except SecretError as error:
            if account_id in self.tokens.ready or account_id in self.origins.locked:
                return  # what works stays in use; what waits for its owner's word says so itself
            self._without(account_id, name, error, locked=locked)
            return
        self.missing.pop(account_id, None)
        if found is None:
            return  # the login itself is over, and says so
        if account_id in self.origins.locked:  # it moved while its secret was looked up
            return
        lost = state.health.reason.startswith(NO_SECRET)
        if locked and (lost or found != self.tokens.refused.get(account_id)):
            log.info("account %s: there is a new secret, it may serve again", name)
            self.tokens.refused.pop(account_id, None)
            self.chances.pop(account_id, None)
            self.pool.credential(account_id, CredentialChange("logged_in"), self.clock.now())
            self.waiting.wake()

    def _without(self, account_id: str, name: str, error: SecretError, *, locked: bool) -> None:
        text = f"Account {name!r} has no secret: {error.message}. {error.hint}"
        if self.missing.get(account_id) != text:
            log.warning("%s", text)
        self.missing[account_id] = text
        if not locked:
            change = CredentialChange("dead", reason=f"{NO_SECRET}: {error.message}"[:200])
            self.pool.credential(account_id, change, self.clock.now())
