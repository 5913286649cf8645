"""The admin API's answers: pool, roster and decisions as JSON-able values. No secret, no prompt.

Only shows; a decision is told by the numbers it was made with, whatever has changed since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.config import derive
from maxpool.config.running import CLIENT_KEY_NAME, LOCAL_KEY
from maxpool.core.binding import session_key
from maxpool.core.eligibility import Context
from maxpool.core.field import before_cost
from maxpool.service.roster import GIVEN
from maxpool.web import report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.config.account import AccountConfig
    from maxpool.config.model import Config
    from maxpool.core.binding import Binding
    from maxpool.core.cost import Candidate
    from maxpool.core.decisions import Decision, Explanation, Told
    from maxpool.core.lease import LeaseRequest, Refusal
    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.core.view import AccountView, PoolView
    from maxpool.service.roster import Roster
    from maxpool.service.traces import Trace

Document = dict[str, Any]
MAX_SHOWN_WORD = 200
"""Of a text a client chose freely, such as a model's name."""
LIMITS = frozenset({"models", "profile", "requests", "max_wait_s", "expires"}) | {
    *("rpm", "tpm", "limits", "daily_budget_usd")
}
"""Attributes of a client key's entry that narrow what it may do."""


# -- accounts --------------------------------------------------------------------------------------


def accounts(view: PoolView, roster: Roster, only: str | None = None) -> list[Document]:
    """Every account (or the one with the id `only`): the status document's fields and its settings."""
    config = roster.effective()
    entries = {entry.stable_id: entry for entry in config.accounts}
    overrides = roster.overrides()
    found = []
    for one in view.accounts:
        account_id = one.account.id
        if only not in (None, account_id):
            continue
        added = roster.added.get(account_id)
        entry = entries.get(account_id)
        found.append(
            {
                **report.account(one),
                **_settings(one),
                **({} if entry is None else _reached(entry, config.upstream.base_url)),
                "in_file": added is None and entry is not None,
                "preferred": view.preferred == account_id,
                "runtime": added is not None,
                "added_at": added.at if added is not None else None,
                "overrides": overrides.get(account_id, {}),
            }
        )
    return found


def probes(view: PoolView) -> list[Document]:
    """Who is asked for its usage, and what came of it."""
    return [
        {
            "account": one.account.name,
            "account_id": one.account.id,
            "probed": one.account.probes and one.enabled,
            **report.account(one)["probe"],
        }
        for one in view.accounts
    ]


def keys(config: Config, *, local: str) -> list[Document]:
    """The client keys by name, and where each is kept (`hash`: the config has its SHA-256 only)."""
    found: list[Document] = [
        {
            "name": key.name,
            "priority": key.priority,
            "limits": key.model_dump(
                mode="json", by_alias=True, include=set(LIMITS & key.model_fields_set)
            ),
            "kept": key.key or "hash",
        }
        for key in config.client_keys
    ]
    if local and LOCAL_KEY not in {key["name"] for key in found}:
        local_key = {"name": LOCAL_KEY, "priority": 0, "limits": {}, "kept": CLIENT_KEY_NAME}
        found.append(local_key)
    return found


def _settings(one: AccountView) -> Document:
    account = one.account
    return {
        "priority": account.priority,
        "tier": account.tier,
        "weight": account.weight,
        "caps": dict(account.caps),
        "reserve": dict(account.reserve),
        "emergency": account.emergency,
        "serves": None if account.serves is None else sorted(account.serves),
        "profiles": None if account.profiles is None else sorted(account.profiles),
        "models": dict(account.models),
    }


def _reached(entry: AccountConfig, shared_url: str) -> Document:
    """Where it is reached and where its secret is found; one given as it is is never told."""
    secret = derive.reference(entry)
    return {
        "base_url": entry.base_url or shared_url,
        "secret": "given" if secret.startswith(GIVEN) else secret or None,
    }


# -- sessions --------------------------------------------------------------------------------------


def session_name(key: str) -> str:
    """A binding's key as people see it: a sub-agent behind a slash."""
    return key.replace("\x1f", "/")


def session_of(request: LeaseRequest) -> str | None:
    """A request's session as people see it."""
    key = session_key(request)
    return None if key is None else session_name(key)


def sessions(pool: Pool, now: float) -> list[Document]:
    """All bound sessions, the latest first."""
    return [
        {
            "session": session_name(b.key),
            "account": _name(pool, b.home),
            "account_id": b.home,
            "current": _name(pool, b.current) if b.current else None,
            "turns": b.turns,
            "moves": b.moves,
            "protected": b.protected,
            "idle_s": round(max(now - b.last_used, 0.0), 1),
            "warm": [
                {"account": _name(pool, a), "tokens": w.tokens, "until": w.until}
                for a, w in b.warm.items()
                if w.until > now
            ],
        }
        for b in reversed(pool.bindings.by_key.values())
    ]


# -- decisions -------------------------------------------------------------------------------------


def accounts_of(trace: Trace, pool: Pool) -> set[str]:
    """Ids of the accounts a request was sent to."""
    records = (pool.decisions.find(lease_id) for lease_id in trace.lease_ids)
    return {record.decision.account_id for record in records if record is not None}


def decision(trace: Trace, pool: Pool, now: float, *, whole: bool) -> Document:
    """One request with all its tries; `whole`: with the candidates of each."""
    ended = trace.ended_at
    return {
        "request_id": trace.request_id,
        "at": trace.began_at,
        "kind": trace.kind,
        **_request(trace.request),
        "status": trace.status,
        "ended_at": ended,
        "took_s": round(max((now if ended is None else ended) - trace.began_at, 0.0), 3),
        "waited_s": round(trace.waited_s, 3),
        "tries": [_try(lease_id, pool, whole=whole) for lease_id in trace.lease_ids],
        "refusal": None if trace.refusal is None else _refusal(trace.refusal),
    }


