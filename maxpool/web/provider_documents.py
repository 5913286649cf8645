"""Models and providers as JSON-able values: who serves what now, or why not. No secret; only shows.

A model's line is worked out by the very function that chooses (`core/eligibility.check`), once for Claude
Code and once for everybody else, because plans serve the one and not the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from maxpool.core.account import NOT_POOLED
from maxpool.core.eligibility import Context, Eligible, Reason, Unavailable, check
from maxpool.core.lease import LeaseRequest
from maxpool.core.reasons import NO_TARGET
from maxpool.core.targets import served_by_name, upstream_model
from maxpool.web import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from maxpool.config.account import AccountConfig
    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.core.view import AccountView

Document = dict[str, Any]
CLAUDE_CODE: Final = "claude-code"
OTHERS: Final = "others"
PROGRAMS: Final[tuple[str | None, ...]] = (CLAUDE_CODE, None)
NEVER: Final = NO_TARGET | {Reason.MODEL, Reason.PROGRAM, Reason.PROFILE, Reason.HOME}
"""Reasons that say that an account has nothing to do with a model, for that client."""


def mapped_names(pool: Pool) -> set[str]:
    """The model names that the accounts' own maps offer."""
    states = pool.states.values()
    return {n for s in states if s.enabled for n in served_by_name(s.account.models)}


def itself(_name: str, **_said: str | None) -> dict[str, Any]:
    """What a name stands for where there are no aliases: nothing but itself."""
    return {}


def model(
    pool: Pool, name: str, now: float, asked: Callable[..., dict[str, Any]] = itself
) -> Document:
    """One model: which clients may ask for it, and each account that has to do with it.

    `asked`: what the name stands for, for a program, as parts of a request (an alias is a route).
    """
    context = Context(pool.settings, pool.plan_in_flight, throttle=pool.throttle)
    seen: dict[str, Document] = {}
    clients: list[str] = []
    targets: dict[str, None] = {}
    for program in PROGRAMS:
        request = LeaseRequest(name, program=program, **asked(name, program=program))
        if request.route is not None:
            targets |= dict.fromkeys(t.label or t.model for t in request.route.targets)
        found = _serving(pool, request, now, context)
        if found:
            clients.append(program or OTHERS)
        for account_id, verdict in found.items():
            line = seen.setdefault(account_id, _line(pool.states[account_id], request))
            line["clients"].append(program or OTHERS)
            if not isinstance(verdict, Eligible):
                line |= {"ready": False, "reason": verdict.reason.value, "until": verdict.until}
    lines = list(seen.values())
    return {
        "model": name,
        "stands_for": list(targets),
        "clients": clients,
        "ready": sum(line["ready"] for line in lines),
        "next_at": min((line["until"] for line in lines if line["until"]), default=None),
        "accounts": lines,
    }


def _serving(
    pool: Pool, request: LeaseRequest, now: float, context: Context
) -> dict[str, Eligible | Unavailable]:
    """The accounts that have to do with a request, with what the choice would see of each."""
    told = {
        state.account.id: check(state, request, now, context)
        for state in pool.states.values()
        if state.account.kind not in NOT_POOLED
    }
    return {i: t for i, t in told.items() if isinstance(t, Eligible) or t.reason not in NEVER}


def _line(state: AccountState, request: LeaseRequest) -> Document:
    account, asked_for = state.account, request.model
    if request.route is not None:
        asked_for = next((t.model for t in request.route.targets_of(account)), asked_for)
    return {
        "account": account.name,
        "account_id": account.id,
        "provider": account.provider,
        "sent_as": upstream_model(account.models, asked_for) or asked_for,
        "clients": [],
        "ready": True,
        "reason": None,
        "until": None,
    }


def providers(
    pool: Pool,
    now: float,
    entries: Iterable[AccountConfig],
    warmth: Mapping[str, Any],
    base_url: str,
) -> list[Document]:
    """Every account by its provider: where it is reached, what it speaks, how it fares."""
    by_id = {entry.stable_id: entry for entry in entries}
    found = [
        {
            **_provider(one, by_id.get(one.account.id), warmth, base_url),
            "latency": speed(pool, one.account.id),
        }
        for one in pool.view(now).accounts
        if one.account.kind not in NOT_POOLED
    ]
    return sorted(found, key=lambda one: str(one["provider"]))


def _provider(
    one: AccountView, entry: AccountConfig | None, warmth: Mapping[str, Any], base_url: str
) -> Document:
    shown = report.account(one)
    targets = [e for e in warmth.get("entries", ()) if e["account_id"] == one.account.id]
    return {
        "provider": one.account.provider,
        **{key: shown[key] for key in ("id", "name", "kind", "state", "unavailable", "in_flight")},
        "slots": shown["slots"],
        "base_url": (entry.base_url if entry is not None else None) or base_url,
        "format": one.account.format,
        "models": dict(one.account.models),
        "lacks": sorted(one.account.lacks),
        "warmth": warmest(targets),
        "targets": targets,
        **{key: shown[key] for key in ("windows", "limits", "buckets", "balance")},
        **{key: shown[key] for key in ("last_hour", "last_error")},
    }


def speed(pool: Pool, account_id: str) -> Document:
    """How fast and surely an account answered lately: its slowest model, all answers, and each model."""
    known = list(pool.latency.of_account(account_id))
    count = sum(len(timing.answers) for _, timing in known)
    return {
        "p95_s": max((t.p95_s for _, t in known if t.p95_s is not None), default=None),
        "success": 1.0 - sum(t.failed for _, t in known) / count if count else None,
        "answers": count,
        "models": {m: {"p95_s": t.p95_s, "success": t.success} for m, t in known},
    }


def warmest(targets: list[Document]) -> str | None:
    """One word for an account: the best of its targets; None where none is in focus."""
    states = {target["state"] for target in targets}
    return next((s for s in ("warm", "warming", "failed", "cold") if s in states), None)
