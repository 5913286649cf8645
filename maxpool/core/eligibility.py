"""Whether an account can carry a request now, and if not, why and until when.

The one function `check` is read by the selector, the queue, the status page and every error text,
so that all of them tell the same story. It decides nothing among the accounts that can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool.core.account import CLIENT, HOME
from maxpool.core.contextsize import too_large
from maxpool.core.family import family_of
from maxpool.core.health import HealthState
from maxpool.core.quota import ACCOUNT_WINDOWS
from maxpool.core.reasons import BY_EVENT as BY_EVENT
from maxpool.core.reasons import NO_TARGET, TRANSLATED
from maxpool.core.reasons import SPENT as SPENT
from maxpool.core.reasons import TOLD as TOLD
from maxpool.core.reasons import Reason as Reason
from maxpool.core.targets import upstream_model
from maxpool.core.values import value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.account import Account
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState
    from maxpool.core.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Eligible:
    """The account can carry the request."""


@value(frozen=True, slots=True)
class Unavailable:
    """It cannot; `until` is the time the reason ends by itself, None when it does not."""

    reason: Reason
    until: float | None = None

    @property
    def temporary(self) -> bool:
        """Whether waiting can help."""
        return self.until is not None or self.reason in BY_EVENT


ELIGIBLE = Eligible()


@dataclass(slots=True)
class Context:
    """What `check` needs besides account and request."""

    settings: PoolSettings
    plan_in_flight: int = 0
    emergency: bool = False
    wait_until: float = math.inf  # how long the request at hand may wait
    throttle: Throttle | None = None
    revision: int = 0  # of everything `check` reads
    broke: Unavailable | None = None  # why no money may be spent for the request at hand


def asked_of(account: Account, request: LeaseRequest) -> str:
    """The model that this account would be asked for."""
    target = None if request.part is None else request.part.target_of(account)
    return request.model if target is None else target.model


def mismatch(  # noqa: C901 - one branch a reason
    account: Account, request: LeaseRequest
) -> Reason | None:
    """Why this account can never carry this request, whatever the time; None when it could."""
    if request.route is not None:
        return _mismatch_on_route(account, request)
    if request.part is not None and request.part.target_of(account) is None:
        return _not_for(account, request) or Reason.TARGET
    found: Reason | None = None
    if account.models and upstream_model(account.models, asked_of(account, request)) is None:
        found = Reason.MODEL
    # Signatures of thinking never cross to another provider.
    if request.signed_thinking and account.provider != "anthropic":
        found = Reason.NEEDS
    if account.lacks and request.needs & account.lacks and _lacks(account, request):
        found = Reason.NEEDS
    if account.profiles is not None and request.profile not in account.profiles:
        found = Reason.PROFILE
    if account.serves is not None and request.program not in account.serves:
        found = Reason.PROGRAM
    if account.format != request.format and (request.native or account.format not in TRANSLATED):
        found = Reason.FORMAT
    if account.context and too_large(account, request, asked_of(account, request)):
        found = Reason.CONTEXT
    if request.owner is not None and request.owner != account.id:
        found = Reason.OWNER
    if (account.kind == HOME) is not request.home:
        found = Reason.HOME  # its client talks to the provider by itself: nothing goes through here
    if request.own is not None or account.kind == CLIENT:
        found = _not_for(account, request) or found
    return found


def _lacks(account: Account, request: LeaseRequest) -> bool:
    """Whether what it lacks is in the way of a client of this request's API."""
    lacking = request.needs & account.lacks
    return bool(lacking - account.lacks_abroad if account.format == request.format else lacking)


def _as_seen_by(account: Account, request: LeaseRequest) -> Iterator[LeaseRequest]:
    route = request.route
    return iter(()) if route is None else route.as_seen_by(account, request)


def _mismatch_on_route(account: Account, request: LeaseRequest) -> Reason | None:
    """The same for all that a name stands for: None where one of its models would do."""
    found: Reason | None = _not_for(account, request) or Reason.TARGET
    for narrowed in _as_seen_by(account, request):
        found = mismatch(account, narrowed)
        if found is None:
            return None
    return found


