"""Frozen pictures of the pool for status, CLI, dashboard and metrics. Taking one changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING

from maxpool.core.account import CLIENT, HOME
from maxpool.core.eligibility import Context, Reason, Unavailable, account_state
from maxpool.core.forecast import forecast
from maxpool.core.health import HealthState
from maxpool.core.moneyview import NOTHING, PoolMoney, PurseView, pool_money, purse_view
from maxpool.core.rules import Rules, rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.account import Account
    from maxpool.core.lease import Outcome
    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState, Credential, LastError, Probing
    from maxpool.core.tally import Counts
    from maxpool.core.window import QuotaWindow

WEEKLY_STATES = ((0.999, "exhausted"), (0.95, "critical"), (0.85, "reserve"), (0.65, "soft"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """One quota window. Shares 0..1, times epoch seconds, burn per hour."""

    window: str
    length_s: float
    utilization: float | None
    estimated: float | None
    reset_at: float | None
    source: str
    age_s: float | None
    pace: float | None
    burn_per_hour: float | None
    readings: int
    projected_at_reset: float | None
    exhausts_at: float | None
    benched_until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """One account as people see it; `twin_of`: the account whose login this is over again."""

    account: Account
    enabled: bool
    state: str
    unavailable: Unavailable | None
    detail: str
    in_flight: int
    slots: int
    soft_limit: float
    sessions: int
    windows: tuple[WindowView, ...]
    buckets: tuple[Mapping[str, object], ...]
    model_benches: Mapping[str, tuple[Reason, float]]
    weekly_state: str
    effective_use: float | None
    credential: Credential
    probing: Probing
    last_hour: Counts
    last_15_min: Counts
    total: Counts
    p50_ms: float | None
    mean_ms: float | None
    failures: int
    last_error: LastError | None
    last_status: int | None
    last_status_at: float | None
    twin_of: str | None
    purse: PurseView = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiterView:
    """One request in the queue."""

    position: int
    model: str
    waiting_s: float
    cause: Reason
    expected_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One session's binding."""

    session: str
    home: str
    current: str
    turns: int
    moves: int
    protected: bool
    idle_s: float
    warm: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseView:
    """One open throttle."""

    scope: str
    until: float
    probing: bool
    failed_probes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """The whole pool."""

    now: float
    started_at: float
    accounts: tuple[AccountView, ...]
    waiters: tuple[WaiterView, ...]
    sessions: tuple[SessionView, ...]
    sessions_bound: int
    sessions_protected: int
    pauses: tuple[PauseView, ...]
    throttle_count: int
    throttle_last_at: float | None
    in_flight: int
    leased: int
    paused: bool
    preferred: str | None
    moves: int
    cache_tokens_lost: int
    revision: int
    rules: Rules
    money: PoolMoney


SHOWN_SESSIONS = 50


def picture(pool: Pool, now: float) -> PoolView:
    """The pool at `now`."""
    homes: dict[str, int] = {}
    for binding in pool.bindings.by_key.values():
        homes[binding.home] = homes.get(binding.home, 0) + 1
    ctx = Context(pool.settings, pool.plan_in_flight, broke=pool.budget.broke(None, now))
    twins = pool.groups.twins(now, pool.settings)
    return PoolView(
        now=now,
        started_at=pool.started_at,
        accounts=tuple(
            _account(s, homes.get(i, 0), now, ctx, twins.get(i)) for i, s in pool.states.items()
        ),
        waiters=tuple(
            WaiterView(
                position=i,
                model=w.request.model,
                waiting_s=now - w.ticket.queued_at,
                cause=w.reason,
                expected_at=expected_at,
            )
            for i, (w, expected_at) in enumerate(forecast(pool, now), 1)
        ),
        sessions=_sessions(pool, now),
        sessions_bound=len(pool.bindings.by_key),
        sessions_protected=sum(b.protected for b in pool.bindings.by_key.values()),
        pauses=tuple(
            PauseView(
                scope=p.scope,
                until=p.until,
                probing=p.probe is not None,
                failed_probes=p.failed_probes,
            )
            for p in pool.throttle.pauses.values()
        ),
        throttle_count=pool.throttle.count,
        throttle_last_at=pool.throttle.last_at,
        in_flight=len(pool.running),
        leased=pool.leased,
        paused=pool.paused,
        preferred=pool.selector.preferred,
        moves=pool.harm.moves,
        cache_tokens_lost=pool.harm.cache_tokens_lost,
        revision=pool.revision,
        rules=rules_of(pool),
        money=pool_money(pool, (s.tally.total for s in pool.states.values()), now),
    )


def _sessions(pool: Pool, now: float) -> tuple[SessionView, ...]:
    recent = list(pool.bindings.by_key.values())[-SHOWN_SESSIONS:]
    return tuple(
        SessionView(
            session=b.key.replace("\x1f", "/"),
            home=b.home,
            current=b.current,
            turns=b.turns,
            moves=b.moves,
            protected=b.protected,
            idle_s=now - b.last_used,
            warm={a: w.until for a, w in b.warm.items() if w.until > now},
        )
        for b in reversed(recent)
    )


