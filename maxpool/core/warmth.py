"""Which targets are kept warm, what is known of each, and which check is due. Sends nothing.

A target is an account and the model it is asked for. What was checked or has served is warm for two
intervals; a check says nothing of the account's health, and no choice is made by it. Checks are spread
over the interval, no two closer than `LANE_S`, and cease when nobody uses the pool.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

Mode = Literal["off", "eco", "balanced", "aggressive"]

INTERVALS_S: Final[dict[str, float]] = {"eco": 120.0, "balanced": 30.0, "aggressive": 10.0}
"""By mode: how long a target may be idle before it is checked."""
SPENDING: Final = frozenset({"balanced", "aggressive"})
"""Modes that send a message of one token where a provider has no question that is free."""
LANE_S: Final = 0.25
START_S: Final = 5.0
"""A first check comes between this and twice this after the start: not all of them at once."""
MAX_FOCUS: Final = 5
MAX_ENTRIES: Final = 64
MAX_SLOWER: Final = 4
"""Failures double the interval, at most so often: 16 times."""
LIVES: Final = 2.0
"""Intervals that a warm target stays warm: one check may come late."""

Target = tuple[str, str]
"""An account's id and the model it is asked for."""


class WarmState(StrEnum):
    """How a target stands."""

    COLD = "cold"
    WARMING = "warming"
    WARM = "warm"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to one account. `message`: the model of a one-token message, None = a free question."""

    account_id: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of it. `free`: whether the provider has a free question, None = not asked.

    `wait_s`: how long the provider itself wants no further question.
    """

    ok: bool
    latency_ms: float | None = None
    detail: str = ""
    free: bool | None = None
    wait_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Entry:
    """One target in focus; times in epoch seconds."""

    account_id: str
    model: str
    next_at: float
    warm_at: float | None = None
    checked_at: float | None = None
    latency_ms: float | None = None
    failures: int = 0
    checks: int = 0
    detail: str = ""
    out: bool = False

    def state(self, now: float, life_s: float) -> WarmState:
        """Warm, failed, being checked, or cold."""
        if self.out:
            return WarmState.WARMING
        if self.failures:
            return WarmState.FAILED
        warm = self.warm_at is not None and 0.0 <= now - self.warm_at <= life_s
        return WarmState.WARM if warm else WarmState.COLD


@dataclass(slots=True, kw_only=True)
class Warmth:
    """All targets in focus. `quiet_s`: nobody used the pool for so long: no more checks."""

    mode: Mode = "eco"
    quiet_s: float = 3600.0
    entries: dict[Target, Entry] = field(default_factory=dict)
    unfree: set[str] = field(default_factory=set)  # accounts whose provider has no free question
    last_at: float = -math.inf
    counts: dict[str, int] = field(
        default_factory=lambda: {"checks": 0, "failed": 0, "messages": 0}
    )

    @property
    def interval_s(self) -> float:
        """How long a target may be idle; endless while checks are off."""
        return INTERVALS_S.get(self.mode, math.inf)

    @property
    def life_s(self) -> float:
        """How long what was seen of a target holds."""
        return LIVES * INTERVALS_S.get(self.mode, INTERVALS_S["eco"])

    def switch(self, mode: Mode, now: float) -> None:
        """Another mode; what is known stays, and what is due by the new interval comes soon."""
        self.mode = mode
        for entry in self.entries.values():
            seen = max(entry.warm_at or 0.0, entry.checked_at or 0.0)
            entry.next_at = self._slot(entry, seen) if seen else now

    def follow(self, targets: Iterable[Target], now: float) -> None:
        """Keep these targets in focus, and no others."""
        wanted = dict.fromkeys(targets)
        self.entries = {target: e for target, e in self.entries.items() if target in wanted}
        for target in wanted:
            if target not in self.entries and len(self.entries) < MAX_ENTRIES:
                first = START_S * (1.0 + _spread(target))
                self.entries[target] = Entry(
                    account_id=target[0], model=target[1], next_at=now + first
                )
        known = {account_id for account_id, _ in self.entries}
        self.unfree &= known

    def served(self, account_id: str, at: float) -> None:
        """The account gave a good answer then: all that a check could tell is known."""
        for entry in self._of(account_id):
            if entry.warm_at is None or at > entry.warm_at:
                entry.warm_at, entry.failures, entry.detail = at, 0, ""
                entry.next_at = max(entry.next_at, self._slot(entry, at))

    def due(self, now: float, used_at: float) -> Check | None:
        """The one check whose time has come; `used_at`: when the pool was last used.

        None right after another, while one of the same account is out, and in a pool nobody uses.
        """
        if self.mode == "off" or now - used_at > self.quiet_s or 0.0 <= now - self.last_at < LANE_S:
            return None
        busy = {entry.account_id for entry in self.entries.values() if entry.out}
        waiting = [
            e for e in self.entries.values() if e.next_at <= now and e.account_id not in busy
        ]
        if not waiting:
            return None
        entry = min(waiting, key=lambda e: e.next_at)
        spends = entry.account_id in self.unfree and self.mode in SPENDING
        return Check(account_id=entry.account_id, message=entry.model if spends else None)

    def begin(self, check: Check, now: float) -> None:
        """It is sent."""
        self.last_at = now
        self.counts["checks"] += 1
        self.counts["messages"] += check.message is not None
        for entry in self._about(check):
            entry.out = True

    def ended(self, check: Check, result: Checked, now: float) -> None:
        """What came of it. A failed check makes the next ones rarer, and nothing else."""
        if result.free is False:
            self.unfree.add(check.account_id)
        self.counts["failed"] += not result.ok
        for entry in self._about(check):
            entry.out = False
            entry.checked_at, entry.checks = now, entry.checks + 1
            entry.detail = result.detail
            entry.failures = 0 if result.ok else entry.failures + 1
            if result.ok:
                entry.warm_at, entry.latency_ms = now, result.latency_ms
            entry.next_at = max(self._slot(entry, now), now + result.wait_s)

    def missed(self, targets: Iterable[Target], now: float) -> None:
        """A request asked for a model with these targets: those that are cold are checked at once."""
        for target in targets:
            entry = self.entries.get(target)
            if entry is not None and entry.state(now, self.life_s) is WarmState.COLD:
                entry.next_at = min(entry.next_at, now)

    def clock_stepped(self, by_s: float) -> None:
        """The wall clock was set: nothing is older or later for that."""
        self.last_at += by_s
        for entry in self.entries.values():
            entry.next_at += by_s
            entry.warm_at = None if entry.warm_at is None else entry.warm_at + by_s
            entry.checked_at = None if entry.checked_at is None else entry.checked_at + by_s

    def _slot(self, entry: Entry, now: float) -> float:
        """The target's own place in an interval, at least half of one from now."""
        interval_s = self.interval_s
        if interval_s == math.inf:
            return math.inf
        if entry.failures:
            return now + interval_s * 2.0 ** min(entry.failures - 1, MAX_SLOWER)
        phase = interval_s * _spread((entry.account_id, entry.model))
        return phase + interval_s * math.ceil((now + interval_s / 2.0 - phase) / interval_s)

    def _of(self, account_id: str) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.account_id == account_id]

    def _about(self, check: Check) -> list[Entry]:
        """A free question tells of every target of the account, a message of its own model."""
        of = self._of(check.account_id)
        return of if check.message is None else [e for e in of if e.model == check.message]


def _spread(target: Target) -> float:
    """A number in [0, 1) that belongs to the target: no dice are cast here."""
    mixed = crc32("\x1f".join(target).encode()) * 0x9E3779B1
    return (mixed & 0xFFFFFFFF) / 2**32
