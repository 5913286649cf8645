"""Keeping the pool's memory: what is due is done, in worker threads where it blocks.

The timers only ring; what is due is `pool.due(now)`. A failing disk degrades saving, loudly, and
never a request.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, StateStore
    from maxpool.service.origins import Origins

log = logging.getLogger("maxpool.state")


@dataclass(slots=True)
class Keeper:
    """Saves the pool's snapshot when the pool says that it is due."""

    pool: Pool
    store: StateStore
    clock: Clock
    origins: Origins
    saves: int = 0
    failures: int = 0
    last_error: str | None = None
    hint: str = ""
    failing_since: float | None = None
    last_at: float | None = None
    handed_over: bool = False  # another process saves from here on
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def tick(self) -> None:
        """Do what is due now."""
        if any(due.kind == "save" for due in self.pool.due(self.clock.now())):
            await self.save()

    async def save(self) -> None:
        """Write the snapshot; an older write that still runs goes first."""
        async with self.saving:
            if not self.handed_over:
                await self._save()

    async def save_last(self, also: Callable[[], None]) -> None:
        """Save for another process, and save no more; `also` runs in the moment of the snapshot."""
        async with self.saving:
            also()
            await self._save()
            self.handed_over = True

    async def _save(self) -> None:
        now = self.clock.now()
        data = {**self.pool.snapshot(now), "origins": dict(self.origins.bound)}
        try:
            await asyncio.to_thread(self.store.save, data)
        except StateError as error:
            if self.last_error != error.message:
                log.exception("cannot save the pool's state: %s. %s", error.message, error.hint)
            self.failures += 1
            self.failing_since = now if self.failing_since is None else self.failing_since
            self.last_error, self.hint = error.message, error.hint
            self.pool.saved_at = now  # not again before the gap has passed
        else:
            if self.failing_since is not None:
                log.warning("the pool's state is saved again")
            self.saves += 1
            self.last_error = self.failing_since = None
            self.last_at = now
            self.pool.saved(data["revision"], now)

    def notices(self) -> tuple[str, ...]:
        """What the status page says while nothing can be saved."""
        if self.last_error is None or self.failing_since is None:
            return ()
        minutes = max(self.clock.now() - self.failing_since, 0.0) / 60.0
        since = f"for {minutes:.0f} min" if minutes >= 1.0 else "now"
        return (f"The state is not saved {since}: {self.last_error}. {self.hint.rstrip('.')}.",)

    def report(self) -> dict[str, Any]:
        """Numbers for the status page."""
        return {
            "saves": self.saves,
            "failures": self.failures,
            "last_at": self.last_at,
            "last_error": self.last_error,
        }
