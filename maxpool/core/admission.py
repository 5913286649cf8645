"""Who may choose now, who waits, who is refused: what stands around the choice itself.

Functions over the pool's state: the gate before a choice, the place in the queue after one that
found nobody, and the asking again. They choose no account.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Context, Reason, Unavailable
from maxpool.core.lease import Lease, LeaseRequest, Refusal, Ticket, Wait
from maxpool.core.queue import class_of
from maxpool.core.select import Blocked

if TYPE_CHECKING:
    from maxpool.core.lines import ClassKey, Line, Waiter
    from maxpool.core.pool import Pool


def arrived(pool: Pool, request: LeaseRequest, ticket: Ticket | None, now: float) -> float:
    """When the request came: of one that waits by the clock as it goes now (see `core/clockstep`)."""
    waiter, arrived_at = pool.queue.find(ticket), request.arrived_at
    if waiter is not None:
        ticket = waiter.ticket
        if arrived_at is not None:
            arrived_at = waiter.request.arrived_at
    if arrived_at is not None:
        return min(arrived_at, now)
    return ticket.queued_at if ticket is not None else now


def context(pool: Pool, request: LeaseRequest, ticket: Ticket | None, now: float) -> Context:
    """What `check` needs to know of the pool."""
    room = pool.queue.find(ticket) is not None or pool.queue.room(request, now)
    wait_until = deadline(pool, request, ticket, now) if room else now
    found = Context(
        pool.settings, pool.plan_in_flight, False, wait_until, pool.throttle, pool.revision
    )
    if pool.budget.money:
        found.broke = pool.budget.broke(request, now)
    return found


def deadline(pool: Pool, request: LeaseRequest, ticket: Ticket | None, now: float) -> float:
    """Until when it may wait."""
    patience = request.max_wait_s
    if patience is None:
        patience = pool.settings.queue_max_wait_s
    return arrived(pool, request, ticket, now) + patience


def gate(
    pool: Pool, request: LeaseRequest, key: ClassKey, ticket: Ticket | None, now: float
) -> Blocked | None:
    """What holds back every request of this kind, whatever the accounts."""
    if not pool.states:
        return Blocked(Unavailable(Reason.NO_ACCOUNTS))
    if pool.paused:
        return Blocked(Unavailable(Reason.PAUSED))
    if pool.queue.waiters:
        pool.queue.age(now)
        first = pool.queue.ahead(request, key, ticket, now, pool.revision)
        if first is not None and not _overtakes(pool, first, request, ticket, now):
            until = pool.queue.expected(first, now)
            return Blocked(Unavailable(Reason.QUEUED, until), behind=first.reason)
    if pool.budget.gates:
        limit = pool.budget.gate(request, now)
        return None if limit is None else Blocked(limit)
    return None


def _overtakes(
    pool: Pool, first: Waiter, request: LeaseRequest, ticket: Ticket | None, now: float
) -> bool:
    """Whether it would be refused behind that waiter: then it takes what serves now, if any."""
    wait_until = context(pool, request, ticket, now).wait_until
    return wait_until <= now if first.until is None else first.until > wait_until


def hold(
    pool: Pool,
    request: LeaseRequest,
    exclude: frozenset[str],
    blocked: Blocked,
    ticket: Ticket | None,
    now: float,
) -> Wait | Refusal:
    """Queue a request that waiting can help, refuse any other at once."""
    cause, queue = blocked.cause, pool.queue
    waiter = queue.find(ticket)
    ends = deadline(pool, request, ticket, now)
    refused: Reason | None = None
    # Slots may be freed by the end of any lease, whatever the ramp says.
    timed = cause.until is not None and cause.reason is not Reason.SLOTS_FULL
    too_late = timed and cause.until is not None and cause.until > ends
    if blocked.at_once:
        refused = Reason.COOLDOWN
    elif not cause.temporary or now >= ends or too_late:
        refused = blocked.behind or cause.reason
    elif waiter is None and not queue.room(request, now):
        refused = Reason.QUEUE_FULL
    if refused is not None:
        queue.leave(ticket)
        retry_at = cause.until if cause.until is not None and cause.until > now else None
        return Refusal(refused, retry_at, cause.reason.value, blocked.counts)
    key = class_of(request, exclude)
    if waiter is None:
        tokens = request.input_tokens + pool.prices.expected_output(request)
        queue.leave(ticket)  # whoever lost its place and asks again comes anew
        queue.make_room(request)
        waiter = queue.join(request, key, now, ends, tokens)
    queue.reseat(waiter, key)
    waiter.exclude = exclude
    queue.asked(waiter, cause.reason, cause.until, pool.revision, ends)
    return Wait(cause.until, cause.reason, waiter.ticket)


def wake(pool: Pool, now: float) -> list[tuple[Ticket, Lease | Refusal]]:
    """Ask again on behalf of whoever may have hope, in turn; returns those that were answered."""
    pool.queue.age(now)
    round_ = _Asking(pool, now)
    round_.displaced()
    round_.lines()
    for waiter in pool.queue.due(now):  # its own time has come, whoever stands before it
        round_.ask(waiter)
    return round_.answered


@dataclass(slots=True)
class _Asking:
    """One round of asking again: each waiter at most once, of each line only the first in vain."""

    pool: Pool
    now: float
    asked: set[int] = field(default_factory=set)
    answered: list[tuple[Ticket, Lease | Refusal]] = field(default_factory=list)

    def displaced(self) -> None:
        """Who lost its place to somebody more urgent takes what serves without waiting, if any."""
        queue = self.pool.queue
        while queue.displaced:
            waiter = queue.displaced.pop(next(iter(queue.displaced)))
            at_once = replace(waiter.request, max_wait_s=0.0)
            found = self.pool.acquire(at_once, self.now, exclude=waiter.exclude)
            if isinstance(found, Refusal):
                full, cause = Reason.QUEUE_FULL, found.reason.value
                found = Refusal(full, found.retry_at, cause, found.counts)
            if not isinstance(found, Wait):  # it never waits: its patience is over
                self.answered.append((waiter.ticket, found))

    def lines(self) -> None:
        """Serve all lines in the order of turns, each until its first must go on waiting."""
        turns = self.pool.queue.lines.turns()
        while (line := turns.take()) is not None:
            first = line.first()
            if first is None or first.ticket.id in self.asked:
                continue
            wait = self.ask(first)
            if wait is not None and line.first() is first:
                self._told(line, first, wait)
            else:
                turns.add(line)

    def ask(self, waiter: Waiter) -> Wait | None:
        """Ask for one waiter; what it must go on waiting for, None when it was answered."""
        if waiter.ticket.id in self.asked or self.pool.queue.find(waiter.ticket) is None:
            return None
        self.asked.add(waiter.ticket.id)
        found = self.pool.acquire(
            waiter.request, self.now, exclude=waiter.exclude, ticket=waiter.ticket
        )
        if isinstance(found, Wait):
            return found
        self.answered.append((waiter.ticket, found))
        return None

    def _told(self, line: Line, first: Waiter, wait: Wait) -> None:
        """Those who cannot wait as long as the first of their line was just told hear it at once."""
        if wait.until is not None and wait.until != line.told:
            for waiter in self.pool.queue.impatient(first.key, wait.until):
                self.ask(waiter)
        line.told = wait.until
