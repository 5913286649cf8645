"""Who waits: places, classes, bounds, and when to ask again."""

from __future__ import annotations

from typing import Any

import pytest

from maxpool import (
    Command,
    Lease,
    NetworkFailure,
    Overloaded,
    OwnLogin,
    Pool,
    QuotaExceeded,
    Refusal,
    Success,
    Wait,
)
from maxpool.core.eligibility import Reason
from maxpool.core.queue import Queue, class_of
from maxpool.core.settings import PoolSettings
from tests.make import HOUR, MODEL, NOW, account, ask, key, lease, pool

NOBODY: frozenset[str] = frozenset()


def hold(p: Pool, now: float = NOW, **given: Any) -> Wait:
    """A request that must wait."""
    exclude = given.pop("exclude", NOBODY)
    ticket = given.pop("ticket", None)
    found = p.acquire(ask(**given), now, exclude=exclude, ticket=ticket)
    assert isinstance(found, Wait), found
    return found


def busy(p: Pool) -> list[Lease]:
    """Every slot of a small pool taken."""
    taken = []
    while isinstance(found := p.acquire(ask(max_wait_s=0), NOW), Lease):
        taken.append(found)
    return taken


def test_who_came_first_is_served_first():
    p = pool(account("a", slots=1))
    (running,) = busy(p)
    first, second = hold(p), hold(p, NOW + 1)
    p.release(running, Success(), NOW + 2)
    assert hold(p, NOW + 2, ticket=second.ticket).reason == "queued"
    assert isinstance(p.acquire(ask(), NOW + 2, ticket=first.ticket), Lease)


def test_a_newcomer_does_not_overtake_who_waits():
    p = pool(account("a", slots=1))
    (running,) = busy(p)
    first = hold(p)
    p.release(running, Success(), NOW + 2)
    assert hold(p, NOW + 2).reason == "queued"
    assert isinstance(p.acquire(ask(), NOW + 2.5, ticket=first.ticket), Lease)


def test_waiting_for_one_model_never_blocks_another():  # Q1
    p = pool("a")
    p.release(lease(p), Overloaded("m"), NOW)
    hold(p)
    assert lease(p, model="claude-haiku-4-5").account_id == "a"


@pytest.mark.parametrize(
    "given",
    [
        {"model": "claude-haiku-4-5"},
        {"format": "openai"},
        {"program": "p"},
        {"profile": "p"},
        {"needs": frozenset({"images"})},
        {"beyond": frozenset({(10_000, None)})},
        {"signed_thinking": True},
        {"owner": "a"},
        {"exclude": frozenset({"a"})},
    ],
)
def test_everything_that_decides_who_could_serve_makes_a_class_of_its_own(given):  # Q1
    exclude = given.pop("exclude", NOBODY)
    assert class_of(ask(**given), exclude) != class_of(ask(), NOBODY)


@pytest.mark.parametrize("given", [{"session": "s"}, {"input_tokens": 1}, {"client_key": "k"}])
def test_what_does_not_decide_it_makes_none(given):
    assert class_of(ask(**given), NOBODY) == class_of(ask(), NOBODY)


def test_a_paid_account_is_a_route_once_its_price_is_met():  # Q1
    p = pool(account("plan", slots=1), key("k"))
    lease(p)
    first = hold(p, arrived_at=NOW)
    second = hold(p, NOW + 1, arrived_at=NOW + 1)
    late = NOW + 21
    assert isinstance(p.acquire(ask(arrived_at=NOW), late, ticket=first.ticket), Lease)
    found = p.acquire(ask(arrived_at=NOW + 1), late, ticket=second.ticket)
    assert isinstance(found, Lease)
    assert found.account_id == "k"


def test_a_waiter_keeps_its_age_when_its_class_changes():
    q = Queue(PoolSettings())
    one, other = class_of(ask(), NOBODY), class_of(ask(), frozenset({"a"}))
    old = q.join(ask(), one, NOW, NOW + 99, 1)
    q.join(ask(), other, NOW, NOW + 99, 1)
    q.reseat(old, other)
    assert list(q.by_class) == [other]
    assert q.lines.first(other) is old


def test_the_queue_is_bounded_and_says_so_at_once():  # Q4
    p = pool("a", queue_limit=2)
    p.command(Command("pause"), NOW)
    hold(p), hold(p)
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.detail) == ("queue_full", "paused")


def full(*waiters: tuple[str | None, int], **settings) -> tuple[Pool, list[Wait]]:
    """A paused pool whose queue these (client key, priority) fill."""
    p = pool("a", queue_limit=len(waiters), **settings)
    p.command(Command("pause"), NOW)
    return p, [hold(p, client_key=name, priority=n) for name, n in waiters]


def test_an_urgent_newcomer_takes_the_place_of_the_youngest_of_the_least_urgent():  # Q4
    p, (first, old, young, middle) = full((None, 0), (None, 5), (None, 5), (None, 2))
    urgent = hold(p)
    (told,) = p.wake(NOW)
    assert told[0] == young.ticket
    assert isinstance(told[1], Refusal)
    assert (told[1].reason, told[1].detail) == ("queue_full", "paused")
    assert set(p.queue.waiters) == {w.ticket.id for w in (first, old, middle, urgent)}


