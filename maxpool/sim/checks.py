"""What must be true of a pool at every moment of a run, whatever the workload: its invariants.

Reads the pool and changes nothing. `Watch` looks on while a run is played; a rule that does not hold
raises `Violation` and says which, when and how.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from maxpool.core import admission
from maxpool.core.eligibility import ELIGIBLE, Reason, check
from maxpool.core.lease import Lease, LeaseRequest, Outcome, Refusal, Ticket, Wait
from maxpool.core.pool import NOBODY_EXCLUDED, Pool
from maxpool.core.select import KEPT_BLOCKS
from maxpool.core.throttle import MAX_PROBES

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from maxpool.core.eligibility import Eligible, Unavailable
    from maxpool.core.lines import Waiter

FOR_ACCOUNTS = frozenset(
    {
        Reason.QUOTA,
        Reason.FAMILY_QUOTA,
        Reason.RATE_LIMITED,
        Reason.COOLDOWN,
        Reason.PROVISIONAL,
        Reason.BREAKER,
        Reason.NETWORK,
        Reason.MODEL_COOLING,
        Reason.SLOTS_FULL,
    }
)
"""Who waits for one of these waits until any account can serve, and for nothing else."""

ALARM_S = 0.01
"""What changes by itself may have done so this long ago before those who wait hear of it."""


class Violation(AssertionError):  # noqa: N818 - it is one, not an error of the checks
    """An invariant does not hold."""


class WatchedPool(Pool):
    """A pool that looks at each of its leases: who gets one, and that it ends once."""

    def acquire(
        self,
        request: LeaseRequest,
        now: float,
        *,
        exclude: frozenset[str] = NOBODY_EXCLUDED,
        ticket: Ticket | None = None,
    ) -> Lease | Wait | Refusal:
        """As `Pool.acquire`; the account must have been available at that very moment."""
        self.index.advance(now)
        ctx = admission.context(self, request, ticket, now)
        before = {name: check(s, request, now, ctx) for name, s in self.states.items()}
        found = super().acquire(request, now, exclude=exclude, ticket=ticket)
        if isinstance(found, Lease):
            expect_available(found, before, exclude, now)
        return found

    def release(self, lease: Lease, outcome: Outcome, now: float) -> None:
        """As `Pool.release`; the lease must be running."""
        if lease.id not in self.running:
            raise Violation(f"at {now:.3f}: lease {lease.id} ends a second time")
        super().release(lease, outcome, now)


class Watch:
    """Checks a pool every so many steps of a run."""

    __slots__ = ("every", "steps")

    def __init__(self, every: int) -> None:
        self.every = every
        self.steps = 0

    def after(self, pool: Pool, waiting: Container[int], in_flight: int, now: float) -> None:
        """A step is over; `waiting`: ids of tickets whose clients wait, `in_flight`: leases held."""
        self.steps += 1
        if self.steps % self.every == 0:
            check_all(pool, waiting, in_flight, now)


def expect_available(
    lease: Lease,
    before: dict[str, Eligible | Unavailable],
    exclude: frozenset[str],
    now: float,
) -> None:
    """A lease is on an account that could serve just before it was given, and was not excluded."""
    verdict = before.get(lease.account_id)
    if verdict is not ELIGIBLE:
        raise Violation(
            f"at {now:.3f}: lease {lease.id} on {lease.account_id}, which was {verdict}"
        )
    if lease.account_id in exclude:
        raise Violation(f"at {now:.3f}: lease {lease.id} on {lease.account_id}, which was excluded")


def check_all(pool: Pool, waiting: Container[int], in_flight: int, now: float) -> None:
    """Every rule at once; raises `Violation` with all that are broken."""
    broken = [*_leases(pool, in_flight), *_waiters(pool, waiting, now), *_bounds(pool)]
    if broken:
        raise Violation(f"at {now:.3f}: {'; '.join(broken)}")


def _leases(pool: Pool, in_flight: int) -> Iterator[str]:
    """Leases are what is in flight, per account and in all."""
    if len(pool.running) != in_flight:
        yield f"{len(pool.running)} leases are running, {in_flight} are held"
    held = Counter(running.lease.account_id for running in pool.running.values())
    for name, state in pool.states.items():
        if state.in_flight != held[name]:
            yield f"{name} counts {state.in_flight} in flight, {held[name]} leases are on it"
        if state.in_flight > state.slots(pool.settings):
            yield f"{name} has {state.in_flight} in flight, more than its slots"
    plans = sum(s.in_flight for s in pool.states.values() if not s.account.paid)
    if plans != pool.plan_in_flight:
        yield f"{pool.plan_in_flight} counted in flight on plans, {plans} are"
    if pool.plan_in_flight > pool.settings.slots_total:
        yield f"{pool.plan_in_flight} in flight on plans, more than the pool's slots"


def _waiters(pool: Pool, waiting: Container[int], now: float) -> Iterator[str]:
    """Whoever waits is somebody's, and waits for something that will come."""
    wake_at = pool.next_wake(now) if pool.queue.waiters else None
    for number, waiter in pool.queue.waiters.items():
        if number not in waiting:
            yield f"ticket {number} stands in the queue, but nobody waits with it"
        if waiter.deadline < now and not pool.queue.gone(waiter, now):
            continue  # its time is over, and the alarm is about to ring
        if wake_at is None or wake_at > max(waiter.deadline, now):
            yield f"ticket {number} waits until {waiter.deadline}, the pool wakes at {wake_at}"
        if waiter.until is None and not pool.running and not pool.paused:
            yield f"ticket {number} waits for an event ({waiter.reason}), and nothing is running"
        yield from _forgotten(pool, waiter, now)


