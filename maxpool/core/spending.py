"""What a lease's begin, further calls and end mean for the budgets, and for who can serve then.

The counts themselves are `core/budget`'s; here an account that a count closes or opens is placed anew.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Reason
from maxpool.core.lease import ClientGone, Cut, Internal, NetworkFailure, Success, TokenUsage
from maxpool.core.money import estimate_usd
from maxpool.core.quotareading import ProbedQuota
from maxpool.core.rejected import NotCarried

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maxpool.core.budget import Hold, Purse
    from maxpool.core.learning import Running
    from maxpool.core.lease import Lease, Outcome
    from maxpool.core.pool import Pool
    from maxpool.core.quotareading import QuotaReading
    from maxpool.core.state import AccountState


def begin(pool: Pool, state: AccountState, running: Running, now: float) -> None:
    """A lease was granted: count its first call, reserve the rest."""
    with _watched(pool, state.purse, now):
        running.hold = pool.budget.take(state, running.request, running.lease.model, now)


def again(pool: Pool, lease: Lease, now: float) -> bool:
    """Another call on a lease; False where its limits leave no room for it."""
    running = pool.running.get(lease.id)
    state = pool.states.get(lease.account_id)
    if running is None or running.hold is None or state is None:
        return True
    with _watched(pool, state.purse, now):
        return pool.budget.again(running.hold, now)


def end(
    pool: Pool, state: AccountState | None, running: Running, outcome: Outcome, now: float
) -> None:
    """A lease ended: settle what it was thought to use by what is known. Once only."""
    hold = running.hold
    if hold is None or hold.done:
        return
    purse = None if state is None else state.purse
    with _watched(pool, purse, now):
        never_left = isinstance(outcome, NetworkFailure) and not outcome.sent
        if never_left or isinstance(outcome, NotCarried):
            pool.budget.unsent(hold)
        tokens, usd = _used(pool, state, running, hold, outcome)
        pool.budget.settle(hold, tokens, usd, now)
    if hold.wallet is not None and isinstance(outcome, Success):
        hold.wallet.second_try = False


def _used(
    pool: Pool, state: AccountState | None, running: Running, hold: Hold, outcome: Outcome
) -> tuple[float | None, float | None]:
    """Tokens and USD; None where an answer was made and nobody told its size."""
    if not isinstance(outcome, Success | Cut | ClientGone | Internal):
        return 0.0, 0.0
    usage = TokenUsage() if isinstance(outcome, Internal) else outcome.usage
    tokens = float(usage.prefix + usage.output) if usage.any else None
    usd = usage.cost_usd
    if usd is None and usage.any and state is not None and (hold.usd or hold.wallet):
        # Where nobody knows a price, a budget cannot know what was spent.
        usd = estimate_usd(state.account, running.lease.model, usage, pool.settings) or 0.0
    return tokens, usd


def top_up(pool: Pool, account_id: str, usd: float, now: float) -> None:
    """Money was added: the account is tried again, whatever was said of its billing."""
    state = pool.states[account_id]
    pool.budget.top_up(account_id, usd, now)
    state.uncool(Reason.BILLING)
    rebind(pool, account_id, now)


def watch_quotas(pool: Pool, gates: Mapping[str, bool], now: float) -> None:
    """These accounts are asked for their quota (and whether that closes them), no others are."""
    budget = pool.budget
    for account_id in [i for i in budget.quotas if i not in gates]:
        del budget.quotas[account_id]
        if account_id in pool.states:
            rebind(pool, account_id, now)
    for account_id, closes in gates.items():
        if account_id in pool.states:
            budget.quotas.setdefault(account_id, ProbedQuota()).gates = closes
            rebind(pool, account_id, now)


def quota_told(pool: Pool, account_id: str, told: QuotaReading | str, now: float) -> None:
    """What a provider said of an account's quota, or in a word why it did not."""
    quota = pool.budget.quotas.get(account_id)
    if quota is None or account_id not in pool.states:
        return
    if isinstance(told, str):
        quota.failed(told, now)
    else:
        quota.told(told, now)
    pool.changed(account_id, now)


def rebind(pool: Pool, account_id: str, now: float) -> None:
    """What limits the account is another thing now."""
    pool.budget.bind(pool.states[account_id])
    pool.index.renew(account_id, now)
    pool.revision += 1


@contextmanager
def _watched(pool: Pool, purse: Purse | None, now: float) -> Iterator[None]:
    """Place every account anew that is closed or opened by what is counted meanwhile."""
    if purse is None:
        yield
        return
    before = [bucket.exhausted(now) is None for bucket in purse.own]
    promised = purse.wallet is not None and purse.wallet.promised()
    yield
    changed: dict[str, None] = {}
    for bucket, was_open in zip(purse.own, before, strict=True):
        if (bucket.exhausted(now) is None) is not was_open:
            changed |= bucket.owners
    if purse.wallet is not None and purse.wallet.promised() is not promised:
        changed[purse.account.id] = None
    for account_id in changed:
        pool.changed(account_id, now)
