"""Why a request went where it went: decisions, the last of them kept, and the same in full on demand.

Remembers and explains; decides nothing. No prompt, no answer, no secret is ever part of it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import nsmallest
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from maxpool.core.cost import Candidate, Cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from maxpool.core.cost import Behind, Terms
    from maxpool.core.eligibility import Reason, Unavailable
    from maxpool.core.lease import LeaseRequest

SHOWN_CANDIDATES = 16
Ranked = tuple[tuple[object, ...], Candidate]
"""What comes before cost, and the candidate."""


class Decision(NamedTuple):
    """Why an account was chosen: its cost, and what it was weighed against.

    `rebind`: None (stayed or first turn), `need` (its home could not serve) or `choice`; `lost_tokens`
    of warm prefix were left behind, worth `move_cost` (in the unit of the cost terms). `unavailable`:
    how many accounts were closed, by reason. `waited_s`: in the queue before it. `route`: what was named,
    where that stands for something else, and `target` what of it was chosen.
    """

    strategy: str
    account_id: str
    cost: Cost
    weighed: Sequence[Ranked] = ()
    terms: Terms | None = None
    behind: Sequence[Behind] = ()
    unavailable: Mapping[str, int] = MappingProxyType({})
    rebind: str | None = None
    lost_tokens: int = 0
    move_cost: float = 0.0
    waited_s: float = 0.0
    route: str = ""
    target: str = ""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The 16 best eligible accounts, best first, with their terms.

        What stood in line behind those that were weighed is reckoned now, from what was kept.
        """
        ranked = [*self.weighed]
        if self.terms is not None:
            for behind in self.behind:
                ranked += self.terms.rest(behind)
        best = nsmallest(SHOWN_CANDIDATES, ranked, key=lambda r: (r[0], r[1].cost.total))
        first = [c for _, c in best if c.account_id == self.account_id]
        return (*first, *(c for _, c in best if c.account_id != self.account_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One target of a route and one account that is it: chosen, able to serve, or the reason why not.

    `level`: 0 for the first targets, 1 and more for what they fall back to; `account_id` None where there
    is no such account.
    """

    label: str
    level: int
    model: str
    account_id: str | None
    chosen: bool = False
    reason: Reason | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the pool would do with a request now, in full: every account is in one of the two lists.

    `chosen` is None where it would wait or be refused: `waits_for` says what for. `route`: what the
    request named, where that stands for `targets`.
    """

    at: float
    strategy: str
    request: LeaseRequest
    chosen: str | None
    waits_for: Unavailable | None
    candidates: tuple[Candidate, ...]
    unavailable: tuple[tuple[str, Reason, float | None], ...]
    rebind: str | None = None
    lost_tokens: int = 0
    move_cost: float = 0.0
    route: str = ""
    targets: tuple[Told, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many accounts are unavailable for each reason."""
        found: dict[str, int] = {}
        for _, reason, _ in self.unavailable:
            found[reason.value] = found.get(reason.value, 0) + 1
        return found


@dataclass(slots=True)
class Record:
    """One lease in memory: what was asked, what was decided, how it ended (None while it runs)."""

    lease_id: str
    request: LeaseRequest
    decision: Decision
    at: float
    ended_at: float | None = None
    outcome: str | None = None


@dataclass(slots=True)
class DecisionLog:
    """The last decisions by lease id, oldest first; bounded."""

    limit: int
    records: OrderedDict[str, Record] = field(default_factory=OrderedDict)

    def record(self, lease_id: str, request: LeaseRequest, decision: Decision, now: float) -> None:
        """Keep a decision; the oldest makes room."""
        self.records[lease_id] = Record(lease_id, request, decision, now)
        while len(self.records) > self.limit:
            self.records.popitem(last=False)

    def ended(self, lease_id: str, outcome: str, now: float) -> None:
        """The lease ended that way; one no longer remembered is no error."""
        found = self.records.get(lease_id)
        if found is not None:
            found.outcome, found.ended_at = outcome, now

    def find(self, lease_id: str) -> Record | None:
        """The record of a lease, None when it was long ago or never was."""
        return self.records.get(lease_id)

    def latest(self) -> Iterator[Record]:
        """All of them, newest first."""
        return reversed(self.records.values())