@pytest.mark.parametrize("priority", [5, 6])
def test_only_the_more_urgent_take_a_place(priority):  # Q4
    p, _ = full((None, 5), (None, 3))
    assert isinstance(p.acquire(ask(priority=priority), NOW), Refusal)
    assert p.wake(NOW) == []


def test_a_client_key_over_its_share_takes_only_a_place_of_its_own():  # Q4
    p, (_, _, mine, _) = full(("b", 9), ("a", 0), ("a", 3), ("b", 9), client_keys=2)
    hold(p, client_key="a")
    assert [ticket for ticket, _ in p.wake(NOW)] == [mine.ticket]
    assert p.queue.places == {"a": 2, "b": 2}
    assert isinstance(p.acquire(ask(client_key="a"), NOW), Refusal)


def test_who_lost_its_place_takes_what_serves_without_waiting():
    p = pool(account("a", slots=1), key("k"), queue_limit=1)
    lease(p)
    held = hold(p, priority=5)
    hold(p)
    ((ticket, found),) = p.wake(NOW)
    assert ticket == held.ticket
    assert isinstance(found, Lease)
    assert found.account_id == "k"


def test_who_lost_its_place_and_leaves_or_asks_again_is_told_nothing_twice():
    p, (held,) = full((None, 5))
    hold(p)
    assert isinstance(p.acquire(ask(priority=5), NOW, ticket=held.ticket), Refusal)
    assert (p.wake(NOW), len(p.queue)) == ([], 1)
    p, (held,) = full((None, 5))
    hold(p)
    p.cancel(held.ticket, NOW)
    assert p.wake(NOW) == []


@pytest.mark.parametrize(
    ("configured", "keys", "taken"),
    [
        (0, [None] * 9, [None] * 4),  # one person, no key: the whole queue
        (1, ["a"] * 9, ["a"] * 4),
        (2, ["a"] * 9, ["a"] * 2),
        (2, ["a"] * 3 + ["b"] * 9, ["a", "a", "b", "b"]),
        (1, ["a", None] * 9, ["a", None, "a", None]),  # callers without a key count as one
    ],
)
def test_no_client_key_takes_more_than_half_where_there_are_several(configured, keys, taken):  # Q4
    p = pool("a", queue_limit=4, client_keys=configured)
    p.command(Command("pause"), NOW)
    found = [(name, p.acquire(ask(client_key=name), NOW)) for name in keys]
    assert [name for name, answer in found if isinstance(answer, Wait)] == taken
    refused = [answer for _, answer in found if isinstance(answer, Refusal)]
    assert {answer.reason for answer in refused} == {Reason.QUEUE_FULL}


def test_who_waits_already_keeps_its_place_when_another_key_comes():
    p = pool("a", queue_limit=4)
    p.command(Command("pause"), NOW)
    for _ in range(3):
        hold(p, client_key="a")
    hold(p, client_key="b")
    assert p.queue.places == {"a": 3, "b": 1}
    assert isinstance(p.acquire(ask(client_key="a"), NOW), Refusal)


def test_a_waiter_that_left_frees_its_place_at_once():  # Q6
    p = pool("a", queue_limit=1)
    p.command(Command("pause"), NOW)
    held = hold(p)
    p.cancel(held.ticket, NOW)
    p.cancel(held.ticket, NOW)
    hold(p)
    assert len(p.queue) == 1


def test_waiters_that_silently_left_free_their_places_after_their_deadline():  # Q4
    p = pool("a", queue_limit=2)
    p.command(Command("pause"), NOW)
    hold(p, max_wait_s=5), hold(p, max_wait_s=60)
    assert isinstance(p.acquire(ask(), NOW + 5), Refusal)
    hold(p, NOW + 6.5)
    assert [w.deadline for w in p.queue.waiters.values()] == [NOW + 60, NOW + 906.5]


def test_who_lets_its_chance_pass_holds_nobody_up():
    p = pool(account("a", slots=1))
    (running,) = busy(p)
    hold(p)
    second = hold(p)
    p.release(running, Success(), NOW + 5)
    again = hold(p, NOW + 5, ticket=second.ticket)
    assert (again.reason, again.until) == ("queued", NOW + 6)  # the time it is given to show up
    assert isinstance(p.acquire(ask(), NOW + 6, ticket=second.ticket), Lease)


def test_waiting_ends_at_the_patience_of_the_request():  # Q4
    p = pool("a", queue_max_wait_s=60)
    p.command(Command("pause"), NOW)
    held = hold(p, max_wait_s=10)
    assert hold(p, NOW + 9.9, max_wait_s=10, ticket=held.ticket).ticket == held.ticket
    found = p.acquire(ask(max_wait_s=10), NOW + 10, ticket=held.ticket)
    assert isinstance(found, Refusal)
    assert (found.reason, len(p.queue)) == ("paused", 0)


