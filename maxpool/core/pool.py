"""`Pool`: the one owner of mutable state. Every decision of maxpool is made by these methods.

Plain functions of their arguments and the state: no I/O, no clock (`now` is epoch seconds, UTC), no
`await`, so decisions cannot race and the same calls always give the same choices. Readers (`view`,
`snapshot`, `due`, `next_wake`) change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxpool.core import (
    admission,
    clockstep,
    commands,
    duty,
    explain,
    grant,
    learning,
    routing,
    snapshot,
    spending,
    view,
)
from maxpool.core.binding import Bindings
from maxpool.core.budget import Budget
from maxpool.core.contextsize import Room, rooms_of, sized
from maxpool.core.cost import Prices
from maxpool.core.decisions import DecisionLog
from maxpool.core.effects import Effects
from maxpool.core.groups import Groups, source
from maxpool.core.habits import Habits
from maxpool.core.health import HealthState
from maxpool.core.index import Index
from maxpool.core.latency import Latencies
from maxpool.core.lease import (
    Command,
    CredentialChange,
    Due,
    Internal,
    Lease,
    LeaseRequest,
    Outcome,
    ProbeFailure,
    Refusal,
    Success,
    Ticket,
    UsageReport,
    Wait,
)
from maxpool.core.owners import Owners
from maxpool.core.prefixes import Prefixes
from maxpool.core.queue import Queue, class_of
from maxpool.core.select import Choice, Selector
from maxpool.core.settings import PoolSettings
from maxpool.core.state import AccountState
from maxpool.core.throttle import Throttle, scopes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.core.account import Account
    from maxpool.core.decisions import Explanation
    from maxpool.core.learning import Running, Witness

NOBODY_EXCLUDED: frozenset[str] = frozenset()


@dataclass(slots=True)
class Harm:
    """What sessions lost by moving."""

    moves: int = 0
    cache_tokens_lost: int = 0


class Pool:
    """The account pool. See the module; times are epoch seconds, ids are the accounts' stable ids."""

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        settings: PoolSettings | None = None,
        now: float = 0.0,
    ) -> None:
        self.settings = settings or PoolSettings()
        self.started_at = now
        self.lease_prefix = f"{int(now * 1000):x}-"  # no other process's
        self.states: dict[str, AccountState] = {}
        self.index = Index(self.states, self.settings)
        self.bindings = Bindings(self.settings)
        self.prices = Prices(self.settings)
        self.budget = Budget(self.settings, self.prices)
        self.queue = Queue(self.settings)
        self.throttle = Throttle(self.settings)
        self.groups = Groups(self.states)
        self.effects = Effects(self.settings, self.states, self.throttle, self.groups)
        self.prefixes = Prefixes(self.settings)
        self.owners = Owners(self.settings)
        self.selector = Selector(self.states, self.index, self.bindings, self.prices, self.prefixes)
        self.decisions = DecisionLog(self.settings.kept_decisions)
        self.running: dict[str, Running] = {}
        self.harm = Harm()
        self.habits = Habits()
        self.routing = routing.Routing()
        self.latency = Latencies(self.settings.kept_latencies)
        self.rooms: frozenset[Room] = frozenset()  # those of accounts once known, too
        self.paused = False
        self.plan_in_flight = 0
        self.leased = 0
        self.revision = self.saved_revision = 0
        self.witness: Witness | None = None
        self.saved_at = now
        for account in accounts:
            self.add(account, now)

    # -- leases --------------------------------------------------------------------------------

    def acquire(
        self,
        request: LeaseRequest,
        now: float,
        *,
        exclude: frozenset[str] = NOBODY_EXCLUDED,
        ticket: Ticket | None = None,
    ) -> Lease | Wait | Refusal:
        """Lease the best account for a request, or say what to wait for, or why not to wait.

        `exclude`: ids of accounts it must not use; a waiter passes its `ticket` back to keep its
        place. Every `Lease` must be released exactly once.
        """
        self.index.advance(now)
        if self.rooms:
            request = sized(request, self.rooms)
        if self.budget.keyed:
            request = self.budget.marked(request)
        key = class_of(request, exclude)
        blocked = admission.gate(self, request, key, ticket, now)
        if blocked is None:
            arrived = admission.arrived(self, request, ticket, now)
            ctx = admission.context(self, request, ticket, now)
            choice = routing.choose(self, request, now, exclude, ctx, arrived)
            if isinstance(choice, Choice):
                self.queue.served(ticket)
                return grant.grant(self, request, choice, now, now - arrived)
            blocked = choice
        return admission.hold(self, request, exclude, blocked, ticket, now)

    def last_word(self, request: LeaseRequest, now: float) -> Lease | None:
        """When nobody can serve: a lease of the client's own login, to hear what its upstream says of
        it; or, for a request without a model, of the account it is bound to, to see what that holds.

        None where anything keeps it from serving but such limits as do not matter for that.
        """
        ctx = admission.context(self, request, None, now)
        choice = None if self.paused else self.selector.last_word(request, now, ctx)
        return None if choice is None else grant.grant(self, request, choice, now, 0.0)

    def cancel(self, ticket: Ticket, now: float) -> None:
        """A waiter left the queue."""
        self.queue.leave(ticket)

    def wake(self, now: float) -> list[tuple[Ticket, Lease | Refusal]]:
        """Ask again for every waiter, in the queue's order; those that are answered have left it.

        Call it after any event that may free one, and at `next_wake`.
        """
        return admission.wake(self, now)

    def observe(
        self,
        account_id: str,
        headers: Mapping[str, str],
        now: float,
        *,
        lease: Lease | None = None,
        status: int | None = None,
    ) -> None:
        """Take in response headers as soon as they are there."""
        state = self.states.get(account_id)
        running = self.running.get(lease.id) if lease is not None else None
        if running is not None and status is not None:
            running.answered(status, now)
            self.revision += self.throttle.settle(running.lease.id, status, now)
        if state is None:
            return
        if status is not None:
            state.tally.answered(status, now)
        if running is not None and status is not None and 200 <= status < 300:
            scope = scopes(state.account.provider, running.request.model)
            self.throttle.answered(account_id, scope, running.lease.id, now)
            if state.health.begun(running.lease.id, self.settings):
                self.changed(account_id, now)
        news = learning.headers(self, state, headers, (running, status), now)
        if news is not None:
            (self.changed if news else self.shifted)(account_id, now)

    def release(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """End a lease with what happened; a second release of the same lease does nothing."""
        running = self.running.pop(lease.id, None)
        if running is None:
            return
        state = self.states.get(lease.account_id)
        if not running.observed:
            learning.settle_unobserved(self.throttle, lease.id, outcome, now)
        if state is None:
            return  # removed meanwhile: nobody else takes its place
        health = state.health
        plain = isinstance(outcome, Success) and not health.failures and not health.trips
        changed = {state.account.id}
        try:
            changed = learning.ended(self, state, running, outcome, now)
        finally:  # whatever came of it, the slot is free
            spending.end(self, state, running, outcome, now)
            self.queue.ended(now)
            state.in_flight -= 1
            if not state.account.paid:
                self.plan_in_flight -= 1
            if plain and health.state is HealthState.READY:
                self.shifted(state.account.id, now)
            else:
                for account_id in changed:
                    self.changed(account_id, now)

    def sent(self, lease: Lease, now: float) -> bool:
        """A further call is about to be sent on a lease: counted, unless a limit has no room for it."""
        return not self.budget.active or spending.again(self, lease, now)

    # -- what else is learned -------------------------------------------------------------------

    def learn(self, account_id: str, report: UsageReport | ProbeFailure, now: float) -> None:
        """Take in a report of usage, or that a probe for it failed and why (which means unknown)."""
        state = self.states.get(account_id)
        if state is None:
            return
        if isinstance(report, ProbeFailure) or report.source == "probe":
            duty.probed(state, report, now, self.settings)
        if isinstance(report, UsageReport):
            learning.read(self, state, report.readings, now, report.source)
        self.changed(account_id, now)

    def credential(self, account_id: str, change: CredentialChange, now: float) -> None:
        """A credential's expiry became known, or it was refreshed, died, or was renewed by a login."""
        state = self.states.get(account_id)
        if state is None:
            return
        commands.credential(state, change, now)
        self.changed(account_id, now)

    def top_up(self, account_id: str, usd: float, now: float) -> bool:
        """Its owner paid so much in; False for an account that does not exist."""
        if account_id not in self.states:
            return False
        spending.top_up(self, account_id, usd, now)
        return True

    def command(self, command: Command, now: float) -> bool:
        """Carry out what a person asks; False when it names nothing that exists."""
        changed = commands.carry_out(self, command)
        for account_id in changed or ():
            self.changed(account_id, now)
        self.revision += 1
        return changed is not None

    # -- accounts --------------------------------------------------------------------------------

    def add(self, account: Account, now: float) -> None:
        """Add an account; one with the same id is updated."""
        if account.id in self.states:
            self.update(account, now)
            return
        fresh = AccountState(account=account, enabled=account.enabled, turns=self.index.turn)
        last = max(self.states.values(), key=lambda s: s.position, default=None)
        fresh.position = last.position + 1 if last is not None else 0
        self.states[account.id] = fresh
        self.budget.bind(fresh)
        self.rooms |= rooms_of(account)
        self.changed(account.id, now)

    def update(self, account: Account, now: float) -> None:
        """Take new settings of an account; running leases and what is known of it stay."""
        state = self.states.get(account.id)
        if state is None:
            self.add(account, now)
            return
        if state.account.paid != account.paid:
            self.plan_in_flight += state.in_flight if state.account.paid else -state.in_flight
        if state.account.enabled != account.enabled:
            state.enabled = account.enabled
        if source(state.account) != source(account):
            self.groups.leave(state)
        state.account = account
        self.rooms |= rooms_of(account)
        self.budget.bind(state)
        self.index.renew(account.id, now)
        self.revision += 1

    def reorder(self, account_ids: Iterable[str]) -> None:
        """The owner's order of accounts, for the `ordered` strategy; others come after them."""
        order = {account_id: i for i, account_id in enumerate(account_ids)}
        for state in self.states.values():
            state.position = order.get(state.account.id, len(order) + state.position)

    def succeed(self, earlier_id: str, account_id: str, now: float) -> None:
        """One account takes another's place in every session, and goes on with its counts."""
        earlier, state = self.states.get(earlier_id), self.states.get(account_id)
        if earlier is None or state is None:
            return
        self.bindings.succeed(earlier_id, account_id)
        state.tally, earlier.tally = earlier.tally, state.tally
        self.changed(account_id, now)

    def remove(self, account_id: str, now: float) -> None:
        """Forget an account; leases on it end without effect, no other account inherits anything."""
        state = self.states.pop(account_id, None)
        if state is None:
            return
        if not state.account.paid:
            self.plan_in_flight -= state.in_flight
        self.groups.leave(state)
        self.budget.forget(state)
        self.index.remove(account_id)
        self.bindings.forget_account(account_id)
        self.throttle.forget_account(account_id)
        self.prefixes.forget_account(account_id)
        self.latency.forget_account(account_id)
        for lease_id in [i for i, r in self.running.items() if r.lease.account_id == account_id]:
            self.throttle.lost(lease_id)
            spending.end(self, None, self.running.pop(lease_id), Internal(), now)
        if self.selector.preferred == account_id:
            self.selector.preferred = None
        self.revision += 1

    def clock_stepped(self, by_s: float, now: float) -> None:
        """The wall clock was set: it was `now - by_s`, and no time passed. Then `wake` is due."""
        clockstep.step(self, by_s, now)

    # -- readers ---------------------------------------------------------------------------------

    def due(self, now: float) -> list[Due]:
        """Work whose time has come: probes, refreshes, saves."""
        return duty.due(self, now)

    def next_wake(self, now: float) -> float | None:
        """When something changes by itself, so that waiters should ask again."""
        own = (
            self.queue.next_wake(now),
            self.index.next_alarm(),
            self.throttle.next_change(now),
        )
        times = [t for t in own if t is not None]
        later = [t for t in times if t > now]
        return min(later, default=now if times else None)

    def view(self, now: float) -> view.PoolView:
        """A frozen picture for status, CLI, dashboard and metrics."""
        return view.picture(self, now)

    def explain(
        self, request: LeaseRequest, now: float, *, exclude: frozenset[str] = NOBODY_EXCLUDED
    ) -> Explanation:
        """What it would do with that request now, with every account's terms or reason."""
        return explain.explain(self, request, now, exclude)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Everything with a future, JSON-able and versioned; leases in flight are not part of it."""
        return snapshot.dump(self, now)

    @classmethod
    def restore(
        cls,
        data: Mapping[str, Any],
        accounts: Iterable[Account],
        settings: PoolSettings | None = None,
        now: float = 0.0,
    ) -> Pool:
        """A pool of these accounts with what a snapshot knows of them.

        Raises `errors.StateError` for a snapshot this version cannot read.
        """
        pool = cls(accounts, settings, now)
        snapshot.load(pool, data, now)
        return pool

    def saved(self, revision: int, now: float) -> None:
        """A snapshot of that revision is durable."""
        self.saved_revision, self.saved_at = revision, now

    def changed(self, account_id: str, now: float) -> None:
        """The account's state changed: its place among the others is reckoned anew."""
        if account_id in self.states:
            self.index.place(account_id, now)
        self.revision += 1

    def shifted(self, account_id: str, now: float) -> None:
        """Only load, use and room of the account are others now."""
        self.index.shift(account_id, now)
        self.revision += 1
