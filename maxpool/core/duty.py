"""What is due: probes, refreshes and saves, as values. Whoever rings the bell asks here.

A probe is worth sending only where its answer could change the next choice (`_worth`), and the usage
endpoint is itself limited: one account at a time in the whole pool, far apart, a little irregularly,
and never in a pause that the upstream asked for. A pool that nobody uses asks ever more rarely.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING
from zlib import crc32

from maxpool.core.health import HealthState
from maxpool.core.lease import Due, ProbeFailure, UsageReport
from maxpool.core.quota import ACCOUNT_WINDOWS

if TYPE_CHECKING:
    from maxpool.core.pool import Pool
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState


def due(pool: Pool, now: float) -> list[Due]:
    """All work whose time has come, soonest first."""
    found: list[Due] = []
    settings = pool.settings
    since_s = now - pool.saved_at  # below zero when the clock was set back during a save
    if pool.revision != pool.saved_revision and not 0.0 <= since_s < settings.save_gap_s:
        found.append(Due("save", None, pool.saved_at + settings.save_gap_s))
    for state in pool.states.values():
        refresh_at = _refresh_at(state, settings)
        if refresh_at is not None and refresh_at <= now and _alive(state):
            found.append(Due("refresh", state.account.id, refresh_at))
    probe = _probe(pool, now)
    if probe is not None:
        found.append(probe)
    return sorted(found, key=lambda one: one.at)


class Worth(IntEnum):
    """Why an account's usage is worth asking for; the more telling first."""

    NEVER_SEEN = 0
    CHANGED = 1  # a window has ended since, or its bench is about to
    IDLE = 2  # other programs may have used it meanwhile


REFUSED = frozenset({"401", "403"})
"""Failures that say that the credential may not ask."""
NO_SCOPE = "scope"
"""The credential is known to lack the right to ask: it never was sent."""


def probed(
    state: AccountState, report: UsageReport | ProbeFailure, now: float, settings: PoolSettings
) -> None:
    """Keep when an account was probed, what came of it, and when it may be probed again."""
    probing = state.probing
    probing.last_at, probing.count = now, probing.count + 1
    gap, asked_s = settings.probe_gap_s, 0.0
    if isinstance(report, UsageReport):
        probing.failures = probing.refusals = 0
        probing.last_result = "ok"
    else:
        probing.failures = min(probing.failures + 1, 16)
        probing.last_result = report.kind
        gap = min(gap * 2**probing.failures, settings.probe_gap_max_s)
        asked_s = min(report.retry_after_s or 0.0, settings.retry_after_max_s)
        probing.refusals = probing.refusals + 1 if report.kind in REFUSED else 0
        if report.kind == NO_SCOPE or probing.refusals >= settings.probe_refusals:
            probing.barred = report.kind
    probing.paused_until = now + asked_s if asked_s else 0.0
    unevenness = settings.probe_jitter * gap * _spread(f"{state.account.id} {probing.count}")
    probing.next_at = now + max(gap, asked_s) + unevenness


def _spread(word: str) -> float:
    """A number in [0, 1) that belongs to the word: no two accounts keep step, and no dice are cast."""
    mixed = crc32(word.encode()) * 0x9E3779B1  # its bits alone would order similar words alike
    return (mixed & 0xFFFFFFFF) / 2**32


def _refresh_at(state: AccountState, settings: PoolSettings) -> float | None:
    """When the login wants to be looked at: in time for new tokens, or when it ends without any."""
    kept = state.credential
    if kept.expires_at is None or kept.ending:
        return kept.expires_at
    return max(kept.expires_at - kept.early_s(settings.refresh_ahead_s), kept.retry_at)


def _alive(state: AccountState) -> bool:
    return (
        state.enabled
        and not state.credential.dead
        and state.health.state not in (HealthState.LOCKED_OUT, HealthState.CLOSED)
    )


def _probe(pool: Pool, now: float) -> Due | None:
    """The one account whose usage is most worth asking for; of equals the one asked longest ago."""
    last = max((s.probing.last_at or 0.0 for s in pool.states.values()), default=0.0)
    if now - last < pool.settings.probe_lane_s:
        return None
    patience_s = _patience_s(pool, now)
    waiting = [
        ((worth, s.probing.last_at or 0.0, _spread(f"{s.account.id} {pool.started_at}")), s)
        for s in pool.states.values()
        if s.account.probes and s.probing.next_at <= now and not s.probing.barred and _alive(s)
        if (worth := _worth(s, now, patience_s, pool.settings)) is not None
    ]
    if not waiting:
        return None
    _, state = min(waiting, key=lambda one: one[0])
    return Due("probe", state.account.id, state.probing.next_at or now)


def _worth(
    state: AccountState, now: float, patience_s: float, settings: PoolSettings
) -> Worth | None:
    """What an answer would be worth; None where it could not change the next choice."""
    windows = state.quota.windows
    read_at = max((w.read_at or 0.0 for w in windows.values()), default=0.0)
    if not read_at:
        return Worth.NEVER_SEEN
    seen_at = max(read_at, state.probing.last_at or 0.0)
    closed_until = state.quota.account_closed(now, settings)
    if closed_until is not None:
        lead_from = closed_until - settings.probe_lead_s
        return Worth.CHANGED if seen_at < lead_from <= now else None
    resets = (windows[name].reset_at for name in ACCOUNT_WINDOWS if name in windows)
    if any(reset_at is not None and seen_at < reset_at <= now for reset_at in resets):
        return Worth.CHANGED
    return Worth.IDLE if now - read_at >= patience_s else None


def _patience_s(pool: Pool, now: float) -> float:
    """How old a reading may be: as old as the pool's last choice, within the two gaps."""
    leased = (s.last_leased_at for s in pool.states.values() if s.last_leased_at is not None)
    quiet_s = now - max(leased, default=pool.started_at)
    return min(max(quiet_s, pool.settings.probe_gap_s), pool.settings.probe_gap_max_s)
