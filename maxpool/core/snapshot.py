"""The pool's memory across restarts: a versioned, JSON-able picture of all that has a future.

Kept: windows with a reset, verdicts, cooldowns and breakers with trip counts, dead logins, bindings,
throttles and ramps, quota groups, pauses of probes, counters. Not kept: leases in flight, waiters, and
a utilization whose reset is unknown. Deadlines are absolute; where the clock now says an earlier time
than it did at the save, it was set back, and our own pauses last as long as they had left.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, fields
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from maxpool.core import budgetstate, clockstep
from maxpool.core.binding import Binding, Warmth
from maxpool.core.cachelife import AGES_S, Ages
from maxpool.core.demand import HOURS
from maxpool.core.eligibility import Reason
from maxpool.core.health import HealthState
from maxpool.core.lease import BucketReading
from maxpool.core.migrate import migrated
from maxpool.core.prefixes import Prefix
from maxpool.core.state import Credential, LastError, Probing
from maxpool.core.tally import Counts
from maxpool.core.throttle import Pause, Ramp
from maxpool.core.window import FAR_FUTURE_S
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.core.pool import Pool
    from maxpool.core.slope import Slope
    from maxpool.core.state import AccountState
    from maxpool.core.throttle import Throttle
    from maxpool.core.window import QuotaWindow

VERSION = 2
OLDEST = 1
MOST_USED = 1e6
"""No share of a window that can be reckoned with is larger."""
_V = TypeVar("_V")
_WARMTH = ("until", "tokens", "proven", "since", "model")
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
}


def dump(pool: Pool, now: float) -> dict[str, Any]:
    """The snapshot of a pool."""
    return {
        "version": VERSION,
        "saved_at": now,
        "revision": pool.revision,
        "leased": pool.leased,
        "preferred": pool.selector.preferred,
        "paused": pool.paused,
        "harm": {"moves": pool.harm.moves, "cache_tokens_lost": pool.harm.cache_tokens_lost},
        "prices": {
            "outputs": dict(pool.prices.outputs),
            "mean": pool.prices.mean,
            "seen": pool.prices.seen,
            "session_work": pool.prices.session_work,
            "session_count": pool.prices.session_count,
        },
        "learned": {
            "yardstick": dict(pool.index.yardstick.per_token),
            "demand": {
                "hours": list(pool.index.demand.learned),
                "hour": pool.index.demand.hour,
                "burned": pool.index.demand.burned,
            },
            "lives": [
                [*key, ages.told, ages.hits, ages.misses, ages.oldest]
                for key, ages in pool.bindings.lives.ages.items()
            ],
            "prefixes": [
                [digest, prefix.tokens, dict(prefix.warm)]
                for digest, prefix in pool.prefixes.by_digest.items()
            ],
        },
        "accounts": {account_id: _dump_account(s) for account_id, s in pool.states.items()},
        "bindings": [_dump_binding(b) for b in pool.bindings.by_key.values()],
        "throttle": _dump_throttle(pool.throttle),
        "owned": pool.owners.dump(),
        "budget": budgetstate.dump(pool, now),
        "habits": pool.habits.dump(),
        "latency": pool.latency.dump(),
        "sets": pool.routing.sets.dump(),
    }


def load(pool: Pool, data: Mapping[str, Any], now: float) -> None:
    """Give a fresh pool what a snapshot knows; accounts that are no longer configured are dropped."""
    version = data.get("version") if isinstance(data, dict) else None
    if not isinstance(version, int) or not OLDEST <= version <= VERSION:
        raise StateError(
            f"the saved state has version {version!r}, this maxpool reads {OLDEST} to {VERSION}",
            "Start the maxpool that wrote it, or go on without its memory.",
        )
    try:
        _load(pool, migrated(data, VERSION), now)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise StateError(
            f"the saved state cannot be read ({type(error).__name__}: {error})",
            "The pool starts with what the accounts' next answers tell.",
        ) from error


def _load(pool: Pool, data: Mapping[str, Any], now: float) -> None:
    saved_at = max(now, _amount(data["saved_at"]))
    _load_learned(pool, data["learned"])
    for account_id, saved in data["accounts"].items():
        state = pool.states.get(account_id)
        if state is not None:
            _load_account(pool, state, saved, saved_at)
    for saved in data["bindings"]:
        if saved["home"] in pool.states:
            _load_binding(pool, saved)
    _load_throttle(pool, data["throttle"], saved_at)
    _load_counts(pool, data)
    pool.owners.load(data.get("owned", {}))  # not everything that says version 2 has it
    budgetstate.load(pool, data.get("budget", {}), now)
    pool.habits.load(data.get("habits", {}), now)
    pool.latency.load(data.get("latency", ()), pool.states)
    pool.routing.sets.load(data.get("sets", {}))
    if now < saved_at:
        clockstep.step(pool, now - saved_at, now)
    else:
        pool.index.renew_all(now)


def _load_binding(pool: Pool, saved: Mapping[str, Any]) -> None:
    kept = {a: w for a, w in saved["warm"].items() if a in pool.states}
    warm = {a: _as(Warmth, dict(zip(_WARMTH, w, strict=False))) for a, w in kept.items()}
    binding = _as(Binding, {**saved, "warm": warm})
    pool.bindings.by_key[binding.key] = binding
    at_home = pool.states.get(binding.current)
    if at_home is not None:
        at_home.seen(binding.key, _amount(binding.last_used), pool.settings)


def _load_counts(pool: Pool, data: Mapping[str, Any]) -> None:
    preferred = data["preferred"]
    pool.selector.preferred = preferred if preferred in pool.states else None
    pool.paused, pool.leased = bool(data["paused"]), int(_amount(data["leased"]))
    pool.harm.moves = int(_amount(data["harm"]["moves"]))
    pool.harm.cache_tokens_lost = int(_amount(data["harm"]["cache_tokens_lost"]))
    outputs = data["prices"]["outputs"].items()
    pool.prices.outputs.update((n, v) for n, v in outputs if _amount(v) > 0.0)
    prices = data["prices"]
    pool.prices.mean, pool.prices.seen = _amount(prices["mean"]), int(_amount(prices["seen"]))
    pool.prices.session_work = _amount(prices["session_work"])
    pool.prices.session_count = _amount(prices["session_count"])


def _load_learned(pool: Pool, saved: Mapping[str, Any]) -> None:
    found = {name: _amount(value) for name, value in saved["yardstick"].items()}
    pool.index.yardstick.per_token.update((n, v) for n, v in found.items() if v > 0.0)
    demand, kept = pool.index.demand, saved["demand"]
    if len(kept["hours"]) == HOURS:
        demand.set([None if w is None else _amount(w) for w in kept["hours"]])
        demand.hour = None if kept["hour"] is None else int(kept["hour"])
        demand.burned = _amount(kept["burned"])
    lives = pool.bindings.lives
    for account_id, asked_s, told, hits, misses, oldest in saved["lives"]:
        whole = len(hits) == len(misses) == len(oldest) == len(AGES_S)
        if whole and (account_id == "" or account_id in pool.states):
            ages = Ages(list(hits), list(misses), list(oldest), int(told))
            lives.keep(account_id, float(asked_s), ages)
    for digest, tokens, warm in saved["prefixes"]:
        known = {a: _amount(until) for a, until in warm.items() if a in pool.states}
        pool.prefixes.by_digest[digest] = Prefix(_time(tokens), OrderedDict(known))


def _dump_account(state: AccountState) -> dict[str, Any]:
    health = state.health
    return {
        "enabled": state.enabled if state.enabled != state.account.enabled else None,
        "draining": state.draining,
        "windows": [
            _dump_window(w)
            for w in state.quota.windows.values()
            if w.reset_at is not None or w.closed_until is not None
        ],
        "bucket_closed_until": state.quota.bucket_closed_until,
        "bucket_closed_by_us": state.quota.bucket_closed_by_us,
        "buckets": [asdict(bucket) for bucket in state.quota.buckets.values()],
        "organization": [state.organization, state.organization_since],
        "opened_at": state.opened_at,
        "last_status": [state.tally.last_status, state.tally.last_status_at],
        "health": {
            "state": health.state.value,
            "failures": health.failures,
            "trips": health.trips,
            "open_until": health.open_until,
            "reason": health.reason,
        },
        "cooldowns": {reason.value: until for reason, until in state.cooldowns.items()},
        "trips": {reason.value: n for reason, n in state.trips.items()},
        "model_benches": {m: [r.value, until] for m, (r, until) in state.model_benches.items()},
        "shrunk": [state.shrunk_to, state.shrunk_at],
        "credential": asdict(state.credential),
        "probing": asdict(state.probing),
        "total": asdict(state.tally.total),
        "minutes": [[minute, asdict(c)] for minute, c in state.tally.minutes],
        "last_error": None if state.last_error is None else asdict(state.last_error),
    }


def _dump_window(window: QuotaWindow) -> dict[str, Any]:
    return {
        "name": window.name,
        "utilization": window.utilization if window.reset_at is not None else None,
        "reset_at": window.reset_at,
        "status": window.status,
        "read_at": window.read_at,
        "closed_until": window.closed_until,
        "closed_by_us": window.closed_by_us,
        "history": [list(point) for point in window.history],
        "slope": _dump_slope(window.slope) if window.reset_at is not None else None,
    }


def _dump_slope(slope: Slope) -> list[Any]:
    return [slope.per_token, slope.spread, slope.n, slope.outside]


def _load_account(pool: Pool, state: AccountState, saved: Mapping[str, Any], now: float) -> None:
    if saved["enabled"] is not None:
        state.enabled = bool(saved["enabled"])
    state.draining = bool(saved["draining"])
    for window in saved["windows"]:
        _load_window(pool, state, window, now)
    again_s = pool.settings.quota_without_reset_s
    state.quota.bucket_closed_until = _until(saved["bucket_closed_until"], now, again_s)
    state.quota.bucket_closed_by_us = bool(saved["bucket_closed_by_us"])
    buckets = [_as(BucketReading, bucket) for bucket in saved["buckets"]]
    state.quota.merge_buckets(buckets, pool.settings)
    health, kept = state.health, saved["health"]
    health.state = HealthState(kept["state"])
    if health.state is HealthState.TRIAL:
        health.state = HealthState.OPEN  # its probe did not survive
    health.failures, health.trips = int(kept["failures"]), int(kept["trips"])
    most = pool.settings.breaker_max_s
    health.open_until = min(_amount(kept["open_until"]), now + most)
    health.reason = str(kept["reason"])
    state.cooldowns = {
        reason: until
        for reason, saved_until in _by_reason(saved["cooldowns"], float).items()
        if (until := _until(saved_until, now, again_s)) is not None
    }
    state.trips = _by_reason(saved["trips"], int)
    for model, (reason, until) in saved["model_benches"].items():
        state.model_benches[model] = (Reason(reason), _until(until, now, again_s) or now)
    shrunk_to, shrunk_at = saved["shrunk"]
    state.shrunk_to, state.shrunk_at = _time(shrunk_to), _amount(shrunk_at)
    state.credential = _as(Credential, saved["credential"])
    state.probing = _as(Probing, saved["probing"])
    state.opened_at = _time(saved["opened_at"])
    organization, since = saved["organization"]
    if organization is not None:
        pool.groups.join(state, str(organization), int(since))
    status, status_at = saved["last_status"]
    if status is not None:
        state.tally.answered(int(status), _amount(status_at))
    state.tally.total = _as(Counts, saved["total"])
    for minute, counts in saved["minutes"]:
        if now / 60 - minute < 120:
            state.tally.minutes.append((int(minute), _as(Counts, counts)))
    if saved["last_error"] is not None:
        state.last_error = _as(LastError, saved["last_error"])


def _load_window(pool: Pool, state: AccountState, saved: Mapping[str, Any], now: float) -> None:
    window = state.quota.window(saved["name"], pool.settings)
    reset_at = _time(saved["reset_at"])
    window.reset_at = reset_at if reset_at is not None and reset_at < now + FAR_FUTURE_S else None
    used = _time(saved["utilization"])
    if window.reset_at is not None and used is not None and used >= 0.0:
        window.utilization = used
    window.status, window.read_at = saved["status"], _time(saved["read_at"])
    again_s = pool.settings.quota_without_reset_s
    window.closed_until = _until(saved["closed_until"], now, again_s)
    window.closed_by_us = bool(saved["closed_by_us"])
    window.source = "restored"
    if (slope := saved["slope"]) is not None:
        found = window.slope
        per_token = _time(slope[0])
        if per_token is not None and per_token > 0.0:
            found.per_token, found.spread, found.n = per_token, _time(slope[1]), int(slope[2])
        found.outside = max(_time(slope[3]) or 0.0, 0.0)
    window.history.extend(
        (float(at), float(used))
        for at, used in saved["history"]
        if abs(at - now) < FAR_FUTURE_S and 0.0 <= used < MOST_USED
    )


def _dump_throttle(throttle: Throttle) -> dict[str, Any]:
    return {
        "count": throttle.count,
        "last_at": throttle.last_at,
        "ramps": [[scope, ramp.until, ramp.ends_at] for scope, ramp in throttle.ramps.items()],
        "pauses": [
            {"scope": p.scope, "until": p.until, "failed_probes": p.failed_probes}
            for p in throttle.pauses.values()
        ],
    }


def _load_throttle(pool: Pool, saved: Mapping[str, Any], now: float) -> None:
    throttle = pool.throttle
    throttle.count, throttle.last_at = int(_amount(saved["count"])), _time(saved["last_at"])
    for kept in saved["pauses"]:
        pause = _as(Pause, kept)
        pause.until = _until(pause.until, now, pool.settings.throttle_default_s) or now
        throttle.pauses[pause.scope] = pause
    for scope, until, ends_at in saved["ramps"]:
        if now < _amount(ends_at) <= now + pool.settings.throttle_ramp_s:
            throttle.ramps[str(scope)] = Ramp(_amount(until), _amount(ends_at))


def _by_reason(saved: Mapping[str, Any], kind: Callable[[Any], _V]) -> dict[Reason, _V]:
    return {Reason(reason): kind(value) for reason, value in saved.items()}


def _time(value: Any) -> float | None:  # noqa: ANN401  (straight from JSON)
    """A number, or None where it is no number that anything can be reckoned with."""
    found = None if value is None else float(value)
    return found if found is not None and isfinite(found) else None


def _amount(value: Any) -> float:  # noqa: ANN401
    """A number that is not below zero; 0 where it is none."""
    return max(_time(value) or 0.0, 0.0)


def _as(kind: type[_V], saved: Mapping[str, Any]) -> _V:
    """A value of that class; fields that a newer version added are left out.

    Raises TypeError where a field holds another kind of value than it should: it would break much later.
    """
    known = {f.name: str(f.type) for f in fields(kind)}  # type: ignore[arg-type]
    found = {name: value for name, value in saved.items() if name in known}
    for name, value in found.items():
        if not _fits(value, known[name]):
            raise TypeError(f"{name} of a {kind.__name__} is {value!r:.50}")
    return kind(**found)


def _fits(value: Any, annotation: str) -> bool:  # noqa: ANN401
    """Whether a value is of one of these plain kinds; other kinds are their own readers' to check."""
    words = annotation.split(" | ")
    if not _PLAIN.keys() >= set(words):
        return True
    return any(isinstance(value, _PLAIN[w]) for w in words) and (
        "bool" in words or not isinstance(value, bool)
    )


def _until(value: Any, now: float, again_s: float) -> float | None:  # noqa: ANN401
    """A deadline; one that cannot be is one nobody told: to be tried again after `again_s`."""
    if value is None:
        return None
    found = _time(value)
    return found if found is not None and found < now + FAR_FUTURE_S else now + again_s


def _dump_binding(binding: Binding) -> dict[str, Any]:
    return {
        "key": binding.key,
        "home": binding.home,
        "last_used": binding.last_used,
        "current": binding.current,
        "turns": binding.turns,
        "moves": binding.moves,
        "protected": binding.protected,
        "warm": {
            a: [w.until, w.tokens, w.proven, w.since, w.model] for a, w in binding.warm.items()
        },
    }
