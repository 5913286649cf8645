"""`simulate`: plays a scenario in virtual time against the production pool.

A heap of events drives a real `Pool` through its public contract only, in the order in which the
server does it: lease, send, observe, release, and after a failure the others first, then the queue.
The truth is `world`'s, what is true of the pool at every moment is `checks`'.
"""

from __future__ import annotations

import time
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from maxpool.core.lease import (
    Lease,
    LeaseRequest,
    NetworkFailure,
    Overloaded,
    Refusal,
    Success,
    TokenUsage,
    TransientFailure,
    Wait,
)
from maxpool.core.pool import Pool
from maxpool.sim import families as f
from maxpool.sim.bundles import least_work, value_of
from maxpool.sim.checks import Watch, WatchedPool
from maxpool.sim.client import Client, Counts
from maxpool.sim.scenario import Result, Sample, Scenario
from maxpool.sim.world import NO_CONNECTION, OK, World
from maxpool.wire.verdict import classify

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.lease import Outcome, Ticket
    from maxpool.core.settings import PoolSettings
    from maxpool.sim.world import Upstream

FRESH_TOKENS = 3
"""Of each request's new tokens, those behind the last cache breakpoint."""


def simulate(
    scenario: Scenario,
    settings: PoolSettings,
    *,
    check_every: int = 0,
    samples: bool = True,
) -> Result:
    """Play a scenario; `check_every`: check the pool's invariants after so many events, 0 = never.

    Raises `checks.Violation` when one does not hold.
    """
    return Simulation(scenario, settings, check_every, samples=samples).play()


