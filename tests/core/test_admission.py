"""Who may choose, who waits, who is refused, and who is asked again."""

from __future__ import annotations

from typing import Any

from maxpool import Command, Lease, NetworkFailure, Pool, QuotaExceeded, Refusal, Success, Wait
from maxpool.core import admission
from maxpool.core.eligibility import Reason, Unavailable
from maxpool.core.queue import class_of
from maxpool.core.select import Blocked
from tests.make import HOUR, MODEL, NOW, account, ask, key, lease, pool

NOBODY: frozenset[str] = frozenset()
OTHER = "claude-haiku-4-5"


def hold(p: Pool, now: float = NOW, **given: Any) -> Wait:
    """A request that must wait."""
    found = p.acquire(ask(**given), now)
    assert isinstance(found, Wait), found
    return found


def one_slot(**settings: Any) -> tuple[Pool, Lease]:
    """A pool of one slot, and the lease that takes it."""
    p = pool(account("a", slots=1), **settings)
    return p, lease(p)


def serve(p: Pool, running: Lease, now: float) -> list[int]:
    """Free the only slot again and again; the tickets in the order they were served."""
    served = []
    while p.queue.waiters:
        p.release(running, Success(), now)
        ((ticket, found),) = p.wake(now)
        assert isinstance(found, Lease)
        served.append(ticket.id)
        running = found
    return served


def test_sixty_sub_agents_do_not_starve_another_session():  # Q5
    p, running = one_slot()
    for i in range(60):
        hold(p, session="busy", agent=f"agent {i}")
    alone = hold(p, session="alone")
    assert serve(p, running, NOW + 1).index(alone.ticket.id) == 1


def test_sixty_sub_agents_of_another_class_do_not_starve_it_either():  # Q5
    p, running = one_slot()
    for _ in range(60):
        hold(p, session="busy")
    alone = hold(p, session="alone", model=OTHER)
    assert serve(p, running, NOW + 1).index(alone.ticket.id) == 1


def test_a_more_urgent_request_is_served_first():
    p, running = one_slot()
    late, soon = hold(p, priority=5), hold(p, NOW + 1, priority=1)
    first = hold(p, NOW + 2)
    assert serve(p, running, NOW + 3) == [first.ticket.id, soon.ticket.id, late.ticket.id]


def test_who_has_waited_long_enough_is_as_urgent_as_a_newcomer():
    p, running = one_slot(queue_aging_s=10.0)
    old = hold(p, priority=3)
    new = hold(p, NOW + 30)
    assert serve(p, running, NOW + 31) == [old.ticket.id, new.ticket.id]


def test_an_urgent_newcomer_is_not_held_back_by_who_stepped_back():
    p, running = one_slot()
    hold(p, priority=5)
    p.release(running, Success(), NOW + 1)
    assert isinstance(p.acquire(ask(), NOW + 1), Lease)


def test_a_turn_costs_what_the_request_is_expected_to_take():  # Q5
    p, _ = one_slot(expected_output_tokens=700.0)
    held = hold(p, input_tokens=5_000, max_output_tokens=300)
    other = hold(p, input_tokens=5_000)
    assert [p.queue.waiters[w.ticket.id].tokens for w in (held, other)] == [5_300, 5_700]


def test_who_waits_for_a_keys_price_holds_back_no_other():  # Q1
    p = pool(account("plan", slots=1), key("k"))
    running = lease(p)
    first = hold(p, arrived_at=NOW)
    assert first.reason is Reason.KEY_PRICE
    p.release(running, Success(), NOW + 1)
    assert isinstance(p.acquire(ask(), NOW + 1), Lease)


def test_a_waiter_whose_own_time_has_come_is_served_whoever_stands_before_it():  # Q1
    p = pool(account("plan", slots=1), key("k"))
    lease(p)
    new = hold(p, NOW + 5, session="new", arrived_at=NOW + 5)
    early = hold(p, NOW + 5, session="early", arrived_at=NOW)
    ((ticket, found),) = p.wake(NOW + 20)
    assert (ticket, isinstance(found, Lease)) == (early.ticket, True)
    assert list(p.queue.waiters) == [new.ticket.id]


def test_one_question_in_vain_answers_for_all_of_a_line():
    p, _ = one_slot(queue_limit=1000)
    for i in range(500):
        hold(p, session=f"s{i}")
    before = [w.asked_revision for w in p.queue.waiters.values()]
    p.revision += 1
    assert p.wake(NOW + 1) == []
    after = [w.asked_revision for w in p.queue.waiters.values()]
    assert [a != b for a, b in zip(after, before, strict=True)] == [True] + [False] * 499


def test_all_who_cannot_wait_as_long_hear_it_at_once():  # S20
    p, running = one_slot()
    patient = hold(p, max_wait_s=2 * HOUR)
    others = [hold(p, max_wait_s=60.0 + i) for i in range(3)]
    p.release(running, QuotaExceeded("5h", NOW + HOUR), NOW)
    told = p.wake(NOW)
    assert [t.id for t, _ in told] == [w.ticket.id for w in others]
    assert all(isinstance(r, Refusal) and r.retry_at == NOW + HOUR for _, r in told)
    assert list(p.queue.waiters) == [patient.ticket.id]


def test_waking_asks_every_class():  # Q1
    p = pool("a", "b")
    p.command(Command("pause"), NOW)
    for model in (MODEL, OTHER, "m3"):
        hold(p, model=model)
    p.command(Command("resume"), NOW)
    assert len(p.wake(NOW)) == 3


def test_a_waiter_is_woken_by_the_event_that_frees_it():  # Q2
    p, running = one_slot()
    held = hold(p)
    assert p.wake(NOW + 1) == []
    p.release(running, Success(), NOW + 1)
    ((ticket, found),) = p.wake(NOW + 1)
    assert (ticket, isinstance(found, Lease)) == (held.ticket, True)


def test_what_no_waiting_helps_is_refused_at_once():
    p = pool("a")
    found = admission.hold(p, ask(), NOBODY, Blocked(Unavailable(Reason.MODEL)), None, NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, len(p.queue)) == (Reason.MODEL, 0)


def test_without_accounts_and_while_paused_nobody_chooses():
    p = pool()
    gate = admission.gate(p, ask(), class_of(ask(), NOBODY), None, NOW)
    assert gate is not None
    assert gate.cause.reason is Reason.NO_ACCOUNTS
    paused = pool("a")
    paused.command(Command("pause"), NOW)
    gate = admission.gate(paused, ask(), class_of(ask(), NOBODY), None, NOW)
    assert gate is not None
    assert gate.cause.reason is Reason.PAUSED


def test_patience_counts_from_the_arrival():
    p = pool("a", queue_max_wait_s=60)
    given = ask(arrived_at=NOW - 50)
    assert admission.arrived(p, given, None, NOW) == NOW - 50
    assert admission.deadline(p, given, None, NOW) == NOW + 10
    p.release(lease(p), NetworkFailure(), NOW)
    held = p.acquire(given, NOW)
    assert isinstance(held, Wait)
    assert admission.deadline(p, ask(max_wait_s=5), held.ticket, NOW + 3) == NOW + 5