def _not_for(account: Account, request: LeaseRequest) -> Reason | None:
    """Why an account may not serve because of whose login a request brought along."""
    own = request.own
    if own is not None and own.account_id == account.id:
        return None
    if account.kind == CLIENT:
        return Reason.OTHER_LOGIN
    return Reason.SPILL if own is not None and account.kind not in own.spill else None


def account_blocks(state: AccountState, now: float, ctx: Context) -> Iterator[Unavailable]:
    """Everything that keeps the whole account from serving, whatever the request."""
    if not state.enabled or state.draining:
        yield Unavailable(Reason.DRAINING if state.enabled else Reason.DISABLED)
    health = state.health
    if health.state is not HealthState.READY:
        yield from _health_blocks(state, now)
    for reason, until in state.cooldowns.items():
        if until > now:
            yield Unavailable(reason, until)
    quota = state.quota
    closed = quota.bucket_closed_until
    if closed is not None and closed > now:
        yield Unavailable(Reason.RATE_LIMITED, closed)
    if quota.windows:
        until_open = quota.account_closed(now, ctx.settings)
        if until_open is not None:
            yield Unavailable(Reason.QUOTA, until_open)
        if state.account.caps or state.account.reserve:
            yield from _owner_blocks(state, now, ctx, ACCOUNT_WINDOWS)
    if state.purse is not None:
        yield from state.purse.blocks(now)


def _health_blocks(state: AccountState, now: float) -> Iterator[Unavailable]:
    health = state.health
    if health.state is HealthState.LOCKED_OUT:
        yield Unavailable(Reason.LOCKED_OUT)
    elif health.state is HealthState.CLOSED:
        yield Unavailable(Reason.CLOSED)
    elif health.state is HealthState.TRIAL:
        yield Unavailable(Reason.TRIAL)
    elif health.open_until > now:
        yield Unavailable(Reason.BREAKER, health.open_until)


def _owner_blocks(
    state: AccountState, now: float, ctx: Context, names: tuple[str, ...]
) -> Iterator[Unavailable]:
    """The owner's caps and reserves on these windows."""
    account = state.account
    limits = [(Reason.CAP, name, cap) for name, cap in account.caps.items()]
    if not (ctx.emergency and account.emergency):
        limits += [(Reason.RESERVE, name, 1.0 - share) for name, share in account.reserve.items()]
    for reason, name, limit in limits:
        if name not in names:
            continue
        window = state.quota.windows.get(name)
        used = None if window is None else window.utilization_at(now)
        if window is not None and used is not None and used >= limit:
            until = window.next_reset(now)
            if until is None:  # nobody said when it ends: the next answer tells more
                until = (window.read_at or 0.0) + ctx.settings.quota_without_reset_s
            if until > now:
                yield Unavailable(reason, until)


def request_blocks(
    state: AccountState, request: LeaseRequest, now: float, ctx: Context
) -> Iterator[Unavailable]:
    """What keeps this account from carrying this request, beyond the account itself."""
    model = request.model if request.part is None else asked_of(state.account, request)
    if ctx.throttle is not None and not ctx.throttle.idle:
        pause = ctx.throttle.gate(state.account.provider, model, now)
        if pause is not None:
            yield Unavailable(Reason.THROTTLE, pause.until if pause.until > now else None)
    if state.quota.windows:
        models, sent_as = state.account.models, model
        if models:  # the upstream counts what it is asked for
            sent_as = upstream_model(models, sent_as) or sent_as
        family = f"7d:{family_of(sent_as)}"
        if state.account.caps or state.account.reserve:
            yield from _owner_blocks(state, now, ctx, (family,))
        until = state.quota.closed(family, now, ctx.settings)
        if until is not None:
            yield Unavailable(Reason.FAMILY_QUOTA, until)
    bench = state.model_benches.get(model)
    if bench is not None and bench[1] > now:
        yield Unavailable(bench[0], bench[1])
    if state.purse is not None or ctx.broke is not None:
        yield from _limit_blocks(state, request, model, now, ctx)
    full = _slots_full(state, now, ctx)
    if full is not None:
        yield full


