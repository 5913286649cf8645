"""Who stands where: waiters in lines, all of them in one order of turns.

Urgency first, then client keys, then their sessions (`core/fair`). A line holds those of whom only
the first needs to be asked: a class's own line, and beside it lines for whoever waits for a reason of
its own or does not show up, who hold nobody up. Keeps no times and no bounds.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.core.eligibility import Reason
from maxpool.core.fair import Branch, Order, Party, Rank, Round

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest, Ticket
    from maxpool.core.settings import PoolSettings

ClassKey = tuple[Any, ...]
LineKey = tuple[Any, ...]
Path = tuple[Party, Party, Party]  # urgency, client key, session
NOWHERE: Path = (Party(0.0, 0), Party(0.0, 0), Party(0.0, 0))
LEAST_URGENT = 100


def level_of(request: LeaseRequest) -> int:
    """How far a request steps back; 0 is the most urgent."""
    return min(max(request.priority, 0), LEAST_URGENT)


@dataclass(slots=True, eq=False)
class Waiter:
    """One request in the queue; `tokens` is what serving it takes of its parties' shares."""

    ticket: Ticket
    request: LeaseRequest
    key: ClassKey
    deadline: float
    tokens: float
    level: int
    path: Path = NOWHERE
    reason: Reason = Reason.QUEUED
    until: float | None = None
    exclude: frozenset[str] = frozenset()
    asked_revision: int = -1
    missed_since: float | None = None
    absent: bool = False

    @property
    def line(self) -> LineKey:
        """The line it belongs to."""
        if self.absent:
            return (self.key, "absent")
        if self.reason is Reason.KEY_PRICE:
            return (self.key, "key_price")
        if self.reason is Reason.HOME_BUSY:
            return (self.key, "home_busy", self.request.session)
        return (self.key,)

    def turn(self) -> Rank:
        """Its place in the order of turns."""
        level, key, session = self.path
        return (level.start, key.at, key.number, session.at, self.ticket.id)


@dataclass(slots=True, eq=False)
class Line:
    """Waiters of whom only the first needs to be asked."""

    waiters: dict[int, Waiter]
    tree: Branch = field(default_factory=lambda: Branch(Party(0.0, 0)))
    told: float | None = None  # until when its first was last told to wait

    def rank(self) -> Rank | None:
        """The turn of its first."""
        first = self.first()
        return None if first is None else first.turn()

    def first(self) -> Waiter | None:
        """Whose turn it is."""
        found = self.tree.first()
        return None if found is None else self.waiters[found]


@dataclass(slots=True, eq=False)
class Level:
    """One degree of urgency and its round of client keys."""

    party: Party
    keys: Round


@dataclass(slots=True)
class Lines:
    """All lines, and the rounds that order those who stand in them."""

    settings: PoolSettings
    waiters: dict[int, Waiter]
    by_key: dict[LineKey, Line] = field(default_factory=dict)
    levels: dict[int, Level] = field(default_factory=dict)

    def first(self, key: ClassKey) -> Waiter | None:
        """The first of a class's own line."""
        line = self.by_key.get((key,))
        return None if line is None else line.first()

    def turns(self) -> Order[Line]:
        """All lines by the turns of their first."""
        order: Order[Line] = Order()
        for line in self.by_key.values():
            order.add(line)
        return order

    def enter(self, waiter: Waiter) -> None:
        """A waiter comes in."""
        quantum, request = self.settings.queue_quantum_tokens, waiter.request
        level = self.levels.get(waiter.level)
        if level is None:
            party = Party(float(waiter.level), waiter.level)
            level = self.levels[waiter.level] = Level(party, Round(quantum))
        key = level.keys.enter(request.client_key)
        if key.inner is None:
            key.inner = Round(quantum)
        waiter.path = (level.party, key, key.inner.enter(request.session))
        self._stand(waiter)

    def leave(self, waiter: Waiter) -> None:
        """A waiter goes away."""
        self._unstand(waiter, waiter.line)
        _, key, session = waiter.path
        if key.inner is not None:
            key.inner.leave(session)
        keys = self.levels[waiter.level].keys
        keys.leave(key)
        if not keys.waiting:
            del self.levels[waiter.level]

    def charge(self, waiter: Waiter) -> None:
        """A waiter is served: its key and its session had a turn."""
        _, key, session = waiter.path
        if key.inner is not None:
            key.inner.charge(session, waiter.tokens)
        self.levels[waiter.level].keys.charge(key, waiter.tokens)

    def promote(self, waiter: Waiter) -> None:
        """A waiter becomes a step more urgent."""
        self.leave(waiter)
        waiter.level -= 1
        self.enter(waiter)

    def move(self, waiter: Waiter, before: LineKey) -> None:
        """A waiter that stood in that line goes to the one it belongs to now."""
        if waiter.line != before:
            self._unstand(waiter, before)
            self._stand(waiter)

    def _stand(self, waiter: Waiter) -> None:
        line = self.by_key.get(waiter.line)
        if line is None:
            line = self.by_key[waiter.line] = Line(self.waiters)
        line.tree.add(waiter.path, waiter.ticket.id)

    def _unstand(self, waiter: Waiter, before: LineKey) -> None:
        line = self.by_key[before]
        line.tree.remove(waiter.path, waiter.ticket.id)
        if not line.tree.below:
            del self.by_key[before]


def in_turn(waiters: list[Waiter]) -> list[Waiter]:
    """These waiters as they would be served one after another, if nobody else came."""
    levels: dict[Party, dict[Party, dict[Party, list[Waiter]]]] = {}
    for waiter in sorted(waiters, key=lambda w: -w.ticket.id):  # so that the oldest is popped first
        level, key, session = waiter.path
        levels.setdefault(level, {}).setdefault(key, {}).setdefault(session, []).append(waiter)
    found: list[Waiter] = []
    for level in sorted(levels, key=lambda party: party.start):
        found += _served(levels[level])
    return found


def _served(keys: dict[Party, dict[Party, list[Waiter]]]) -> list[Waiter]:
    found: list[Waiter] = []
    inner = {
        key: [(s.at, ids[-1].ticket.id, ids) for s, ids in sessions.items()]
        for key, sessions in keys.items()
    }
    for sessions in inner.values():
        heapq.heapify(sessions)
    outer = [(key.at, key.number, sessions) for key, sessions in inner.items()]
    heapq.heapify(outer)
    while outer:
        key_start, number, sessions = heapq.heappop(outer)
        start, _, left = heapq.heappop(sessions)
        waiter = left.pop()
        found.append(waiter)
        if left:
            heapq.heappush(sessions, (start + waiter.tokens, left[-1].ticket.id, left))
        if sessions:
            heapq.heappush(outer, (key_start + waiter.tokens, number, sessions))
    return found
