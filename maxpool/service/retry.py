"""After a failed try: what the request does next. The `then` column of the outcome table, as data.

Pure; what the failure does to the account is the core's business (`core/effects`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from maxpool.core.lease import (
    AuthRejected,
    BillingFailure,
    Forbidden,
    ModelMissing,
    NetworkFailure,
    Outcome,
    Overloaded,
    RequestRejected,
    TransientFailure,
)
from maxpool.core.rejected import ContextExceeded, NotCarried, PolicyRefused
from maxpool.core.values import value
from maxpool.core.view import outcome_class

if TYPE_CHECKING:
    from maxpool.core.lease import Lease, LeaseRequest
    from maxpool.ports import RawHeaders
    from maxpool.service.limits import Limits
    from maxpool.wire.verdict_provider import Failures


REMOVED: Final = "removed"
MOVED: Final = "moved"
GONE: Final = frozenset({REMOVED, MOVED})
"""Kinds of a try that was never sent, because a new config took the account away meanwhile."""


KEPT_TRIES: Final = 16
"""Failed tries that an answer tells of; those that never left may be many."""

DEAD: Final = (ModelMissing, BillingFailure, Forbidden, ContextExceeded)
"""Verdicts of another vendor that do not change while a request waits."""


class Then(Enum):
    """What a request does after a failed try."""

    SAME = "same"  # once more on the same account, after a short pause
    RENEW = "renew"  # once more on the same account, with a renewed bearer
    NEXT = "next"  # the next eligible account, at once
    AGAIN = "again"  # the same, up to `provider_tries` of them
    LARGER = "larger"  # whoever may take more than this one
    BACKOFF = "backoff"  # the next eligible account, after a short pause
    OTHER_ONCE = "other_once"  # one other account, then the answer passes through
    PASS = "pass"  # noqa: S105 - no password, the answer belongs to the caller


HERE: Final = frozenset({Then.SAME, Then.RENEW, Then.AGAIN})
"""What is done with the lease that is held."""


@value(frozen=True, slots=True)
class Failed:
    """A try that ended before content: what it was, and the upstream's own words if it had any."""

    outcome: Outcome
    status: int = 0
    headers: RawHeaders = ()
    body: bytes = b""
    whole: bool = True  # whether the body is all that the upstream meant to say


@value(frozen=True, slots=True)
class Tried:
    """A try that failed, for whoever asks why: the outcome's class, and the upstream's status or 0."""

    account_id: str
    model: str
    reason: str
    status: int


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
    again: dict[str, int] = field(default_factory=dict)  # tries at one provider, by account
    tries: list[Tried] = field(default_factory=list)
    outgrown: list[tuple[str, str]] = field(default_factory=list)  # who said so, of which model
    dead: set[str] = field(default_factory=set)  # whose verdict holds for all of this request
    renewed: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    last: Failed | None = None
    own: Failed | None = None  # what the upstream said of the client's own login
    lease: Lease | None = None  # the last one that ended, and how it did
    outcome: Outcome | None = None
    overhead_ms: float = 0.0  # of our own, until there was an answer
    upstream_s: float = 0.0
    waited_s: float = 0.0  # in the queue, and in pauses before another try
    seeks: bool = False  # for something of which nobody knows whose it is
    missing: set[str] = field(default_factory=set)  # who said that they have no such thing

    def met(self, lease: Lease, failed: Failed, failures: Failures | None) -> None:
        """A lease has failed for good: what is told of that, and who is not asked again.

        `failures`: how errors of its vendor are met; another vendor's last word is its last.
        """
        outcome, account_id = failed.outcome, lease.account_id
        if len(self.tries) < KEPT_TRIES:
            kind = outcome_class(outcome)
            self.tries.append(Tried(account_id, lease.model, kind, failed.status))
        if isinstance(outcome, ContextExceeded):
            self.outgrown.append((account_id, lease.model))
        if account_id not in self.tried:
            return  # only one of its models has failed
        if isinstance(outcome, NotCarried) or (
            failures is not None
            and (isinstance(outcome, DEAD) or _tried_out(outcome, self, account_id, failures))
        ):
            self.dead.add(account_id)

    def again_span(self, account_id: str, limits: Limits) -> tuple[float, float]:
        """The bounds of the pause before another try at one provider: the longest one grows."""
        tried, span_s = self.again.get(account_id, 1), limits.provider_backoff_s
        self.again[account_id] = tried + 1
        return span_s[0], min(span_s[0] * 4**tried, span_s[1])

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


def then(outcome: Outcome, trail: Trail, account_id: str, failures: Failures | None = None) -> Then:
    """What comes after this outcome on that account; `failures`: how errors of its vendor are met."""
    if trail.seeks and isinstance(outcome, RequestRejected) and outcome.status == 404:
        return Then.NEXT
    if isinstance(outcome, NotCarried):
        return Then.NEXT
    if failures is not None:
        return _at_provider(outcome, trail, account_id, failures)
    return _usual(outcome, trail, account_id)


def _usual(outcome: Outcome, trail: Trail, account_id: str) -> Then:
    """The same by the outcome itself."""
    match outcome:
        case RequestRejected(retry_other=other):
            return Then.OTHER_ONCE if other and not trail.others_asked else Then.PASS
        case PolicyRefused():
            return Then.PASS
        case ContextExceeded():
            return Then.LARGER
        case Overloaded():
            return Then.NEXT if account_id in trail.repeated else Then.SAME
        case AuthRejected():
            return Then.NEXT if account_id in trail.renewed else Then.RENEW
        case _:
            passes = isinstance(outcome, TransientFailure | NetworkFailure) and not gone(outcome)
            return Then.BACKOFF if passes else Then.NEXT


def _at_provider(outcome: Outcome, trail: Trail, account_id: str, failures: Failures) -> Then:
    """The same by the class of the failure."""
    action = failures.action(outcome)
    if action == "pass":
        return Then.PASS
    if action == "again" and not _nobody_there(outcome):
        tried_out = _tried_out(outcome, trail, account_id, failures)
        return Then.NEXT if tried_out else Then.AGAIN
    match outcome:
        case ContextExceeded():
            return Then.LARGER
        case AuthRejected() if account_id not in trail.renewed:
            return Then.RENEW
        case _:
            return Then.NEXT


def _tried_out(outcome: Outcome, trail: Trail, account_id: str, failures: Failures) -> bool:
    """Whether it has been tried there as often as a failure that may pass is worth."""
    if failures.action(outcome) != "again" or _nobody_there(outcome):
        return False
    return trail.again.get(account_id, 1) >= failures.tries


def _nobody_there(outcome: Outcome) -> bool:
    """Whether nothing could be sent: a moment later nobody will be there either."""
    return isinstance(outcome, NetworkFailure) and not outcome.sent


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