def _limit_blocks(
    state: AccountState, request: LeaseRequest, model: str, now: float, ctx: Context
) -> Iterator[Unavailable]:
    """The owner's limits on calls, tokens and money, as far as they concern this request."""
    if state.purse is not None:
        yield from state.purse.for_request(request, model, now)
    if ctx.broke is not None and state.account.paid:
        yield ctx.broke


def _slots_full(state: AccountState, now: float, ctx: Context) -> Unavailable | None:
    if state.in_flight >= state.slots(ctx.settings) or (
        not state.account.paid and ctx.plan_in_flight >= ctx.settings.slots_total
    ):
        return Unavailable(Reason.SLOTS_FULL)
    if state.opened_at is None:
        return None
    missing = state.in_flight + 1 - state.ramp_slots(now, ctx.settings)
    if missing <= 0:
        return None
    # The ramp's next steps free it, or the end of a lease.
    step_s = ctx.settings.recovery_step_s
    passed_s = (now - state.opened_at) % step_s
    return Unavailable(Reason.SLOTS_FULL, now + missing * step_s - passed_s + 1e-3)


def check(
    state: AccountState, request: LeaseRequest, now: float, ctx: Context
) -> Eligible | Unavailable:
    """Whether the account can carry the request at `now`.

    Of several reasons the one that ends last is the true cause: one that never ends by itself
    before any other, then the latest deadline. Of several models that it may be asked for instead
    (`request.route`) the one that ends first counts.
    """
    if request.route is not None:
        return _check_route(state, request, now, ctx)
    never = mismatch(state.account, request)
    if never is not None:
        return Unavailable(never)
    worst: Unavailable | None = None
    for block in account_blocks(state, now, ctx):
        worst = _later(worst, block)
    for block in request_blocks(state, request, now, ctx):
        worst = _later(worst, block)
    return ELIGIBLE if worst is None else worst


def _check_route(
    state: AccountState, request: LeaseRequest, now: float, ctx: Context
) -> Eligible | Unavailable:
    """The same for whatever the name stands for: the model that can be served first."""
    best = Unavailable(_not_for(state.account, request) or Reason.TARGET)
    for narrowed in _as_seen_by(state.account, request):
        block = check(state, narrowed, now, ctx)
        if isinstance(block, Eligible):
            return block
        best = block if best.reason in NO_TARGET or _rank(block) < _rank(best) else best
    return best


def check_open(
    state: AccountState, request: LeaseRequest, now: float, ctx: Context
) -> Eligible | Unavailable:
    """The same for an account that is known to be open as a whole (see `core/index`)."""
    never = mismatch(state.account, request)
    if never is not None:
        return Unavailable(never)
    worst: Unavailable | None = None
    for block in request_blocks(state, request, now, ctx):
        worst = _later(worst, block)
    return ELIGIBLE if worst is None else worst


def only_for(
    reasons: frozenset[Reason],
    state: AccountState,
    request: LeaseRequest,
    now: float,
    ctx: Context,
) -> bool:
    """Whether nothing but these reasons keeps the account from carrying the request."""
    if mismatch(state.account, request) is not None:
        return False
    blocks = (*account_blocks(state, now, ctx), *request_blocks(state, request, now, ctx))
    return all(block.reason in reasons for block in blocks)


def account_state(state: AccountState, now: float, ctx: Context) -> Unavailable | None:
    """The account's own block, without any request; None when it is open."""
    worst: Unavailable | None = None
    for block in account_blocks(state, now, ctx):
        worst = _later(worst, block)
    return worst


def _later(first: Unavailable | None, second: Unavailable) -> Unavailable:
    return second if first is None or _rank(second) > _rank(first) else first


def _rank(block: Unavailable) -> tuple[int, float]:
    if block.until is not None:
        return (1, block.until)
    return (0, 0.0) if block.reason in BY_EVENT else (2, 0.0)
