"""A step of the wall clock: which of the pool's times move with it, and which are the world's.

What others told (resets of windows and buckets, expiry of logins, the hours of the week) stands in
true time and stays. Everything we count ourselves (cooldowns, breakers, pauses, ramps, patience, how
warm a cache still is, when something was last seen) was written down by the old clock: it moves by
the step, so that what was to last ten seconds more still lasts ten seconds more.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace
from heapq import heapify
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.binding import Bindings
    from maxpool.core.pool import Pool
    from maxpool.core.prefixes import Prefixes
    from maxpool.core.queue import Alarm, Queue
    from maxpool.core.quota import Quota
    from maxpool.core.state import AccountState
    from maxpool.core.tally import Tally
    from maxpool.core.throttle import Throttle


def step(pool: Pool, by_s: float, now: float) -> None:
    """The clock went from `now - by_s` to `now` in no time."""
    for state in pool.states.values():
        _account(state, by_s)
    _bindings(pool.bindings, by_s)
    _prefixes(pool.prefixes, by_s)
    pool.owners.step(by_s)
    pool.budget.step(by_s)
    _throttle(pool.throttle, by_s)
    _queue(pool.queue, by_s)
    for running in pool.running.values():
        running.lease = replace(running.lease, started_at=running.lease.started_at + by_s)
        if running.hold is not None:
            running.hold.at += by_s
    pool.started_at += by_s
    pool.saved_at += by_s
    pool.index.restart(now)
    pool.revision += 1


def _account(state: AccountState, by_s: float) -> None:
    state.cooldowns = {reason: until + by_s for reason, until in state.cooldowns.items()}
    for model, (reason, until) in state.model_benches.items():
        state.model_benches[model] = (reason, until + by_s)
    if state.health.open_until:
        state.health.open_until += by_s
    state.shrunk_at += by_s
    state.opened_at = _moved(state.opened_at, by_s)
    state.last_leased_at = _moved(state.last_leased_at, by_s)
    for session in state.recent:
        state.recent[session] += by_s
    if state.credential.retry_at:
        state.credential.retry_at += by_s
    probing = state.probing
    probing.last_at = _moved(probing.last_at, by_s)
    probing.next_at += by_s if probing.next_at else 0.0
    probing.paused_until += by_s if probing.paused_until else 0.0
    if state.last_error is not None:
        state.last_error = replace(state.last_error, at=state.last_error.at + by_s)
    _quota(state.quota, by_s)
    _tally(state.tally, by_s)


def _quota(quota: Quota, by_s: float) -> None:
    """Resets were told; when a reading was made, and pauses of ours, are by our clock."""
    if quota.bucket_closed_until is not None and quota.bucket_closed_by_us:
        quota.bucket_closed_until += by_s
    for window in quota.windows.values():
        if window.closed_until is not None and window.closed_by_us:
            window.closed_until += by_s
        window.read_at = _moved(window.read_at, by_s)
        points = [(at + by_s, used) for at, used in window.history]
        window.history = deque(points, window.history.maxlen)


def _tally(tally: Tally, by_s: float) -> None:
    minutes = round(by_s / 60.0)
    tally.minutes = deque(((m + minutes, c) for m, c in tally.minutes), tally.minutes.maxlen)
    tally.times_ms = deque(((at + by_s, ms) for at, ms in tally.times_ms), tally.times_ms.maxlen)
    tally.last_status_at = _moved(tally.last_status_at, by_s)


def _bindings(bindings: Bindings, by_s: float) -> None:
    for binding in bindings.by_key.values():
        binding.last_used += by_s
        for warmth in binding.warm.values():
            warmth.until += by_s
            warmth.since += by_s if warmth.since else 0.0


def _prefixes(prefixes: Prefixes, by_s: float) -> None:
    for prefix in prefixes.by_digest.values():
        prefix.warm = OrderedDict((a, until + by_s) for a, until in prefix.warm.items())


def _throttle(throttle: Throttle, by_s: float) -> None:
    for pause in throttle.pauses.values():
        pause.until += by_s
        pause.opened_at += by_s
        pause.probes = {lease: at + by_s for lease, at in pause.probes.items()}
    for ramp in throttle.ramps.values():
        ramp.until += by_s
        ramp.ends_at += by_s
    for sighting in throttle.sightings.values():
        sighting.well = {a: (at + by_s, lease) for a, (at, lease) in sighting.well.items()}
        seen = [(at + by_s, account_id, asked) for at, account_id, asked in sighting.seen]
        sighting.seen = deque(seen, sighting.seen.maxlen)
    throttle.last_at = _moved(throttle.last_at, by_s)


def _queue(queue: Queue, by_s: float) -> None:
    """Patience goes on; until when a waiter was told to wait is asked anew at once."""
    for waiter in queue.waiters.values():
        arrived_at = _moved(waiter.request.arrived_at, by_s)
        waiter.request = replace(waiter.request, arrived_at=arrived_at)
        waiter.ticket = replace(waiter.ticket, queued_at=waiter.ticket.queued_at + by_s)
        waiter.deadline += by_s
        waiter.until = _moved(waiter.until, by_s)
        waiter.missed_since = None  # whoever was late has another chance
    for line in queue.lines.by_key.values():
        line.told = _moved(line.told, by_s)
    queue.alarms = _later(queue.alarms, by_s)
    queue.deadlines = _later(queue.deadlines, by_s)
    queue.promotions = _later(queue.promotions, by_s)
    queue.endings = deque((at + by_s for at in queue.endings), queue.endings.maxlen)


def _later(alarms: list[Alarm], by_s: float) -> list[Alarm]:
    moved = [(at + by_s, waiter_id) for at, waiter_id in alarms]
    heapify(moved)  # sums may round two times into one
    return moved


def _moved(at: float | None, by_s: float) -> float | None:
    return None if at is None else at + by_s
