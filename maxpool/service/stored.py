"""Stored logins as they hold now: the vault's entries, and those that it could not take yet.

A pair of tokens that was got and cannot be stored is the only one there is: it is kept here, used,
and stored as soon as that works, unless somebody has logged in anew meanwhile. Whoever writes holds
the account's refresh lock; when to try again is the refresher's business.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.errors import MaxpoolError, SecretError
from maxpool.ports import Secret
from maxpool.wire.credential import decode, encode

if TYPE_CHECKING:
    from maxpool.ports import Vault
    from maxpool.wire.credential import StoredCredential

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Storing is tried again after growing pauses: a locked keyring asks its owner each time."""


@dataclass(slots=True)
class Unsaved:
    """A credential that only this process has, and the entry that it is to replace."""

    credential: StoredCredential
    earlier: StoredCredential
    error: str
    try_at: float
    pause_s: float = FIRST_PAUSE_S


@dataclass(slots=True)
class StoredLogins:
    """Reads and writes credentials in worker threads; `unsaved` by account id."""

    vault: Vault
    unsaved: dict[str, Unsaved] = field(default_factory=dict)

    async def read(self, account_id: str) -> StoredCredential | None:
        """The account's credential, None when it has none; raises `SecretError`."""
        waiting = self.unsaved.get(account_id)
        try:
            found = await self._entry(account_id)
        except SecretError:
            if waiting is None:
                raise
            return waiting.credential
        if waiting is None:
            return found
        if found == waiting.earlier:
            return waiting.credential
        if self.unsaved.get(account_id) is waiting:  # else a newer pair waits by now
            del self.unsaved[account_id]  # somebody logged in, or out: that counts
        return found

    async def write(
        self, account_id: str, fresh: StoredCredential, earlier: StoredCredential, now: float
    ) -> StoredCredential | None:
        """Replace `earlier` by `fresh`, durably; returns what holds from now on.

        An entry that is neither was written meanwhile by somebody else, and stays. When the vault
        fails, `fresh` holds and is `unsaved`.
        """
        waiting = self.unsaved.get(account_id)
        replaced = waiting.earlier if waiting is not None else earlier
        try:
            found = await self._entry(account_id)
            if found not in (replaced, fresh):
                self.unsaved.pop(account_id, None)
                return found
            if found != fresh:
                secret = Secret(encode(fresh))
                await asyncio.to_thread(self.vault.put, account_id, secret)
        except Exception as error:  # noqa: BLE001 - whatever it was, this is the only such pair
            pause_s = min(waiting.pause_s * 2.0, LONGEST_PAUSE_S) if waiting else FIRST_PAUSE_S
            ours = isinstance(error, MaxpoolError)
            told = str(error) if ours else f"a fault: {type(error).__name__}"
            self.unsaved[account_id] = Unsaved(fresh, replaced, told, now + pause_s, pause_s)
        else:
            self.unsaved.pop(account_id, None)
        return fresh

    async def store(self, account_id: str, now: float) -> None:
        """Try again to store what could not be stored."""
        waiting = self.unsaved.get(account_id)
        if waiting is not None:
            await self.write(account_id, waiting.credential, waiting.earlier, now)

    async def _entry(self, account_id: str) -> StoredCredential | None:
        text = await asyncio.to_thread(self.vault.get, account_id)
        if text is None:
            return None
        try:
            return decode(text.reveal())
        except ValueError as error:
            raise SecretError(
                f"its entry in {self.vault.place} cannot be read: {error}", "Log in again"
            ) from None
