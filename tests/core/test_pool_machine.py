"""The pool under any sequence of calls: what must hold after every one of them."""

from __future__ import annotations

import json
import pickle
from collections import deque
from collections.abc import Mapping
from copy import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from maxpool import (
    Account,
    AccountClosed,
    AuthFinal,
    AuthRejected,
    BillingFailure,
    Burst,
    ClientGone,
    Command,
    CredentialChange,
    Cut,
    FamilyQuotaExceeded,
    Forbidden,
    Garbage,
    Internal,
    Lease,
    LeaseRequest,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    Pool,
    PoolSettings,
    ProbeFailure,
    QuotaExceeded,
    RateLimited,
    Reading,
    Refusal,
    RequestRejected,
    SpendLimited,
    Success,
    Ticket,
    TokenUsage,
    TransientFailure,
    UsageReport,
    Wait,
)
from maxpool.core.binding import session_key
from maxpool.core.cost import reckon
from maxpool.core.eligibility import BY_EVENT, Context, Eligible, account_state, check
from maxpool.core.health import HealthState
from maxpool.core.queue import class_of
from maxpool.core.routes import Route, Target, route_of
from tests.make import DAY, HOUR, NOW, account, key, unified

SETTINGS = PoolSettings(
    slots_per_account=3,
    slots_per_key=2,
    slots_total=7,
    queue_limit=4,
    max_bindings=5,
    max_families=2,
    max_buckets=2,
    max_model_benches=2,
    max_sightings=2,
    breaker_threshold=2,
)
IDS = ("a", "b", "c", "d", "k", "r")
MODELS = ("claude-sonnet-4-5", "claude-opus-5-5", "claude-haiku-4-5")
SHARES = (0.0, 0.3, 0.5, 0.97, 0.999, 1.0)
GATES = frozenset({"throttle", "paused", "queued", "no_accounts", "key_price"})
STEPS = (0.0, 0.3, 1.1, 5.0, 10.0, 30.0, 61.0, 301.0, HOUR, 5 * HOUR, 2 * DAY, 8 * DAY)


def make_account(account_id: str, variant: int) -> Account:
    """One of a few shapes an account can have."""
    if account_id == "k" or (account_id == "d" and variant == 2):
        return key(account_id, priority=variant % 2)
    shapes: list[dict[str, Any]] = [
        {},
        {"plan": "max_5x", "tier": 1},
        {"plan": "pro", "priority": 1, "caps": {"5h": 0.5}},
        {"enabled": False, "reserve": {"7d": 0.2}, "emergency": True},
    ]
    given = shapes[variant % 4]
    if account_id == "r":
        given = {**given, "enabled": True, "reserve": {"7d": 0.2}, "emergency": True}
    return account(account_id, **given)


def routes() -> list[Route]:
    """Names for several targets: by cost over accounts and models, with a fallback, in turn, pinned."""
    opus, sonnet, haiku = MODELS[1], MODELS[0], MODELS[2]
    named = [Target(opus, account="a"), Target(sonnet, account="a"), Target(opus, account="k")]
    return [
        route_of("best", [named, [Target(haiku)]]),
        route_of("turns", [[Target(haiku, account=i, label=i) for i in IDS]], strategy="weighted"),
        route_of("pin", [[Target(sonnet, account="c", label="c")]]),
        route_of("claude-x", [[Target(opus, provider="anthropic")]], cross="when-exhausted"),
    ]


ROUTES = routes()


def requests() -> st.SearchStrategy[LeaseRequest]:
    return st.builds(
        LeaseRequest,
        model=st.sampled_from(MODELS),
        session=st.sampled_from([None, "s1", "s2", "s3"]),
        agent=st.sampled_from([None, None, "x"]),
        input_tokens=st.sampled_from([0, 1_000, 50_000]),
        cache_ttl_s=st.sampled_from([300.0, 3600.0]),
        needs=st.sampled_from([frozenset(), frozenset({"images"})]),
        max_wait_s=st.sampled_from([None, 0.0, 30.0, 5 * DAY]),
        owner=st.sampled_from([None, None, None, "b"]),
        prefix_digest=st.sampled_from([None, "d1", "d2"]),
        priority=st.sampled_from([0, 0, 7]),
        route=st.sampled_from([None, None, None, *ROUTES]),
    )


