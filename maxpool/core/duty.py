"""What is due: probes, refreshes and saves, as values. Whoever rings the bell asks here.

A probe is worth sending only where its answer could change the next choice, and the usage endpoint
is itself limited: one account at a time, far apart, with the upstream's own pauses kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.health import HealthState
from maxpool.core.lease import Due, ProbeFailure, UsageReport

if TYPE_CHECKING:
    from maxpool.core.pool import Pool
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState


def due(pool: Pool, now: float) -> list[Due]:
    """All work whose time has come, soonest first."""
    found: list[Due] = []
    settings = pool.settings
    if pool.revision != pool.saved_revision and now - pool.saved_at >= settings.save_gap_s:
        found.append(Due("save", None, pool.saved_at + settings.save_gap_s))
    for state in pool.states.values():
        expires_at = state.credential.expires_at
        if (
            expires_at is not None
            and expires_at - settings.refresh_ahead_s <= now
            and _alive(state)
        ):
            found.append(Due("refresh", state.account.id, expires_at - settings.refresh_ahead_s))
    probe = _probe(pool, now)
    if probe is not None:
        found.append(probe)
    return sorted(found, key=lambda one: one.at)


def probed(
    state: AccountState, report: UsageReport | ProbeFailure, now: float, settings: PoolSettings
) -> None:
    """Keep when an account was probed, what came of it, and when it may be probed again."""
    probing = state.probing
    probing.last_at = now
    if isinstance(report, UsageReport):
        probing.failures, probing.last_result = 0, "ok"
        probing.next_at = now + settings.probe_gap_s
        return
    probing.failures = min(probing.failures + 1, 16)
    probing.last_result = report.kind
    gap = min(settings.probe_gap_s * 2**probing.failures, settings.probe_gap_max_s)
    probing.next_at = now + max(gap, report.retry_after_s or 0.0)


def _alive(state: AccountState) -> bool:
    return (
        state.enabled
        and not state.credential.dead
        and state.health.state not in (HealthState.LOCKED_OUT, HealthState.CLOSED)
    )


def _probe(pool: Pool, now: float) -> Due | None:
    """The one account whose usage is most worth asking for: never seen first, then the oldest."""
    last = max((s.probing.last_at or 0.0 for s in pool.states.values()), default=0.0)
    if now - last < pool.settings.probe_lane_s:
        return None
    waiting = [
        (s.probing.last_at or 0.0, s.account.id, s)
        for s in pool.states.values()
        if s.account.probes and _alive(s) and s.probing.next_at <= now and _stale(s, now, pool)
    ]
    if not waiting:
        return None
    _, account_id, state = min(waiting, key=lambda w: w[:2])
    return Due("probe", account_id, state.probing.next_at or now)


def _stale(state: AccountState, now: float, pool: Pool) -> bool:
    read = [w.read_at for w in state.quota.windows.values() if w.read_at is not None]
    return not read or now - max(read) >= pool.settings.probe_gap_s
