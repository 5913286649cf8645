"""Home accounts and status lines beside a running pool: what homes tell goes in, a glance goes out.

A home's client talks to its provider by itself; all that the pool learns of it is what the client
shows in its status line. Blocking work runs in worker threads; nothing here can hold up a request.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from maxpool.core.account import CLIENT, HOME
from maxpool.core.eligibility import Context, account_state
from maxpool.core.view import blended
from maxpool.wire.homeusage import report, told_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.binding import Binding
    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.ports import Clock, HomeFiles

WINDOWS: Final = ("5h", "7d")
MAX_SESSIONS: Final = 100
"""Sessions whose account a status line can name: far more than one person has open."""

RENEW_S: Final = 20.0
"""The glance is written anew at least so often, so that a status line sees that the server lives."""

Document = dict[str, Any]


@dataclass(slots=True)
class Homes:
    """Carries numbers between the pool and the status lines of this machine."""

    pool: Pool
    files: HomeFiles
    clock: Clock
    told: Document | None = None
    told_at: float = 0.0

    async def tick(self) -> None:
        """Take in what is new, and show how the pool is."""
        usage = await asyncio.to_thread(self.files.usage)
        now = self.clock.now()
        learn(self.pool, usage, now, first=self.told is None)
        seen = glance(self.pool, now)
        if seen != self.told or not 0.0 <= now - self.told_at < RENEW_S:
            self.told, self.told_at = seen, now
            await asyncio.to_thread(self.files.show, {**seen, "at": now})


def learn(pool: Pool, usage: Mapping[str, bytes], now: float, *, first: bool = False) -> None:
    """Take in what homes tell of their quota; files of anybody else mean nothing.

    `first`: since the start; what the pool remembers of a file from before is no news then.
    """
    for account_id, data in usage.items():
        state = pool.states.get(account_id)
        if state is not None and state.account.kind == HOME:
            read_at = max((w.read_at or 0.0 for w in state.quota.windows.values()), default=0.0)
            if first and told_at(data) <= read_at:
                continue
            found = report(data, now)
            if found.readings:
                pool.learn(account_id, found, now)


def glance(pool: Pool, now: float) -> Document:
    """The few numbers that a status line shows; shares are rounded, so that it rarely changes."""
    enabled = [s for s in pool.states.values() if s.enabled]
    served = [s for s in enabled if s.account.kind not in (HOME, CLIENT)]
    ctx = Context(pool.settings, pool.plan_in_flight)
    latest = islice(reversed(pool.bindings.by_key.values()), MAX_SESSIONS)
    sessions = {name: b.current for b in latest if (name := _session(b)) is not None}
    bound = {a: pool.states[a] for a in sessions.values() if a in pool.states}
    return {
        "version": 1,
        "ready": sum(account_state(s, now, ctx) is None for s in served),
        "total": len(served),
        "pool": _blended(pool, now, homes=False),
        "homes": _blended(pool, now, homes=True),
        "homes_count": sum(s.account.kind == HOME for s in enabled),
        "accounts": {
            a: {"name": s.account.name, "windows": _windows(s, now)} for a, s in bound.items()
        },
        "sessions": sessions,
    }


def _session(binding: Binding) -> str | None:
    """The session as its client calls it; None for a sub-agent, which shows no status line."""
    name, _, agent = binding.key.partition("\x1f")
    return None if agent else name.rpartition(":")[2]


def _blended(pool: Pool, now: float, *, homes: bool) -> Document:
    found = {name: blended(pool, name, now, homes=homes) for name in WINDOWS}
    return {n: _told(b.utilization, b.reset_at) for n, b in found.items() if b is not None}


def _windows(state: AccountState, now: float) -> Document:
    known = {n: w for n, w in state.quota.windows.items() if n in WINDOWS}
    found = {n: (w.utilization_at(now), w.next_reset(now)) for n, w in known.items()}
    return {n: _told(used, at) for n, (used, at) in found.items() if used is not None}


def _told(used: float, reset_at: float | None) -> Document:
    return {"used": round(used, 3), "reset_at": reset_at}