def outcomes() -> st.SearchStrategy[Any]:
    ahead = st.sampled_from([None, -5.0, 20.0, HOUR, 3 * DAY])
    usage = st.sampled_from([TokenUsage(), TokenUsage(100, 500, 40_000, 1_000, 0)])
    return st.one_of(
        st.builds(Success, usage),
        st.builds(
            lambda w, u: ("until", QuotaExceeded, w, u), st.sampled_from(["5h", "7d"]), ahead
        ),
        st.builds(lambda u: ("until", FamilyQuotaExceeded, "opus", u), ahead),
        st.builds(lambda u: ("until", RateLimited, u), ahead),
        st.builds(lambda u: ("until", SpendLimited, u), ahead),
        st.builds(Burst, st.sampled_from([None, 2.0, 500.0])),
        st.builds(Overloaded, st.sampled_from(MODELS)),
        st.builds(TransientFailure, st.just(500)),
        st.builds(ModelMissing, st.sampled_from(MODELS)),
        st.builds(Cut, usage),
        st.builds(ClientGone, usage),
        st.sampled_from(
            [
                AuthRejected(),
                AuthFinal("revoked"),
                Forbidden(),
                AccountClosed("on hold"),
                BillingFailure(),
                RequestRejected(400),
                NetworkFailure(),
                Garbage("html"),
                Internal(),
            ]
        ),
    )


