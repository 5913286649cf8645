"""The index: which accounts are worth weighing, so that a choice does not look at all of them.

It only proposes; `core/eligibility.check` and `core/cost` decide. Accounts stand in three places:

- *lanes*: open accounts without special terms. All accounts of a lane share everything that enters
  eligibility and cost except their week and the room left in their windows, so either all or none
  can serve (but in mixed lanes, whose accounts offer models of their own: see `core/offers`), and the
  cost of each follows from its entry alone. The order (see `cost.Week`) is the
  exponent of the weekly price without its common part; it holds as time passes and changes only
  with a reading, a lease, a reset or the demand clock.
- *special*: open accounts in a trial, a recovery, with a shrunk limit or with a model or family set
  aside: weighed one by one.
- *parked*: closed as a whole until an alarm or an event.

Clients' own logins stand in none of them: each is asked for by name, by its own requests only.

Alarms re-place an account when one of its deadlines passes.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.account import CLIENT
from maxpool.core.cost import reckon
from maxpool.core.demand import Demand
from maxpool.core.eligibility import Context, account_state
from maxpool.core.health import HealthState
from maxpool.core.lanes import Lane, LaneKey, Place, signature
from maxpool.core.offers import Offers, mixed
from maxpool.core.slope import Yardstick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.account import Account
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState


def _family_blocks(state: AccountState, now: float) -> bool:
    """Whether a model family's window is closed, or the owner limits one."""
    windows = state.quota.windows
    if len(windows) <= ("5h" in windows) + ("7d" in windows):
        return False
    limited = state.account.caps.keys() | state.account.reserve.keys()
    return any(
        window.of_family
        and (name in limited or (window.closed_until is not None and window.closed_until > now))
        for name, window in windows.items()
    )


