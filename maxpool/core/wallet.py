"""A prepaid account's money: what its owner declared, added since, and spent.

Reckoned from what answers cost (`core/money`); the provider's own figure, where a quota probe tells
one, stands beside it. Decides nothing by itself: `core/budget` asks whether anything is left.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT_TOPUPS: Final = 20
"""Top-ups shown with their dates; what they sum up to is kept for ever."""
FRESH_S: Final = 86_400.0
"""Money added so lately is used before another account's is begun."""


@dataclass(slots=True)
class Wallet:
    """`declared`: the balance that the config names, None where it names none; then the balance is
    not known. `spent` and `added`: since that was declared. USD, epoch seconds.

    `second_try`: money was added and no answer has shown yet that the provider knows of it.
    """

    declared: float | None = None
    minimum: float = 0.0
    spent: float = 0.0
    added: float = 0.0
    reserved: float = 0.0
    running: int = 0
    topups: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT_TOPUPS))
    second_try: bool = False

    @property
    def balance(self) -> float | None:
        """What is left, None where nobody declared what there was."""
        return None if self.declared is None else self.declared + self.added - self.spent

    def declare(self, balance_usd: float | None, minimum_usd: float) -> None:
        """Go by the config; another balance than before is a new beginning."""
        self.minimum = minimum_usd
        if balance_usd != self.declared:
            self.declared, self.spent, self.added = balance_usd, 0.0, 0.0

    def top_up(self, usd: float, now: float) -> None:
        """Its owner paid money in."""
        self.topups.append((now, usd))
        self.added += usd
        self.second_try = True

    def reserve(self, usd: float) -> None:
        """A call begins that will probably cost so much."""
        self.reserved += usd
        self.running += 1

    def settle(self, reserved: float, spent: float) -> None:
        """It ended, and this is what it cost."""
        self.running -= 1
        self.reserved = max(self.reserved - reserved, 0.0) if self.running > 0 else 0.0
        self.spent += spent

    def empty(self) -> bool:
        """Whether no more may be spent, whatever runs."""
        balance = self.balance
        return balance is not None and balance <= self.minimum

    def promised(self) -> bool:
        """Whether running calls will probably use up what is left."""
        balance = self.balance
        return balance is not None and balance - self.reserved <= self.minimum

    def opened(self, now: float) -> bool:
        """Whether its money is in use already, or was added lately."""
        lately = bool(self.topups) and 0.0 <= now - self.topups[-1][0] < FRESH_S
        return lately or self.spent > 0.0 or self.reserved > 0.0

    def step(self, by_s: float) -> None:
        """The clock was set."""
        self.topups = deque(((at + by_s, usd) for at, usd in self.topups), self.topups.maxlen)

    def dump(self) -> dict[str, Any]:
        """What a restart has to know; what runs counts as spent."""
        return {
            "declared": self.declared,
            "spent": self.spent + self.reserved,
            "added": self.added,
            "topups": [list(one) for one in self.topups],
            "second_try": self.second_try,
        }

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> Wallet:
        """The wallet as saved; raises LookupError, TypeError or ValueError where it cannot be read."""
        declared = saved["declared"]
        return cls(
            declared=None if declared is None else _usd(declared),
            spent=_usd(saved["spent"]),
            added=_usd(saved["added"]),
            topups=deque(((_usd(at), _usd(usd)) for at, usd in saved["topups"]), KEPT_TOPUPS),
            second_try=bool(saved["second_try"]),
        )


def _usd(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.50} is no amount")
    if not isfinite(value) or value < 0:
        raise ValueError("an amount is a number of zero or more")
    return float(value)
