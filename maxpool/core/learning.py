"""What leases and readings teach: work burned, cache warmth and its life, answer lengths, counts.

What an outcome does to the account's own standing is `core/effects`; this room only remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from maxpool.core import groups, spending
from maxpool.core.binding import session_key
from maxpool.core.family import family_of
from maxpool.core.lease import (
    AuthFinal,
    AuthRejected,
    Burst,
    ClientGone,
    Cut,
    Internal,
    Outcome,
    Overloaded,
    Success,
    TokenUsage,
)
from maxpool.core.money import estimate_usd
from maxpool.core.ratelimit import read_headers
from maxpool.core.rejected import OF_THE_REQUEST, ContextExceeded, PolicyRefused, RequestRejected
from maxpool.core.state import LastError
from maxpool.core.targets import upstream_model
from maxpool.core.view import outcome_class, outcome_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.core.binding import Move
    from maxpool.core.budget import Hold
    from maxpool.core.lease import Lease, LeaseRequest, Reading
    from maxpool.core.pool import Pool
    from maxpool.core.ratelimit import HeaderReport
    from maxpool.core.state import AccountState
    from maxpool.core.throttle import Throttle

MIN_CACHED_TOKENS = 1024
"""Below this a prompt prefix is not cached at all."""


def settle_unobserved(throttle: Throttle, lease_id: str, outcome: Outcome, now: float) -> None:
    """Without headers only an outcome that proves an answer can settle a throttle's probe."""
    match outcome:
        case Success() | Cut() | RequestRejected() | ContextExceeded() | PolicyRefused():
            throttle.settle(lease_id, 200, now)
        case Burst() | Overloaded():
            throttle.settle(lease_id, 529, now)
        case _:
            throttle.lost(lease_id)


@dataclass(slots=True)
class Running:
    """A lease that has not been released: what it was granted on, and what it is thought to burn.

    `work` (price-weighted tokens) is reserved until headers with a reading come, then counted as
    burned, and put right when the answer's own numbers are known.
    """

    lease: Lease
    request: LeaseRequest
    move: Move
    work: float
    generation: int = 0  # of the account's credential at the grant
    prefix_was_warm: bool = False
    hold: Hold | None = None  # what it was counted for in the budgets
    observed: bool = False
    burned: bool = False
    first_byte_s: float | None = None  # from its beginning to a good answer's headers

    def answered(self, status: int, now: float) -> None:
        """Its answer's headers came."""
        self.observed = True
        if status < 300 and self.first_byte_s is None:
            self.first_byte_s = max(now - self.lease.started_at, 0.0)


class Witness(Protocol):
    """Hears of everything that leases teach, in order: `core/elsewhere` can repeat it in another pool."""

    def granted(self, running: Running) -> None:
        """A lease began."""

    def observed(
        self, account_id: str, told: Mapping[str, str], lease_id: str | None, status: int | None
    ) -> None:
        """Response headers came."""

    def ended(self, lease_id: str, outcome: Outcome) -> None:
        """A lease ended."""


def grant(pool: Pool, state: AccountState, running: Running, now: float) -> None:
    """A lease begins: reserve what it will burn, and remember who grows where."""
    if pool.witness is not None:
        pool.witness.granted(running)
    request = running.request
    state.quota.reserved += running.work
    key = session_key(request)
    if key is not None:
        state.seen(key, now, pool.settings)
    account_id = state.account.id
    running.prefix_was_warm = pool.prefixes.is_warm(request.prefix_digest, account_id, now)
    if pool.budget.active:
        spending.begin(pool, state, running, now)


def begun(pool: Pool, state: AccountState, running: Running) -> None:
    """An answer began with a reading: what it burns is in that reading."""
    if running.burned:
        return
    running.burned = True
    state.quota.reserved -= running.work
    state.quota.burn(family_of(running.request.model), running.work)


def read(
    pool: Pool, state: AccountState, readings: Iterable[Reading], now: float, source: str
) -> bool:
    """Merge readings; a slope that learned from them also moves the yardstick for newcomers.

    True when they said something new.
    """
    taught, news = state.quota.merge(readings, now, source, pool.settings)
    if not taught or state.account.paid:
        return news
    for window in taught:
        slope = window.slope.per_token
        if slope is not None and not window.of_family:
            pool.index.yardstick.learn(window.name, state.account.plan_weight, slope)
    pool.index.renew_guesses(now)
    return news


def headers(
    pool: Pool,
    state: AccountState,
    told: Mapping[str, str],
    about: tuple[Running | None, int | None],
    now: float,
) -> bool | None:
    """Take what an answer's headers say of quota; `about`: which lease, and its status.

    None when they said nothing, else whether it is more than the use that was expected.
    """
    running, status = about
    if pool.witness is not None:
        lease_id = None if running is None else running.lease.id
        pool.witness.observed(state.account.id, told, lease_id, status)
    names = "".join(told)
    if names != names.lower():
        told = {name.lower(): value for name, value in told.items()}
    model = None if running is None else running.lease.model
    if model is not None and state.account.models:  # the upstream speaks of its own names
        model = upstream_model(state.account.models, model) or model
    organization = told.get(groups.HEADER)
    if organization is not None and pool.groups.tell(state, organization):
        pool.index.place(state.account.id, now)
    report = read_headers(told, now, model)
    if not (report.readings or report.buckets or report.rejections or report.allowed is not None):
        return None
    if running is not None and report.readings and (status is None or status < 300):
        begun(pool, state, running)
    news = _take(pool, state, report, status, now)
    if report.readings or report.rejections:
        for mate in pool.groups.mates(state):
            if _take(pool, mate, report, status, now):
                pool.index.place(mate.account.id, now)
    return news


