"""What the admin API changes in the config file: accounts away, client keys in and out.

The file is the one truth, so each change is written there first and then followed, as an edit by hand
would be. It knows neither TOML nor HTTP; what cannot be written changes nothing (409).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Protocol, TypeVar

from maxpool.errors import ConfigError, MaxpoolError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.ports import Secret

T = TypeVar("T")
log = logging.getLogger("maxpool.admin")


class ConfigEdits(Protocol):
    """The config file. Blocking; every method raises MaxpoolError and has changed nothing then."""

    def remove_account(self, name: str, *, keep_secret: bool) -> str:
        """Remove an entry and what the vault holds for it; returns what was done, in sentences."""
        ...

    def add_key(self, name: str, priority: int, limits: Mapping[str, object]) -> Secret:
        """Make a client key: the file gets its SHA-256, the caller the key itself, once."""
        ...

    def revoke_key(self, name: str) -> None:
        """Remove a client key."""
        ...


@dataclass(slots=True)
class Editing:
    """Edits the file in a worker thread, then has the server go by it (`reload`)."""

    edits: ConfigEdits
    reload: Callable[[], None]

    async def remove_account(self, name: str, *, keep_secret: bool = False) -> str:
        """Remove an account of the config; returns what was done."""
        remove = partial(self.edits.remove_account, name, keep_secret=keep_secret)
        done = await self._edited(remove, f"maxpool accounts remove {quote(name)}")
        log.info("by hand: account %s removed from the config", name)
        return done

    async def add_key(
        self, name: str, priority: int = 0, limits: Mapping[str, object] | None = None
    ) -> Secret:
        """Make a client key and let it in; it cannot be shown a second time."""
        add = partial(self.edits.add_key, name, priority, limits or {})
        key = await self._edited(add, f"maxpool keys add {quote(name)}")
        log.info("by hand: client key %s added", name)
        return key

    async def revoke_key(self, name: str) -> None:
        """Let a client key in no more."""
        revoke = partial(self.edits.revoke_key, name)
        await self._edited(revoke, f"maxpool keys revoke {quote(name)}")
        log.info("by hand: client key %s revoked", name)

    async def _edited(self, edit: Callable[[], T], command: str) -> T:
        try:
            done = await asyncio.to_thread(edit)
        except MaxpoolError as error:
            raise RequestError(
                409,
                "invalid_request_error",
                f"{in_words(error)} The command that does the same: {command}",
            ) from error
        self.reload()
        return done


def in_words(error: MaxpoolError) -> str:
    """An error as sentences: what is wrong, then what to do."""
    if isinstance(error, ConfigError):
        told = "; ".join(problem.message for problem in error.problems)
        return f"The config file was not changed: {told}."
    return " ".join(_sentence(part) for part in (error.message, error.hint) if part)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