class PoolMachine(RuleBasedStateMachine):
    """Drives the public contract; `leases` and `tickets` are what a caller would hold."""

    pool: Pool

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.leases: list[tuple[Lease, LeaseRequest]] = []
        self.tickets: list[tuple[LeaseRequest, frozenset[str], Any]] = []

    @initialize(variants=st.lists(st.integers(0, 3), min_size=6, max_size=6))
    def begin(self, variants):
        accounts = [make_account(i, v) for i, v in zip(IDS, variants, strict=True)]
        self.pool = Pool(accounts, SETTINGS, NOW)

    # -- what a brute force over all accounts would do ----------------------------------------

    def ranks(
        self, request: LeaseRequest, exclude: frozenset[str], *, emergency: bool = False
    ) -> list[tuple[tuple[Any, ...], float, str]]:
        """Rank of every eligible account: (what comes before cost, cost, id)."""
        pool, now = self.pool, self.now
        ctx = Context(
            pool.settings, pool.plan_in_flight, emergency=emergency, throttle=pool.throttle
        )
        binding = pool.bindings.find(session_key(request), now)
        weigher = pool.selector.weigher(request, binding, now, ctx)
        found = []
        for account_id, state in pool.states.items():
            if account_id in exclude or not isinstance(check(state, request, now, ctx), Eligible):
                continue
            if emergency and not (state.account.emergency and state.account.reserve):
                continue
            own = state.account
            unknown = pool.index.median_week(own.plan, SETTINGS.unknown_utilization)
            before = (own.id != pool.selector.preferred, own.priority, own.paid, own.tier)
            found.append((before, weigher.cost(state, unknown).total, account_id))
        return found

    def ask(
        self, request: LeaseRequest, exclude: frozenset[str], ticket: Ticket | None = None
    ) -> None:
        self.pool.index.advance(self.now)
        if request.route is not None:
            self.ask_for_a_route(request, exclude, ticket)
            return
        usual = self.ranks(request, exclude)
        ranks = usual or self.ranks(request, exclude, emergency=True)
        found = self.pool.acquire(request, self.now, exclude=exclude, ticket=ticket)
        if isinstance(found, Lease):
            self.leases.append((found, request))
            state = self.pool.states[found.account_id]
            assert state.in_flight <= state.slots(SETTINGS)
            assert state.account.paid or self.pool.plan_in_flight <= SETTINGS.slots_total
            (mine,) = [r for r in ranks if r[2] == found.account_id]  # it was eligible
            best = min(ranks)
            assert mine[0] == best[0], "priority, payment and tier come before cost"
            assert mine[1] <= best[1] + 1e-9, "no cheaper account was left out"
            return
        cause = found.detail if isinstance(found, Refusal) else found.reason.value
        assert not usual or cause in GATES, (cause, usual)
        soon = found.until if isinstance(found, Wait) else found.retry_at
        brief = cause in BY_EVENT if soon is None else soon <= self.now + SETTINGS.emergency_after_s
        assert not ranks or cause in GATES or brief, (cause, ranks)
        if isinstance(found, Wait):
            assert found.until is None or found.until > self.now
            assert found.ticket.id in self.pool.queue.waiters
            self.tickets.append((request, exclude, found.ticket))
        else:
            assert found.retry_at is None or found.retry_at > self.now
        if cause == "queued":
            waiting = self.pool.queue.last_id + 1 if ticket is None else ticket.id
            before = self.pool.queue.by_class[class_of(request, exclude)]
            assert any(i != waiting for i in before), "only one of the same class holds back"

    def ask_for_a_route(
        self, request: LeaseRequest, exclude: frozenset[str], ticket: Ticket | None
    ) -> None:
        pool, now, route = self.pool, self.now, request.route
        assert route is not None
        ctx = Context(pool.settings, pool.plan_in_flight, throttle=pool.throttle)
        able = {
            (account_id, one.model)
            for account_id, state in pool.states.items()
            if account_id not in exclude
            for one in route.as_seen_by(state.account, request)
            if isinstance(check(state, one, now, ctx), Eligible)
        }
        found = pool.acquire(request, now, exclude=exclude, ticket=ticket)
        if isinstance(found, Lease):
            emergency = pool.states[found.account_id].account.emergency
            assert (found.account_id, found.model) in able or (emergency and not able)
            assert found.decision.route == route.name
            asked = pool.running[found.id].request
            assert (asked.model, asked.route, asked.part) == (found.model, None, None)
            self.leases.append((found, asked))
            return
        cause = found.detail if isinstance(found, Refusal) else found.reason.value
        assert not able or cause in GATES, (cause, able)
        if isinstance(found, Wait):
            assert found.until is None or found.until > now
            assert found.ticket.id in pool.queue.waiters
            self.tickets.append((request, exclude, found.ticket))

    # -- the contract ---------------------------------------------------------------------------

    @rule(request=requests(), exclude=st.sets(st.sampled_from(IDS), max_size=2))
    def acquire(self, request, exclude):
        self.ask(request, frozenset(exclude))

    @precondition(lambda self: self.tickets)
    @rule(i=st.integers(0, 99))
    def ask_again(self, i):
        request, exclude, ticket = self.tickets.pop(i % len(self.tickets))
        self.ask(request, exclude, ticket)

    @precondition(lambda self: self.tickets)
    @rule(i=st.integers(0, 99), tell=st.booleans())
    def leave(self, i, tell):
        _, _, ticket = self.tickets.pop(i % len(self.tickets))
        if tell:
            self.pool.cancel(ticket, self.now)

    @precondition(lambda self: self.leases)
    @rule(
        i=st.integers(0, 99),
        status=st.sampled_from([None, 200, 400, 429, 529]),
        verdict=st.sampled_from(["allowed", "allowed_warning", "rejected", "junk"]),
        five=st.sampled_from(SHARES),
        seven=st.sampled_from(SHARES),
        reset=st.sampled_from([-30.0, 40.0, 2 * HOUR, 6 * DAY, 9 * DAY]),
        named=st.booleans(),
        organization=st.sampled_from(["", "o1", "o1", "o2"]),
    )
    def observe(self, i, status, verdict, five, seven, reset, named, organization):
        lease, _ = self.leases[i % len(self.leases)]
        given = {"claim": "seven_day_opus"} if named and verdict == "rejected" else {}
        headers = unified(
            self.now,
            verdict,
            five=five,
            seven=seven,
            five_reset=self.now + min(reset, 4 * HOUR),
            seven_reset=self.now + reset,
            **given,
        )
        headers["anthropic-organization-id"] = organization
        if verdict == "junk":
            del headers["anthropic-ratelimit-unified-5h-reset"]
        self.pool.observe(
            lease.account_id, headers, self.now, lease=lease if named else None, status=status
        )

    @precondition(lambda self: self.leases)
    @rule(i=st.integers(0, 99), outcome=outcomes(), twice=st.booleans())
    def release(self, i, outcome, twice):
        lease, _ = self.leases.pop(i % len(self.leases))
        if isinstance(outcome, tuple):
            _, kind, *fields = outcome
            fields[-1] = None if fields[-1] is None else self.now + fields[-1]
            outcome = kind(*fields)
        self.pool.release(lease, outcome, self.now)
        if twice:
            self.pool.release(lease, AuthFinal("late"), self.now)

    @rule(
        name=st.sampled_from(IDS),
        window=st.sampled_from(["5h", "7d", "7d:opus", "7d:x", "7d:y", "7d:z"]),
        used=st.sampled_from([None, *SHARES]),
        ahead=st.sampled_from([None, -9.0, 50.0, 3 * DAY, 9 * DAY]),
        works=st.booleans(),
    )
    def learn(self, name, window, used, ahead, works):
        reset_at = None if ahead is None else self.now + ahead
        report = (
            UsageReport((Reading(window, used, reset_at),)) if works else ProbeFailure("429", 5)
        )
        self.pool.learn(name, report, self.now)

    @rule(
        name=st.sampled_from(IDS),
        kind=st.sampled_from(["expires", "refreshed", "dead", "logged_in"]),
    )
    def credential(self, name, kind):
        self.pool.credential(name, CredentialChange(kind, self.now + HOUR, "told"), self.now)

    @rule(
        action=st.sampled_from(
            ["prefer", "automatic", "disable", "drain", "pause", "move_session"]
            + 2 * ["enable", "reset", "resume"]
        ),
        name=st.sampled_from([*IDS, "nobody"]),
        session=st.sampled_from(["s1", "s2"]),
    )
    def command(self, action, name, session):
        self.pool.command(Command(action, name, session), self.now)

    @rule(name=st.sampled_from(IDS), variant=st.integers(0, 3), new=st.booleans())
    def put(self, name, variant, new):
        put = self.pool.add if new else self.pool.update
        put(make_account(name, variant), self.now)

    @rule(name=st.sampled_from(IDS))
    def remove(self, name):
        self.pool.remove(name, self.now)
        self.leases = [one for one in self.leases if one[0].account_id != name]

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step):
        self.now += step

    @rule(by=st.sampled_from([-8 * DAY, -HOUR, 5.5, HOUR, 30 * DAY]))
    def the_clock_is_set(self, by):  # O7
        before = own_pauses(self.pool, self.now)
        self.now += by
        self.pool.clock_stepped(by, self.now)
        assert own_pauses(self.pool, self.now) == before

    @rule()
    def sleep_until_the_next_wake(self):
        wake = self.pool.next_wake(self.now)
        assert wake is None or wake >= self.now
        self.now = self.now if wake is None else wake

    @rule(going_on=st.booleans())
    def restart(self, going_on):
        saved = json.loads(json.dumps(self.pool.snapshot(self.now), allow_nan=False))
        accounts = [s.account for s in self.pool.states.values()]
        restored = Pool.restore(saved, accounts, SETTINGS, self.now)
        assert memory(restored, self.now) == memory(self.pool, self.now)
        if going_on:
            self.pool, self.leases, self.tickets = restored, [], []

    # -- what always holds ----------------------------------------------------------------------

    @invariant()
    def leases_are_counted_once(self):
        if not hasattr(self, "pool"):
            return
        running = [r.lease.account_id for r in self.pool.running.values()]
        assert sorted(running) == sorted(one.account_id for one, _ in self.leases)
        plans = 0
        for account_id, state in self.pool.states.items():
            assert state.in_flight == running.count(account_id)
            plans += 0 if state.account.paid else state.in_flight
        assert self.pool.plan_in_flight == plans

    @invariant()
    def everything_is_bounded(self):
        if not hasattr(self, "pool"):
            return
        pool = self.pool
        assert len(pool.queue) <= SETTINGS.queue_limit
        assert sorted(i for c in pool.queue.by_class.values() for i in c) == sorted(
            pool.queue.waiters
        )
        assert len(pool.bindings.by_key) <= SETTINGS.max_bindings
        assert all(len(b.warm) <= 4 for b in pool.bindings.by_key.values())
        assert len(pool.throttle.sightings) <= SETTINGS.max_sightings
        assert len(pool.index.alarms) <= 4 * len(pool.states) + 65
        for state in pool.states.values():
            assert len(state.quota.windows) <= SETTINGS.max_families + 2
            assert len(state.model_benches) <= SETTINGS.max_model_benches

    @invariant()
    def every_account_stands_in_one_place_and_no_alarm_is_lost(self):
        if not hasattr(self, "pool"):
            return
        index = self.pool.index
        standing = [e[2] for lane in index.lanes.values() for e in lane.entries] + [*index.special]
        assert len(standing) == len(set(standing))
        index.advance(self.now)
        for state in self.pool.states.values():  # what was reckoned is what would be now
            fresh = copy(state)
            reckon(fresh, self.now, index.demand, index.yardstick, SETTINGS)
            assert (state.week, state.left) == (fresh.week, fresh.left)
            block = account_state(state, self.now, Context(SETTINGS))
            parked = index.places[state.account.id].parked
            assert parked == (None if block is None else block.reason.value)
        assert set(index.places) == set(self.pool.states) >= set(standing)
        for account_id, place in index.places.items():
            assert place.alarm is None or (place.alarm, account_id) in index.alarms

    @rule()
    def reading_changes_nothing(self):
        before = everything(self.pool)
        for at in (self.now, self.now + 8 * DAY):
            self.pool.view(at), self.pool.due(at), self.pool.next_wake(at), self.pool.snapshot(at)
        assert everything(self.pool) == before

    def teardown(self):
        """No state is without a way out: in the end every account that may serve does."""
        if not hasattr(self, "pool"):
            return
        for lease, _ in self.leases:
            self.pool.release(lease, ClientGone(), self.now)
        self.pool.command(Command("resume"), self.now)
        self.now += 41 * DAY
        for account_id, state in self.pool.states.items():
            dead = state.health.state in (HealthState.LOCKED_OUT, HealthState.CLOSED)
            if dead or state.draining or not state.enabled:
                continue
            others = frozenset(self.pool.states) - {account_id}
            asked = LeaseRequest(MODELS[0], max_wait_s=1)
            found = self.pool.acquire(asked, self.now, exclude=others)
            if isinstance(found, Wait) and found.until is not None:  # a ramp, after a throttle
                self.now = found.until
                found = self.pool.acquire(asked, self.now, exclude=others, ticket=found.ticket)
            assert isinstance(found, Lease), (account_id, found)
            self.pool.release(found, Success(), self.now)


