"""Which models are asked for most: counts per model and day, for a week. Bounded; decides nothing.

What a client names is counted, before aliases and model maps. A day is one of UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_S = 86_400.0
DAYS = 7
MAX_MODELS = 64
"""Names counted on one day: they come from requests, and a new one takes the place of the rarest."""
MAX_NAME = 200
"""Characters of a name that is counted; longer ones are nobody's model."""


@dataclass(slots=True)
class Habits:
    """Requests by day and model; `last_at`: when the last one came."""

    days: dict[int, dict[str, int]] = field(default_factory=dict)
    today: dict[str, int] = field(default_factory=dict)
    since: float = 0.0  # when today began, and when it ends
    until: float = 0.0
    last_at: float = 0.0

    def count(self, model: str, now: float) -> None:
        """One request for that model was given an account."""
        self.last_at = now
        if not self.since <= now < self.until:
            self._turn(int(now // DAY_S))
        if model in self.today:
            self.today[model] += 1
        else:
            self._begin(model)

    def _begin(self, model: str) -> None:
        today = self.today
        if 0 < len(model) <= MAX_NAME:
            if len(today) >= MAX_MODELS:
                del today[min(today, key=today.__getitem__)]
            today[model] = 1

    def most_used(self, now: float, limit: int) -> tuple[str, ...]:
        """The models asked for most in the last week, the most used first, equals by name."""
        totals = self.totals(now)
        return tuple(sorted(totals, key=lambda model: (-totals[model], model))[:limit])

    def totals(self, now: float) -> dict[str, int]:
        """Requests of the last week by model."""
        last, found = int(now // DAY_S), dict[str, int]()
        for day, counts in self.days.items():
            if last - DAYS < day <= last:
                for model, number in counts.items():
                    found[model] = found.get(model, 0) + number
        return found

    def dump(self) -> dict[str, Any]:
        """JSON-able."""
        return {"last_at": self.last_at, "days": {str(d): dict(c) for d, c in self.days.items()}}

    def load(self, saved: Mapping[str, Any], now: float) -> None:
        """Take up what a snapshot holds of this week; raises ValueError or TypeError for nonsense."""
        last = int(now // DAY_S)
        for day, counts in saved.get("days", {}).items():
            if last - DAYS < int(day) <= last:
                kept = sorted(counts.items(), key=lambda one: -int(one[1]))[:MAX_MODELS]
                self.days[int(day)] = {str(m)[:MAX_NAME]: int(n) for m, n in kept if int(n) > 0}
        self.last_at = min(float(saved.get("last_at", 0.0)), now)
        self._turn(last)

    def _turn(self, day: int) -> None:
        """Another day: a week is kept, and no day that a clock set back says is still to come."""
        self.days = {d: c for d, c in self.days.items() if day - DAYS < d <= day}
        self.since, self.until = day * DAY_S, (day + 1) * DAY_S
        self.today = self.days.setdefault(day, {})
