"""When each waiter will probably have its turn: for people, never for a decision.

From its place among those who wait for the same thing and from what that is: a time that is known, a
ramp after it, or slots, which become free as fast as leases ended lately.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.eligibility import Reason
from maxpool.core.lines import in_turn

if TYPE_CHECKING:
    from maxpool.core.lines import ClassKey, Waiter
    from maxpool.core.pool import Pool


def forecast(pool: Pool, now: float) -> list[tuple[Waiter, float | None]]:
    """All waiters in the order of their turns, each with the time it should be answered.

    None where only a person or an unknown event can tell; never later than its patience, at whose
    end it is answered in any case.
    """
    heads: dict[ClassKey, Waiter] = {}
    before: dict[tuple[Reason, ClassKey | None], int] = {}
    found: list[tuple[Waiter, float | None]] = []
    for waiter in in_turn(list(pool.queue.waiters.values())):
        cause = waiter
        if waiter.reason is Reason.QUEUED:
            cause = heads.get(waiter.key, waiter)
        else:
            heads.setdefault(waiter.key, waiter)
        # Slots are shared by all classes, other causes end for each class by itself.
        group = (cause.reason, None if cause.reason is Reason.SLOTS_FULL else waiter.key)
        place = before[group] = before.get(group, -1) + 1
        at = _at(pool, cause, place, now)
        found.append((waiter, None if at is None else min(max(at, now), waiter.deadline)))
    return found


def _at(pool: Pool, cause: Waiter, place: int, now: float) -> float | None:
    """When the one at this place is served, counted from 0."""
    if cause.reason is Reason.SLOTS_FULL:
        pace_s = pool.queue.pace_s(now)
        return None if pace_s is None else now + (place + 1) * pace_s
    if cause.until is None:
        return None
    if cause.reason is Reason.THROTTLE:
        return cause.until + pool.throttle.ramp_s(place)
    return cause.until
