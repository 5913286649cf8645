"""Who may choose now, who waits, who is refused: what stands around the choice itself.

Functions over the pool's state: the gate before a choice, the place in the queue after one that
found nobody, and the asking again. They choose no account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.eligibility import Context, Reason, Unavailable
from maxpool.core.lease import Lease, LeaseRequest, Refusal, Ticket, Wait
from maxpool.core.queue import ClassKey, Waiter, class_of
from maxpool.core.select import Blocked

if TYPE_CHECKING:
    from maxpool.core.pool import Pool


def arrived(request: LeaseRequest, ticket: Ticket | None, now: float) -> float:
    """When the request came."""
    if request.arrived_at is not None:
        return request.arrived_at
    return ticket.queued_at if ticket is not None else now


def context(pool: Pool, request: LeaseRequest, ticket: Ticket | None, now: float) -> Context:
    """What `check` needs to know of the pool."""
    room = pool.queue.find(ticket) is not None or not pool.queue.full(now)
    wait_until = deadline(pool, request, ticket, now) if room else now
    return Context(
        pool.settings, pool.plan_in_flight, False, wait_until, pool.throttle, pool.revision
    )


def deadline(pool: Pool, request: LeaseRequest, ticket: Ticket | None, now: float) -> float:
    """Until when it may wait."""
    patience = request.max_wait_s
    if patience is None:
        patience = pool.settings.queue_max_wait_s
    return arrived(request, ticket, now) + patience


def gate(
    pool: Pool, request: LeaseRequest, key: ClassKey, ticket: Ticket | None, now: float
) -> Blocked | None:
    """What holds back every request of this kind, whatever the accounts."""
    if not pool.states:
        return Blocked(Unavailable(Reason.NO_ACCOUNTS))
    if pool.paused:
        return Blocked(Unavailable(Reason.PAUSED))
    if pool.queue.waiters:
        first = pool.queue.ahead(key, ticket, now, pool.revision)
        if first is not None and not _overtakes(pool, first, request, ticket, now):
            until = pool.queue.expected(first, now)
            return Blocked(Unavailable(Reason.QUEUED, until), behind=first.reason)
    return None


def _overtakes(
    pool: Pool, first: Waiter, request: LeaseRequest, ticket: Ticket | None, now: float
) -> bool:
    """Whether it would be refused behind that waiter: then it takes what serves now, if any."""
    wait_until, until = context(pool, request, ticket, now).wait_until, first.until
    if until is None:
        return wait_until <= now or first.reason is Reason.KEY_PRICE
    return until > wait_until


def hold(
    pool: Pool,
    request: LeaseRequest,
    exclude: frozenset[str],
    blocked: Blocked,
    ticket: Ticket | None,
    now: float,
) -> Wait | Refusal:
    """Queue a request that waiting can help, refuse any other at once."""
    cause = blocked.cause
    waiter = pool.queue.find(ticket)
    ends = deadline(pool, request, ticket, now)
    refused: Reason | None = None
    too_late = cause.until is not None and cause.until > ends
    if not cause.temporary or now >= ends or too_late:
        refused = blocked.behind or cause.reason
    elif waiter is None and pool.queue.full(now):
        refused = Reason.QUEUE_FULL
    if refused is not None:
        pool.queue.leave(ticket)
        retry_at = cause.until if cause.until is not None and cause.until > now else None
        return Refusal(refused, retry_at, cause.reason.value, blocked.counts)
    key = class_of(request, exclude)
    if waiter is None:
        waiter = pool.queue.join(request, key, now, ends)
    pool.queue.reseat(waiter, key)
    waiter.exclude = exclude
    waiter.asked(cause.reason, cause.until, pool.revision)
    return Wait(cause.until, cause.reason, waiter.ticket)


def wake(pool: Pool, now: float) -> list[tuple[Ticket, Lease | Refusal]]:
    """Ask again for every waiter, in order; returns those that were answered."""
    answered: list[tuple[Ticket, Lease | Refusal]] = []
    blocked: dict[ClassKey, Wait] = {}
    for waiter in list(pool.queue.waiters.values()):
        if _still_waits(waiter, blocked.get(waiter.key), now):
            continue
        found = pool.acquire(waiter.request, now, exclude=waiter.exclude, ticket=waiter.ticket)
        if not isinstance(found, Wait):
            answered.append((waiter.ticket, found))
        elif found.reason is not Reason.KEY_PRICE:  # that depends on each one's arrival
            blocked[waiter.key] = found
    return answered


def _still_waits(waiter: Waiter, first: Wait | None, now: float) -> bool:
    """Whether one of the same class was just told to wait, and this one can wait as well."""
    if first is None or now >= waiter.deadline:
        return False
    return first.until is None or first.until <= waiter.deadline