def own_pauses(pool: Pool, now: float) -> dict[str, list[tuple[str, float]]]:
    """What keeps accounts back for reasons of our own, and how many seconds more."""
    found = {"pool": [(p.scope, round(p.until - now, 3)) for p in pool.throttle.pauses.values()]}
    for account_id, s in pool.states.items():
        pauses = [*s.cooldowns.items(), ("breaker", s.health.open_until or now)]
        pauses += [(m, until) for m, (_, until) in s.model_benches.items()]
        pauses += [("ramp", s.ramp_ends(SETTINGS) or now), ("probe", s.probing.next_at or now)]
        windows = s.quota.windows.values()
        pauses += [(w.name, w.closed_until or now) for w in windows if w.closed_by_us]
        open_now = ((str(name), round(until - now, 3)) for name, until in pauses)
        found[account_id] = sorted(one for one in open_now if one[1] > 0)
        found[account_id].append(("L", round(s.soft_limit(now, SETTINGS), 3)))
    for session, binding in pool.bindings.by_key.items():
        warm = [(a, round(w.until - now, 3)) for a, w in binding.warm.items()]
        found[f"session {session}"] = [("idle", round(now - binding.last_used, 3)), *warm]
    waiting = [(str(w.ticket.id), round(w.deadline - now, 3)) for w in pool.queue.waiters.values()]
    return found | {"queue": waiting}


