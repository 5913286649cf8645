"""When everybody who could serve only cools: the owner's word whether to wait, to refuse, or to try.

Cooling is a pause of our own after a failure, which an account may have got over before it ends. Quota,
money, a dead login or a full account are no such thing. Changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core.binding import session_key
from maxpool.core.choice import Blocked, Choice, end_of
from maxpool.core.eligibility import Context, Unavailable, check, mismatch, only_for
from maxpool.core.field import Field, rank_of
from maxpool.core.reasons import COOLING
from maxpool.core.routes import home_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maxpool.core.account import Account
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.core.routes import Cross, Target
    from maxpool.core.state import AccountState


def despite_cooling(
    pool: Pool,
    request: LeaseRequest,
    blocked: Blocked,
    now: float,
    exclude: frozenset[str],
    ctx: Context,
) -> Choice | Blocked:
    """Nobody can serve: with `earliest` who recovers first all the same, with `refuse` no wait for it."""
    if blocked.cause.reason not in COOLING:
        return blocked
    if ctx.settings.when_all_cooling == "refuse":
        return replace(blocked, at_once=True)
    found = _recovers_first(pool, request, now, exclude, ctx)
    return blocked if found is None else found


def _recovers_first(
    pool: Pool, request: LeaseRequest, now: float, exclude: frozenset[str], ctx: Context
) -> Choice | None:
    best: tuple[tuple[bool, bool, float], AccountState, LeaseRequest] | None = None
    barred = _barred(pool, request, ctx)
    for account_id, state in pool.states.items():
        if account_id in exclude or barred(state.account):
            continue
        for narrowed in _as_seen_by(state, request):
            if not only_for(COOLING, state, narrowed, now, ctx):
                continue
            block = check(state, narrowed, now, ctx)
            ends = end_of(block) if isinstance(block, Unavailable) else now
            rank = (*_reluctance(state.account, request, ctx), ends)
            if best is None or rank < best[0]:
                best = (rank, state, narrowed)
    return None if best is None else _choice(pool, best[1], best[2], request, now, ctx)


def _reluctance(account: Account, request: LeaseRequest, ctx: Context) -> tuple[bool, bool]:
    """What its owner would rather not have: another vendor's account, then one that costs money."""
    cross, home = _crossing(request, ctx)
    crosses = cross != "always" and home is not None and account.provider != home
    return crosses, account.paid and ctx.settings.key_price != "always"


def _crossing(request: LeaseRequest, ctx: Context) -> tuple[Cross, str | None]:
    route = request.route
    if route is not None:
        return route.cross, route.home
    return ctx.settings.cross_provider, home_of(request.model)


def _barred(pool: Pool, request: LeaseRequest, ctx: Context) -> Callable[[Account], bool]:
    """Accounts that must not serve at all, by the owner's word on vendors and on money."""
    cross, home = _crossing(request, ctx)
    plans = ctx.settings.key_price == "never" and any(
        not state.account.paid and state.enabled and mismatch(state.account, request) is None
        for state in pool.states.values()
    )

    def barred(account: Account) -> bool:
        abroad = cross == "never" and home is not None and account.provider != home
        return abroad or (plans and account.paid and account.id != pool.selector.preferred)

    return barred


def _as_seen_by(state: AccountState, request: LeaseRequest) -> Iterator[LeaseRequest]:
    if request.route is None:
        return iter((request,))
    return request.route.as_seen_by(state.account, request)


def _choice(
    pool: Pool,
    state: AccountState,
    narrowed: LeaseRequest,
    request: LeaseRequest,
    now: float,
    ctx: Context,
) -> Choice:
    selector = pool.selector
    binding = pool.bindings.find(session_key(request), now)
    weigher = selector.weigher(narrowed, binding, now, ctx)
    found = Field([rank_of(selector, state, weigher, ctx)])
    choice = selector.only(found, weigher, binding, ctx)
    if request.route is not None:
        choice.request, choice.route = narrowed, request.route.name
        choice.target = _target(request, state, narrowed.model)
    return choice


def _target(request: LeaseRequest, state: AccountState, model: str) -> Target | None:
    targets = () if request.route is None else request.route.targets_of(state.account)
    return next((target for target in targets if target.model == model), None)
