"""Turns by tokens: who of many goes next, so that none gets much more than another that waits too.

Start-time fair queueing (Goyal, Vin and Cheng, 1996) over a tree: client keys, below them sessions.
Each party has a `start`, the tokens it was served on the scale of its round; the smallest goes next.
Whoever comes new stands at the end of the round, but at most a quantum behind the first, so that no
stream of newcomers holds up who waits; and nobody is ever more than a quantum behind who is served,
so that what could not be served for a while does not hold up the others once it can.

Deficit round robin would promise the same. Here the order is a comparison of numbers that only a
served request moves: it can be read without being changed, it is the same however often and by whom
it is asked for, and it holds within any subset of the waiters, such as those of one class.

The bound: of two parties that wait side by side none is served more than a quantum and one largest
request ahead of the other, beyond what that one was served in advance (one largest request at most).
This room knows no clock, no pool and no reasons.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

Rank = tuple[float, ...]
SPARE = 32
"""Entries of a heap, and remembered parties, beyond which the outdated ones are swept out."""


class Ranked(Protocol):
    """Something with a rank, None once it no longer stands there."""

    def rank(self) -> Rank | None:
        """Its rank now; lower goes first."""


_R = TypeVar("_R", bound=Ranked)


@dataclass(slots=True, eq=False)
class Order(Generic[_R]):
    """Things by ranks that grow by themselves, put right only where somebody looks.

    Whose rank fell has to be added again.
    """

    heap: list[tuple[Rank, int, _R]] = field(default_factory=list)
    added: int = 0
    sweep_at: int = SPARE

    def add(self, thing: _R) -> None:
        """Put a thing in its place."""
        rank = thing.rank()
        if rank is None:
            return
        self.added += 1
        heapq.heappush(self.heap, (rank, self.added, thing))
        if len(self.heap) >= self.sweep_at:
            self._sweep()

    def first(self) -> _R | None:
        """The thing of lowest rank."""
        heap = self.heap
        while heap:
            noted, number, thing = heap[0]
            rank = thing.rank()
            if rank == noted:
                return thing
            if rank is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (rank, number, thing))
        return None

    def take(self) -> _R | None:
        """The thing of lowest rank, which then no longer stands here."""
        found = self.first()
        if found is not None:
            heapq.heappop(self.heap)
        return found

    def _sweep(self) -> None:
        standing = {id(thing): (number, thing) for _, number, thing in self.heap}
        ranked = [(thing.rank(), number, thing) for number, thing in standing.values()]
        self.heap = [(rank, number, thing) for rank, number, thing in ranked if rank is not None]
        heapq.heapify(self.heap)
        self.sweep_at = 2 * len(self.heap) + SPARE


@dataclass(slots=True, eq=False)
class Party:
    """One among its like: a client key, a session of it, or a degree of urgency."""

    start: float
    number: int
    waiting: int = 0
    round: Round | None = None
    inner: Round | None = None

    @property
    def at(self) -> float:
        """Where it stands; lower goes first."""
        return self.start if self.round is None else max(self.start, self.round.floor)

    def rank(self) -> Rank | None:
        """Its place among those that wait."""
        return (self.at, self.number) if self.waiting else None


@dataclass(slots=True, eq=False)
class Round:
    """Parties that take turns. What one was served is remembered for as long as others wait."""

    quantum: float
    parties: dict[Hashable, Party] = field(default_factory=dict)
    order: Order[Party] = field(default_factory=Order)
    waiting: int = 0
    latest: float = 0.0  # the last place of the round
    floor: float = 0.0  # no place is before it
    numbers: int = 0

    def enter(self, name: Hashable) -> Party:
        """One more of this party waits."""
        party = self.parties.get(name)
        if party is None:
            self.numbers += 1
            party = self.parties[name] = Party(self._end(), self.numbers, round=self)
        elif not party.waiting:
            party.start = max(party.at, self._end())
        self.waiting += 1
        party.waiting += 1
        if party.waiting == 1:
            self.order.add(party)
            self._forget()
        return party

    def leave(self, party: Party) -> None:
        """One fewer of this party waits."""
        self.waiting -= 1
        party.waiting -= 1
        if self.waiting == 0:
            self.parties.clear()
            self.order = Order()
            self.latest = self.floor = 0.0

    def charge(self, party: Party, tokens: float) -> None:
        """One of this party was served."""
        self.floor = max(self.floor, party.at - self.quantum)
        party.start = party.at + tokens
        self.latest = max(self.latest, party.start)

    def _end(self) -> float:
        """Where a newcomer stands."""
        first = self.order.first()
        return self.latest if first is None else min(self.latest, first.at + self.quantum)

    def _forget(self) -> None:
        """Drop who does not wait and would stand at the end of the round in any case."""
        if len(self.parties) <= 2 * self.waiting + SPARE:
            return
        end = self._end()
        idle = [(p.at, p.number, name) for name, p in self.parties.items() if not p.waiting]
        over = len(self.parties) - self.waiting - SPARE
        for place, (start, _, name) in enumerate(sorted(idle, key=lambda one: one[:2])):
            if start <= end or place < over:
                del self.parties[name]


@dataclass(slots=True, eq=False)
class Branch:
    """A part of a line: the waiters of one party, below it those of its members, by their turn."""

    party: Party
    below: dict[int, Branch] = field(default_factory=dict)
    order: Order[Branch] = field(default_factory=Order)
    ids: list[int] = field(default_factory=list)  # of a leaf

    def rank(self) -> Rank | None:
        """Its place among its siblings: tokens, then among sessions who came first."""
        if self.ids:
            return (self.party.at, self.ids[0])
        return (self.party.at, self.party.number) if self.below else None

    def add(self, path: tuple[Party, ...], waiter_id: int) -> None:
        """A waiter stands in line, by its parties from the top down."""
        if not path:
            insort(self.ids, waiter_id)
            return
        head = path[0]
        branch = self.below.get(head.number)
        if branch is None:
            branch = self.below[head.number] = Branch(head)
        before = branch.rank()
        branch.add(path[1:], waiter_id)
        if branch.rank() != before:
            self.order.add(branch)

    def remove(self, path: tuple[Party, ...], waiter_id: int) -> None:
        """A waiter left the line."""
        if not path:
            del self.ids[bisect_left(self.ids, waiter_id)]
            return
        number = path[0].number
        branch = self.below[number]
        branch.remove(path[1:], waiter_id)
        if branch.rank() is None:
            del self.below[number]

    def first(self) -> int | None:
        """The waiter whose turn it is."""
        branch: Branch | None = self
        while branch is not None and not branch.ids:
            branch = branch.order.first()
        return None if branch is None else branch.ids[0]
