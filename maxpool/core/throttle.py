"""The upstream-wide throttle: failures that are nobody's fault, and the pause they cause.

The same failure on two accounts within `incident_window_s`, with nothing left to try and nobody who
answered well since, is the upstream's. Then requests pause (for an overload: those of that model),
and at the end of the pause one real request at a time is the probe.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.settings import PoolSettings

EVERY_MODEL = "*"
CAPACITY_STATUSES = frozenset({429, 503, 529})
"""Answers that say the upstream is still out of capacity; any other closes a throttle."""


@dataclass(slots=True)
class Sighting:
    """One fingerprint, and which accounts it was seen on when."""

    first_at: float
    accounts: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Pause:
    """An open throttle for one model, or for all."""

    scope: str
    until: float
    probe: str | None = None  # the lease that finds out
    failed_probes: int = 0
    opened_at: float = 0.0


@dataclass(slots=True)
class Throttle:
    """Incidents seen and pauses open; both bounded."""

    settings: PoolSettings
    sightings: OrderedDict[str, Sighting] = field(default_factory=OrderedDict)
    pauses: dict[str, Pause] = field(default_factory=dict)
    count: int = 0
    last_at: float | None = None

    def gate(self, model: str, now: float) -> Pause | None:
        """The pause that holds this model back at `now`, or None when it may go.

        Past its deadline a pause lets one request through, and holds the rest while that is out.
        """
        for scope in (EVERY_MODEL, model):
            pause = self.pauses.get(scope)
            if pause is not None and (pause.until > now or pause.probe is not None):
                return pause
        return None

    def probing(self, model: str, lease_id: str) -> None:
        """A request was let through: if a pause waits for a probe, this is it."""
        for scope in (EVERY_MODEL, model):
            pause = self.pauses.get(scope)
            if pause is not None and pause.probe is None:
                pause.probe = lease_id

    def saw(self, fingerprint: str, account_id: str, now: float) -> list[str]:
        """Note a failure; returns the accounts it was seen on within the incident window."""
        seen = self.sightings.pop(fingerprint, None)
        if seen is None or now - seen.first_at > self.settings.incident_window_s:
            seen = Sighting(first_at=now)
        seen.accounts[account_id] = now
        self.sightings[fingerprint] = seen
        while len(self.sightings) > self.settings.max_sightings:
            self.sightings.popitem(last=False)
        return list(seen.accounts)

    def first_seen(self, fingerprint: str) -> float:
        """When the running sighting of that fingerprint began."""
        return self.sightings[fingerprint].first_at

    def open(self, scope: str, fingerprint: str, retry_after_s: float | None, now: float) -> None:
        """Pause the scope; an open pause keeps the later deadline."""
        self.sightings.pop(fingerprint, None)
        pause = self.pauses.get(scope)
        if pause is not None:  # a failed probe has set its own, shorter pause already
            if retry_after_s is not None:
                pause.until = max(pause.until, now + self._bounded(retry_after_s))
            return
        length = retry_after_s if retry_after_s is not None else self.settings.throttle_default_s
        until = now + self._bounded(length)
        self.pauses[scope] = Pause(scope=scope, until=until, opened_at=now)
        self.count += 1
        self.last_at = now

    def _bounded(self, seconds: float) -> float:
        s = self.settings
        return min(max(seconds, s.retry_after_min_s), s.retry_after_max_s)

    def settle(self, lease_id: str, status: int, now: float) -> bool:
        """Response headers of a probe arrived; True when a pause ended by it."""
        ended = False
        for scope, pause in list(self.pauses.items()):
            if pause.probe != lease_id:
                continue
            if status in CAPACITY_STATUSES:
                ended |= self._reopen(scope, pause, now)
            else:
                del self.pauses[scope]
                ended = True
        return ended

    def _reopen(self, scope: str, pause: Pause, now: float) -> bool:
        steps = self.settings.throttle_reopen_s
        pause.probe = None
        if pause.failed_probes >= len(steps):
            del self.pauses[scope]  # let the ordinary rules see
            return True
        pause.until = max(pause.until, now + steps[pause.failed_probes])
        pause.failed_probes += 1
        return False

    def lost(self, lease_id: str) -> bool:
        """A probe never reached the upstream: the next request takes its place."""
        found = False
        for pause in self.pauses.values():
            if pause.probe == lease_id:
                pause.probe = None
                found = True
        return found

    def forget_account(self, account_id: str) -> None:
        """A removed account no longer counts in any incident."""
        for seen in self.sightings.values():
            seen.accounts.pop(account_id, None)

    def next_change(self, now: float) -> float | None:
        """The soonest end of a pause."""
        ends = [p.until for p in self.pauses.values() if p.until > now and p.probe is None]
        return min(ends, default=None)
