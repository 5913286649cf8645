"""The `/status` document: the pool's view and the server's counters as stable, JSON-able fields.

Schema version 1. Times are epoch seconds, shares 0..1. No secrets, no prompts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from time import localtime, strftime
from typing import TYPE_CHECKING, Any

from maxpool.core.account import CLIENT, HOME, NOT_POOLED
from maxpool.web import money

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.tally import Counts
    from maxpool.core.view import AccountView, PoolView, SessionView, WindowView
    from maxpool.service.stats import Stats

SCHEMA = 1
SUMMARY_WINDOWS = ("5h", "7d")
TOLD_SHARE = 0.5
"""How much of the plans' capacity must be known before a number for all of it says anything."""
READY_STATES = frozenset({"ready", "busy"})
OWN_KINDS = frozenset({"subscription", "oauth"})
"""Kinds of plan that stand in the config, so that their owner can remove one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the document says about the server itself."""

    version: str
    config_path: str | None
    config_loaded_at: float
    config_error: str | None
    notices: tuple[str, ...]
    jobs: Mapping[str, Any]
    runtime: frozenset[str] = frozenset()  # ids of accounts added at run time
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # changed by hand


def document(view: PoolView, stats: Stats, facts: ServerFacts) -> dict[str, Any]:
    """The whole document."""
    return {
        "schema": SCHEMA,
        "version": facts.version,
        "started_at": view.started_at,
        "uptime_s": round(view.now - view.started_at, 3),
        "now": view.now,
        "config": {
            "path": facts.config_path,
            "loaded_at": facts.config_loaded_at,
            "error": facts.config_error,
        },
        "notices": [*facts.notices, *_twins(view)],
        "summary": summary(view),
        "accounts": [{**account(a), **_by_hand(a, facts)} for a in view.accounts],
        "sessions": {
            "bound": view.sessions_bound,
            "protected": view.sessions_protected,
            "list": [_session(s) for s in view.sessions],
        },
        "queue": [
            {
                "position": w.position,
                "class": w.model,
                "waiting_s": round(w.waiting_s, 1),
                "cause": w.cause.value,
                "expected_at": w.expected_at,
            }
            for w in view.waiters
        ],
        "throttle": _throttle(view),
        "scheduler": asdict(view.rules),
        "money": money.of_pool(view.money),
        "refusals": [asdict(r) for r in reversed(stats.refusals)],
        "jobs": dict(facts.jobs),
        "harm": {
            "client_errors": {str(k): n for k, n in sorted(stats.client_errors.items())},
            "held_s": round(stats.held_s, 3),
            "cache_tokens_lost": view.cache_tokens_lost,
            "moves": view.moves,
            "internal_errors": stats.internal_errors,
            "wasted_7d": [],
        },
        "totals": {
            "requests": stats.requests,
            "sends": stats.sends,
            "failovers": stats.failovers,
            "client_gone": stats.client_gone,
        },
    }


def _twins(view: PoolView) -> list[str]:
    """A sentence for each login that stands here twice."""
    names = {a.account.id: a.account.name for a in view.accounts}
    return [
        f"{names[a.twin_of]} and {a.account.name} seem to be the same login (one organisation, the same "
        "windows): its quota is counted once. Remove one of them."
        for a in view.accounts
        if a.twin_of is not None and a.account.kind in OWN_KINDS
    ]


def _throttle(view: PoolView) -> dict[str, Any]:
    """The upstream-wide pauses: those open now, and how many there were."""
    return {
        "open": [
            {
                "scope": p.scope,
                "until": p.until,
                "probing": p.probing,
                "failed_probes": p.failed_probes,
            }
            for p in view.pauses
        ],
        "count": view.throttle_count,
        "last_at": view.throttle_last_at,
    }


