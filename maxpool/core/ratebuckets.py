"""Rate buckets: so many requests, tokens or USD per span of time, counted when a call is sent.

A bucket knows its own count and when it has room again; which buckets a call falls into, and what an
exhausted one means for an account, is `core/budget`'s. Calendar windows are UTC, weeks begin on
Monday; a rolling window is counted in slices of a sixtieth of its length, and a slice counts until
the last moment of it has left the window: never too little, at most one slice too much.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf, nextafter
from typing import TYPE_CHECKING, Any, Final, Literal

from maxpool.core.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

Amount = Literal["requests", "tokens", "usd"]
Unit = Literal["second", "minute", "hour", "day", "week", "month", "run"]

DAY_S: Final = 86_400.0
LENGTHS_S: Final[Mapping[str, float]] = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": DAY_S,
    "week": 7 * DAY_S,
    "month": 30 * DAY_S,  # of a rolling window; a calendar month is as long as it is
    "run": inf,
}
MONDAY_S: Final = 4 * DAY_S
"""1970-01-05 was a Monday."""
SLICES: Final = 60
HELD_S: Final = 5.0
"""How soon a bucket that only running requests fill is looked at again; their ends come first."""
LATEST: Final = 2.0e11
"""Epoch seconds beyond which no calendar goes."""
TINY: Final = 1e-9
"""Of a bucket's size: sums of many small numbers are no fuller than full."""