def test_what_ends_after_the_patience_is_refused_at_once_with_its_time():
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + HOUR), NOW)
    found = p.acquire(ask(max_wait_s=60), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == ("quota", NOW + HOUR)


def test_who_stands_behind_another_is_refused_for_what_that_one_waits_for():  # S20
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + 300), NOW)
    hold(p)
    found = p.acquire(ask(max_wait_s=60), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == ("quota", NOW + 300)


def test_the_next_wake_tells_when_a_waiter_is_free():  # Q2
    p = pool("a")
    p.release(lease(p), NetworkFailure(), NOW)
    held = hold(p)
    wake = p.next_wake(NOW)
    assert wake == held.until == NOW + 5
    assert isinstance(p.acquire(ask(), wake, ticket=held.ticket), Lease)


def test_the_next_wake_tells_the_deadline_where_only_an_event_can_free():  # Q2
    p = pool("a")
    p.command(Command("pause"), NOW)
    hold(p, max_wait_s=30)
    assert p.next_wake(NOW) == NOW + 30
    assert p.next_wake(NOW + 32) is None  # it has left without a word


def test_the_next_wake_tells_when_an_account_changes_by_itself():  # Q2
    p = pool("a", "b")
    assert p.next_wake(NOW) is None
    p.release(lease(p), NetworkFailure(), NOW)
    assert p.next_wake(NOW) == NOW + 5


def test_following_the_next_wake_alone_serves_every_waiter():  # Q2
    p = pool("a", "b", "c")
    for i, name in enumerate(p.states):
        others = frozenset(p.states) - {name}
        p.release(lease(p, exclude=others), QuotaExceeded("5h", NOW + 40 * (i + 1)), NOW)
    now, waiting = NOW, [hold(p).ticket for _ in range(5)]
    for _ in range(20):
        wake = p.next_wake(now)
        now = wake if waiting and wake is not None else now
        found = [p.acquire(ask(), now, ticket=t) for t in waiting]
        waiting = [f.ticket for f in found if isinstance(f, Wait)]
    assert (waiting, now) == ([], NOW + 40)


def test_a_waiters_reason_and_place_can_be_seen():
    p = pool("a")
    p.release(lease(p), Overloaded(MODEL), NOW)
    hold(p), hold(p, NOW + 1)
    shown = [(w.position, w.cause, w.waiting_s) for w in p.view(NOW + 2).waiters]
    assert shown == [(1, Reason.THROTTLE, 2.0), (2, Reason.QUEUED, 1.0)]


def test_the_time_to_ask_again_is_right_whoever_leaves_or_changes():  # Q2
    q = Queue(PoolSettings())
    key = class_of(ask(), NOBODY)
    waiters = [q.join(ask(), key, NOW, NOW + 900, 1) for _ in range(3)]
    for waiter, until in zip(waiters, (30.0, 10.0, 20.0), strict=True):
        q.asked(waiter, Reason.COOLDOWN, NOW + until, 1, NOW + 900)
    assert q.next_wake(NOW) == NOW + 10
    q.asked(waiters[1], Reason.COOLDOWN, NOW + 40, 1, NOW + 900)
    assert q.next_wake(NOW) == NOW + 20
    q.leave(waiters[2].ticket)
    assert (q.next_wake(NOW), q.next_wake(NOW + 35)) == (NOW + 30, NOW + 40)
    assert [w.ticket.id for w in q.due(NOW + 40)] == [1, 2]


def test_asking_a_million_times_leaves_no_trace():  # S19
    q = Queue(PoolSettings(queue_aging_s=1.0))
    key = class_of(ask(), NOBODY)
    stays = q.join(ask(), key, NOW, NOW + 900, 1)
    for i in range(5_000):
        q.asked(stays, Reason.COOLDOWN, NOW + 800 - i / 10, i, NOW + 900)
        q.leave(q.join(ask(priority=9), key, NOW, NOW + 90 + i, 1).ticket)
    sizes = [len(q.alarms), len(q.deadlines), len(q.promotions), len(q.lines.levels)]
    assert max(sizes) < 100, sizes
    assert (len(q.lines.by_key), q.places) == (1, {None: 1})


def test_slots_are_expected_as_fast_as_leases_ended_lately():
    q = Queue(PoolSettings())
    assert q.pace_s(NOW) is None
    for i in range(40):
        q.ended(NOW + 2 * i)
    assert q.pace_s(NOW + 80) == 2.0
    assert q.pace_s(NOW) is None  # the clock was set back


def test_who_waits_for_its_own_login_blocks_nobody_else():  # Q1
    own = OwnLogin("mine")
    p = pool("a", account("mine", kind="client", slots=1))
    lease(p, own=own)
    assert hold(p, own=own).reason == "slots_full"
    assert lease(p, NOW).account_id == "a"
    assert class_of(ask(own=own), NOBODY) != class_of(ask(), NOBODY)
