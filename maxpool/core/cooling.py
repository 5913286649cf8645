"""When everybody who could serve only cools: the owner's word whether to wait, to refuse, or to try.

Cooling is a pause of our own after a failure, which an account may have got over before it ends. Quota,
money, a dead login or a full account are no such thing. Changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.core.binding import session_key
from maxpool.core.choice import Blocked, Choice, end_of
from maxpool.core.eligibility import Context, Unavailable, check, only_for
from maxpool.core.field import Field, rank_of
from maxpool.core.reasons import COOLING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.core.routes import Target
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
    best: tuple[float, AccountState, LeaseRequest] | None = None
    for account_id, state in pool.states.items():
        if account_id in exclude:
            continue
        for narrowed in _as_seen_by(state, request):
            if not only_for(COOLING, state, narrowed, now, ctx):
                continue
            block = check(state, narrowed, now, ctx)
            ends = end_of(block) if isinstance(block, Unavailable) else now
            if best is None or ends < best[0]:
                best = (ends, state, narrowed)
    return None if best is None else _choice(pool, best[1], best[2], request, now, ctx)


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
