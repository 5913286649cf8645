"""How long a cache lives: what was asked for until hits and misses say otherwise."""

from __future__ import annotations

import pytest

from maxpool.core.cachelife import MOST, TOLD, Ages, CacheLife


def told(*observations: tuple[float, bool], asked_s: float = 300.0) -> float:
    """The life after these (idle age, hit), told by many accounts together."""
    lives = CacheLife()
    for i, (idle_s, hit) in enumerate(observations):
        lives.learn(f"a{i}", asked_s, idle_s, hit=hit)
    return lives.life("new", asked_s)


@pytest.mark.parametrize("asked_s", [300.0, 3600.0])
def test_a_life_starts_from_what_was_asked_for(asked_s):
    assert told(asked_s=asked_s) == asked_s


def test_a_hit_at_an_old_age_proves_all_younger_ones():
    assert told((20.0, True), (2_000.0, True)) == 2_000.0


def test_one_miss_may_have_another_cause_but_two_cut_the_life():
    assert told((200.0, False)) == 300.0
    assert told((200.0, False), (220.0, False)) == 150.0


def test_misses_beyond_what_was_asked_for_change_nothing():
    assert told(*[(1_000.0, False)] * 5) == 300.0


def test_an_older_hit_contradicts_younger_misses():
    assert told((200.0, False), (220.0, False), (1_700.0, True)) == 1_700.0


def test_what_an_upstream_once_did_is_forgotten_when_it_changes():
    hits = [(1_700.0, True)] * 5
    misses = [(1_700.0, False)] * 8
    assert told(*hits, *misses) == 300.0


def test_an_account_that_told_enough_goes_by_its_own():
    lives = CacheLife()
    for _ in range(TOLD):
        lives.learn("short", 3600.0, 400.0, hit=False)
        lives.learn("long", 3600.0, 3_000.0, hit=True)
    assert lives.life("short", 3600.0) < 450.0
    assert lives.life("long", 3600.0) == 3600.0


def test_times_that_nobody_can_ask_for_are_not_learned_and_the_map_is_bounded():  # S19
    lives = CacheLife()
    lives.learn("a", 777.0, 10.0, hit=True)
    assert not lives.ages
    for i in range(MOST + 50):
        lives.learn(f"a{i}", 300.0, 10.0, hit=True)
    assert len(lives.ages) <= MOST
    assert len(lives.lives) <= MOST


def test_an_age_beyond_all_classes_is_never_believed_warm():
    assert Ages().add(1e9, hit=True) is False
    assert told((1e9, True)) == 300.0


def test_a_removed_account_leaves_nothing():
    lives = CacheLife()
    lives.learn("a", 300.0, 10.0, hit=True)
    lives.forget_account("a")
    assert [key for key in lives.ages if key[0] == "a"] == []


def test_an_account_that_told_often_enough_is_believed_of_itself_though_all_it_told_was_alike():
    lives = CacheLife()
    lives.learn("a", 300.0, 2_000.0, hit=True)
    for _ in range(TOLD - 1):
        lives.learn("a", 300.0, 1_900.0, hit=True)
    for _ in range(3 * TOLD):
        lives.learn("b", 300.0, 200.0, hit=False)
        lives.learn("b", 300.0, 2_000.0, hit=False)
    assert (lives.life("a", 300.0), lives.life("b", 300.0)) == (2_000.0, 150.0)
