"""What a provider told of an account's quota when it was asked, and whether that closes the account.

One reading holds until the next good one: a question that fails changes nothing. How the answer is
read is `wire/quotamap`'s, when to ask `service/quotaprobes`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maxpool.core.values import value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[object], float | None]

UNKNOWN_RESET_S: Final = 900.0
"""An exhausted quota whose reset nobody told is tried again so long after the reading."""


@value(frozen=True, slots=True)
class QuotaReading:
    """Amounts in `unit`, the time epoch seconds; any two amounts give the third."""

    used: float | None = None
    limit: float | None = None
    remaining: float | None = None
    reset_at: float | None = None
    unit: str = ""

    @property
    def known(self) -> bool:
        """Whether it says anything."""
        return not (self.used is None and self.limit is None and self.remaining is None)

    def whole(self) -> QuotaReading:
        """The same with what follows from two of the amounts."""
        used, limit, remaining = self.used, self.limit, self.remaining
        if used is None and limit is not None and remaining is not None:
            used = max(limit - remaining, 0.0)
        elif limit is None and used is not None and remaining is not None:
            limit = used + remaining
        elif remaining is None and used is not None and limit is not None:
            remaining = max(limit - used, 0.0)
        return QuotaReading(used, limit, remaining, self.reset_at, self.unit)


@dataclass(slots=True)
class ProbedQuota:
    """The last good reading of an account, and how asking goes. `gates`: it may close the account."""

    gates: bool = True
    reading: QuotaReading | None = None
    read_at: float = 0.0
    asked_at: float | None = None
    failures: int = 0
    last_result: str = ""

    def told(self, reading: QuotaReading, now: float) -> None:
        """A good answer."""
        self.reading, self.read_at, self.asked_at = reading.whole(), now, now
        self.failures, self.last_result = 0, "ok"

    def failed(self, why: str, now: float) -> None:
        """No good answer: what was known before holds."""
        self.asked_at, self.failures, self.last_result = now, min(self.failures + 1, 99), why

    def closed(self, now: float) -> float | None:
        """Until when it keeps the account from serving; None when it does not."""
        reading = self.reading
        if not self.gates or reading is None or reading.remaining is None or reading.remaining > 0:
            return None
        until = self.read_at + UNKNOWN_RESET_S if reading.reset_at is None else reading.reset_at
        return until if until > now else None

    def step(self, by_s: float) -> None:
        """The clock was set; resets were told, and stand."""
        self.read_at += by_s
        if self.asked_at is not None:
            self.asked_at += by_s


def dump(quota: ProbedQuota) -> Mapping[str, object]:
    """What a restart has to know."""
    reading = quota.reading
    if reading is None:
        return {}
    return {
        "used": reading.used,
        "limit": reading.limit,
        "remaining": reading.remaining,
        "reset_at": reading.reset_at,
        "unit": reading.unit,
        "read_at": quota.read_at,
    }


def load(saved: Mapping[str, object]) -> ProbedQuota:
    """The last good reading as saved; TypeError where it is none."""
    found = ProbedQuota()
    if saved:
        numbers = {n: _number(saved[n]) for n in ("used", "limit", "remaining", "reset_at")}
        found.reading = QuotaReading(**numbers, unit=str(saved["unit"]))
        found.read_at = _number(saved["read_at"]) or 0.0
    return found


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.50} is no number")
    return float(value)
