"""Who waits, in connections: futures for the pool's tickets, woken by events and by its next wake.

The pool decides who may go; this room asks it again, in the order of arrival, after every event,
and hands the lease to the waiter. It never polls.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Internal, Lease, LeaseRequest, Refusal, Ticket, Wait

if TYPE_CHECKING:
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.limits import Limits
    from maxpool.service.tasks import Tasks


@dataclass(slots=True)
class Parked:
    """One waiter."""

    request: LeaseRequest
    exclude: frozenset[str]
    ticket: Ticket
    size: int
    result: asyncio.Future[Lease | Refusal]


@dataclass(slots=True)
class WaitingRoom:
    """All waiters of one pool; bounded in number by the pool and in bytes here."""

    pool: Pool
    clock: Clock
    limits: Limits
    tasks: Tasks
    parked: dict[int, Parked] = field(default_factory=dict)
    bytes: int = 0
    held_s: float = 0.0
    closed: bool = False
    _alarm: asyncio.TimerHandle | None = None

    async def acquire(
        self, request: LeaseRequest, exclude: frozenset[str], size: int
    ) -> Lease | Refusal:
        """A lease as soon as the pool gives one, or its refusal; `size` is the body's bytes."""
        now = self.clock.now()
        found = self.pool.acquire(request, now, exclude=exclude)
        if not isinstance(found, Wait):
            return found
        if self.closed or self.bytes + size > self.limits.queue_bytes:
            self.pool.cancel(found.ticket, now)
            if self.closed:
                return Refusal(Reason.PAUSED, found.until, found.reason.value)
            # It cannot wait: whoever serves without waiting may, a paid key among them.
            at_once = replace(request, max_wait_s=0.0)
            now_or_never = self.pool.acquire(at_once, now, exclude=exclude)
            if isinstance(now_or_never, Lease):
                return now_or_never
            return Refusal(Reason.QUEUE_FULL, found.until, found.reason.value)
        return await self._park(request, exclude, size, found)

    async def _park(
        self, request: LeaseRequest, exclude: frozenset[str], size: int, wait: Wait
    ) -> Lease | Refusal:
        result: asyncio.Future[Lease | Refusal] = asyncio.get_running_loop().create_future()
        parked = Parked(request, exclude, wait.ticket, size, result)
        self.parked[wait.ticket.id] = parked
        self.bytes += size
        began = self.clock.now()
        self._set_alarm()
        try:
            return await result
        finally:
            self.held_s += self.clock.now() - began
            self.bytes -= size
            self.parked.pop(wait.ticket.id, None)
            self._left(parked)

    def _left(self, parked: Parked) -> None:
        """A waiter that was cancelled gives back its place, or the lease it was just handed."""
        if not parked.result.done() or parked.result.cancelled():
            self.pool.cancel(parked.ticket, self.clock.now())
            self.wake()  # somebody may have stood behind it
            return
        task = asyncio.current_task()
        found = parked.result.result()
        if isinstance(found, Lease) and task is not None and task.cancelling():
            self.pool.release(found, Internal(), self.clock.now())
            self.wake()

    def wake(self) -> None:
        """Something changed: ask the pool again for every waiter, first come first served."""
        if not self.parked:
            return
        now = self.clock.now()
        for parked in [p for p in self.parked.values() if p.result.cancelled()]:
            self.pool.cancel(parked.ticket, now)  # its client left in this very turn
        for ticket, found in self.pool.wake(now):
            waiter = self.parked.get(ticket.id)
            if waiter is not None and not waiter.result.done():
                waiter.result.set_result(found)
            elif isinstance(found, Lease):
                self.pool.release(found, Internal(), now)
        self._set_alarm()

    def close(self) -> None:
        """The server stops: every waiter is answered."""
        self.closed = True
        now = self.clock.now()
        for parked in self.parked.values():
            if not parked.result.done():
                self.pool.cancel(parked.ticket, now)
                parked.result.set_result(Refusal(Reason.PAUSED, None, "the server is stopping"))
        if self._alarm is not None:
            self._alarm.cancel()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        now = self.clock.now()
        at = self.pool.next_wake(now) if self.parked else None
        if at is not None:
            loop = asyncio.get_running_loop()
            # A little late rather than early: an alarm before its time would ring again at once.
            self._alarm = loop.call_later(max(at - now, 0.0) + 0.005, self.wake)