@value(frozen=True, slots=True)
class Period:
    """`n` times a unit; `run`: as long as the server runs."""

    unit: Unit
    n: int = 1

    @property
    def length_s(self) -> float:
        """Its length in seconds; a month counts 30 days."""
        return LENGTHS_S[self.unit] * self.n

    def index(self, now: float) -> int:
        """The number of the calendar window that holds `now`."""
        if self.unit == "run":
            return 0
        if self.unit == "month":
            at = datetime.fromtimestamp(min(max(now, 0.0), LATEST), UTC)
            return (at.year * 12 + at.month - 1) // self.n
        since = MONDAY_S if self.unit == "week" else 0.0
        return int((now - since) // self.length_s)

    def start(self, index: int) -> float:
        """When that calendar window begins; `index` of this time is that window again."""
        if self.unit == "month":
            year, month = divmod(index * self.n, 12)
            return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
        since = MONDAY_S if self.unit == "week" else 0.0
        return since + index * self.length_s

    def __str__(self) -> str:
        """`day`, `5 hours`."""
        return self.unit if self.n == 1 else f"{self.n} {self.unit}s"


@value(frozen=True, slots=True)
class Rule:
    """At most `limit` of an amount per period, for what its patterns name.

    A pattern (`*` as in shell globs, None: not told apart) makes a bucket of its own for each provider,
    account (name or id), model (as sent) or client key that it matches; one rule without any is for the
    whole pool. `safety`: the share of the limit that is never used.
    """

    amount: Amount
    limit: float
    period: Period
    rolling: bool = False
    safety: float = 0.0
    provider: str | None = None
    account: str | None = None
    model: str | None = None
    client_key: str | None = None

    @property
    def capacity(self) -> float:
        """What may be used of the limit; one request at least."""
        kept = self.limit * (1.0 - self.safety)
        return max(kept, 1.0) if self.amount == "requests" else kept

    @property
    def name(self) -> str:
        """Which buckets these are, whatever their limit: the same words across restarts."""
        scope = [
            f"{word}={pattern}"
            for word in ("provider", "account", "model", "client_key")
            if (pattern := getattr(self, word)) is not None
        ]
        window = "rolling" if self.rolling else "calendar"
        return " ".join((self.amount, f"per {self.period}", window, *scope))


@dataclass(slots=True)
class Bucket:
    """What was used of one rule for one provider, account, model, client key; times epoch seconds.

    `reserved`: what running calls are thought to use. `used`: of the calendar window `index`;
    `earlier`: of the one before it, for a clock that is set back. `slices`: of a rolling window, oldest
    first. `owners`: ids of accounts that are closed when it is exhausted.
    """

    rule: Rule
    about: tuple[str, ...] = ()
    reserved: float = 0.0
    running: int = 0
    index: int = 0
    used: float = 0.0
    earlier: float = 0.0
    last_at: float = 0.0  # of the calendar window's latest call
    slices: OrderedDict[int, float] = field(default_factory=OrderedDict)
    owners: dict[str, None] = field(default_factory=dict)

    @property
    def slice_s(self) -> float:
        """The length of a rolling window's slices."""
        return self.rule.period.length_s / SLICES

    def count(self, now: float) -> float:
        """What is used of the window that holds `now`, without reservations."""
        if not self.rule.rolling:
            return self.used if self.rule.period.index(now) <= self.index else 0.0
        oldest = self._slice(now) - SLICES
        return sum(n for i, n in self.slices.items() if i >= oldest)

    def add(self, amount: float, now: float) -> None:
        """Count what is used at `now`; below zero takes back, and never more than there is."""
        if self.rule.rolling:
            self._add_slice(amount, now)
            return
        index = self.rule.period.index(now)
        if index > self.index:
            self.earlier = self.used if index == self.index + 1 else 0.0
            self.index, self.used = index, 0.0
        self.last_at = max(self.last_at, now)
        self.used = max(self.used + amount, 0.0)

    def take_back(self, amount: float, at: float) -> None:
        """What was counted at `at` was not used after all."""
        if self.rule.rolling:
            index = self._slice(at)
            if index in self.slices:
                self.slices[index] = max(self.slices[index] - amount, 0.0)
        elif self.rule.period.index(at) >= self.index:
            self.used = max(self.used - amount, 0.0)

    def reserve(self, amount: float) -> None:
        """A call begins that will probably use so much."""
        self.reserved += amount
        self.running += 1

    def settle(self, reserved: float, used: float, now: float) -> None:
        """That call ended, and this is what it used."""
        self.running -= 1
        # Sums of many numbers drift: nobody running means nothing reserved.
        self.reserved = max(self.reserved - reserved, 0.0) if self.running > 0 else 0.0
        if used:
            self.add(used, now)

    def closed(self, now: float, amount: float = 0.0) -> float | None:
        """Until when there is no room for `amount`, None when there is; inf when no clock tells.

        More than fits at all goes when the bucket is empty. USD ask for no room: past the limit is past.
        """
        capacity = self.rule.capacity
        most = capacity * (1.0 + TINY)
        need = 0.0 if self.rule.amount == "usd" else min(amount, capacity)
        used = self.count(now)
        if _room(used + self.reserved, need, most, capacity):
            return None
        if _room(used, need, most, capacity):  # only running calls are in the way
            return min(now + HELD_S, self._ends(now))
        if not self.rule.rolling:
            return self._ends(now)
        for index, n in self.slices.items():
            if index >= self._slice(now) - SLICES:
                used -= n
                if _room(used, need, most, capacity):
                    return self._leaves(index)
        return self._ends(now)

    def exhausted(self, now: float) -> float | None:
        """Until when nothing at all has room, None when something has."""
        return self.closed(now, 1.0 if self.rule.amount == "requests" else 0.0)

    def opened(self, now: float) -> bool:
        """Whether its window runs: something of it is used or about to be."""
        return self.reserved > 0.0 or self.count(now) > 0.0

    def step(self, by_s: float) -> None:
        """The clock was set: calls that were counted move with it, and so do the windows they fill."""
        if self.rule.rolling:
            moved = -int(-by_s // self.slice_s)  # rather a slice longer than too short
            self.slices = OrderedDict((i + moved, n) for i, n in self.slices.items())
            return
        if not self.last_at:
            return
        self.last_at = max(self.last_at + by_s, 0.0)
        index = self.rule.period.index(self.last_at)
        if index < self.index:  # what was counted before may be of this window after all
            self.used, self.earlier = self.used + self.earlier, 0.0
        self.index = index

    def dump(self, now: float) -> dict[str, Any]:
        """What a restart has to know; running calls end with the process, and count as thought."""
        found: dict[str, Any] = {"about": list(self.about)}
        if self.rule.rolling:
            slices = dict(self.slices)
            if self.reserved:
                last = max([*slices, self._slice(now)])
                slices[last] = slices.get(last, 0.0) + self.reserved
            return found | {"slices": [[i, n] for i, n in slices.items()]}
        index, passed = max(self.index, self.rule.period.index(now)), self.earlier
        if index > self.index:  # what runs counts for the window that holds `now`
            passed = self.used if index == self.index + 1 else 0.0
        return found | {
            "index": index,
            "used": self.count(now) + self.reserved,
            "earlier": passed,
            "last_at": max(self.last_at, now) if self.reserved else self.last_at,
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Go on from there; raises LookupError, TypeError or ValueError where it cannot be read."""
        if self.rule.rolling:
            found = sorted((int(i), _amount(n)) for i, n in saved["slices"])
            self.slices = OrderedDict(found[-SLICES - 1 :])
            return
        self.index, self.last_at = int(saved["index"]), _amount(saved["last_at"])
        self.used, self.earlier = _amount(saved["used"]), _amount(saved["earlier"])

    def _add_slice(self, amount: float, now: float) -> None:
        index = self._slice(now)
        newest = next(reversed(self.slices), index)
        index = max(index, newest)  # a clock set back adds to the latest
        self.slices[index] = max(self.slices.get(index, 0.0) + amount, 0.0)
        while next(iter(self.slices)) < index - SLICES:
            self.slices.popitem(last=False)

    def _slice(self, now: float) -> int:
        return int(now // self.slice_s)

    def _leaves(self, index: int) -> float:
        """When a slice has left the window, as `_slice` sees it."""
        at = (index + SLICES + 1) * self.slice_s
        while self._slice(at) - SLICES <= index:
            at = nextafter(at, inf)
        return at

    def _ends(self, now: float) -> float:
        """When all of the window that holds `now` is over."""
        if self.rule.period.unit == "run":
            return inf
        if self.rule.rolling:
            return self._leaves(max(next(reversed(self.slices), 0), self._slice(now)))
        return self.rule.period.start(max(self.index, self.rule.period.index(now)) + 1)


def _room(used: float, need: float, most: float, capacity: float) -> bool:
    return used + need <= most if need > 0.0 else used < capacity


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.50} is no amount")
    if not 0.0 <= value < inf:
        raise ValueError("an amount is a number of zero or more")
    return float(value)
