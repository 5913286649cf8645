"""In which order a route's strategy asks its targets."""

from __future__ import annotations

from collections import Counter

import pytest

from maxpool import Lease, NetworkFailure, Success, TransientFailure
from maxpool.core.dealing import KEPT_TURNS, Turns
from maxpool.core.routes import Target
from tests.core.routed import asking, granted, named, provider, routed_pool
from tests.make import NOW, account, unified

NAMES = ("x", "y", "z")
TARGETS = tuple(f"{name}/m" for name in NAMES)


def three(**given):
    return routed_pool(*(provider(name, "m", **given) for name in NAMES))


def turns(pool, route, n, took_s=1.0, session=None):
    found = []
    for i in range(n):
        now = NOW + 10 * i
        lease = granted(pool, asking(route, session), now)
        assert isinstance(lease, Lease)
        pool.observe(lease.account_id, {}, now + took_s, lease=lease, status=200)
        pool.release(lease, Success(), now + took_s)
        found.append(lease.account_id)
    return found


def test_ordered_asks_the_first_that_can_serve():
    pool = three()
    route = named(pool, *TARGETS, strategy="ordered")
    assert turns(pool, route, 3) == ["x", "x", "x"]
    lease = granted(pool, asking(route), NOW + 99)
    pool.release(lease, NetworkFailure(), NOW + 99)
    assert granted(pool, asking(route), NOW + 99).account_id == "y"


def test_round_robin_gives_each_its_turn():
    pool = three()
    assert turns(pool, named(pool, *TARGETS, strategy="round-robin"), 6) == [*NAMES, *NAMES]


def test_weights_deal_out_the_turns():
    pool = three()
    route = named(pool, "x/m@3", "y/m", "z/m@2", strategy="weighted")
    assert Counter(turns(pool, route, 60)) == {"x": 30, "y": 10, "z": 20}


def test_least_used_goes_by_the_quota_that_is_left_for_its_weight():
    pool = routed_pool(account("a"), account("b"))
    for name, used in (("a", 0.6), ("b", 0.4)):
        pool.observe(name, unified(seven=used), NOW)
    equal = named(pool, "a/m", "b/m", strategy="least-used")
    assert granted(pool, asking(equal), NOW).account_id == "b"
    larger = named(pool, "a/m@2", "b/m", strategy="least-used")
    assert granted(pool, asking(larger), NOW).account_id == "a"


def test_sticky_binds_a_session_and_spreads_new_ones():
    pool = three()
    route = named(pool, *TARGETS, strategy="sticky")
    assert turns(pool, route, 4, session="s") == ["x"] * 4
    assert {turns(pool, route, 1, session=f"s{n}")[0] for n in range(2)} == {"y", "z"}


def test_the_fastest_serves_and_a_failing_one_does_not():
    pool = three()
    each = named(pool, *TARGETS, strategy="round-robin")
    for took_s, account_id in ((3.0, "x"), (0.2, "y"), (9.0, "z")):
        assert turns(pool, each, 1, took_s) == [account_id]
    route = named(pool, *TARGETS, strategy="fastest")
    assert granted(pool, asking(route), NOW).account_id == "y"
    for n in range(2):
        lease = granted(pool, asking(named(pool, "y/m")), NOW + n)
        pool.release(lease, TransientFailure(500), NOW + n)
    assert granted(pool, asking(route), NOW + 9).account_id == "x"


def test_priority_is_a_fifth_of_the_score_and_the_unknown_counts_half():
    pool = routed_pool(provider("x", "m"), provider("y", "m", priority=-1))
    route = named(pool, "x/m", "y/m", strategy="fastest")
    assert granted(pool, asking(route), NOW).account_id == "y"


def test_an_open_breaker_comes_last_whatever_its_score():
    pool = three()
    first = named(pool, "x/m")
    turns(pool, first, 20, 0.1)
    for n in range(3):
        lease = granted(pool, asking(first), NOW + n)
        pool.release(lease, TransientFailure(500), NOW + n)
    route = named(pool, *TARGETS, strategy="fastest")
    later = NOW + 40  # its pause is over: it may be tried, and is not the first to be
    assert granted(pool, asking(route), later).account_id == "y"


@pytest.mark.parametrize("strategy", ["round-robin", "weighted", "least-used", "sticky", "fastest"])
def test_of_a_long_list_the_ones_that_can_serve_are_found(strategy):
    names = [f"p{n}" for n in range(80)]
    pool = routed_pool(*(provider(name, "m", enabled=name == "p70") for name in names))
    route = named(pool, *(f"{name}/m" for name in names), strategy=strategy)
    assert {turns(pool, route, 1)[0] for _ in range(3)} == {"p70"}


def test_turns_are_bounded():  # S19
    kept = Turns()
    for n in range(KEPT_TURNS + 50):
        kept.taken(f"r{n}", Target("m"), n)
    assert len(kept.by_target) == len(kept.clock) == KEPT_TURNS


@pytest.mark.parametrize("strategy", ["weighted", "least-used"])
def test_who_was_away_does_not_make_up_for_the_turns_that_it_missed(strategy):
    pool = three()
    route = named(pool, *TARGETS, strategy=strategy)
    for n in range(20):
        lease = granted(pool, asking(route), NOW + n, exclude=frozenset("x"))
        pool.release(lease, Success(), NOW + n)
    assert max(Counter(turns(pool, route, 6)).values()) <= 3
