"""The choice: the cheapest eligible account for a request, or the true reason there is none.

Order: the account a person prefers, then priority, then accounts whose tokens are paid for already,
then tier, then the lowest cost; ties go to the least recently leased, then by id. Changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from maxpool.core.binding import Binding, Bindings, Warmth, session_key
from maxpool.core.cost import Candidate, Cost, Prices, Weigher
from maxpool.core.eligibility import (
    BY_EVENT,
    ELIGIBLE,
    Context,
    Eligible,
    Reason,
    Unavailable,
    check,
    mismatch,
)
from maxpool.core.queue import ClassKey, class_of

if TYPE_CHECKING:
    from maxpool.core.index import Index
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.state import AccountState

SHOWN_CANDIDATES = 16
KEPT_BLOCKS = 64
"""Classes of requests for which a block is remembered; callers choose model names freely."""
Rank = tuple[Any, ...]


@dataclass(slots=True)
class Choice:
    """The account that won, what it was weighed against, and the session's binding."""

    state: AccountState
    cost: Cost
    weight: float
    candidates: tuple[Candidate, ...]
    home_could_serve: bool


@dataclass(slots=True)
class Blocked:
    """Nobody can serve: the reason that ends first, and how many accounts have which reason."""

    cause: Unavailable
    counts: dict[str, int] = field(default_factory=dict)
    behind: Reason | None = None  # what the first of the queue waits for


@dataclass(slots=True)
class Selector:
    """Chooses among the pool's accounts."""

    states: dict[str, AccountState]
    index: Index
    bindings: Bindings
    prices: Prices
    preferred: str | None = None
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
        known = self._known_block(request, exclude, now, ctx)
        if known is not None:
            return known
        binding = self.bindings.find(session_key(request), now)
        weigher = Weigher(
            request,
            now,
            self.prices,
            binding.warm if binding is not None else {},
            self._parent(request, binding, now),
            binding.home if binding is not None else None,
        )
        ranked = self._weigh(weigher, exclude, ctx)
        if not ranked:
            blocked = self.why_not(request, now, exclude, ctx)
            if self._emergency(request, now, ctx, arrived):
                ranked = self._weigh_reserves(weigher, exclude, ctx)
            if not ranked:
                # The end of a reserve's other troubles is not in the cause: look again each time.
                if len(self.blocked) >= KEPT_BLOCKS:
                    self.blocked.clear()
                if not self._reserves():
                    self.blocked[class_of(request, exclude)] = blocked
                return blocked
        best = min(ranked)
        state = self.states[best[-1]]
        if state.account.paid and ctx.settings.key_price != "always":
            held = self._key_price(request, now, exclude, ctx, arrived, state.account.priority)
            if held is not None:
                return held
        return self._chosen(best, ranked, weigher, binding, exclude, ctx)

    def _known_block(
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

    def _weigh(self, weigher: Weigher, exclude: frozenset[str], ctx: Context) -> list[Rank]:
        request, now = weigher.request, weigher.now
        ranked: list[Rank] = []
        seen: set[str] = set()
        for sample, states in self.index.candidates() if request.owner is None else ():
            if mismatch(sample, request) is not None:
                continue
            for state in states:
                account_id = state.account.id
                if account_id in exclude or check(state, request, now, ctx) is not ELIGIBLE:
                    continue
                ranked.append(self._rank(state, weigher, ctx))
                seen.add(account_id)
                break
        for account_id in self._individuals(weigher):
            state_of = self.states.get(account_id)
            if state_of is None or account_id in seen or account_id in exclude:
                continue
            if isinstance(check(state_of, request, now, ctx), Eligible):
                ranked.append(self._rank(state_of, weigher, ctx))
        return ranked

    def _individuals(self, weigher: Weigher) -> list[str]:
        # Accounts with a term of their own are not represented by the head of their lane.
        if weigher.request.owner is not None:
            return [weigher.request.owner]
        others = (weigher.parent_id, self.preferred)
        return [*weigher.warm, *(a for a in others if a is not None and a not in weigher.warm)]

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
                soonest = min(soonest, max(_end(block), now))
        after_s = ctx.settings.emergency_after_s
        return soonest > min(now + after_s, ctx.wait_until) or now - arrived >= after_s

    def _reserves(self) -> list[AccountState]:
        return [s for s in self.states.values() if s.account.emergency and s.account.reserve]

    def _weigh_reserves(
        self, weigher: Weigher, exclude: frozenset[str], ctx: Context
    ) -> list[Rank]:
        """When all else is closed, the reserves that their owners opened for emergencies."""
        emergency = replace(ctx, emergency=True)
        return [
            self._rank(state, weigher, ctx)
            for state in self._reserves()
            if state.account.id not in exclude
            and isinstance(check(state, weigher.request, weigher.now, emergency), Eligible)
        ]

    def _rank(self, state: AccountState, weigher: Weigher, ctx: Context) -> Rank:
        account = state.account
        unknown = self.index.median_week(account.plan, ctx.settings.unknown_utilization)
        cost = weigher.cost(state, unknown)
        return (
            account.id != self.preferred,
            account.priority,
            account.paid and ctx.settings.key_price != "always",
            account.tier,
            cost.total,
            state.lease_order,
            cost,
            account.id,
        )

    def _chosen(
        self,
        best: Rank,
        ranked: list[Rank],
        weigher: Weigher,
        binding: Binding | None,
        exclude: frozenset[str],
        ctx: Context,
    ) -> Choice:
        state = self.states[best[-1]]
        warmth: Warmth | None = None
        could = False
        if binding is not None:
            warmth = binding.warm_at(state.account.id, weigher.now)
            could = any(rank[-1] == binding.home for rank in ranked)
            home = self.states.get(binding.home)
            known = weigher.warm.keys() | exclude  # weighed already, or tried in vain
            if not could and home is not None and binding.home not in known:
                could = check(home, weigher.request, weigher.now, ctx) is ELIGIBLE
        weight = self.prices.weight(weigher.request, warmth.tokens if warmth is not None else 0)
        shown = nsmallest(SHOWN_CANDIDATES, ranked)
        return Choice(state, best[-2], weight, tuple(Candidate(r[-1], r[-2]) for r in shown), could)

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
        soonest = min(blocks, key=_end)
        if never:
            return Blocked(soonest, {soonest.reason.value: len(blocks)})
        deadline = arrived + ctx.settings.key_price_after_s
        if now >= deadline or _end(soonest) > deadline:
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
            counts[block.reason.value] = counts.get(block.reason.value, 0) + 1
            if best is None or _end(block) < _end(best):
                best = block
        return Blocked(best or Unavailable(Reason.NO_ACCOUNTS), counts)


_PERSON = frozenset({Reason.LOCKED_OUT, Reason.CLOSED, Reason.DRAINING, Reason.DISABLED})


def _end(block: Unavailable) -> float:
    """When a block ends: its time, soon for an event, late for a person's act, never otherwise."""
    if block.until is not None:
        return block.until
    if block.reason in BY_EVENT:
        return 0.0
    return 1e17 if block.reason in _PERSON else 1e18