def _take(
    pool: Pool, state: AccountState, report: HeaderReport, status: int | None, now: float
) -> bool:
    """Take in what headers said of an account's quota; whether it is more than was expected."""
    news = read(pool, state, report.readings, now, "headers")
    state.quota.merge_buckets(report.buckets, pool.settings)
    if report.allowed:
        news = state.quota.allow() or news
    for rejection in report.rejections:
        if rejection.inferred and status == 429:
            continue  # the body may yet tell that it was something else
        pool.effects.close(
            state, rejection.window, rejection.until, now, relative=rejection.relative
        )
    return news or bool(report.rejections)


def ended(
    pool: Pool, state: AccountState, running: Running, outcome: Outcome, now: float
) -> set[str]:
    """What an ended lease teaches and does; returns the ids of the accounts it changed."""
    lease_id = running.lease.id
    if pool.witness is not None:
        pool.witness.ended(lease_id, outcome)
    count(pool, state, running, outcome, now)
    if running.hold is not None:
        spending.end(pool, state, running, outcome, now)
    pool.decisions.ended(lease_id, outcome_class(outcome), now)
    pool.latency.ended(state.account.id, running.request.model, running.first_byte_s, outcome)
    renewed = state.credential.generation != running.generation
    if renewed and isinstance(outcome, AuthRejected | AuthFinal):
        outcome = Internal()  # it speaks of a credential that is no longer in use
    return pool.effects.apply(state, lease_id, running.request, outcome, now)


def _settle_work(
    pool: Pool, state: AccountState, running: Running, usage: TokenUsage, now: float
) -> None:
    """Put what was thought to be burned right by what the answer says."""
    quota, model = state.quota, running.request.model
    work = pool.prices.burned(model, usage)
    thought = running.work if running.burned else 0.0
    if not running.burned:
        quota.reserved -= running.work
        if state.in_flight <= 1:
            quota.reserved = 0.0  # sums of many small numbers drift
    if work <= 0.0:
        work = thought  # nothing was said: what was thought may stand
    quota.burn(family_of(model), work - thought)
    pool.prices.session_work += work
    if not state.account.paid and pool.index.demand.add(work, now):
        pool.index.renew_all(now)


def _learn_cache(pool: Pool, running: Running, usage: TokenUsage) -> None:
    """Whether the prefix was still there tells how long this account keeps one."""
    request, move = running.request, running.move
    if usage.cache_read + usage.cache_write_5m + usage.cache_write_1h <= 0:
        return  # nothing was to be cached: that nothing was read tells nothing
    if move.idle_s is None:
        if running.prefix_was_warm:
            pool.prefixes.learn(request.prefix_digest, usage.cache_read)
        return
    # A prefix that shrank was rewritten by its client: that it was not read tells nothing.
    if move.expected >= MIN_CACHED_TOKENS and usage.prefix >= move.expected * 0.9:
        hit = usage.cache_read >= move.expected * 0.5
        pool.bindings.lives.learn(
            running.lease.account_id, request.cache_ttl_s, move.idle_s, hit=hit
        )


def count(pool: Pool, state: AccountState, running: Running, outcome: Outcome, now: float) -> None:
    """Remember usage, warmth and failures of one ended lease."""
    usage = TokenUsage()
    request, account_id = running.request, state.account.id
    match outcome:
        case Success(used) | Cut(used) | ClientGone(used):
            usage = used
            if used.prefix > 0 or not isinstance(outcome, ClientGone):
                pool.bindings.answered(request, account_id, used, now)
            _learn_cache(pool, running, used)
            if used.prefix > 0:
                life_s = pool.bindings.lives.life(account_id, request.cache_ttl_s)
                pool.prefixes.heat(request.prefix_digest, account_id, now + life_s)
            if isinstance(outcome, Success):
                pool.prices.learn_output(request.model, used)
        case Internal():
            _settle_work(pool, state, running, usage, now)
            return  # our own fault: the account's record stays as it was
        case _:
            pool.bindings.unused(request, account_id, now)
            if not isinstance(outcome, OF_THE_REQUEST):
                kind = outcome_class(outcome)
                state.last_error = LastError(kind, now, outcome_text(outcome))
    _settle_work(pool, state, running, usage, now)
    failed = not isinstance(outcome, (Success, ClientGone, *OF_THE_REQUEST))
    cost = estimate_usd(state.account, request.model, usage, pool.settings)
    took_s = now - running.lease.started_at
    state.tally.add(usage, now, took_s, failed=failed, estimate_usd=cost)