def _forgotten(pool: Pool, waiter: Waiter, now: float) -> Iterator[str]:
    """Nobody waits while an account whose tokens are paid for already could serve."""
    if waiter.reason not in FOR_ACCOUNTS:
        return
    ctx = admission.context(pool, waiter.request, waiter.ticket, now)
    for name, state in pool.states.items():
        if state.account.paid or name in waiter.exclude:
            continue
        if all(check(state, waiter.request, at, ctx) is ELIGIBLE for at in (now - ALARM_S, now)):
            yield f"ticket {waiter.ticket.id} waits ({waiter.reason}), but {name} could serve it"


def _bounds(pool: Pool) -> Iterator[str]:
    """Every map is within its setting."""
    s = pool.settings
    sizes = [
        ("waiters", len(pool.queue.waiters), s.queue_limit),
        ("bindings", len(pool.bindings.by_key), s.max_bindings),
        ("sightings", len(pool.throttle.sightings), s.max_sightings),
        ("pauses", len(pool.throttle.pauses), s.max_sightings),
        ("alarms", len(pool.index.alarms), 4 * len(pool.states) + 65),
        ("places", len(pool.index.places), len(pool.states)),
        ("known blocks", len(pool.selector.blocked), KEPT_BLOCKS),
        ("answer lengths", len(pool.prices.outputs), 64),
    ]
    sizes += [
        (f"warm accounts of {binding.key}", len(binding.warm), s.max_warm_per_session)
        for binding in pool.bindings.by_key.values()
    ]
    sizes += [
        (f"probes of {pause.scope}", len(pause.probes), MAX_PROBES)
        for pause in pool.throttle.pauses.values()
    ]
    for name, state in pool.states.items():
        sizes += [
            (f"windows of {name}", len(state.quota.windows), s.max_families + 2),
            (f"buckets of {name}", len(state.quota.buckets), s.max_buckets),
            (f"model benches of {name}", len(state.model_benches), s.max_model_benches),
        ]
    for what, size, most in sizes:
        if size > most:
            yield f"{size} {what}, at most {most}"
