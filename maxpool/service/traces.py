"""Which leases a request had and how it ended, for the question "why there?". Bounded.

The pool remembers decisions and outcomes by lease; only here is known that several leases were one
request, or that a request ended without any. Never a word of a request's or answer's text.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.lease import Lease, LeaseRequest, Refusal
    from maxpool.service.job import Job

Kind = Literal["messages", "count_tokens", "other"]

KEPT_TRIES = 16
"""Tries of one request that are kept; a request is sent six times at most by default, and
tries that never reached an upstream come on top."""


@dataclass(slots=True)
class Trace:
    """One request: what was asked (no text of it), the leases of its tries, and how it ended.

    `refusal` is the pool's last; `status` is what the caller got, 0 when the caller left before an answer, None while it runs.
    """

    request_id: str
    kind: Kind
    request: LeaseRequest
    began_at: float
    lease_ids: list[str] = field(default_factory=list)
    refusal: Refusal | None = None
    waited_s: float = 0.0
    status: int | None = None
    ended_at: float | None = None

    def leased(self, lease: Lease) -> None:
        """A lease was given for it."""
        if len(self.lease_ids) < KEPT_TRIES:
            self.lease_ids.append(lease.id)

    def ended(self, status: int, waited_s: float, now: float) -> None:
        """It was answered with that status, or its caller left (0)."""
        self.status, self.waited_s, self.ended_at = status, waited_s, now


@dataclass(slots=True)
class Traces:
    """The latest requests, oldest first."""

    by_request: OrderedDict[str, Trace] = field(default_factory=OrderedDict)
    limit: int = 0

    def begin(self, job: Job, now: float, limit: int) -> Trace:
        """Follow a request from now on; `limit`: how many are remembered, the oldest makes room."""
        kind: Kind = (
            "count_tokens" if job.counts_tokens else "messages" if job.asks_model else "other"
        )
        trace = Trace(job.request_id, kind, job.request, now)
        self.by_request[job.request_id] = trace
        self.limit = limit
        while len(self.by_request) > limit:
            self.by_request.popitem(last=False)
        return trace

    def find(self, known_id: str) -> Trace | None:
        """The request of that id, or the one that held the lease of that id."""
        found = self.by_request.get(known_id)
        if found is not None:
            return found
        return next((t for t in self.latest() if known_id in t.lease_ids), None)

    def latest(self) -> Iterator[Trace]:
        """Requests, the newest first."""
        return reversed(self.by_request.values())
