"""Strategies by name: each chooses as it says, all keep to what comes before any choice."""

from __future__ import annotations

import pytest

from maxpool import Command, Lease, LeaseRequest, Pool, Success
from maxpool.core.strategy import STRATEGIES
from tests.make import DAY, NOW, account, ask, key, lease, pool, unified

NAMES = list(STRATEGIES)


def taken(p: Pool, n: int, session: str | None = None) -> list[str]:
    """The accounts of n requests, one after the other."""
    found = []
    for i in range(n):
        one = lease(p, NOW + i, session)
        p.release(one, Success(), NOW + i + 0.5)
        found.append(one.account_id)
    return found


def test_sticky_stays_while_it_can_and_else_takes_the_least_busy():
    p = pool("a", "b", strategy="sticky")
    assert taken(p, 3, "s") == ["a", "a", "a"]
    running = lease(p, NOW + 5, "s")
    assert lease(p, NOW + 5, "other").account_id == "b"
    assert running.account_id == "a"


def test_drain_soonest_takes_the_week_that_ends_first():
    p = pool("a", "b", strategy="drain-soonest")
    p.observe("a", unified(seven=0.1, seven_reset=NOW + 3 * DAY), NOW)
    p.observe("b", unified(seven=0.9, seven_reset=NOW + 1 * DAY), NOW)
    assert taken(p, 3) == ["b", "b", "b"]


def test_least_used_takes_the_emptiest_week():
    p = pool("a", "b", "c", strategy="least-used")
    for name, used in (("a", 0.4), ("b", 0.2)):
        p.observe(name, unified(seven=used), NOW)
    assert taken(p, 2) == ["b", "b"]  # c is unknown: half


def test_round_robin_takes_each_in_turn():
    assert taken(pool("a", "b", "c", strategy="round-robin"), 6) == [*"abcabc"]


def test_ordered_takes_the_first_of_the_list_that_can_serve():
    p = pool("b", account("a", slots=1), strategy="ordered")
    assert taken(p, 2) == ["b", "b"]
    p.states["b"].enabled = False
    p.index.place("b", NOW)
    assert lease(p).account_id == "a"


def test_weighted_takes_each_as_often_as_its_plan_is_large():
    p = pool("a", account("b", plan="max_5x"), strategy="weighted")
    chosen = taken(p, 50)
    assert (chosen.count("a"), chosen.count("b")) == (40, 10)


def test_random_is_even_and_the_same_in_every_run():
    runs = [taken(pool("a", "b", "c", strategy="random"), 300) for _ in range(2)]
    assert runs[0] == runs[1]
    assert all(70 < runs[0].count(name) < 130 for name in "abc")


@pytest.mark.parametrize("name", NAMES)
def test_priority_and_what_is_paid_for_already_come_before_every_strategy(name):
    p = pool(key("k"), account("late", priority=1), account("first"), strategy=name)
    assert set(taken(p, 4)) == {"first"}


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_shows_its_candidates_with_their_terms(name):
    p = pool("a", "b", strategy=name)
    found = p.acquire(LeaseRequest("m", "s", input_tokens=9_000), NOW)
    assert isinstance(found, Lease)
    decision = found.decision
    assert decision.strategy == name
    assert decision.candidates[0].account_id == found.account_id
    assert {c.account_id for c in decision.candidates} == {"a", "b"}


@pytest.mark.parametrize("name", NAMES)
def test_no_strategy_uses_an_account_that_cannot_serve(name):
    p = pool("a", "b", "c", strategy=name)
    p.states["a"].enabled = False
    p.index.place("a", NOW)
    one = p.acquire(ask("s"), NOW, exclude=frozenset("b"))
    assert isinstance(one, Lease)
    assert one.account_id == "c"


def test_who_is_new_or_was_away_catches_nothing_up():
    p = pool("a", "b", strategy="weighted")
    taken(p, 100)
    p.add(account("c"), NOW + 200)
    chosen = taken(p, 30)
    assert all(8 <= chosen.count(name) <= 12 for name in "abc")


def test_the_owners_new_order_counts():
    p = pool("a", "b", "c", strategy="ordered")
    p.reorder(["c", "a"])
    assert taken(p, 1) == ["c"]
    p.states["c"].enabled = False
    p.index.place("c", NOW)
    assert lease(p).account_id == "a"


def test_a_key_that_a_person_prefers_serves_whatever_it_costs():
    p = pool("a", key("k"), key_price="never")
    p.command(Command("prefer", "k"), NOW)
    assert lease(p).account_id == "k"
    p.command(Command("drain", "a"), NOW)
    assert lease(p).account_id == "k"
