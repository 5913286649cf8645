"""The upstream-wide throttle: failures that are nobody's fault, and the pause they cause.

The same failure on two accounts within `incident_window_s`, with nothing left to try and nobody who
answered well since, is the upstream's. Then requests pause (for an overload: those of that model),
and at the end of the pause one real request at a time is the probe. When a pause has closed, requests
go on a ramp for a while, a short gap apart, so that all who waited do not come back in one blow.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.settings import PoolSettings

EVERY_MODEL = "*"
MAX_PROBES = 64
KEPT_S = 3600.0
"""How long after its end a pause that nobody probed is remembered."""
CAPACITY_STATUSES = frozenset({429, 503, 529})
"""Answers that say the upstream is still out of capacity; any other closes a throttle."""

MAX_TIMES = 256


@dataclass(slots=True)
class Sighting:
    """One fingerprint: when it was seen on which account, and who answered well meanwhile.

    `seen`: time, account, and the pause it asked for.
    """

    scope: str
    seen: deque[tuple[float, str, float | None]] = field(
        default_factory=lambda: deque(maxlen=MAX_TIMES)
    )
    well: dict[str, tuple[float, str]] = field(default_factory=dict)  # account: (time, lease)

    @property
    def accounts(self) -> list[str]:
        """The accounts it was seen on, each once."""
        return list(dict.fromkeys(account_id for _, account_id, _ in self.seen))

    @property
    def longest_s(self) -> float | None:
        """The longest pause that any of them asked for."""
        return max((asked for _, _, asked in self.seen if asked is not None), default=None)

    def answered_since(self, account_id: str) -> bool:
        """Whether that account answered well since the first of the sightings."""
        well = self.well.get(account_id)
        return well is not None and bool(self.seen) and well[0] > self.seen[0][0]


@dataclass(slots=True)
class Pause:
    """An open throttle for one model, or for all."""

    scope: str
    until: float
    probes: dict[str, float] = field(default_factory=dict)  # leases that find out: when let go
    failed_probes: int = 0
    opened_at: float = 0.0

    @property
    def probe(self) -> str | None:
        """The newest probe that is out."""
        return next(reversed(self.probes), None)

    def probing(self, now: float, settings: PoolSettings) -> bool:
        """Whether a probe is out that may still tell something soon."""
        newest = self.probe
        return newest is not None and now - self.probes[newest] < settings.throttle_probe_s


@dataclass(slots=True)
class Ramp:
    """The time after a pause: the next request may go at `until`, and anyone after `ends_at`."""

    until: float
    ends_at: float

    def holds(self, now: float, gap_s: float) -> bool:
        """Whether the one before is too recent; a clock that was set back holds nobody."""
        return self.until - gap_s <= now < self.until


def scopes(provider: str, model: str) -> tuple[str, str]:
    """What can hold a request for that model at that provider: all of it, or the model."""
    return (f"{provider} {EVERY_MODEL}", f"{provider} {model}")


@dataclass(slots=True)
class Throttle:
    """Incidents seen and pauses open; both bounded."""

    settings: PoolSettings
    sightings: OrderedDict[str, Sighting] = field(default_factory=OrderedDict)
    pauses: dict[str, Pause] = field(default_factory=dict)
    ramps: dict[str, Ramp] = field(default_factory=dict)
    count: int = 0
    last_at: float | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing can hold anybody back."""
        return not (self.pauses or self.ramps)

    def gate(self, provider: str, model: str, now: float) -> Pause | Ramp | None:
        """The pause or ramp that holds this model of a provider back, or None when it may go.

        Past its deadline a pause lets one request through, and holds the rest while that is out;
        a probe that hears nothing for `throttle_probe_s` no longer holds anybody.
        """
        for scope in scopes(provider, model):
            pause = self.pauses.get(scope)
            if pause is not None and (pause.until > now or pause.probing(now, self.settings)):
                return pause
            ramp = self.ramps.get(scope)
            if ramp is not None and ramp.holds(now, self.settings.throttle_ramp_gap_s):
                return ramp
        return None

    def probe(self, provider: str, model: str, lease_id: str, now: float) -> None:
        """A request was let through: if a pause waits for a probe, this is it."""
        for scope in scopes(provider, model) if not self.idle else ():
            self._step(scope, now)
            pause = self.pauses.get(scope)
            if pause is not None and not pause.probing(now, self.settings):
                # Those before it may yet answer well: long answers send their headers late.
                pause.probes[lease_id] = now
                if len(pause.probes) > MAX_PROBES:
                    del pause.probes[next(iter(pause.probes))]

    def _step(self, scope: str, now: float) -> None:
        """A request went: on a ramp the next one follows a gap behind."""
        ramp = self.ramps.get(scope)
        if ramp is not None and now < ramp.ends_at:
            ramp.until = min(now + self.settings.throttle_ramp_gap_s, ramp.ends_at)
        elif ramp is not None:
            del self.ramps[scope]

    def _close(self, scope: str, now: float) -> None:
        """A pause is over: requests go on a ramp."""
        del self.pauses[scope]
        s = self.settings
        for old in [scope for scope, ramp in self.ramps.items() if ramp.ends_at <= now]:
            del self.ramps[old]
        self.ramps[scope] = Ramp(now, now + s.throttle_ramp_s)

    def ramp_s(self, place: int) -> float:
        """How long after a pause the one at this place goes, counted from 0."""
        return min(place * self.settings.throttle_ramp_gap_s, self.settings.throttle_ramp_s)

    def saw(
        self, scope: str, fingerprint: str, account_id: str, now: float, asked_s: float | None
    ) -> Sighting:
        """Note a failure and the pause it asked for; returns where else it was seen lately."""
        sighting = self.sightings.pop(fingerprint, None) or Sighting(scope)
        while sighting.seen and now - sighting.seen[0][0] > self.settings.incident_window_s:
            sighting.seen.popleft()
        sighting.seen.append((now, account_id, asked_s))
        self.sightings[fingerprint] = sighting
        while len(self.sightings) > self.settings.max_sightings:
            self.sightings.popitem(last=False)
        return sighting

    def answered(self, account_id: str, of: tuple[str, str], lease_id: str, now: float) -> None:
        """An account answered well: what was seen elsewhere may not be the upstream's fault."""
        for sighting in self.sightings.values():
            if sighting.scope in of:
                sighting.well[account_id] = (now, lease_id)

    def unanswered(self, account_id: str, lease_id: str) -> None:
        """An answer that began well ended as a failure: it was none."""
        for sighting in self.sightings.values():
            if sighting.well.get(account_id, (0.0, ""))[1] == lease_id:
                del sighting.well[account_id]

    def open(self, scope: str, fingerprint: str, now: float) -> None:
        """Pause the scope for the longest that was asked; an open pause keeps the later deadline."""
        sighting = self.sightings.pop(fingerprint, None)
        retry_after_s = None if sighting is None else sighting.longest_s
        self.ramps.pop(scope, None)
        pause = self.pauses.get(scope)
        if pause is not None:  # a failed probe has set its own, shorter pause already
            if retry_after_s is not None:
                pause.until = max(pause.until, now + self._bounded(retry_after_s))
            return
        self._forget_old(now)
        length = retry_after_s if retry_after_s is not None else self.settings.throttle_default_s
        until = now + self._bounded(length)
        self.pauses[scope] = Pause(scope=scope, until=until, opened_at=now)
        self.count += 1
        self.last_at = now

    def _forget_old(self, now: float) -> None:
        # Model names are the callers' to choose: what nobody asked for any more must not stay.
        for scope in [s for s, p in self.pauses.items() if now - p.until > KEPT_S]:
            del self.pauses[scope]
        while len(self.pauses) >= self.settings.max_sightings:
            del self.pauses[min(self.pauses, key=lambda s: self.pauses[s].until)]

    def _bounded(self, seconds: float) -> float:
        s = self.settings
        return min(max(seconds, s.retry_after_min_s), s.retry_after_max_s)

    def settle(self, lease_id: str, status: int, now: float) -> bool:
        """Response headers of a probe arrived; True when a pause ended by it."""
        ended = False
        for scope, pause in list(self.pauses.items()):
            if lease_id not in pause.probes:
                continue
            newest = pause.probe == lease_id
            del pause.probes[lease_id]
            if status in CAPACITY_STATUSES:
                ended |= newest and self._reopen(scope, pause, now)
            else:
                self._close(scope, now)
                ended = True
        return ended

    def _reopen(self, scope: str, pause: Pause, now: float) -> bool:
        steps = self.settings.throttle_reopen_s
        pause.probes.clear()
        if pause.failed_probes >= len(steps):
            self._close(scope, now)  # let the ordinary rules see
            return True
        pause.until = max(pause.until, now + steps[pause.failed_probes])
        pause.failed_probes += 1
        return False

    def lost(self, lease_id: str) -> bool:
        """A probe never reached the upstream: the next request takes its place."""
        found = False
        for pause in self.pauses.values():
            found |= pause.probes.pop(lease_id, None) is not None
        return found

    def forget_account(self, account_id: str) -> None:
        """A removed account no longer counts in any incident."""
        for sighting in self.sightings.values():
            sighting.well.pop(account_id, None)
            kept = [one for one in sighting.seen if one[1] != account_id]
            sighting.seen.clear()
            sighting.seen.extend(kept)

    def next_change(self, now: float) -> float | None:
        """The soonest end of a pause, or next turn on a ramp."""
        wait_s = self.settings.throttle_probe_s
        ends = [p.until for p in self.pauses.values() if p.probe is None]
        ends += [p.probes[p.probe] + wait_s for p in self.pauses.values() if p.probe is not None]
        ends += [r.until for r in self.ramps.values()]
        return min((at for at in ends if at > now), default=None)