def everything(pool: Pool) -> bytes:
    """All that a reader could change."""
    index = pool.index
    parts = (
        pool.states,
        pool.bindings,
        pool.prefixes,
        pool.queue,
        pool.throttle,
        pool.prices,
        pool.running,
        pool.decisions,
    )
    learned = (index.demand, index.yardstick, index.parked)
    return pickle.dumps((parts, learned, index.lanes, index.places, index.weeks, pool.revision))


def memory(pool: Pool, now: float) -> dict[str, Any]:
    """What a restart must not forget."""
    states = {}
    for account_id, s in pool.states.items():
        trial = s.health.state is HealthState.TRIAL
        states[account_id] = {
            "windows": {
                w.name: (w.utilization_at(now), w.reset_at, w.status, w.closed_until)
                for w in s.quota.windows.values()
                if w.reset_at is not None
            },
            "verdicts": {n: w.closed_until for n, w in s.quota.windows.items() if w.closed_until},
            "buckets": s.quota.bucket_closed_until,
            "health": (
                HealthState.OPEN if trial else s.health.state,
                s.health.failures,
                s.health.trips,
                max(s.health.open_until, now),
            ),
            "cooldowns": {r: t for r, t in s.cooldowns.items() if t > now},
            "benches": {m: b for m, b in s.model_benches.items() if b[1] > now},
            "switches": (s.enabled, s.draining, s.soft_limit(now, SETTINGS)),
            "credential": s.credential,
            "counts": s.tally.total,
        }
    return {
        "states": states,
        "bindings": dict(pool.bindings.by_key),
        "pauses": {p.scope: (p.until, p.failed_probes) for p in pool.throttle.pauses.values()},
        "pool": (pool.paused, pool.selector.preferred, pool.harm),
    }


