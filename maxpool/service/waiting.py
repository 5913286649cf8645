"""Who waits, in connections: futures for the pool's tickets, woken by events and by its next wake.

The pool decides who may go; this room has it ask again after every event, and hands the lease to the
waiter. It never polls.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Internal, Lease, Refusal, Wait
from maxpool.wire.replies import STOPPING

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest, Ticket
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.limits import Limits
    from maxpool.service.tasks import Tasks


class Answer(asyncio.Future["Lease | Refusal"]):
    """What a waiter waits for; notes in the very moment that its client has left."""

    def __init__(self, gone: list[int], ticket: Ticket) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._gone = gone
        self._ticket = ticket

    def cancel(self, msg: object = None) -> bool:
        """The waiting task was cancelled; its own way out runs only in the loop's next turn."""
        cancelled = super().cancel(msg)
        if cancelled:
            self._gone.append(self._ticket.id)
        return cancelled


@dataclass(slots=True)
class Parked:
    """One waiter."""

    request: LeaseRequest
    ticket: Ticket
    size: int
    result: Answer


@dataclass(slots=True)
class WaitingRoom:
    """All waiters of one pool; bounded in number by the pool and in bytes here.

    `bytes`: of the bodies of all waiters; `bytes_of` the same by client key.
    """

    pool: Pool
    clock: Clock
    limits: Limits
    tasks: Tasks
    parked: dict[int, Parked] = field(default_factory=dict)
    bytes: int = 0
    bytes_of: dict[str | None, int] = field(default_factory=dict)
    held_s: float = 0.0
    closed: bool = False
    gone: list[int] = field(default_factory=list)
    _alarm: asyncio.TimerHandle | None = None

    async def acquire(
        self, request: LeaseRequest, exclude: frozenset[str], size: int
    ) -> Lease | Refusal:
        """A lease as soon as the pool gives one, or its refusal; `size` is the body's bytes."""
        now = self.clock.now()
        self._drop_gone(now)
        found = self.pool.acquire(request, now, exclude=exclude)
        if not isinstance(found, Wait):
            return found
        if self.closed or not self._room(request.client_key, size):
            self.pool.cancel(found.ticket, now)
            self._tell_displaced()
            if self.closed:
                return Refusal(Reason.PAUSED, found.until, STOPPING)
            # It cannot wait: whoever serves without waiting may, a paid key among them.
            at_once = replace(request, max_wait_s=0.0)
            now_or_never = self.pool.acquire(at_once, now, exclude=exclude)
            if isinstance(now_or_never, Lease):
                return now_or_never
            return Refusal(Reason.QUEUE_FULL, found.until, found.reason.value)
        return await self._park(request, size, found, now)

    def _room(self, client_key: str | None, size: int) -> bool:
        """Whether a body may wait as well: all within the bound, each client key within its share.

        Whoever just lost its place to it takes no room any more.
        """
        queue = self.pool.queue
        whole, share = self.limits.queue_bytes, queue.share(client_key, self.limits.queue_bytes)
        leaving = [self.parked[each] for each in queue.displaced if each in self.parked]
        freed = sum(each.size for each in leaving)
        own = self.bytes_of.get(client_key, 0)
        own -= sum(each.size for each in leaving if each.request.client_key == client_key)
        return self.bytes - freed + size <= whole and own + size <= share

    def _count(self, client_key: str | None, size: int) -> None:
        self.bytes += size
        left = self.bytes_of.pop(client_key, 0) + size
        if left:
            self.bytes_of[client_key] = left

    async def _park(
        self, request: LeaseRequest, size: int, wait: Wait, asked_at: float
    ) -> Lease | Refusal:
        parked = Parked(request, wait.ticket, size, Answer(self.gone, wait.ticket))
        self.parked[wait.ticket.id] = parked
        self._count(request.client_key, size)
        began = self.clock.elapsed()
        self._tell_displaced()
        self._ring_by(self.pool.next_wake(asked_at))
        try:
            return await parked.result
        finally:
            self.held_s += self.clock.elapsed() - began
            self._remove(wait.ticket.id)
            self._left(parked)

    def _remove(self, waiter_id: int) -> Parked | None:
        parked = self.parked.pop(waiter_id, None)
        if parked is not None:
            self._count(parked.request.client_key, -parked.size)
        return parked

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
        """Something changed: the pool asks again on behalf of its waiters, in their turns."""
        self._silence()
        if not self.parked:
            return
        now = self.clock.now()
        self._drop_gone(now)
        for ticket, found in self.pool.wake(now):
            waiter = self._remove(ticket.id)
            if waiter is not None and not waiter.result.done():
                waiter.result.set_result(found)
            elif isinstance(found, Lease):
                self.pool.release(found, Internal(), now)
        # What came about since `now` is due at once: the pool is asked about the time after `now`.
        self._ring_by(self.pool.next_wake(now) if self.parked else None)

    def _tell_displaced(self) -> None:
        """Somebody less urgent gave up its place for a newcomer: it need not wait to hear it."""
        if self.pool.queue.displaced:
            self.wake()

    def _drop_gone(self, now: float) -> None:
        """Those whose clients left in this very turn of the loop give up their places already."""
        while self.gone:
            parked = self._remove(self.gone.pop())
            if parked is not None:
                self.pool.cancel(parked.ticket, now)

    def close(self) -> None:
        """The server stops: every waiter is answered."""
        self.closed = True
        now = self.clock.now()
        for parked in self.parked.values():
            if not parked.result.done():
                self.pool.cancel(parked.ticket, now)
                parked.result.set_result(Refusal(Reason.PAUSED, None, STOPPING))
        self._silence()

    def _ring_by(self, at: float | None) -> None:
        """Ask again at `at` (epoch seconds), unless the alarm is set for an earlier time."""
        if at is None:
            return
        loop = asyncio.get_running_loop()
        # A little late rather than early: an alarm before its time would ring again at once.
        when = loop.time() + max(at - self.clock.now(), 0.0) + 0.005
        if self._alarm is not None and self._alarm.when() <= when:
            return
        self._silence()
        self._alarm = loop.call_at(when, self.wake)

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