@dataclass(slots=True)
class Index:
    """Lanes, special and parked accounts, and the alarms that move them."""

    states: dict[str, AccountState]
    settings: PoolSettings
    demand: Demand = field(default_factory=Demand)
    yardstick: Yardstick = field(default_factory=Yardstick)
    lanes: dict[LaneKey, Lane] = field(default_factory=dict)
    special: dict[str, AccountState] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    alarms: list[tuple[float, str]] = field(default_factory=list)
    weeks: dict[str | None, list[float]] = field(default_factory=dict)
    parked: dict[str, int] = field(default_factory=dict)  # closed accounts by reason
    guessed: set[str] = field(default_factory=set)  # accounts whose room follows the yardstick
    shifted: dict[str, None] = field(default_factory=dict)  # to be lined up anew before a choice
    context: Context = field(init=False)
    offers: Offers = field(init=False)
    mixed: int = 0  # accounts in mixed lanes
    signatures: dict[LaneKey, int] = field(default_factory=dict)
    signed: int = 0
    turn: float = 0.0  # of the weighted strategy: when the last lease's was

    def __post_init__(self) -> None:
        self.context = Context(self.settings)
        self.offers = Offers(self.states)

    def configure(self, settings: PoolSettings) -> None:
        """Go by new settings; every account has to be renewed then."""
        self.settings, self.context = settings, Context(settings)
        self.lanes.clear()
        self.mixed = 0
        self.shifted.clear()
        for place in self.places.values():
            place.lane = place.entry = None

    def advance(self, now: float) -> None:
        """Line up whoever shifted, and re-place every account whose alarm has rung."""
        if self.shifted:
            self._settle(now)
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
        self.shifted.pop(account_id, None)
        state.tidy(now, self.settings)
        place = self.places.get(account_id)
        if place is None:
            private = state.account.kind == CLIENT
            place = Place(signature=self._sign(state.account), private=private)
            self.offers.changed()
            self.places[account_id] = place
        was_parked, place.crowd = place.parked is not None, len(state.recent)
        self._leave(account_id, place)
        self._count_week(state, place, now)
        self._alarm(state, place, self._reckon(state, now), now)
        block = account_state(state, now, self.context)
        if block is not None:
            place.parked = block.reason.value
            if not place.private:
                self.parked[place.parked] = self.parked.get(place.parked, 0) + 1
            return
        if was_parked:
            state.opened_at, state.turns = now, max(state.turns, self.turn)
            self._ring(place, account_id, max(state.ramp_ends(self.settings), now))
        if place.private:
            return
        if self._is_special(state, now):
            self.special[account_id] = state
            return
        self._line_up(state, place, now)

    def shift(self, account_id: str, now: float) -> None:
        """The same after a lease began or ended well: only load, use and room changed.

        Everything else stays, and so do its alarms; the next choice is soon enough for its place in
        line. Outside a lane, or with a first session that needs an alarm, it is placed in full.
        """
        place, state = self.places[account_id], self.states[account_id]
        alone = len(state.recent) == 1 and place.crowd == 0
        place.crowd = len(state.recent)
        if place.entry is None or alone:
            self.place(account_id, now)
        else:
            self.shifted[account_id] = None

    def _settle(self, now: float) -> None:
        """Line up anew whoever began or ended leases since the last choice: once, however many."""
        for account_id in self.shifted:
            place, state = self.places[account_id], self.states[account_id]
            self._leave(account_id, place)
            self._reckon(state, now, changes=False)
            self._line_up(state, place, now)
        self.shifted.clear()

    def _line_up(self, state: AccountState, place: Place, now: float) -> None:
        """Put an open account without special terms into its lane."""
        s, week = self.settings, state.week
        median_of = (state.account.plan,) if week.used is None else None
        load, failures = state.in_flight, state.health.failures
        key = (place.signature, load, failures, state.shut, week.form, median_of)
        lane = self.lanes.get(key)
        if lane is None:
            share = load / state.soft_limit(now, s)
            account = state.account
            lane = self.lanes[key] = Lane(
                state,
                # None of them is preferred: that one is weighed alone.
                (True, account.priority, account.paid and s.key_price != "always", account.tier),
                week.form,
                median_of,
                s.window_lengths["7d"],
                s.congestion_weight * share * share,
                s.failure_weight * failures,
                -s.opening_bonus if state.shut else 0.0,
                mixed(account),
            )
        self.mixed += lane.mixed
        place.lane = key
        place.entry = (week.order, state.lease_order, state.account.id, state.left)
        insort(lane.entries, place.entry)

    def _reckon(self, state: AccountState, now: float, *, changes: bool = True) -> float | None:
        """What of the account's plan and quota enters its cost; returns when its quota changes."""
        known = state.limit
        if known is None or known[0] is not state.account or known[1] is not self.settings:
            state.limit = (state.account, self.settings, state.base_limit(self.settings))
        look = reckon(state, now, self.demand, self.yardstick, self.settings, changes=changes)
        if look.guessed:
            self.guessed.add(state.account.id)
        return look.changes_at

    def renew_guesses(self, now: float) -> None:
        """The yardstick changed."""
        for account_id in sorted(self.guessed):
            self.place(account_id, now)

    def renew_all(self, now: float) -> None:
        """The demand clock was set anew: every order is another one."""
        for account_id in self.states:
            self.place(account_id, now)

    def restart(self, now: float) -> None:
        """The clock made a step: no alarm stands where it should."""
        self.alarms.clear()
        for place in self.places.values():
            place.alarm = None
        self.renew_all(now)

    def renew(self, account_id: str, now: float) -> None:
        """The account's identity or settings changed."""
        place = self.places.get(account_id)
        self.offers.changed()
        if place is not None:
            self._leave(account_id, place)
            place.signature = self._sign(self.states[account_id].account)
        self.place(account_id, now)

    def _sign(self, account: Account) -> int:
        """A number for all accounts with the same signature."""
        found = self.signatures.get(key := signature(account))
        if found is None:
            if len(self.signatures) > 4 * len(self.states) + 64:
                self.signatures.clear()  # owners change their accounts; a number is never reused
            self.signed += 1
            found = self.signatures[key] = self.signed
        return found

    def remove(self, account_id: str) -> None:
        """Forget an account."""
        self.shifted.pop(account_id, None)
        self.offers.changed()
        place = self.places.pop(account_id, None)
        if place is not None:
            self._leave(account_id, place)
            self._uncount_week(place)

    def median_week(self, plan: str | None, default: float) -> float:
        """Median 7d utilization of the accounts of that plan, `default` when none is known."""
        known = self.weeks.get(plan)
        return known[len(known) // 2] if known else default

    def _is_special(self, state: AccountState, now: float) -> bool:
        return (
            state.health.state is not HealthState.READY
            or state.shrunk_to is not None
            or state.opened_at is not None
            or bool(state.model_benches)
            or (state.purse is not None and state.purse.particular)
            or state.recovering(now, self.settings) > 0.0
            or _family_blocks(state, now)
        )

    def _leave(self, account_id: str, place: Place) -> None:
        self.special.pop(account_id, None)
        self.guessed.discard(account_id)
        if place.parked is not None and not place.private:
            left = self.parked[place.parked] - 1
            if left:
                self.parked[place.parked] = left
            else:
                del self.parked[place.parked]
        place.parked = None
        if place.lane is None or place.entry is None:
            return
        lane = self.lanes[place.lane]
        self.mixed -= lane.mixed
        del lane.entries[bisect_left(lane.entries, place.entry)]
        if not lane.entries:
            del self.lanes[place.lane]
        elif lane.sample.account.id == account_id:
            lane.sample = self.states[lane.entries[0][2]]
        place.lane = place.entry = None

    def _alarm(self, state: AccountState, place: Place, soonest: float | None, now: float) -> None:
        for at in self._deadlines(state, now):
            if soonest is None or at < soonest:
                soonest = at
        if soonest == place.alarm:
            return
        place.alarm = None
        if soonest is not None:
            self._ring(place, state.account.id, soonest)

    def _ring(self, place: Place, account_id: str, at: float) -> None:
        """Have the account placed anew at that time, or sooner."""
        if place.alarm is not None and place.alarm <= at:
            return
        place.alarm = at
        heapq.heappush(self.alarms, (at, account_id))
        if len(self.alarms) > 4 * len(self.states) + 64:
            self._sweep()

    def _deadlines(self, state: AccountState, now: float) -> Iterator[float]:
        """When the account changes by itself, apart from its quota."""
        s = self.settings
        yield from state.deadlines(now)
        parked = state.parked_until()
        if 0.0 < parked <= now < parked + s.recovery_s:
            yield parked + s.recovery_s
        if state.shrunk_to is not None:
            if state.soft_limit(now, s) >= state.base_limit(s):
                state.shrunk_to = None
            else:
                yield now + s.soft_slots_regrow_s
        if state.opened_at is not None:
            if now < (ends := state.ramp_ends(s)):
                yield ends
            else:
                state.opened_at = None
        if state.model_benches:
            yield from (until for _, until in state.model_benches.values() if until > now)
        if state.recent:
            yield next(iter(state.recent.values())) + s.outgrow_window_s + 1e-3

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
