"""Who waits: a bounded queue, and when to ask again on behalf of whom.

A class is what could serve a request; classes never block each other. In which order waiters have
their turns is the business of `core/lines`. Nothing here is done waiter by waiter, however many wait.
Whether somebody may go is the pool's decision; holding connections is the service's.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Ticket
from maxpool.core.lines import ClassKey, Lines, Waiter, level_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.lease import LeaseRequest
    from maxpool.core.settings import PoolSettings

Alarm = tuple[float, int]
SEEN_ENDINGS = 32
"""How many ends of leases tell how fast slots become free."""


def class_of(request: LeaseRequest, exclude: frozenset[str]) -> ClassKey:
    """Everything that decides which accounts could serve a request."""
    return (
        request.model,
        request.format,
        request.native,
        request.program,
        request.profile,
        request.needs,
        request.signed_thinking,
        request.owner,
        request.owner_chosen,
        request.home,
        request.own,
        request.budget_key,
        request.beyond,
        request.route,
        request.part,
        exclude,
    )


@dataclass(slots=True)
class Queue:
    """Waiters by ticket id, their lines, and the times at which to ask again."""

    settings: PoolSettings
    waiters: dict[int, Waiter] = field(default_factory=dict)
    by_class: dict[ClassKey, dict[int, None]] = field(default_factory=dict)
    lines: Lines = field(init=False)
    places: dict[str | None, int] = field(default_factory=dict)  # taken, by client key
    alarms: list[Alarm] = field(default_factory=list)
    deadlines: list[Alarm] = field(default_factory=list)
    promotions: list[Alarm] = field(default_factory=list)
    endings: deque[float] = field(default_factory=lambda: deque(maxlen=SEEN_ENDINGS))
    displaced: dict[int, Waiter] = field(default_factory=dict)  # not told yet
    last_id: int = 0

    def __post_init__(self) -> None:
        self.lines = Lines(self.settings, self.waiters)

    def configure(self, settings: PoolSettings) -> None:
        """Go by new settings; those who wait keep their places."""
        self.settings = self.lines.settings = settings

    def __len__(self) -> int:
        return len(self.waiters)

    # -- bounds --------------------------------------------------------------------------------

    def room(self, request: LeaseRequest, now: float) -> bool:
        """Whether one more may wait: on a free place, or on that of somebody who is less urgent.

        Those who silently let their deadline pass have left.
        """
        if self._free(request.client_key):
            return True
        self._drop_gone(now)
        return self.takes(request)

    def takes(self, request: LeaseRequest) -> bool:
        """The same by what is known; changes nothing."""
        return self._free(request.client_key) or self._weakest(request) is not None

    def _free(self, client_key: str | None) -> bool:
        limit = self.settings.queue_limit
        own = self.places.get(client_key, 0)
        return len(self.waiters) < limit and own < self.share(client_key, limit)

    def _weakest(self, request: LeaseRequest) -> Waiter | None:
        """Who would give up its place for this request: the youngest of those that step back furthest.

        A client key whose own share is full can only take a place of its own.
        """
        key, level = request.client_key, level_of(request)
        if all(held <= level for held in self.lines.levels):
            return None
        limit = self.settings.queue_limit
        among = list(self.waiters.values())
        if self.places.get(key, 0) >= self.share(key, limit):
            among = [w for w in among if w.request.client_key == key]
        found = max(among, key=lambda w: (w.level, w.ticket.id), default=None)
        return found if found is not None and found.level > level else None

    def make_room(self, request: LeaseRequest) -> None:
        """Take the place of somebody less urgent, if no place is free; it is told when all are woken."""
        weakest = None if self._free(request.client_key) else self._weakest(request)
        if weakest is None:
            return
        self.leave(weakest.ticket)
        self.displaced[weakest.ticket.id] = weakest
        while len(self.displaced) > self.settings.queue_limit:  # nobody asks on their behalf
            del self.displaced[next(iter(self.displaced))]

    def share(self, client_key: str | None, whole: int) -> int:
        """How much of something one client key may take: half where keys share it, else all.

        They share it while two or more are configured or wait; callers without a key count as one.
        """
        others = len(self.places) - (client_key in self.places)
        shared = self.settings.client_keys > 1 or others > 0
        return (whole + 1) // 2 if shared else whole

    def gone(self, waiter: Waiter, now: float) -> bool:
        """Whether a waiter's deadline passed without its asking again."""
        return waiter.deadline + self.settings.queue_grace_s < now

    def _drop_gone(self, now: float) -> None:
        while self.deadlines:
            deadline, waiter_id = self.deadlines[0]
            waiter = self.waiters.get(waiter_id)
            if waiter is not None and waiter.deadline == deadline:
                if not self.gone(waiter, now):
                    return
                self.leave(waiter.ticket)
            else:
                heapq.heappop(self.deadlines)

    # -- places --------------------------------------------------------------------------------

    def find(self, ticket: Ticket | None) -> Waiter | None:
        """The waiter of a ticket, None when it left."""
        return None if ticket is None else self.waiters.get(ticket.id)

    def join(
        self, request: LeaseRequest, key: ClassKey, now: float, deadline: float, tokens: float
    ) -> Waiter:
        """Give a request a place; `tokens` is what serving it takes of its parties' shares."""
        self.last_id += 1
        ticket, level = Ticket(self.last_id, now), level_of(request)
        waiter = Waiter(ticket, request, key, deadline, max(tokens, 1.0), level)
        self.waiters[ticket.id] = waiter
        self.by_class.setdefault(key, {})[ticket.id] = None
        self.places[request.client_key] = self.places.get(request.client_key, 0) + 1
        heapq.heappush(self.alarms, (deadline, ticket.id))
        heapq.heappush(self.deadlines, (deadline, ticket.id))
        if level:
            heapq.heappush(self.promotions, (now + self.settings.queue_aging_s, ticket.id))
        self.lines.enter(waiter)
        return waiter

    def asked(
        self, waiter: Waiter, reason: Reason, until: float | None, revision: int, deadline: float
    ) -> None:
        """It asked, and this is what it waits for now."""
        before = waiter.line
        if deadline != waiter.deadline:  # the settings changed
            waiter.deadline = deadline
            heapq.heappush(self.alarms, (deadline, waiter.ticket.id))
            heapq.heappush(self.deadlines, (deadline, waiter.ticket.id))
        waiter.reason, waiter.until, waiter.absent = reason, until, False
        waiter.asked_revision, waiter.missed_since = revision, None
        if until is not None and reason is not Reason.QUEUED:  # else it is called with the first
            heapq.heappush(self.alarms, (until, waiter.ticket.id))
        self.lines.move(waiter, before)
        self._trim()

    def reseat(self, waiter: Waiter, key: ClassKey) -> None:
        """The waiter's class changed; it keeps its age."""
        if key == waiter.key:
            return
        before = waiter.line
        self._unclass(waiter)
        waiter.key = key
        self.by_class.setdefault(key, {})[waiter.ticket.id] = None
        self.lines.move(waiter, before)

    def served(self, ticket: Ticket | None) -> None:
        """A waiter got its lease: that counts against its client key and its session."""
        waiter = self.find(ticket)
        if waiter is not None:
            self.lines.charge(waiter)
        self.leave(ticket)

    def leave(self, ticket: Ticket | None) -> None:
        """A waiter gave up or left; unknown tickets are no error."""
        if ticket is not None and self.displaced:
            self.displaced.pop(ticket.id, None)
        waiter = self.waiters.pop(ticket.id, None) if ticket is not None else None
        if waiter is None:
            return
        self.lines.leave(waiter)
        self._unclass(waiter)
        name = waiter.request.client_key
        self.places[name] -= 1
        if not self.places[name]:
            del self.places[name]
        self._trim()

    def _unclass(self, waiter: Waiter) -> None:
        same = self.by_class[waiter.key]
        del same[waiter.ticket.id]
        if not same:
            del self.by_class[waiter.key]

    # -- turns ---------------------------------------------------------------------------------

    def ahead(
        self, request: LeaseRequest, key: ClassKey, ticket: Ticket | None, now: float, revision: int
    ) -> Waiter | None:
        """The first of the same class, if its turn comes earlier and it is still there.

        Nobody tells when a waiter silently goes away: one that let a change pass (of the pool, or
        its own time) for `queue_grace_s` without asking again stands in nobody's way any more.
        """
        own = self.find(ticket)
        while (first := self.lines.first(key)) is not None:
            if first is own:
                return None
            if first.deadline >= now and not self._misses(first, now, revision):
                if own is None:
                    return first if first.level <= level_of(request) else None
                return first if first.turn() < own.turn() else None
            before, first.absent = first.line, True
            self.lines.move(first, before)
        return None

    def _misses(self, waiter: Waiter, now: float, revision: int) -> bool:
        due = waiter.until is not None and waiter.until <= now
        if waiter.asked_revision == revision and not due:
            return False
        grace_s = self.settings.queue_grace_s
        if waiter.missed_since is None:
            waiter.missed_since = now
            heapq.heappush(self.alarms, (now + grace_s, waiter.ticket.id))
        return now - waiter.missed_since >= grace_s

    def expected(self, first: Waiter, now: float) -> float | None:
        """When a waiter is asked again or counts as gone; None when only an event tells."""
        if first.missed_since is not None:
            return first.missed_since + self.settings.queue_grace_s
        return first.until if first.until is not None and first.until > now else None

    def age(self, now: float) -> None:
        """Who has waited counts as more urgent, a step for each `queue_aging_s`."""
        while self.promotions and self.promotions[0][0] <= now:
            at, waiter_id = heapq.heappop(self.promotions)
            waiter = self.waiters.get(waiter_id)
            if waiter is None:
                continue
            self.lines.promote(waiter)
            if waiter.level:
                heapq.heappush(self.promotions, (at + self.settings.queue_aging_s, waiter_id))

    # -- times ---------------------------------------------------------------------------------

    def next_wake(self, now: float) -> float | None:
        """When a waiter's own time comes; now when all such times passed, None when nobody waits."""
        if self.alarms and self.alarms[0][0] > now and self._holds(self.alarms[0]):
            return self.alarms[0][0]
        later = [alarm[0] for alarm in self.alarms if alarm[0] > now and self._holds(alarm)]
        if later:
            return min(later)
        return now if any(not self.gone(w, now) for w in self.waiters.values()) else None

    def due(self, by: float) -> list[Waiter]:
        """Who has a time of its own, or a deadline, up to then; in their turns."""
        found = {w.ticket.id: w for w in self._until(self.alarms, by)}
        return sorted(found.values(), key=Waiter.turn)

    def impatient(self, key: ClassKey, before: float) -> list[Waiter]:
        """Who of a class cannot wait that long; in their turns."""
        found = {w.ticket.id: w for w in self._until(self.deadlines, before) if w.key == key}
        return sorted((w for w in found.values() if w.deadline < before), key=Waiter.turn)

    def ended(self, now: float) -> None:
        """A lease ended: that tells how fast slots become free."""
        self.endings.append(now)

    def pace_s(self, now: float) -> float | None:
        """Seconds from one end of a lease to the next, lately; None while too few were seen."""
        if len(self.endings) < 2 or self.endings[0] >= now:
            return None
        return (now - self.endings[0]) / len(self.endings)

    def _until(self, heap: list[Alarm], by: float) -> Iterator[Waiter]:
        """The waiters of a heap's entries up to then; looks at no others."""
        places = [0]
        for place in places:
            if place < len(heap) and heap[place][0] <= by:
                if self._holds(heap[place]):
                    yield self.waiters[heap[place][1]]
                places += (2 * place + 1, 2 * place + 2)

    def _holds(self, alarm: Alarm) -> bool:
        """Whether a noted time still is one of its waiter's."""
        waiter = self.waiters.get(alarm[1])
        if waiter is None:
            return False
        missed = waiter.missed_since
        back = None if missed is None else missed + self.settings.queue_grace_s
        return alarm[0] in (waiter.until, waiter.deadline, back)

    def _trim(self) -> None:
        for heap in (self.alarms, self.deadlines):
            while heap and not self._holds(heap[0]):
                heapq.heappop(heap)
            if len(heap) > 4 * len(self.waiters) + 64:
                heap[:] = sorted({alarm for alarm in heap if self._holds(alarm)})
        if len(self.promotions) > 2 * len(self.waiters) + 64:
            self.promotions = sorted(p for p in self.promotions if p[1] in self.waiters)
