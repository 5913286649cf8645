"""Readings for the ledger: what each account's windows showed, as it changes; and when old rows go.

The pool keeps what it needs to decide; a chart of the last weeks needs more than that. Blocks nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from maxpool.core.records import AccountRecord, Keep, ReadingRecord

if TYPE_CHECKING:
    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.core.window import QuotaWindow
    from maxpool.ports import Clock, Ledger

SAMPLE_S: Final = 60.0
"""Between two looks at all windows: of each at most one reading a minute is kept."""

PRUNE_S: Final = 3600.0
"""Between two times that old rows are deleted: then each has little to do."""

LEAST_CHANGE: Final = 1e-4
"""A smaller step of a window's utilization is no news."""

NEAR_S: Final = 60.0
"""Upstreams tell the same reset a few seconds apart."""


class Pruned(Protocol):
    """What old rows are deleted from."""

    def prune(self, keep: Keep) -> None:
        """Have what is too old deleted, beside the writing."""
        ...


@dataclass(slots=True)
class Sampler:
    """Looks at all windows, and tells the ledger those that changed since the last look."""

    pool: Pool
    ledger: Ledger
    clock: Clock
    names: dict[str, str] = field(default_factory=dict)
    told: dict[tuple[str, str], tuple[float, float | None]] = field(default_factory=dict)

    async def tick(self) -> None:
        """Look once."""
        self.look()

    def look(self) -> None:
        """The same, at once; also at what accounts are called."""
        now, states = self.clock.now(), self.pool.states
        for account_id, state in states.items():
            if self.names.get(account_id) != state.account.name:
                self.names[account_id] = state.account.name
                self.ledger.record(AccountRecord(account_id, state.account.name))
            self._sample(state, now)
        for gone in self.names.keys() - states.keys():
            del self.names[gone]
        for key in [key for key in self.told if key[0] not in states]:
            del self.told[key]

    def _sample(self, state: AccountState, now: float) -> None:
        for window in state.quota.windows.values():
            used = window.utilization_at(now)
            if used is None:
                continue
            key, reset_at = (state.account.id, window.name), window.next_reset(now)
            if _same(self.told.get(key), (used, reset_at)):
                continue
            self.told[key] = (used, reset_at)
            at = _read_at(window, now)
            self.ledger.record(ReadingRecord(*key, at, used, reset_at, window.source))


@dataclass(slots=True)
class Pruner:
    """Says what is too old; spans in seconds, changed by a reload."""

    ledger: Pruned
    clock: Clock
    requests_s: float
    readings_s: float

    async def tick(self) -> None:
        """Have it deleted."""
        now = self.clock.now()
        self.ledger.prune(
            Keep(requests_from=now - self.requests_s, readings_from=now - self.readings_s, now=now)
        )


def _read_at(window: QuotaWindow, now: float) -> float:
    """When it showed that: at its reading, unless that was before a reset since, or long ago."""
    read_at = window.read_at
    if read_at is None or window.expired(now) or not 0.0 <= now - read_at <= 2 * SAMPLE_S:
        return now
    return read_at


def _same(before: tuple[float, float | None] | None, now: tuple[float, float | None]) -> bool:
    if before is None or abs(before[0] - now[0]) >= LEAST_CHANGE:
        return False
    if before[1] is None or now[1] is None:
        return before[1] is now[1]
    return abs(before[1] - now[1]) < NEAR_S
