from __future__ import annotations

from maxpool.core.hop import busier
from tests.make import NOW, account, ask, key, lease, pool

NOBODY: frozenset[str] = frozenset()


def busy(p, **leases: int) -> None:
    """So many leases on each of these accounts."""
    for name, n in leases.items():
        for _ in range(n):
            lease(p, exclude=frozenset(p.states) - {name})


def test_after_a_burst_the_idlest_of_the_others_is_next():
    p = pool("a", "b", "c", "d")
    busy(p, a=5, b=3, c=1, d=2)
    assert busier(p, ask(), NOW, frozenset({"a"})) == {"b", "d"}


def test_equally_idle_accounts_are_left_to_the_usual_choice():
    p = pool("a", "b", "c")
    busy(p, a=1)
    assert busier(p, ask(), NOW, frozenset({"a"})) == NOBODY
    assert busier(p, ask(), NOW, frozenset({"a", "b"})) == NOBODY


def test_load_is_measured_by_what_an_account_can_take():
    p = pool(account("small", plan="pro"), account("large", plan="max_20x"))
    busy(p, small=1, large=2)
    assert busier(p, ask(), NOW, NOBODY) == {"small"}


def test_an_idle_account_that_costs_money_does_not_come_before_a_busy_plan():
    p = pool("a", "b", key("k"), account("last", priority=9))
    busy(p, a=1, b=2)
    assert busier(p, ask(), NOW, NOBODY) == {"b"}