def sizes(thing: Any, seen: set[int]) -> int:
    """How many entries all containers hold that can be reached from a thing."""
    if id(thing) in seen or isinstance(thing, str | int | float | None | type):
        return 0
    seen.add(id(thing))
    if isinstance(thing, Mapping):
        return len(thing) + sum(sizes(v, seen) for v in [*thing.keys(), *thing.values()])
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return len(thing) + sum(sizes(v, seen) for v in thing)
    names = [*getattr(thing, "__dict__", ()), *getattr(thing, "__slots__", ())]
    return sum(sizes(getattr(thing, name, None), seen) for name in names)


@pytest.mark.slow
def test_eight_thousand_requests_leave_the_size_of_everything_flat():  # S19
    limits = PoolSettings(max_bindings=200, breaker_initial_s=5.0, forbidden_initial_s=5.0)
    pool = Pool([account(f"a{i}") for i in range(5)], limits, NOW)
    failures = (Burst(1.0, "f"), Overloaded("m"), TransientFailure(500), ModelMissing("m"))
    measured = []
    for i in range(8_000):
        now = NOW + i * 2.0
        session, model = f"session-{i % 7_000}", f"m{i % 4_000}"
        found = pool.acquire(LeaseRequest(model, session, f"{i % 3}", 9_000, max_wait_s=5), now)
        if isinstance(found, Lease):
            headers = unified(now, five=i % 90 / 100, five_reset=now // HOUR * HOUR + HOUR)
            headers[f"anthropic-ratelimit-unified-7d_x{i % 999}-utilization"] = ".5"
            headers[f"anthropic-ratelimit-b{i % 999}-remaining"] = "5"
            pool.observe(found.account_id, headers, now, lease=found, status=200)
            outcome = failures[i % 4] if i % 9 == 0 else Success(TokenUsage(1, i % 99, 8_000, 999))
            if isinstance(outcome, Burst):
                outcome = Burst(1.0, f"f{i}")
            pool.release(found, outcome, now + 1)
        if i in (3_999, 5_999, 7_999):
            measured.append(sizes(pool, set()))
    assert measured[2] <= measured[0] * 1.05, measured
    assert pool.leased > 7_600


TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
