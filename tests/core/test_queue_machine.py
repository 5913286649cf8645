"""Queue and throttle under any order of events: bounded, fair, nobody forgotten, nobody in the way."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from maxpool import (
    Burst,
    ClientGone,
    Lease,
    LeaseRequest,
    NetworkFailure,
    Overloaded,
    Pool,
    PoolSettings,
    Refusal,
    Success,
    Ticket,
    Wait,
)
from maxpool.core.eligibility import Context, Eligible, Reason, check
from maxpool.core.lines import Waiter, in_turn
from tests.make import NOW, account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxpool.core.fair import Branch

SETTINGS = PoolSettings(
    queue_limit=24,
    queue_quantum_tokens=5_000.0,
    expected_output_tokens=0.0,
    client_keys=2,
    max_sightings=3,
    home_wait_s=0.0,
)
LARGEST = 20_000
BOUND = max(SETTINGS.queue_quantum_tokens, LARGEST) + LARGEST
NOBODY: frozenset[str] = frozenset()
STEPS = (0.0, 0.0, 0.1, 0.25, 0.3, 1.1, 5.0, 16.0, 31.0, 120.0, -0.2, -3.0)

Flow = tuple[Any, ...]


def flows(waiter: Waiter) -> tuple[Flow, Flow]:
    """The parties a waiter belongs to: its client key, and its session."""
    key = (waiter.level, waiter.request.client_key)
    return key, (*key, waiter.request.session)


def leaves(branch: Branch) -> Iterator[int]:
    """All who stand in a line."""
    yield from branch.ids
    for below in branch.below.values():
        yield from leaves(below)


class QueueMachine(RuleBasedStateMachine):
    """Two accounts, one of which serves a single model; callers that ask, wait, leave or fall silent."""

    def __init__(self) -> None:
        super().__init__()
        accounts = [account("a", slots=2), account("b", slots=1, models={"m2": "m2"})]
        self.pool = Pool(accounts, SETTINGS, NOW)
        self.now = NOW
        self.leases: list[Lease] = []
        self.tickets: list[tuple[LeaseRequest, Ticket]] = []
        self.served: set[int] = set()
        self.ahead: dict[tuple[Flow, Flow], float] = {}  # tokens the first got more than the second

    # -- callers -------------------------------------------------------------------------------

    @rule(
        model=st.sampled_from(["m1", "m1", "m2"]),
        session=st.sampled_from(["s1", "s2"]),
        client_key=st.sampled_from([None, "k"]),
        priority=st.sampled_from([0, 0, 0, 0, 2]),
        tokens=st.sampled_from([1_000, LARGEST, LARGEST]),
        patience=st.sampled_from([None, None, None, 40.0, 0.0]),
        count=st.integers(1, 7),
    )
    def join(self, model, session, client_key, priority, tokens, patience, count):
        request = LeaseRequest(
            model,
            f"{client_key}:{session}",
            input_tokens=tokens,
            client_key=client_key,
            priority=priority,
            max_wait_s=patience,
        )
        for _ in range(count):
            self.take(request, None)

    @precondition(lambda self: self.tickets)
    @rule(i=st.integers(0, 99))
    def ask_again(self, i):
        self.take(*self.tickets.pop(i % len(self.tickets)))

    @precondition(lambda self: self.tickets)
    @rule(i=st.integers(0, 99), silently=st.booleans())
    def leave(self, i, silently):
        _, ticket = self.tickets.pop(i % len(self.tickets))
        if not silently:
            self.pool.cancel(ticket, self.now)
            assert self.pool.queue.find(ticket) is None

    def take(self, request: LeaseRequest, ticket: Ticket | None) -> None:
        found = self.pool.acquire(request, self.now, ticket=ticket)
        if isinstance(found, Lease):
            self.leases.append(found)
            self.ahead.clear()  # out of turn: who should have gone did not ask
        elif isinstance(found, Wait):
            assert found.until is None or found.until > self.now
            self.tickets.append((request, found.ticket))
        if isinstance(found, Refusal) and found.reason == "queue_full":
            own = self.pool.queue.places.get(request.client_key, 0)
            assert own == SETTINGS.queue_limit // 2 or len(self.pool.queue) == SETTINGS.queue_limit

    # -- events --------------------------------------------------------------------------------

    @precondition(lambda self: self.leases)
    @rule(
        i=st.integers(0, 99),
        outcome=st.sampled_from(
            4 * [Success()] + [Overloaded("m2"), Burst(2.0, "f"), NetworkFailure(), ClientGone()]
        ),
        wakes=st.booleans(),
    )
    def release(self, i, outcome, wakes):
        self.pool.release(self.leases.pop(i % len(self.leases)), outcome, self.now)
        if wakes:
            self.wake()

    @precondition(lambda self: self.leases)
    @rule(i=st.integers(0, 99), status=st.sampled_from([200, 400, 429, 529]))
    def headers(self, i, status):
        lease = self.leases[i % len(self.leases)]
        self.pool.observe(lease.account_id, {}, self.now, lease=lease, status=status)

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step):
        self.now += step

    @rule()
    def sleep_until_the_next_wake(self):
        wake = self.pool.next_wake(self.now)
        self.now = self.now if wake is None else wake
        self.wake()

    @rule()
    def wake(self):
        self.pool.queue.age(self.now)
        waited = {w.ticket.id: w for w in in_turn(list(self.pool.queue.waiters.values()))}
        displaced = dict(self.pool.queue.displaced)
        for ticket, found in self.pool.wake(self.now):
            self.tickets = [one for one in self.tickets if one[1] != ticket]
            if isinstance(found, Lease):
                self.leases.append(found)
                self.served.add(ticket.id)
            if displaced.pop(ticket.id, None) is None:
                waiter = waited.pop(ticket.id)
                if isinstance(found, Lease):
                    self.count(waiter, list(waited.values()))
        assert not displaced, "who lost its place was not told"
        self.nobody_was_passed_over()

    def count(self, served: Waiter, left: list[Waiter]) -> None:
        """Note whom this service put ahead of whom; both must have been able to go."""
        self.compare_only_side_by_side([served, *left])
        alike = [w for w in left if w.line == served.line]
        for mine, place in zip(flows(served), (0, 1), strict=True):
            for other in {flows(w)[place] for w in alike} - {mine}:
                if other[:-1] != mine[:-1]:
                    continue
                pair = (mine, other)
                self.ahead[pair] = self.ahead.get(pair, 0.0) + served.tokens
                self.ahead[other, mine] = self.ahead.get((other, mine), 0.0) - served.tokens
                assert self.ahead[pair] <= BOUND, pair

    def nobody_was_passed_over(self) -> None:
        """After a wake there is no account left for anybody, of whatever class."""
        pool = self.pool
        ctx = Context(pool.settings, pool.plan_in_flight, throttle=pool.throttle)
        for waiter in pool.queue.waiters.values():
            for state in pool.states.values():
                found = check(state, waiter.request, self.now, ctx)
                assert not isinstance(found, Eligible), (waiter, state.account.id)

    # -- what always holds ---------------------------------------------------------------------

    @invariant()
    def pairs_that_do_not_wait_side_by_side_are_not_compared(self):
        self.compare_only_side_by_side(list(self.pool.queue.waiters.values()))

    def compare_only_side_by_side(self, waiters: list[Waiter]) -> None:
        """Who is served for another model, too, has its turns there."""
        lines: dict[Flow, set[Any]] = {}
        for waiter in waiters:
            for flow in flows(waiter):
                lines.setdefault(flow, set()).add(waiter.line)
        side_by_side = {
            pair
            for one, two in combinations(lines, 2)
            if lines[one] == lines[two] and len(lines[one]) == 1
            for pair in ((one, two), (two, one))
        }
        self.ahead = {pair: n for pair, n in self.ahead.items() if pair in side_by_side}

    @invariant()
    def everything_is_bounded(self):
        queue, limit = self.pool.queue, SETTINGS.queue_limit
        assert max(len(queue), len(queue.displaced)) <= limit
        assert not queue.displaced.keys() & queue.waiters.keys()
        assert max(queue.places.values(), default=0) <= limit // 2
        assert max(len(queue.alarms), len(queue.deadlines), len(queue.promotions)) <= 4 * limit + 65
        assert len(self.pool.throttle.pauses) <= SETTINGS.max_sightings
        assert len(self.pool.throttle.ramps) <= 4

    @invariant()
    def everybody_stands_in_one_place(self):
        queue = self.pool.queue
        everybody = sorted(queue.waiters)
        assert sorted(i for same in queue.by_class.values() for i in same) == everybody
        standing = [(i, key) for key, line in queue.lines.by_key.items() for i in leaves(line.tree)]
        assert sorted(standing) == [(i, queue.waiters[i].line) for i in everybody]
        assert sum(level.keys.waiting for level in queue.lines.levels.values()) == len(everybody)
        assert sum(queue.places.values()) == len(everybody)

    @invariant()
    def the_next_wake_forgets_nobody(self):
        wake = self.pool.next_wake(self.now)
        assert wake is None or wake >= self.now
        for waiter in self.pool.queue.waiters.values():
            if not self.pool.queue.gone(waiter, self.now):
                assert wake is not None
                assert wake <= max(waiter.deadline, self.now)
                own = waiter.until if waiter.reason is not Reason.QUEUED else None
                assert own is None or own <= self.now or wake <= own

    @invariant()
    def the_forecast_names_everybody_once(self):
        shown = self.pool.view(self.now).waiters
        assert [w.position for w in shown] == list(range(1, len(self.pool.queue) + 1))
        assert all(w.expected_at is None or w.expected_at >= NOW - 10 for w in shown)

    def teardown(self):
        """Once there is capacity every waiter is served, by following the next wake alone."""
        patient = {
            w.ticket.id for w in self.pool.queue.waiters.values() if w.deadline > self.now + 400
        }
        for _ in range(400):
            for lease in self.leases:
                self.pool.observe(lease.account_id, {}, self.now, lease=lease, status=200)
                self.pool.release(lease, Success(), self.now)
            self.leases = []
            self.wake()
            self.pairs_that_do_not_wait_side_by_side_are_not_compared()
            patient -= self.served
            if not self.pool.queue.waiters:
                break
            if not self.leases:
                wake = self.pool.next_wake(self.now)
                assert wake is not None
                assert wake > self.now, "asking again at once would never end"
                self.now = wake
        assert not self.pool.queue.waiters
        assert not patient


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
