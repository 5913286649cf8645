"""Who stands where: lines, urgency, and the order of turns as people see it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Ticket
from maxpool.core.lines import Lines, Waiter, in_turn, level_of
from maxpool.core.queue import class_of
from maxpool.core.settings import PoolSettings
from tests.make import NOW, ask

NOBODY: frozenset[str] = frozenset()


class Standing:
    """Lines and those who stand in them."""

    def __init__(self, **settings: Any) -> None:
        self.waiters: dict[int, Waiter] = {}
        self.lines = Lines(PoolSettings(**settings), self.waiters)

    def join(self, tokens: float = 10.0, **given: Any) -> Waiter:
        request, number = ask(**given), len(self.waiters) + 1
        waiter = Waiter(
            Ticket(number, NOW),
            request,
            class_of(request, NOBODY),
            NOW + 900,
            tokens,
            level_of(request),
        )
        self.waiters[number] = waiter
        self.lines.enter(waiter)
        return waiter

    def serve(self) -> list[int]:
        """Serve all, in turn."""
        served = []
        turns = self.lines.turns()
        while (line := turns.take()) is not None:
            waiter = line.first()
            assert waiter is not None
            self.lines.charge(waiter)
            self.lines.leave(waiter)
            served.append(waiter.ticket.id)
            turns.add(line)
        return served


def test_a_single_request_waits_for_one_of_sixty_and_not_for_all():  # Q5
    it = Standing()
    for _ in range(60):
        it.join(session="busy")
    alone = it.join(session="alone")
    assert it.serve().index(alone.ticket.id) == 1


def test_sub_agents_share_the_turns_of_their_session():  # Q5
    it = Standing()
    for i in range(10):
        it.join(session="busy", agent=f"agent {i}")
    it.join(session="alone")
    assert it.serve().index(11) == 1


def test_keys_come_before_sessions():  # Q5
    it = Standing()
    for i in range(10):
        it.join(session=f"s{i}", client_key="many")
    for _ in range(3):
        it.join(session="s", client_key="one")
    assert it.serve()[:6] == [1, 11, 2, 12, 3, 13]


def test_a_session_is_not_starved_by_those_of_other_models():  # Q5
    it = Standing()
    for i in range(20):
        it.join(session="busy", model=f"m{i % 4}")
    it.join(session="alone", model="m9")
    assert it.serve().index(21) == 1


@pytest.mark.parametrize(("priority", "level"), [(0, 0), (7, 7), (10**9, 100), (-5, 0)])
def test_a_request_can_only_step_back(priority, level):
    assert level_of(ask(priority=priority)) == level


def test_urgency_comes_before_fairness():
    it = Standing()
    it.join(session="a", priority=2), it.join(session="b", priority=1)
    it.join(session="c"), it.join(session="c")
    assert it.serve() == [3, 4, 2, 1]


def test_a_promoted_waiter_keeps_its_age_within_its_session():
    it = Standing()
    old = it.join(session="s", priority=1)
    it.join(session="s")
    it.lines.promote(old)
    assert it.serve() == [1, 2]
    assert not it.lines.levels


@pytest.mark.parametrize("reason", [Reason.KEY_PRICE, Reason.HOME_BUSY])
def test_who_waits_for_its_own_reason_stands_in_nobodys_way(reason):  # Q1
    it = Standing()
    aside, other = it.join(session="a"), it.join(session="b")
    before, aside.reason = aside.line, reason
    it.lines.move(aside, before)
    assert it.lines.first(aside.key) is other
    assert it.serve() == [1, 2]


def test_the_order_people_see_is_the_order_of_service():
    draw = random.Random(5)
    for _ in range(50):
        it = Standing(queue_quantum_tokens=20)
        for _ in range(25):
            it.join(
                draw.choice([5.0, 20.0, 90.0]),
                session=draw.choice("abc"),
                client_key=draw.choice("kl"),
                priority=draw.choice([0, 0, 3]),
                model=draw.choice("mn"),
            )
        seen = [waiter.ticket.id for waiter in in_turn(list(it.waiters.values()))]
        assert seen == it.serve()