class Simulation:
    """One run; events are (time, number, handler, whom it concerns)."""

    def __init__(
        self, scenario: Scenario, settings: PoolSettings, check_every: int, *, samples: bool
    ) -> None:
        self.scenario = scenario
        self.settings = settings
        self.world = World(scenario)
        accounts = [hidden.account for hidden in scenario.accounts]
        self.watch = Watch(check_every) if check_every else None
        make = WatchedPool if check_every else Pool
        self.pool = make(accounts, settings, f.START_AT)
        self.counts = Counts()
        self.waiting: dict[int, Client] = {}
        self.in_flight = 0
        self.heap: list[tuple[float, int, Callable[[Any, float], None], Any]] = []
        self.pushed = 0
        self.alarm_at: float | None = None
        self.closed = False
        self.samples: list[Sample] = []
        self._begin(samples=samples)

    def _begin(self, *, samples: bool) -> None:
        life_s = self.scenario.cache_life_s
        for number, plan in enumerate(self.scenario.sessions):
            if plan.turns:
                starts_at = f.START_AT + plan.starts_s + plan.turns[0].think_s
                self.push(starts_at, self.ask, Client(number, plan, life_s))
        for account in self.world.accounts.values():
            if not account.paid:
                self.push(account.ends_7d, self.reset, (account, 0.0))
        if samples:
            self.push(f.START_AT + f.HOUR_S, self.sample, 0.0)
        self.push(f.START_AT + self.scenario.horizon_s, self.close, None)

    def play(self) -> Result:
        """Play to the end."""
        began = time.perf_counter()
        heap, watch = self.heap, self.watch
        while heap:
            now, _, handle, whom = heappop(heap)
            handle(whom, now)
            if watch is not None:
                watch.after(self.pool, self.waiting, self.in_flight, now)
        return self._result(time.perf_counter() - began)

    def push(self, at: float, handler: Callable[[Any, float], None], whom: Any) -> None:  # noqa: ANN401
        """Let something happen at a time."""
        self.pushed += 1
        heappush(self.heap, (at, self.pushed, handler, whom))

    # -- a turn --------------------------------------------------------------------------------

    def ask(self, client: Client, now: float) -> None:
        """A session makes its next turn."""
        client.turn = client.plan.turns[client.nth]
        client.deadline = now + client.plan.patience_s
        client.waited_s = 0.0
        self.post(client, now)

    def post(self, client: Client, now: float) -> None:
        """Its client sends the request, for the first time or again after it was refused."""
        if self.closed:
            return
        plan, turn = client.plan, client.turn
        client.begin()
        client.request = request = LeaseRequest(
            plan.model,
            plan.id,
            plan.agent,
            turn.prefix + turn.new,
            cache_ttl_s=plan.ttl_s,
            prefix_digest=plan.digest,
            arrived_at=now,
            max_wait_s=client.deadline - now,
        )
        self.found(client, self.pool.acquire(request, now), now)

    def found(self, client: Client, found: Lease | Wait | Refusal, now: float) -> None:
        """The pool's answer to a request that may use any account."""
        if isinstance(found, Lease):
            self.send(client, found, now)
        elif isinstance(found, Wait):
            client.ticket, client.since = found.ticket, now
            self.waiting[found.ticket.id] = client
            self.push(client.deadline, self.give_up, (client, found.ticket))
            self.set_alarm(now)
        else:
            self.counts.refused += 1
            self.later(client, found.retry_at, now)

    def later(self, client: Client, at: float | None, now: float) -> None:
        """It got an error: it asks again while it has patience, and not before it can help."""
        at = now + f.CLIENT_RETRY_S if at is None else max(at, now + 1.0)
        if at >= client.deadline:
            self.lose(client)
        else:
            client.waited_s += at - now
            self.push(at, self.post, client)

    def send(self, client: Client, lease: Lease, now: float) -> None:
        """Use a lease."""
        client.lease = lease
        self.in_flight += 1
        self.send_again(client, now)

    def send_again(self, client: Client, now: float) -> None:
        """Send with the lease it holds."""
        account_id = client.lease.account_id
        client.sends += 1
        sent = client.sent = self.world.send(account_id, client.who, client.turn, now)
        if sent.status != OK:
            self.push(now + f.FAILURE_S, self.fail, client)
            return
        self.admitted(client, self.world.accounts[account_id], now)
        self.push(now + f.ANSWER_S, self.begun, client)

    def admitted(self, client: Client, account: Upstream, now: float) -> None:
        """An account took the turn: count its lateness, and what it left behind elsewhere."""
        counts, before = self.counts, client.account
        counts.least += self.world.least(client.who, client.turn, now, first=client.nth == 0)
        if before is not account:
            if before is not None and before.caches.warm(client.who, now):
                there = before.caches.read(client.who, client.turn, now)
                counts.moves += 1
                counts.cache_tokens_lost += max(there - client.sent.cached, 0)
            client.account = account
        if client.waited_s > 0.0:
            counts.late(client.waited_s)

    def begun(self, client: Client, now: float) -> None:
        """The headers of its answer are there."""
        lease = client.lease
        headers = self.world.accounts[lease.account_id].headers(now)
        self.pool.observe(lease.account_id, headers, now, lease=lease, status=OK)
        self.push(now - f.ANSWER_S + f.lasts_s(client.turn), self.end, client)
        if self.waiting:
            self.wake(now)

    def end(self, client: Client, now: float) -> None:
        """Its answer is complete."""
        turn, cached, counts = client.turn, client.sent.cached, self.counts
        self.world.accounts[client.lease.account_id].in_flight -= 1
        fresh = min(FRESH_TOKENS, turn.new)
        written = turn.prefix + turn.new - cached - fresh
        long = client.plan.ttl_s >= f.TTL_LONG_S
        usage = TokenUsage(
            fresh, turn.output, cached, 0 if long else written, written if long else 0
        )
        self.release(client, Success(usage), now)
        counts.served += 1
        counts.value += value_of(client.plan, turn)
        client.nth += 1
        if client.nth < len(client.plan.turns):
            self.push(now + client.plan.turns[client.nth].think_s, self.ask, client)

    def release(self, client: Client, outcome: Outcome, now: float) -> None:
        """End its lease."""
        self.in_flight -= 1
        self.pool.release(client.lease, outcome, now)
        if self.waiting:
            self.wake(now)

    # -- failures --------------------------------------------------------------------------------

    def fail(self, client: Client, now: float) -> None:
        """An answer that is none is there: once more here, another account, or the queue."""
        outcome = self._outcome(client, now)
        if isinstance(outcome, Overloaded) and not client.repeated:
            client.repeated = True
            self.push(now + f.RETRY_SAME_S, self.send_again, client)
            return
        client.repeated = False
        client.tried |= {client.lease.account_id}
        self.release(client, outcome, now)
        if client.spent(now):
            self.later(client, None, now)
        elif isinstance(outcome, NetworkFailure | TransientFailure):
            self.push(now + f.BACKOFF_S, self.hop, client)
        else:
            self.hop(client, now)

    def _outcome(self, client: Client, now: float) -> Outcome:
        sent, lease, counts = client.sent, client.lease, self.counts
        if sent.status == NO_CONNECTION:
            client.unsent += 1
            client.network_since = client.network_since or now
            return NetworkFailure("refused", sent=False)
        self.pool.observe(lease.account_id, sent.headers, now, lease=lease, status=sent.status)
        if self.waiting:
            self.wake(now)
        outcome = classify(sent.status, sent.headers, b"", model=lease.model, now=now)
        counts.overloads += isinstance(outcome, Overloaded)
        if sent.status == 429:
            burst = len(sent.headers) == 1
            counts.bursts += burst
            counts.quotas += not burst
        return outcome

    def hop(self, client: Client, now: float) -> None:
        """Another account if one can serve at once, else whichever the pool makes it wait for."""
        if self.closed:
            return
        if now >= client.deadline:
            self.lose(client)
            return
        found = self.pool.acquire(client.request, now, exclude=client.tried)
        if isinstance(found, Lease):
            self.send(client, found, now)
            return
        if isinstance(found, Wait):
            self.pool.cancel(found.ticket, now)
        self.found(client, self.pool.acquire(client.request, now), now)

    # -- waiting ---------------------------------------------------------------------------------

    def wake(self, now: float) -> None:
        """Something changed: whoever waits asks again."""
        for ticket, found in self.pool.wake(now):
            client = self.waiting.pop(ticket.id)
            client.ticket = None
            client.waited_s += now - client.since
            self.found(client, found, now)
        self.set_alarm(now)

    def _leave(self, client: Client, now: float) -> None:
        if client.ticket is not None:
            del self.waiting[client.ticket.id]
            self.pool.cancel(client.ticket, now)
        client.ticket = None
        client.waited_s += now - client.since

    def set_alarm(self, now: float) -> None:
        """Ring when the pool says that something will change by itself."""
        at = self.pool.next_wake(now) if self.waiting else None
        if at is None:
            self.alarm_at = None
            return
        at = max(at, now) + f.ALARM_LATE_S
        if at != self.alarm_at:
            self.alarm_at = at
            self.push(at, self.alarm, None)

    def alarm(self, _: None, now: float) -> None:
        """The time has come, unless the alarm was set anew."""
        if now == self.alarm_at:
            self.alarm_at = None
            self.wake(now)

    def give_up(self, waiter: tuple[Client, Ticket], now: float) -> None:
        """The patience of a client that waits has ended."""
        client, ticket = waiter
        if client.ticket is ticket:  # else it was answered long ago
            self._leave(client, now)
            self.lose(client)
            self.wake(now)

    def lose(self, client: Client) -> None:
        """A turn is never answered: its session ends."""
        counts, plan = self.counts, client.plan
        counts.sessions_lost += 1
        counts.waited_s += client.waited_s
        for turn in plan.turns[client.nth :]:
            counts.work_lost += least_work(plan, turn, client.who.life_s)

    # -- time ------------------------------------------------------------------------------------

    def reset(self, week: tuple[Upstream, float], now: float) -> None:
        """A weekly window ends: what is left of it lapses, for which there may have been use."""
        account, lost_before = week
        counts = self.counts
        left = account.capacity_7d - account.used_7d
        counts.unused += max(min(left, counts.work_lost - lost_before), 0.0)
        account.roll(now)
        if not self.closed:
            self.push(account.ends_7d, self.reset, (account, counts.work_lost))

    def sample(self, burned_before: float, now: float) -> None:
        """Note how things stand, every hour."""
        accounts = self.world.accounts.values()
        burned = sum(account.burned for account in accounts)
        used = tuple(0.0 if a.paid else a.used_7d / a.capacity_7d for a in accounts)
        at_s = now - f.START_AT
        self.samples.append(
            Sample(
                at_s=at_s, served=burned - burned_before, waiting=len(self.waiting), used_7d=used
            )
        )
        if at_s + f.HOUR_S <= self.scenario.horizon_s:
            self.push(now + f.HOUR_S, self.sample, burned)

    def close(self, _: None, now: float) -> None:
        """The horizon: nothing is sent any more; whoever is being answered is served to the end."""
        self.closed = True
        for client in list(self.waiting.values()):
            self._leave(client, now)
            self.counts.waited_s += client.waited_s

    def _result(self, took_s: float) -> Result:
        accounts = self.world.accounts.values()
        return self.counts.result(
            self.scenario,
            self.settings.strategy,
            burned=sum(account.burned for account in accounts),
            key_burned=sum(account.burned for account in accounts if account.paid),
            took_s=took_s,
            samples=tuple(self.samples),
        )
