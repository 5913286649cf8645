"""After a failed try: what the request does next. The `then` column of the outcome table, as data.

Pure; what the failure does to the account is the core's business (`core/effects`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from maxpool.core.lease import (
    AuthRejected,
    NetworkFailure,
    Outcome,
    Overloaded,
    RequestRejected,
    TransientFailure,
)
from maxpool.core.values import value

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest
    from maxpool.ports import RawHeaders
    from maxpool.service.limits import Limits


REMOVED: Final = "removed"
MOVED: Final = "moved"
GONE: Final = frozenset({REMOVED, MOVED})
"""Kinds of a try that was never sent, because a new config took the account away meanwhile."""


class Then(Enum):
    """What a request does after a failed try."""

    SAME = "same"  # once more on the same account, after a short pause
    RENEW = "renew"  # once more on the same account, with a renewed bearer
    NEXT = "next"  # the next eligible account, at once
    BACKOFF = "backoff"  # the next eligible account, after a short pause
    OTHER_ONCE = "other_once"  # one other account, then the answer passes through
    PASS = "pass"  # noqa: S105 - no password, the answer belongs to the caller


@value(frozen=True, slots=True)
class Failed:
    """A try that ended before content: what it was, and the upstream's own words if it had any."""

    outcome: Outcome
    status: int = 0
    headers: RawHeaders = ()
    body: bytes = b""
    whole: bool = True  # whether the body is all that the upstream meant to say


@dataclass(slots=True)
class Trail:
    """What one request has tried: accounts, sends, time.

    `began`: epoch seconds; `since` and `network_since`: by the clock that nobody sets.
    """

    began: float
    since: float = 0.0
    tried: set[str] = field(default_factory=set)
    sends: int = 0
    unsent: int = 0  # of these, never left: no connection; the network budget bounds them
    trying_s: float = 0.0
    network_since: float | None = None
    others_asked: bool = False
    repeated: set[str] = field(default_factory=set)
    renewed: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    last: Failed | None = None
    own: Failed | None = None  # what the upstream said of the client's own login
    upstream_s: float = 0.0
    waited_s: float = 0.0  # in the queue, and in pauses before another try
    seeks: bool = False  # for something of which nobody knows whose it is
    missing: set[str] = field(default_factory=set)  # who said that they have no such thing

    def spent(self, limits: Limits) -> bool:
        """Whether nothing more may be sent; a first try that hung never keeps a second one away."""
        late = self.trying_s >= limits.trying_limit_s and self.sends > 1
        return late or self.sends - self.unsent - len(self.missing) >= limits.max_sends

    def noted(self, outcome: Outcome, now: float) -> None:
        """A try failed: the network's budget runs from the first of its failures in a row."""
        if not isinstance(outcome, NetworkFailure):
            self.network_since = None
        elif not gone(outcome) and self.network_since is None:
            self.network_since = now

    def asking(self, request: LeaseRequest, now: float, elapsed: float) -> LeaseRequest:
        """The request as it asks again: arrived as long ago as it did, whoever set the clock since."""
        return replace(request, arrived_at=now - (elapsed - self.since))

    def network_spent(self, now: float, limits: Limits) -> bool:
        """Whether the network has failed for too long."""
        since = self.network_since
        return since is not None and now - since >= limits.network_budget_s


def then(outcome: Outcome, trail: Trail, account_id: str) -> Then:
    """What comes after this outcome on that account."""
    match outcome:
        case RequestRejected(status=404) if trail.seeks:
            return Then.NEXT
        case RequestRejected(retry_other=other):
            return Then.OTHER_ONCE if other and not trail.others_asked else Then.PASS
        case Overloaded():
            return Then.NEXT if account_id in trail.repeated else Then.SAME
        case AuthRejected():
            return Then.NEXT if account_id in trail.renewed else Then.RENEW
        case TransientFailure() | NetworkFailure() if not gone(outcome):
            return Then.BACKOFF
        case _:
            return Then.NEXT


def gone(outcome: Outcome) -> bool:
    """Whether nothing was tried, since a new config took the account away meanwhile."""
    return isinstance(outcome, NetworkFailure) and outcome.kind in GONE


def of_own_login(failed: Failed) -> Failed:
    """A failure of the client's own login: that its bearer is refused is the client's to mend.

    It alone can refresh it, so it gets that answer as it came, and the login stays as good as before.
    """
    if not isinstance(failed.outcome, AuthRejected):
        return failed
    headers = failed.headers or ((b"content-type", b"application/json"),)  # it was an event
    return replace(failed, outcome=RequestRejected(401), status=401, headers=headers)


def not_there(failed: Failed) -> bool:
    """Whether the account said that it has no such thing: then nothing was done to any."""
    return isinstance(failed.outcome, RequestRejected) and failed.outcome.status == 404


def surely_unsent(failed: Failed) -> bool:
    """Whether the upstream cannot have processed anything of the request."""
    return isinstance(failed.outcome, NetworkFailure) and not failed.outcome.sent