def explanation(found: Explanation, pool: Pool, now: float) -> Document:
    """What would be chosen now; `cached_share`: of the session's prefix, believed warm there."""
    waits, request = found.waits_for, found.request
    binding = pool.bindings.find(session_key(request), now)
    listed = _candidates(found.candidates, found.chosen, pool)
    for candidate in listed:
        warmth = binding.warm_at(candidate["account_id"], now) if binding is not None else None
        tokens = 0 if warmth is None else warmth.tokens
        size = request.input_tokens
        candidate["cached_tokens"] = tokens
        candidate["cached_share"] = round(min(tokens / size, 1.0), 4) if size else None
        candidate["order"] = _order(_before(pool, candidate["account_id"]))
        candidate |= _told_by_strategies(pool.states[candidate["account_id"]], binding, now)
    return {
        "at": found.at,
        "strategy": found.strategy,
        **_request(request),
        "chosen": None if found.chosen is None else _name(pool, found.chosen),
        "chosen_id": found.chosen,
        "waits_for": None
        if waits is None
        else {"reason": waits.reason.value, "until": waits.until, "waits": waits.temporary},
        "candidates": listed,
        "unavailable": [
            {"account": _name(pool, a), "account_id": a, "reason": reason.value, "until": until}
            for a, reason, until in found.unavailable
        ],
        "counts": dict(found.counts),
        "home": None if binding is None else _name(pool, binding.home),
        "route": found.route or None,
        "targets": [_target(one, pool) for one in found.targets],
        **_move(found),
    }


def _target(one: Told, pool: Pool) -> Document:
    """One target of what a name stands for, with one account that is it."""
    return {
        "target": one.label,
        "level": one.level,
        "model": one.model,
        "account": None if one.account_id is None else _name(pool, one.account_id),
        "account_id": one.account_id,
        "chosen": one.chosen,
        "reason": None if one.reason is None else one.reason.value,
        "until": one.until,
    }


def _told_by_strategies(state: AccountState, binding: Binding | None, now: float) -> Document:
    """What strategies other than cost go by."""
    week = state.quota.windows.get("7d")
    return {
        "week_used": state.quota.estimate("7d", now),
        "week_ends_at": None if week is None else week.next_reset(now),
        "in_flight": state.in_flight,
        "own": binding is not None and binding.current == state.account.id,
    }


def _request(request: LeaseRequest) -> Document:
    """What was asked, without a word of its text."""
    return {
        "model": request.model[:MAX_SHOWN_WORD],
        "session": session_of(request),
        "program": request.program,
        "client_key": request.client_key,
        "profile": request.profile,
        "input_tokens": request.input_tokens,
        "stream": request.stream,
        "priority": request.priority,
    }


def _try(lease_id: str, pool: Pool, *, whole: bool) -> Document:
    record = pool.decisions.find(lease_id)
    if record is None:  # more leases have been given since than are remembered
        return {"lease": lease_id, "account": None, "outcome": None, "forgotten": True}
    made = record.decision
    found = {
        "lease": lease_id,
        "account": _name(pool, made.account_id),
        "account_id": made.account_id,
        "strategy": made.strategy,
        "route": made.route or None,
        "target": made.target or None,
        "model": record.request.model[:MAX_SHOWN_WORD],
        "at": record.at,
        "ended_at": record.ended_at,
        "outcome": record.outcome,
        "waited_s": round(made.waited_s, 3),
        "cost": _cost(made.cost),
        "total": round(made.cost.total, 4),
        "unavailable": dict(made.unavailable),
        **_move(made),
    }
    if whole:
        found["candidates"] = _candidates(made.candidates, made.account_id, pool)
        order: dict[str, object] = {e[2]: b.lane.before for b in made.behind for e in b.entries}
        order |= {candidate.account_id: rank[0] for rank, candidate in made.weighed}
        for candidate in found["candidates"]:
            candidate["order"] = _order(order.get(candidate["account_id"]))
    return found


def _before(pool: Pool, account_id: str) -> tuple[object, ...] | None:
    """What comes before cost for an account, as it is now."""
    state = pool.states.get(account_id)
    ctx = Context(pool.settings)
    return None if state is None else before_cost(pool.selector, state.account, ctx)


def _order(before: object) -> Document | None:
    """What the owner decided, which comes before cost; lower first."""
    if not isinstance(before, tuple):
        return None
    not_preferred, priority, key, tier = before
    return {"preferred": not not_preferred, "priority": priority, "key": bool(key), "tier": tier}


def _move(found: Decision | Explanation) -> Document:
    return {
        "rebind": found.rebind,
        "lost_tokens": found.lost_tokens,
        "move_cost": round(found.move_cost, 4),
    }


def _candidates(found: Iterable[Candidate], chosen: str | None, pool: Pool) -> list[Document]:
    return [
        {
            "account": _name(pool, one.account_id),
            "account_id": one.account_id,
            "chosen": one.account_id == chosen,
            "cost": _cost(one.cost),
            "total": round(one.cost.total, 4),
        }
        for one in found
    ]


def _cost(cost: Any) -> dict[str, float]:  # noqa: ANN401 - a NamedTuple whose terms may grow
    return {name: round(value, 4) + 0.0 for name, value in cost._asdict().items()}  # no -0.0


def _refusal(refusal: Refusal) -> Document:
    return {
        "reason": refusal.reason.value,
        "retry_at": refusal.retry_at,
        "detail": refusal.detail,
        "counts": dict(refusal.counts),
    }


def _name(pool: Pool, account_id: str) -> str:
    """The label of an account, its id once it is gone."""
    state = pool.states.get(account_id)
    return state.account.name if state is not None else account_id
