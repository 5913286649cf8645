"""Who waits: a bounded queue, first come first served within a class of requests.

A class is what could serve a request; classes never block each other. The pool asks who stands
before a newcomer; holding connections is the service's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Ticket

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest

ClassKey = tuple[Any, ...]


def class_of(request: LeaseRequest, exclude: frozenset[str]) -> ClassKey:
    """Everything that decides which accounts could serve a request."""
    return (
        request.model,
        request.format,
        request.program,
        request.profile,
        request.needs,
        request.signed_thinking,
        request.owner,
        exclude,
    )


@dataclass(slots=True)
class Waiter:
    """One request in the queue."""

    ticket: Ticket
    request: LeaseRequest
    key: ClassKey
    deadline: float
    reason: Reason
    until: float | None
    exclude: frozenset[str] = frozenset()
    asked_revision: int = -1
    missed_since: float | None = None

    def asked(self, reason: Reason, until: float | None, revision: int) -> None:
        """It asked, and this is what it waits for now."""
        self.reason, self.until = reason, until
        self.asked_revision, self.missed_since = revision, None


@dataclass(slots=True)
class Queue:
    """Waiters by ticket id, in order of arrival."""

    limit: int
    grace_s: float = 1.0
    waiters: dict[int, Waiter] = field(default_factory=dict)
    by_class: dict[ClassKey, dict[int, None]] = field(default_factory=dict)
    last_id: int = 0

    def __len__(self) -> int:
        return len(self.waiters)

    def full(self, now: float) -> bool:
        """Whether nobody else may wait; those who silently let their deadline pass have left."""
        if len(self.waiters) >= self.limit:
            for waiter in [w for w in self.waiters.values() if self.gone(w, now)]:
                self.leave(waiter.ticket)
        return len(self.waiters) >= self.limit

    def gone(self, waiter: Waiter, now: float) -> bool:
        """Whether a waiter's deadline passed without its asking again."""
        return waiter.deadline + self.grace_s < now

    def expected(self, first: Waiter, now: float) -> float | None:
        """When a waiter will have been served or will count as gone; None when only an event tells."""
        if first.missed_since is not None:
            return first.missed_since + self.grace_s
        return first.until if first.until is not None and first.until > now else None

    def ahead(
        self, key: ClassKey, ticket: Ticket | None, now: float, revision: int
    ) -> Waiter | None:
        """The first of the same class, if it came earlier and is still there.

        Nobody tells when a waiter silently goes away: one that let a change pass (of the pool, or
        its own time) for `grace_s` without asking again no longer stands in anybody's way.
        """
        for waiter_id in self.by_class.get(key, ()):
            first = self.waiters[waiter_id]
            if ticket is not None and first.ticket.id >= ticket.id:
                return None
            if first.deadline >= now and not self._absent(first, now, revision):
                return first
        return None

    def _absent(self, waiter: Waiter, now: float, revision: int) -> bool:
        due = waiter.until is not None and waiter.until <= now
        if waiter.asked_revision == revision and not due:
            return False
        if waiter.missed_since is None:
            waiter.missed_since = now
        return now - waiter.missed_since >= self.grace_s

    def find(self, ticket: Ticket | None) -> Waiter | None:
        """The waiter of a ticket, None when it left."""
        return None if ticket is None else self.waiters.get(ticket.id)

    def join(self, request: LeaseRequest, key: ClassKey, now: float, deadline: float) -> Waiter:
        """Give a request a place at the end."""
        self.last_id += 1
        waiter = Waiter(Ticket(self.last_id, now), request, key, deadline, Reason.QUEUED, None)
        self.waiters[self.last_id] = waiter
        self.by_class.setdefault(key, {})[self.last_id] = None
        return waiter

    def reseat(self, waiter: Waiter, key: ClassKey) -> None:
        """The waiter's class changed; it keeps its age."""
        if key == waiter.key:
            return
        self._unclass(waiter)
        waiter.key = key
        members = [*self.by_class.get(key, {}), waiter.ticket.id]
        self.by_class[key] = dict.fromkeys(sorted(members))

    def leave(self, ticket: Ticket | None) -> None:
        """A waiter was served, gave up or left; unknown tickets are no error."""
        waiter = self.waiters.pop(ticket.id, None) if ticket is not None else None
        if waiter is not None:
            self._unclass(waiter)

    def _unclass(self, waiter: Waiter) -> None:
        same = self.by_class[waiter.key]
        del same[waiter.ticket.id]
        if not same:
            del self.by_class[waiter.key]