def summary(view: PoolView) -> dict[str, Any]:
    """The one-look part: verdict, counts, headroom, burn, next resets."""
    served = [a for a in view.accounts if a.account.kind not in NOT_POOLED]
    enabled = [a for a in served if a.enabled]
    ready = [a for a in enabled if a.state in READY_STATES]
    burn = {name: _burn(enabled, name, view.now) for name in SUMMARY_WINDOWS}
    headroom = {name: _headroom(enabled, name) for name in SUMMARY_WINDOWS}
    resets: list[dict[str, Any]] = [
        {"account": a.account.name, "window": w.window, "at": w.reset_at}
        for a in enabled
        for w in a.windows
        if w.reset_at is not None
    ]
    resets.sort(key=lambda r: r["at"] or 0.0)
    return {
        "verdict": verdict(view, len(ready), len(enabled), headroom["5h"], burn["5h"]["empty_at"]),
        "homes": sum(a.account.kind == HOME for a in view.accounts),
        "client_logins": sum(a.account.kind == CLIENT for a in view.accounts),
        "accounts_total": len(enabled),
        "accounts_ready": len(ready),
        "accounts_disabled": len(served) - len(enabled),
        "requests_in_flight": view.in_flight,
        "queued": len(view.waiters),
        "oldest_waiting_s": max((round(w.waiting_s, 1) for w in view.waiters), default=None),
        "paused": view.paused,
        "preferred": view.preferred,
        "headroom": headroom,
        "burn": burn,
        "next_resets": resets[:10],
    }


def verdict(
    view: PoolView, ready: int, total: int, free_5h: float | None, empty_at: float | None
) -> str:
    """One sentence: how many can serve, how much is left, until when."""
    if not total:
        return _nobody(view)
    parts = [f"{ready} of {total} account{'s' if total != 1 else ''} ready"]
    if free_5h is not None and ready:  # what nobody may use is not free
        parts.append(f"{free_5h * 100:.0f} % of 5-hour capacity free")
    if view.paused:
        parts.append("paused by hand")
    if not ready:
        back = _soonest_back(view)
        parts.append(
            f"next one back at {_clock(back)}" if back is not None else "none comes back by itself"
        )
    elif empty_at is not None and free_5h:
        paid = any(a.account.paid and a.enabled and a.state in READY_STATES for a in view.accounts)
        parts.append(f"{'plans ' if paid else ''}dry at {_clock(empty_at)} at this pace")
    return ", ".join(parts)


def _nobody(view: PoolView) -> str:
    """The verdict of a pool in which no account that could serve is enabled."""
    disabled = sum(a.account.kind not in NOT_POOLED for a in view.accounts)
    if not disabled and any(a.account.kind == CLIENT for a in view.accounts):
        return "no account of its own: clients are served by the logins they bring along"
    if not disabled and view.accounts:
        return "homes only: maxpool run --home uses them; nothing is served here"
    if not disabled:
        return "no account is configured; add one to the configuration"
    all_of_them = f"all {disabled} accounts are" if disabled > 1 else "the only account is"
    return f"{all_of_them} disabled; enable one: maxpool accounts enable NAME"


def account(a: AccountView) -> dict[str, Any]:
    """One account."""
    block, error = a.unavailable, a.last_error
    return {
        "id": a.account.id,
        "name": a.account.name,
        "kind": a.account.kind,
        "provider": a.account.provider,
        "plan": a.account.plan,
        "enabled": a.enabled,
        "state": a.state,
        "unavailable": None
        if block is None
        else {"reason": block.reason.value, "until": block.until, "detail": a.detail or None},
        "in_flight": a.in_flight,
        "slots": a.slots,
        "soft_limit": round(a.soft_limit, 1),
        "sessions": a.sessions,
        "priority": a.account.priority,
        "weekly_state": a.weekly_state,
        "effective_use": a.effective_use,
        "windows": [window(w) for w in a.windows],
        "models": {
            model: {"reason": reason.value, "until": until}
            for model, (reason, until) in a.model_benches.items()
        },
        "buckets": [dict(b) for b in a.buckets],
        **money.of_account(a),
        "credential": {
            "kind": a.account.kind,
            "expires_at": a.credential.expires_at,
            "refreshed_at": a.credential.refreshed_at,
            "grant_expires_at": a.credential.grant_expires_at,
            "ending": a.credential.ending or None,
            "dead": a.detail or a.credential.dead or None,
        },
        "last_hour": {**_counts(a.last_hour), "p50_ms": a.p50_ms, "mean_ms": a.mean_ms},
        "last_15_min": _counts(a.last_15_min),
        "total": _counts(a.total),
        "failures_in_a_row": a.failures,
        "last_status": a.last_status,
        "last_status_at": a.last_status_at,
        "last_error": None
        if error is None
        else {"class": error.kind, "at": error.at, "message": error.message},
        "probe": {
            "last_at": a.probing.last_at,
            "next_at": a.probing.next_at or None,
            "last_result": a.probing.last_result or None,
            "paused_until": a.probing.paused_until or None,
            "barred": a.probing.barred or None,
        },
    }


