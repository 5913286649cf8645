from __future__ import annotations

from maxpool.core.hop import busier, larger_only, narrowed, no_larger, other_model
from maxpool.core.lease import Lease, ModelMissing, RateLimited
from maxpool.core.rejected import ContextExceeded
from maxpool.core.routes import Target, route_of
from tests.make import MODEL, NOW, account, ask, key, lease, pool

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


def test_what_is_too_long_for_a_model_is_so_wherever_its_provider_has_it():  # P3
    p = pool("a", "b", key("k", provider="other"), key("l", provider="other", models={"*": "big"}))
    assert no_larger(p, ask(), [("a", MODEL)]) == {"a", "b"}
    assert larger_only(p, ask(), [("k", MODEL)])[1] == {"k"}
    assert larger_only(p, ask(), []) == (ask(), NOBODY)
    assert no_larger(p, ask(), [("removed", MODEL)]) == NOBODY


def test_a_model_that_is_said_to_take_no_more_is_passed_over():  # P3
    p = pool(
        key("small", provider="x", context={"*": 8_000}),
        key("alike", provider="y", context={"*": 8_000}),
        key("large", provider="z", context={"*": 9_000}),
        key("unsaid", provider="u"),
    )
    assert no_larger(p, ask(), [("small", MODEL)]) == {"small", "alike"}


def granted(p, request) -> Lease:
    found = p.acquire(request, NOW)
    assert isinstance(found, Lease)
    return found


def routed():
    """A request for `small`, else `large` of one vendor."""
    targets = [Target("small", provider="x"), Target("large", provider="x")]
    return ask(model="any", route=route_of("any", [targets], strategy="ordered"))


def test_where_only_a_model_failed_its_account_may_be_asked_for_another():  # P1, P3
    p, request = pool(key("k", provider="x")), routed()
    taken = granted(p, request)
    assert taken.model == "small"
    assert other_model(p, request, taken, ModelMissing("small"))
    assert other_model(p, request, taken, ContextExceeded(400))
    assert not other_model(p, request, taken, RateLimited())
    assert not other_model(p, ask(), taken, ModelMissing("small"))


def test_what_is_too_long_for_one_target_goes_to_the_next_of_the_same_account():  # P3
    p, request = pool(key("k", provider="x")), routed()
    left, passed_over = larger_only(p, request, [("k", "small")])
    assert passed_over == NOBODY
    assert granted(p, left).model == "large"
    assert narrowed(p, request, [("k", "small")]).route is left.route
    none = narrowed(p, left, [("k", "large")]).route
    assert none is not None
    assert none.targets == ()
    assert narrowed(p, request, [("gone", "small")]) is request