def _account(
    state: AccountState, sessions: int, now: float, ctx: Context, twin_of: str | None
) -> AccountView:
    block = account_state(state, now, ctx) or (ctx.broke if state.account.paid else None)
    slots = state.slots(ctx.settings)
    used, week = state.quota.utilization("7d", now), state.quota.windows.get("7d")
    left = None if week is None else week.left_share(now)
    effective = used
    if used is not None and left is not None:
        effective = used + 0.6 * max(0.0, used - (1.0 - left))
    return AccountView(
        account=state.account,
        enabled=state.enabled,
        state=state_name(state, block, slots),
        unavailable=block,
        detail=state.health.reason,
        in_flight=state.in_flight,
        slots=slots,
        soft_limit=state.soft_limit(now, ctx.settings),
        sessions=sessions,
        windows=tuple(_window(w, now, ctx) for w in state.quota.windows.values()),
        buckets=tuple(
            {f.name: getattr(b, f.name) for f in fields(b) if f.name not in NOT_SHOWN}
            for b in state.quota.buckets.values()
        ),
        model_benches={m: b for m, b in state.model_benches.items() if b[1] > now},
        weekly_state=weekly_state(effective),
        effective_use=effective,
        credential=replace(state.credential),
        probing=replace(state.probing),
        last_hour=state.tally.last(now),
        last_15_min=state.tally.last(now, 15),
        total=replace(state.tally.total),
        p50_ms=state.tally.p50_ms(now),
        mean_ms=state.tally.mean_ms(now),
        failures=state.health.failures,
        last_error=state.last_error,
        last_status=state.tally.last_status,
        last_status_at=state.tally.last_status_at,
        twin_of=twin_of,
        purse=purse_view(state.purse, now),
    )


def weekly_state(effective: float | None) -> str:
    """For people only, never a gate: normal, soft, reserve, critical, exhausted."""
    for least, name in WEEKLY_STATES:
        if effective is not None and effective >= least:
            return name
    return "normal"


_STATE_OF_REASON = {
    Reason.DISABLED: "disabled",
    Reason.DRAINING: "draining",
    Reason.LOCKED_OUT: "locked_out",
    Reason.CLOSED: "closed",
    Reason.QUOTA: "benched",
    Reason.CAP: "benched",
    Reason.RESERVE: "benched",
    Reason.RATE_LIMITED: "benched",
    Reason.SPEND_LIMIT: "benched",
    Reason.BUDGET: "benched",
    Reason.BUCKET_EXHAUSTED: "benched",
}


def state_name(state: AccountState, block: Unavailable | None, slots: int) -> str:
    """ready, busy, cooling, benched, locked_out, draining, disabled or closed; an open home: home."""
    if not state.enabled:
        return "disabled"
    if state.health.state is HealthState.CLOSED:
        return "closed"
    if state.health.state is HealthState.LOCKED_OUT:
        return "locked_out"
    if block is None and state.account.kind == HOME:
        return HOME  # it serves nothing here, so it is never "ready"
    if block is None:
        return "busy" if state.in_flight >= slots else "ready"
    return _STATE_OF_REASON.get(block.reason, "cooling")


def _window(window: QuotaWindow, now: float, ctx: Context) -> WindowView:
    used, burn = window.utilization_at(now), window.burn(now)
    reset_at = window.next_reset(now)
    projected = exhausts_at = None
    if used is not None and burn is not None and reset_at is not None:
        projected = used + burn.per_hour * (reset_at - now) / 3600.0
        if burn.per_hour > 0 and projected > 1.0:
            exhausts_at = now + max(1.0 - used, 0.0) / burn.per_hour * 3600.0
    return WindowView(
        window=window.name,
        length_s=window.length_s,
        utilization=used,
        estimated=used,
        reset_at=reset_at,
        source=window.source,
        age_s=None if window.read_at is None else now - window.read_at,
        pace=window.pace(now),
        burn_per_hour=None if burn is None else burn.per_hour,
        readings=0 if burn is None else burn.n,
        projected_at_reset=projected,
        exhausts_at=exhausts_at,
        benched_until=window.closed(now, ctx.settings.full_at, ctx.settings.quota_without_reset_s),
    )


@dataclass(frozen=True, slots=True)
class Blend:
    """One window over all enabled plan accounts: utilization weighted by capacity, soonest reset."""

    utilization: float
    reset_at: float | None


def blended(pool: Pool, window: str, now: float, *, homes: bool = False) -> Blend | None:
    """The pool's own window, or that of all homes; None while no enabled plan has told its numbers."""
    used = weight = 0.0
    soonest: float | None = None
    twins = pool.groups.twins(now, pool.settings)
    for state in pool.states.values():
        if state.account.id in twins:
            continue  # counted with the other one
        found = state.quota.windows.get(window)
        share = None if found is None else found.utilization_at(now)
        if found is None or share is None or not state.enabled:
            continue
        kind = state.account.kind
        if state.account.paid or kind == CLIENT or (kind == HOME) is not homes:
            continue
        used += min(share, 1.0) * state.account.plan_weight
        weight += state.account.plan_weight
        reset_at = found.next_reset(now)
        if reset_at is not None and (soonest is None or reset_at < soonest):
            soonest = reset_at
    return Blend(used / weight, soonest) if weight > 0.0 else None


NOT_SHOWN = frozenset({"usage", "relative"})
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def outcome_class(outcome: Outcome) -> str:
    """The outcome's class as one word: `quota_exceeded`."""
    return _word(type(outcome).__name__)


@cache
def _word(name: str) -> str:
    return _WORD.sub("_", name).lower()


def outcome_text(outcome: Outcome) -> str:
    """The outcome's fields for people; outcomes never hold request or answer texts."""
    shown = [
        f"{f.name}={value}"
        for f in fields(outcome)
        if f.name not in NOT_SHOWN and (value := getattr(outcome, f.name)) is not None
    ]
    return ", ".join(shown)[:200]