def _by_hand(a: AccountView, facts: ServerFacts) -> dict[str, Any]:
    """What a person did to the running server about it."""
    changed = facts.overrides.get(a.account.id, {})
    return {"runtime": a.account.id in facts.runtime, "overrides": dict(changed)}


def window(w: WindowView) -> dict[str, Any]:
    """One quota window."""
    return {
        "window": w.window,
        "length_s": w.length_s,
        "utilization": w.utilization,
        "estimated": w.estimated,
        "reset_at": w.reset_at,
        "source": w.source,
        "age_s": None if w.age_s is None else round(w.age_s, 1),
        "pace": w.pace,
        "burn_per_hour": w.burn_per_hour,
        "n": w.readings,
        "projected_at_reset": w.projected_at_reset,
        "exhausts_at": w.exhausts_at,
        "benched_until": w.benched_until,
    }


def _session(s: SessionView) -> dict[str, Any]:
    return {
        "session": s.session,
        "account": s.home,
        "current": s.current,
        "turns": s.turns,
        "moves": s.moves,
        "protected": s.protected,
        "idle_s": round(s.idle_s, 1),
        "warm": dict(s.warm),
    }


def _counts(c: Counts) -> dict[str, int | float]:
    return {
        "requests": c.requests,
        "failed": c.failed,
        "tokens_in": c.tokens_in,
        "tokens_out": c.tokens_out,
        "cache_read": c.cache_read,
        "cache_write": c.cache_write,
        "cost_usd": round(c.cost_usd, 6),
        "told_usd": round(c.told_usd, 6),
        "told_estimate_usd": round(c.told_estimate_usd, 6),
        "unpriced": c.unpriced,
        "wasted_usd": round(c.wasted_usd, 6),
    }


def _counted(accounts: list[AccountView]) -> list[AccountView]:
    """The plans whose quota there is: a login that stands here twice has it once."""
    return [a for a in accounts if not a.account.paid and a.twin_of is None]


def _known(accounts: list[AccountView], name: str) -> list[tuple[float, WindowView]]:
    """(capacity, window) of the plan accounts that told this window."""
    return [
        (a.account.plan_weight, w)
        for a in _counted(accounts)
        for w in a.windows
        if w.window == name and w.utilization is not None
    ]


def _headroom(accounts: list[AccountView], name: str) -> float | None:
    """Free share of the plan accounts' capacity; None while less than half of it has told."""
    known = _known(accounts, name)
    total = sum(weight for weight, _ in known)
    plans = sum(a.account.plan_weight for a in _counted(accounts))
    if total <= 0 or total < plans * TOLD_SHARE:
        return None
    free = sum(w * max(0.0, 1.0 - (v.utilization or 0.0)) for w, v in known if not v.benched_until)
    return round(free / total, 4)


def _burn(accounts: list[AccountView], name: str, now: float) -> dict[str, Any]:
    """How fast the pool's capacity burns, when it would be empty, and when relief comes."""
    known = _known(accounts, name)
    total = sum(weight for weight, _ in known)
    used = sum(w * (v.burn_per_hour or 0.0) for w, v in known)
    per_hour = used / total if total > 0 else 0.0
    resets = [v.reset_at for _, v in known if v.reset_at is not None]
    relief = min(resets, default=None)
    empty_at = None
    free = _headroom(accounts, name)
    if per_hour > 0 and free is not None and resets:
        empty = now + free / per_hour * 3600.0
        empty_at = empty if empty < max(resets) else None
    return {"per_hour": round(per_hour, 4), "empty_at": empty_at, "next_relief_at": relief}


def _soonest_back(view: PoolView) -> float | None:
    times = [
        a.unavailable.until
        for a in view.accounts
        if a.enabled and a.account.kind not in NOT_POOLED
        if a.unavailable is not None and a.unavailable.until is not None
    ]
    return min(times, default=None)


def _clock(at: float) -> str:
    """Local wall time, for people."""
    return strftime("%H:%M", localtime(at))
