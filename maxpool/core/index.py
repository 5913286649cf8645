"""The index: which accounts are worth weighing, so that a choice does not look at all of them.

It only proposes; `core/eligibility.check` and `core/cost` decide. Accounts stand in three places:

- *lanes*: open accounts without special terms. All accounts of a lane share everything that enters
  eligibility and cost except their week, so the first that can serve is the lane's best. The order
  `u7 + reset/length` is the exponent of the weekly price without its common part `- now/length`;
  it holds as time passes and changes only with a reading or a reset.
- *special*: open accounts in a trial, a recovery or with a shrunk limit: weighed one by one.
- *parked*: closed as a whole until an alarm or an event.

Alarms re-place an account when one of its deadlines passes.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.core.eligibility import Context, account_state
from maxpool.core.health import HealthState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.account import Account
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState

LaneKey = tuple[Any, ...]
Entry = tuple[float, int, str]  # (weekly order, lease order, account id)


def signature(account: Account) -> LaneKey:
    """Everything of an account that enters eligibility or cost, apart from its quota."""
    return (
        account.priority,
        account.tier,
        account.paid,
        account.format,
        account.serves,
        account.profiles,
        account.lacks,
        account.provider,
        account.slots,
        account.plan_weight,
        account.weight,
        tuple(account.models.items()),
        account.kind,
    )


@dataclass(slots=True)
class Lane:
    """Accounts alike but for their week, best first; `account` stands for all of them."""

    account: Account
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Place:
    """Where one account stands."""

    lane: LaneKey | None = None
    entry: Entry | None = None
    alarm: float | None = None
    signature: LaneKey = ()
    known: tuple[LaneKey, float] | None = None


def _lane(state: AccountState, place: Place, now: float) -> tuple[LaneKey, float]:
    """The lane an account stands in and its order there, lower first."""
    week = state.quota.windows.get("7d")
    used = None if week is None else week.utilization_at(now)
    reset_at = None if week is None else week.next_reset(now)
    # An unknown use counts as the median of the plan, alike for all that do not know theirs.
    median_of = (state.account.plan,) if used is None else ()
    alike = (place.signature, state.in_flight, state.health.failures, median_of)
    if week is None or reset_at is None:
        return (*alike, used), 0.0
    if reset_at - now >= week.length_s:  # counts as the whole week ahead, not more
        return (*alike, "ahead"), used or 0.0
    return (*alike, "running"), (used or 0.0) + reset_at / week.length_s


@dataclass(slots=True)
class Index:
    """Lanes, special and parked accounts, and the alarms that move them."""

    states: dict[str, AccountState]
    settings: PoolSettings
    lanes: dict[LaneKey, Lane] = field(default_factory=dict)
    special: dict[str, AccountState] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    alarms: list[tuple[float, str]] = field(default_factory=list)
    weeks: dict[str | None, list[float]] = field(default_factory=dict)

    def advance(self, now: float) -> None:
        """Re-place every account whose alarm has rung."""
        alarms = self.alarms
        while alarms and alarms[0][0] <= now:
            at, account_id = heapq.heappop(alarms)
            place = self.places.get(account_id)
            if place is not None and place.alarm == at:
                place.alarm = None
                self.place(account_id, now)

    def next_alarm(self) -> float | None:
        """The soonest live alarm."""
        alarms = self.alarms
        while alarms:
            at, account_id = alarms[0]
            place = self.places.get(account_id)
            if place is not None and place.alarm == at:
                return at
            heapq.heappop(alarms)
        return None

    def place(self, account_id: str, now: float) -> None:
        """Put an account where its state says; call it after every change of that state."""
        state = self.states[account_id]
        state.tidy(now, self.settings)
        place = self.places.get(account_id)
        if place is None:
            place = self.places[account_id] = Place(signature=signature(state.account))
        self._leave(account_id, place)
        self._count_week(state, place, now)
        self._alarm(state, place, now)
        if account_state(state, now, Context(self.settings)) is not None:
            return  # parked
        if self._is_special(state, now):
            self.special[account_id] = state
            return
        key, order = _lane(state, place, now)
        entry = (order, state.lease_order, account_id)
        lane = self.lanes.get(key)
        if lane is None:
            lane = self.lanes[key] = Lane(state.account)
        insort(lane.entries, entry)
        place.lane, place.entry = key, entry

    def renew(self, account_id: str, now: float) -> None:
        """The account's identity or settings changed."""
        place = self.places.get(account_id)
        if place is not None:
            self._leave(account_id, place)
            place.signature = signature(self.states[account_id].account)
        self.place(account_id, now)

    def remove(self, account_id: str) -> None:
        """Forget an account."""
        place = self.places.pop(account_id, None)
        if place is not None:
            self._leave(account_id, place)
            self._uncount_week(place)

    def candidates(self) -> Iterator[tuple[Account, Iterator[AccountState]]]:
        """Per lane its sample account and its accounts, best first; then special ones, alone."""
        for lane in self.lanes.values():
            yield lane.account, map(self._of_entry, lane.entries)
        for state in self.special.values():
            yield state.account, iter((state,))

    def median_week(self, plan: str | None, default: float) -> float:
        """Median 7d utilization of the accounts of that plan, `default` when none is known."""
        known = self.weeks.get(plan)
        return known[len(known) // 2] if known else default

    def _of_entry(self, entry: Entry) -> AccountState:
        return self.states[entry[2]]

    def _is_special(self, state: AccountState, now: float) -> bool:
        return (
            state.health.state is not HealthState.READY
            or state.shrunk_to is not None
            or state.recovering(now, self.settings) > 0.0
        )

    def _leave(self, account_id: str, place: Place) -> None:
        self.special.pop(account_id, None)
        if place.lane is None or place.entry is None:
            return
        lane = self.lanes[place.lane]
        del lane.entries[bisect_left(lane.entries, place.entry)]
        if not lane.entries:
            del self.lanes[place.lane]
        place.lane = place.entry = None

    def _alarm(self, state: AccountState, place: Place, now: float) -> None:
        soonest = state.quota.next_change(now, self.settings.quota_without_reset_s)
        parked = state.parked_until()
        deadlines = [t for t in state.cooldowns.values() if t > now]
        if state.health.open_until > now:
            deadlines.append(state.health.open_until)
        if parked > 0.0 and parked <= now:
            deadlines.append(parked + self.settings.recovery_s)
        if state.shrunk_to is not None:
            if state.soft_limit(now, self.settings) >= state.base_limit(self.settings):
                state.shrunk_to = None
            else:
                deadlines.append(now + self.settings.soft_slots_regrow_s)
        deadlines += [until for _, until in state.model_benches.values() if until > now]
        if deadlines:
            first = min(deadlines)
            soonest = first if soonest is None else min(soonest, first)
        changed = soonest != place.alarm
        place.alarm = soonest
        if soonest is not None and changed:
            heapq.heappush(self.alarms, (soonest, state.account.id))
            if len(self.alarms) > 4 * len(self.states) + 64:
                self._sweep()

    def _sweep(self) -> None:
        # Superseded alarms stay in the heap until they ring; keep its size bounded by the accounts.
        self.alarms[:] = [
            (p.alarm, account_id) for account_id, p in self.places.items() if p.alarm is not None
        ]
        heapq.heapify(self.alarms)

    def _count_week(self, state: AccountState, place: Place, now: float) -> None:
        used = state.quota.utilization("7d", now)
        plan = state.account.plan
        if place.known is not None and place.known == ((plan,), used):
            return
        self._uncount_week(place)
        if used is not None:
            insort(self.weeks.setdefault(plan, []), used)
            place.known = ((plan,), used)

    def _uncount_week(self, place: Place) -> None:
        if place.known is None:
            return
        (plan,), used = place.known
        known = self.weeks[plan]
        del known[bisect_left(known, used)]
        if not known:
            del self.weeks[plan]
        place.known = None
