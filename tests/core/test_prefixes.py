"""System prefixes that sessions share: measured, bounded, never assumed."""

from __future__ import annotations

import pytest

from maxpool import Lease, PoolSettings, Success, TokenUsage
from maxpool.core.prefixes import Prefixes
from tests.make import NOW, ask, lease, pool

SHARED = TokenUsage(input=3, output=100, cache_read=12_000, cache_write_5m=8_000)


def test_what_a_first_turn_reads_where_the_prefix_is_warm_is_what_is_shared():
    prefixes = Prefixes(PoolSettings())
    prefixes.heat("d", "a", NOW + 300)
    found = prefixes.find("d")
    assert found is not None
    assert found.shared("a", NOW) == 0.0  # nobody measured it yet
    prefixes.learn("d", 10_000)
    prefixes.learn("d", 20_000)
    assert found.shared("a", NOW) == pytest.approx(13_000)
    assert found.shared("a", NOW + 300) == found.shared("b", NOW) == 0.0


def test_sessions_with_the_same_system_prefix_are_drawn_to_one_account():
    p = pool("a", "b", "c")
    first = lease(p, NOW, "s0", prefix_digest="d")
    p.release(first, Success(TokenUsage(3, 100, 0, 20_000)), NOW + 1)
    for i in range(12):  # by chance some of them come to the same account and tell
        one = lease(p, NOW + 2 + i, f"s{i}x", prefix_digest="d", exclude=frozenset("bc"))
        p.release(one, Success(SHARED), NOW + 2.5 + i)
    taken = lease(p, NOW + 20, "new", prefix_digest="d")
    prefix = {c.account_id: c.cost.prefix for c in taken.decision.candidates}
    assert taken.account_id == "a"
    assert prefix["a"] < 0.0 == prefix["b"]


def test_it_is_a_small_preference_that_a_crowd_outweighs():
    p = pool("a", "b", "c")
    p.prefixes.heat("d", "a", NOW + 300)
    p.prefixes.learn("d", 12_000)
    taken = [p.acquire(ask(f"s{i}", prefix_digest="d"), NOW) for i in range(30)]
    assert {one.account_id for one in taken if isinstance(one, Lease)} == {"a", "b", "c"}


def test_a_first_turn_that_reads_nothing_ends_the_preference():
    p = pool("a", "b")
    p.prefixes.heat("d", "a", NOW + 300)
    one = lease(p, NOW, "s", prefix_digest="d", exclude=frozenset("b"))
    p.release(one, Success(TokenUsage(10, 10, 0, 20_000)), NOW + 1)
    assert p.prefixes.by_digest["d"].tokens == 0.0


def test_prefixes_and_their_accounts_are_bounded_and_forgotten():  # S19
    prefixes = Prefixes(PoolSettings(max_prefixes=3, max_prefix_accounts=2))
    for i in range(9):
        prefixes.heat(f"d{i}", "a", NOW)
        prefixes.heat("d8", f"b{i}", NOW)
    assert len(prefixes.by_digest) == 3
    assert (
        list(prefixes.by_digest["d8"].warm) == ["b7", "b8"]
        or len(prefixes.by_digest["d8"].warm) == 2
    )
    prefixes.forget_account("b8")
    assert all("b8" not in p.warm for p in prefixes.by_digest.values())


def test_a_shared_prefix_counts_against_a_small_rest_of_the_sessions_own():
    p = pool("a", "b")
    first = lease(p, NOW, "s", input_tokens=5_000, exclude=frozenset("b"))
    p.release(first, Success(TokenUsage(5, 100, 0, 5_000)), NOW)
    p.prefixes.heat("d", "b", NOW + 300)
    p.prefixes.learn("d", 60_000)
    taken = lease(p, NOW + 5, "s", input_tokens=100_000, prefix_digest="d")
    assert taken.account_id == "b"
    assert taken.decision.cost.prefix < 0.0
