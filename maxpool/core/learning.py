"""What the end of a lease teaches: cache warmth, answer lengths, counts, and a throttle's probe.

What an outcome does to the account's own standing is `core/effects`; this room only remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.lease import (
    Burst,
    ClientGone,
    Cut,
    Internal,
    Outcome,
    Overloaded,
    RequestRejected,
    Success,
    TokenUsage,
)
from maxpool.core.state import LastError
from maxpool.core.view import outcome_class, outcome_text

if TYPE_CHECKING:
    from maxpool.core.pool import Pool, Running
    from maxpool.core.state import AccountState
    from maxpool.core.throttle import Throttle


def settle_unobserved(throttle: Throttle, lease_id: str, outcome: Outcome, now: float) -> None:
    """Without headers only an outcome that proves an answer can settle a throttle's probe."""
    match outcome:
        case Success() | Cut() | RequestRejected():
            throttle.settle(lease_id, 200, now)
        case Burst() | Overloaded():
            throttle.settle(lease_id, 529, now)
        case _:
            throttle.lost(lease_id)


def count(pool: Pool, state: AccountState, running: Running, outcome: Outcome, now: float) -> None:
    """Remember usage, warmth and failures of one ended lease."""
    usage = TokenUsage()
    request, account_id = running.request, state.account.id
    match outcome:
        case Success(used) | Cut(used) | ClientGone(used):
            usage = used
            if used.prefix > 0 or not isinstance(outcome, ClientGone):
                pool.bindings.answered(request, account_id, used, now)
            if isinstance(outcome, Success):
                pool.prices.learn_output(request.model, used)
        case Internal():
            return  # our own fault: the account's record stays as it was
        case _:
            pool.bindings.unused(request, account_id, now)
            if not isinstance(outcome, RequestRejected):
                kind = outcome_class(outcome)
                state.last_error = LastError(kind, now, outcome_text(outcome))
    failed = not isinstance(outcome, Success | ClientGone | RequestRejected)
    state.tally.add(usage, now, now - running.lease.started_at, failed=failed)
