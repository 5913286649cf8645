"""`AccountState`: everything about one account that changes while requests run.

Owned by `core/pool` alone; other rooms read it. Its parts (quota, health) know their own rules.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.cost import UNKNOWN_WEEK, Week
from maxpool.core.health import Health
from maxpool.core.quota import Quota
from maxpool.core.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.account import Account
    from maxpool.core.budget import Purse
    from maxpool.core.eligibility import Reason
    from maxpool.core.settings import PoolSettings


@dataclass(slots=True)
class Credential:
    """What the pool knows of a credential: times, never the secret.

    `grant_expires_at`: when no refresh helps any more; `retry_at`: no refresh before that. `ending`:
    why there is no refresh at all: it serves until `expires_at`. `dead`: why it serves no more.
    """

    expires_at: float | None = None
    refreshed_at: float | None = None
    granted_at: float | None = None
    grant_expires_at: float | None = None
    retry_at: float = 0.0
    ending: str = ""
    dead: str = ""
    generation: int = 0  # one more with each login

    def early_s(self, ahead_s: float) -> float:
        """How long before its end a token is renewed: `ahead_s`, but at most half of its life."""
        began = max(self.refreshed_at or 0.0, self.granted_at or 0.0)
        if self.expires_at is None or not began:
            return ahead_s
        return min(ahead_s, max(self.expires_at - began, 0.0) / 2.0)


@dataclass(slots=True)
class LastError:
    """The last failure of an account, for people."""

    kind: str
    at: float
    message: str


@dataclass(slots=True)
class Probing:
    """When an account's usage was asked for, and when it may be asked again.

    `paused_until`: so long the upstream itself wants no question. `failures` and `refusals` (of the
    credential) in a row; `barred`: why there is no use in asking before the next login.
    """

    last_at: float | None = None
    next_at: float = 0.0
    failures: int = 0
    last_result: str = ""
    count: int = 0
    paused_until: float = 0.0
    refusals: int = 0
    barred: str = ""


@dataclass(slots=True)
class AccountState:
    """One account's changing parts; times in epoch seconds."""

    account: Account
    enabled: bool
    draining: bool = False
    quota: Quota = field(default_factory=Quota)
    health: Health = field(default_factory=Health)
    cooldowns: dict[Reason, float] = field(default_factory=dict)
    trips: dict[Reason, int] = field(default_factory=dict)
    model_benches: OrderedDict[str, tuple[Reason, float]] = field(default_factory=OrderedDict)
    in_flight: int = 0
    shrunk_to: float | None = None
    shrunk_at: float = 0.0
    last_leased_at: float | None = None
    lease_order: int = 0
    credential: Credential = field(default_factory=Credential)
    probing: Probing = field(default_factory=Probing)
    tally: Tally = field(default_factory=Tally)
    last_error: LastError | None = None
    recent: OrderedDict[str, float] = field(default_factory=OrderedDict)  # session: last turn here
    turns: float = 0.0  # of the weighted strategy; who was away stands where the others are
    position: int = 0  # in the owner's order
    week: Week = UNKNOWN_WEEK  # as it enters the price; see `cost.reckon`
    left: float = math.inf  # room as last reckoned
    shut: bool = False  # its 5h window has ended and no request opened the next one
    opened_at: float | None = None  # when it came back, as long as its ramp lasts
    limit: tuple[Account, PoolSettings, float] | None = None  # L as last reckoned
    organization: str | None = None  # whose answers these are; see `core/groups`
    organization_since: int = -1  # the login (`credential.generation`) with which that was seen
    purse: Purse | None = None  # its rate limits and its money; None where it has none

    @property
    def turn_length(self) -> float:
        """How far apart its turns are in the weighted strategy."""
        return 1.0 / (self.account.plan_weight * self.account.weight)

    def slots(self, settings: PoolSettings) -> int:
        """The most leases at once."""
        if self.account.slots is not None:
            return self.account.slots
        return settings.slots_per_key if self.account.paid else settings.slots_per_account

    def ramp_slots(self, now: float, settings: PoolSettings) -> int:
        """The most leases at once, now: after it came back it fills up step by step from L.

        Those who waited for it would else all come at once, beyond what an upstream takes.
        """
        most, opened_at = self.slots(settings), self.opened_at
        if opened_at is None or not opened_at <= now < self.ramp_ends(settings):
            return most  # no ramp, or the clock was set back
        steps = int((now - opened_at) / settings.recovery_step_s)
        return min(most, max(int(self.soft_limit(now, settings)), 1) + max(steps, 0))

    def ramp_ends(self, settings: PoolSettings) -> float:
        """When all slots may be used again; 0 when they may."""
        if self.opened_at is None or self.account.paid:
            return 0.0
        missing = self.slots(settings) - int(self.base_limit(settings))
        return self.opened_at + max(missing, 0) * settings.recovery_step_s

    def base_limit(self, settings: PoolSettings) -> float:
        """L of scheduling: 12 for a 20x plan, less for smaller ones, at least 2."""
        known = self.limit
        if known is not None and known[0] is self.account and known[1] is settings:
            return known[2]
        share = math.pow(self.account.plan_weight / 20.0, settings.soft_slots_exponent)
        limit = settings.soft_slots * share * self.account.weight
        return max(limit, settings.soft_slots_min)

    def soft_limit(self, now: float, settings: PoolSettings) -> float:
        """L now: halved by bursts, growing back by one every `soft_slots_regrow_s`."""
        base = self.base_limit(settings)
        if self.shrunk_to is None:
            return base
        grown = self.shrunk_to + (now - self.shrunk_at) // settings.soft_slots_regrow_s
        return min(base, max(grown, 1.0))

    def shrink(self, now: float, settings: PoolSettings) -> None:
        """A burst with two or more in flight: half of what was in flight is the new L."""
        self.shrunk_to = max(min(self.in_flight, self.soft_limit(now, settings)) / 2.0, 1.0)
        self.shrunk_at = now

    def seen(self, session: str, now: float, settings: PoolSettings) -> None:
        """A session has a turn here."""
        recent = self.recent
        recent[session] = now
        recent.move_to_end(session)
        oldest = now - settings.outgrow_window_s
        while len(recent) > settings.max_recent_sessions or next(iter(recent.values())) < oldest:
            recent.popitem(last=False)

    def growing(self, now: float, settings: PoolSettings) -> int:
        """How many sessions had a turn here lately."""
        recent, oldest = self.recent, now - settings.outgrow_window_s
        if not recent or next(iter(recent.values())) >= oldest:
            return len(recent)
        return sum(at >= oldest for at in recent.values())

    def cool(self, reason: Reason, until: float) -> None:
        """Set aside until then; a second, shorter cooldown never shortens the first."""
        self.cooldowns[reason] = max(until, self.cooldowns.get(reason, until))

    def uncool(self, reason: Reason) -> None:
        """End a cooldown before its time."""
        self.cooldowns.pop(reason, None)

    def bench_model(self, model: str, reason: Reason, until: float, limit: int) -> None:
        """Set one model aside on this account; keeps the later deadline, bounded in number."""
        old = self.model_benches.pop(model, None)
        if old is not None and old[1] > until:
            reason, until = old
        self.model_benches[model] = (reason, until)
        while len(self.model_benches) > limit:
            self.model_benches.popitem(last=False)

    def parked_until(self) -> float:
        """The latest deadline of any cooldown or open breaker, 0 when there never was one.

        Network trouble is nobody's fault: nobody is spared after it.
        """
        if not self.cooldowns:
            return self.health.open_until
        blamed = (at for reason, at in self.cooldowns.items() if reason != "network")
        return max(max(blamed, default=0.0), self.health.open_until)

    def deadlines(self, now: float) -> Iterator[float]:
        """When a cooldown, the breaker or a limit ends."""
        if self.cooldowns:
            yield from (t for t in self.cooldowns.values() if t > now)
        if self.health.open_until > now:
            yield self.health.open_until
        if self.purse is not None and (opens_at := self.purse.changes_at(now)) is not None:
            yield opens_at

    def recovering(self, now: float, settings: PoolSettings) -> float:
        """1 right after un-parking, falling to 0 over `recovery_s`."""
        ended = self.parked_until()
        if ended <= 0.0 or ended > now:
            return 0.0
        return max(0.0, 1.0 - (now - ended) / settings.recovery_s)

    def tidy(self, now: float, settings: PoolSettings) -> None:
        """Drop deadlines so old that nothing reads them any more."""
        old = now - settings.recovery_s
        if self.cooldowns and min(self.cooldowns.values()) <= old:
            self.cooldowns = {r: t for r, t in self.cooldowns.items() if t > old}
        if self.health.open_until and self.health.open_until <= old:
            self.health.open_until = 0.0
        while self.recent and next(iter(self.recent.values())) < now - settings.outgrow_window_s:
            self.recent.popitem(last=False)
        if self.model_benches:
            ended = [m for m, (_, until) in self.model_benches.items() if until <= now]
            for model in ended:
                del self.model_benches[model]

    def clear(self, settings: PoolSettings) -> None:
        """A person's reset: forget benches, cooldowns and verdicts."""
        self.cooldowns.clear()
        self.trips.clear()
        self.model_benches.clear()
        self.quota.reopen(settings.full_at)
        self.shrunk_to = None
        self.last_error = None
