"""The choice: the cheapest eligible account for a request, or the true reason there is none.

Order: the account a person prefers, then priority, then accounts whose tokens are paid for already,
then tier, then the strategy's word (by default the lowest cost); ties go to the least recently
leased, then by id. Changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core.binding import Binding, Bindings, session_key
from maxpool.core.choice import Blocked as Blocked
from maxpool.core.choice import Choice as Choice
from maxpool.core.choice import end_of
from maxpool.core.cost import Candidate, Prices, Weeks, Weigher
from maxpool.core.eligibility import (
    ELIGIBLE,
    SPENT,
    TOLD,
    Context,
    Eligible,
    Reason,
    Unavailable,
    asked_of,
    check,
    mismatch,
    only_for,
)
from maxpool.core.field import Field, Rank, field_of, median, rank_of
from maxpool.core.queue import class_of
from maxpool.core.reasons import NO_TARGET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.binding import Warmth
    from maxpool.core.index import Index
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.lines import ClassKey
    from maxpool.core.prefixes import Prefixes
    from maxpool.core.state import AccountState

KEPT_BLOCKS = 64
"""Classes of requests for which a block is remembered; callers choose model names freely."""


@dataclass(slots=True)
class Selector:
    """Chooses among the pool's accounts."""

    states: dict[str, AccountState]
    index: Index
    bindings: Bindings
    prices: Prices
    prefixes: Prefixes
    preferred: str | None = None
    leased: int = 0
    blocked: dict[ClassKey, Blocked] = field(default_factory=dict)
    blocked_revision: int = -1

    def choose(
        self,
        request: LeaseRequest,
        now: float,
        exclude: frozenset[str],
        ctx: Context,
        arrived: float,
    ) -> Choice | Blocked:
        """The best account, or why there is none."""
        known = self.known_block(request, exclude, now, ctx)
        if known is not None:
            return known
        found, weigher, binding = self.look(request, now, exclude, ctx)
        if not found.ranks:
            blocked = self.why_not(request, now, exclude, ctx)
            found.ranks = self.reserves(weigher, exclude, ctx, arrived)
            if not found.ranks:
                return self.keep_block(blocked, request, now, exclude, ctx, arrived)
        return self.decide(found, weigher, binding, exclude, ctx, arrived)

    def look(
        self, request: LeaseRequest, now: float, exclude: frozenset[str], ctx: Context
    ) -> tuple[Field, Weigher, Binding | None]:
        """The accounts that may serve, what weighs them, and where the session is bound."""
        binding = self.bindings.find(session_key(request), now)
        weigher = self.weigher(request, binding, now, ctx)
        return field_of(self, weigher, binding, exclude, ctx), weigher, binding

    def keep_block(
        self,
        blocked: Blocked,
        request: LeaseRequest,
        now: float,
        exclude: frozenset[str],
        ctx: Context,
        arrived: float,
    ) -> Blocked:
        """Remember a block for whoever asks the same; it is looked at again when reserves open."""
        blocked = self._until_emergency(blocked, now, ctx, arrived)
        # The end of a reserve's other troubles is not in the cause: look again each time.
        if len(self.blocked) >= KEPT_BLOCKS:
            self.blocked.clear()
        # Room for tokens differs from request to request of one class.
        rooms = Reason.BUCKET_EXHAUSTED.value in blocked.counts
        if not rooms and not self._reserves():
            self.blocked[class_of(request, exclude)] = blocked
        return blocked

    def decide(
        self,
        found: Field,
        weigher: Weigher,
        binding: Binding | None,
        exclude: frozenset[str],
        ctx: Context,
        arrived: float,
    ) -> Choice | Blocked:
        """The best of a field that is not empty, unless waiting for another is worth more."""
        request, now, best = weigher.request, weigher.now, min(found.ranks)
        state = self.states[best[-1]]
        asked_for = best[-1] == self.preferred  # a person's word, whatever it costs
        if state.account.paid and ctx.settings.key_price != "always" and not asked_for:
            held = self._key_price(request, now, exclude, ctx, arrived, state.account.priority)
            if held is not None:
                return held
        held = self._home_busy(best, found, weigher, ctx, arrived)
        if held is not None:
            return held
        return self._chosen(best, found, weigher, binding, exclude, ctx)

    def weigher(
        self, request: LeaseRequest, binding: Binding | None, now: float, ctx: Context
    ) -> Weigher:
        """What weighs this request against any account."""
        demand = self.index.demand
        return Weigher(
            request,
            Weeks(demand, ctx.settings, now, demand.at(now)),
            self.prices,
            self._warm(request, binding),
            self._parent(request, binding, now),
            binding.home if binding is not None else None,
            self.prefixes.find(request.prefix_digest),
        )

    def _warm(self, request: LeaseRequest, binding: Binding | None) -> Mapping[str, Warmth]:
        """Where some of the session's prefix may be cached for what each account would be asked for.

        A cache belongs to one model: what is warm there for another one is worth nothing.
        """
        if binding is None:
            return {}
        if request.part is None:
            return binding.warm
        return {
            account_id: warmth
            for account_id, warmth in binding.warm.items()
            if (state := self.states.get(account_id)) is not None
            and warmth.model in ("", asked_of(state.account, request))
        }

    def known_block(
        self, request: LeaseRequest, exclude: frozenset[str], now: float, ctx: Context
    ) -> Blocked | None:
        """A block that was found already and holds: nothing changed, and its time has not come.

        A pool in which everybody is closed must not be searched from end to end for each caller.
        """
        if self.blocked_revision != ctx.revision:
            self.blocked_revision = ctx.revision
            self.blocked.clear()
        known = self.blocked.get(class_of(request, exclude)) if self.blocked else None
        if known is None or known.cause.until is None or known.cause.until <= now:
            return None
        return known

    def _parent(self, request: LeaseRequest, binding: Binding | None, now: float) -> str | None:
        if request.agent is None or binding is not None:
            return None
        parent = self.bindings.find(session_key(request, parent=True), now)
        return None if parent is None else parent.home

    def _until_emergency(
        self, blocked: Blocked, now: float, ctx: Context, arrived: float
    ) -> Blocked:
        """The same block, to be looked at again when the reserves open for this request."""
        opens_at, until = arrived + ctx.settings.emergency_after_s, blocked.cause.until
        soon = until is not None and until <= opens_at
        if soon or opens_at <= now or not blocked.cause.temporary or not self._reserves():
            return blocked
        return replace(blocked, cause=replace(blocked.cause, until=opens_at))

    def _emergency(self, request: LeaseRequest, now: float, ctx: Context, arrived: float) -> bool:
        """Whether reserves open: nobody else is back soon enough, or has been for too long.

        A moment in which everybody else is busy is none, nor is one account's failure.
        """
        if not self._reserves():
            return False
        soonest = math.inf
        for state in self.states.values():
            block = check(state, request, now, ctx)
            if isinstance(block, Eligible):
                return False
            if block.reason is not Reason.RESERVE:
                soonest = min(soonest, max(end_of(block), now))
        after_s = ctx.settings.emergency_after_s
        return soonest > min(now + after_s, ctx.wait_until) or now - arrived >= after_s

    def _reserves(self) -> list[AccountState]:
        return [s for s in self.states.values() if s.account.emergency and s.account.reserve]

    def reserves(
        self, weigher: Weigher, exclude: frozenset[str], ctx: Context, arrived: float
    ) -> list[Rank]:
        """When all else is closed, the reserves that their owners opened for emergencies."""
        if not self._emergency(weigher.request, weigher.now, ctx, arrived):
            return []
        emergency = replace(ctx, emergency=True)
        return [
            rank_of(self, state, weigher, ctx)
            for state in self._reserves()
            if state.account.id not in exclude
            and isinstance(check(state, weigher.request, weigher.now, emergency), Eligible)
        ]

    def _home_busy(
        self, best: Rank, found: Field, weigher: Weigher, ctx: Context, arrived: float
    ) -> Blocked | None:
        """Wait a little for the warm home when it is crowded, rather than crowd it or write it anew.

        Not when another account costs about as much: then there is nothing to wait for.
        """
        s, now, home_id = ctx.settings, weigher.now, weigher.home_id
        until = arrived + s.home_wait_s
        if home_id is None or not weigher.home_is_warm or best[-1] != home_id:
            return None
        if s.strategy != "cost" or now >= until or until > ctx.wait_until:
            return None
        home = self.states[home_id]
        if home.in_flight < home.soft_limit(now, s):
            return None
        others = [r for r in found.ranks if r[-1] != home_id and r[0] == best[0]]
        alike = [r[1][0] for r in others]
        if found.terms is not None:  # those that stood behind the weighed ones, too
            for behind in found.behind:
                alike += [one.cost.total for _, one in found.terms.rest(behind)]
        if any(total - best[1][0] <= s.home_wait_gap for total in alike):
            return None
        return Blocked(Unavailable(Reason.HOME_BUSY, until), {Reason.HOME_BUSY.value: 1})

    def _chosen(
        self,
        best: Rank,
        found: Field,
        weigher: Weigher,
        binding: Binding | None,
        exclude: frozenset[str],
        ctx: Context,
    ) -> Choice:
        state = self.states[best[-1]]
        could, lost_tokens, move_cost = False, 0, 0.0
        if binding is not None:
            could = self._home_could(found, weigher, binding, exclude, ctx)
            left = binding.warm_at(binding.current, weigher.now)
            if left is not None and binding.current != state.account.id:
                lost_tokens, price = left.tokens, weigher.weeks.of(state, median(self, state, ctx))
                lost = min(left.tokens, weigher.request.input_tokens)
                move_cost = price * self.prices.relative(self.prices.rewrite(weigher.request, lost))
        return Choice(
            state,
            best[-2],
            weigher.work(state.account.id),
            [(r[:2], Candidate(r[-1], r[-2])) for r in found.best()],
            found.terms,
            found.behind,
            found.with_parked(self.index.parked),
            could,
            lost_tokens,
            move_cost,
            best[:3],
        )

    def last_word(self, request: LeaseRequest, now: float, ctx: Context) -> Choice | None:
        """The client's own login, closed by nothing but its upstream's word; or who holds what is only
        looked at, closed by nothing but what it has spent. None where more stands against it.
        """
        own, holder = request.own, None if request.model else request.owner
        state = self.states.get(own.account_id if own is not None else holder or "")
        reasons = TOLD if own is not None else SPENT
        if state is not None and request.route is not None:
            request = next(request.route.as_seen_by(state.account, request), request)
        if state is None or not only_for(reasons, state, request, now, ctx):
            return None
        binding = self.bindings.find(session_key(request), now)
        weigher = self.weigher(request, binding, now, ctx)
        found = self.only(Field([rank_of(self, state, weigher, ctx)]), weigher, binding, ctx)
        found.request = request
        return found

    def only(self, found: Field, weigher: Weigher, binding: Binding | None, ctx: Context) -> Choice:
        """The choice of a field of one."""
        return self._chosen(found.ranks[0], found, weigher, binding, frozenset(), ctx)

    def keeps_reserves(self) -> bool:
        """Whether any owner keeps quota back for emergencies."""
        return bool(self._reserves())

    def _home_could(
        self,
        found: Field,
        weigher: Weigher,
        binding: Binding,
        exclude: frozenset[str],
        ctx: Context,
    ) -> bool:
        """Whether the session's home could have served: then leaving it is a choice, not a need."""
        home_id = binding.home
        if any(rank[-1] == home_id for rank in found.ranks):
            return True
        if home_id in weigher.warm or home_id in exclude:
            return False  # weighed already, or tried in vain
        home = self.states.get(home_id)
        return home is not None and check(home, weigher.request, weigher.now, ctx) is ELIGIBLE

    def _key_price(
        self,
        request: LeaseRequest,
        now: float,
        exclude: frozenset[str],
        ctx: Context,
        arrived: float,
        priority: int,
    ) -> Blocked | None:
        """Hold a request for an account whose tokens are paid for, as long as its owner says."""
        never = ctx.settings.key_price == "never"
        if request.owner_chosen:  # naming a paid account does not lower its price
            request = replace(request, owner=None)
        plans = [
            Unavailable(Reason.EXCLUDED)
            if account_id in exclude
            else check(state, request, now, ctx)
            for account_id, state in self.states.items()
            if not state.account.paid
            and state.account.priority <= priority
            and mismatch(state.account, request) is None
        ]
        blocks = [
            b
            for b in plans
            if isinstance(b, Unavailable)
            and (b.temporary or (never and b.reason is not Reason.DISABLED))
        ]
        if not blocks:
            return None
        soonest = min(blocks, key=end_of)
        if never:
            return Blocked(soonest, {soonest.reason.value: len(blocks)})
        deadline = arrived + ctx.settings.key_price_after_s
        if now >= deadline or end_of(soonest) > deadline:
            return None
        until = deadline if soonest.until is None else min(soonest.until, deadline)
        if until > ctx.wait_until:
            return None  # it would be refused otherwise
        return Blocked(Unavailable(Reason.KEY_PRICE, until), {soonest.reason.value: len(blocks)})

    def why_not(
        self, request: LeaseRequest, now: float, exclude: frozenset[str], ctx: Context
    ) -> Blocked:
        """The block that ends first over all accounts; one that only a person can end tells no time."""
        counts: dict[str, int] = {}
        best: Unavailable | None = None
        for account_id, state in self.states.items():
            block = check(state, request, now, ctx)
            if account_id in exclude or isinstance(block, Eligible):
                block = Unavailable(Reason.EXCLUDED)
            if block.reason is Reason.OTHER_LOGIN:
                continue
            counts[block.reason.value] = counts.get(block.reason.value, 0) + 1
            # What has nothing to do with the request tells nothing, where anything else does.
            if best is None or best.reason in NO_TARGET or end_of(block) < end_of(best):
                best = block
        return Blocked(best or Unavailable(Reason.NO_ACCOUNTS), counts)
