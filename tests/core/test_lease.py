"""The values that go into the pool and come out of it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args

import pytest

import maxpool
from maxpool import Lease, LeaseRequest, Outcome, Pool, TokenUsage
from maxpool.core.view import outcome_class, outcome_text
from tests.make import NOW, account, lease, pool

OUTCOMES = get_args(Outcome)


def outcome(kind: type[Any]) -> Any:
    """One of that class, with as little as it takes."""
    needed = {"window": "5h", "family": "opus", "model": "m", "status": 500, "kind": "html"} | {
        "what": "n"
    }
    return kind(**{f.name: needed[f.name] for f in fields(kind) if f.name in needed})


def test_the_five_kinds_of_tokens_never_overlap():
    usage = TokenUsage(
        input=1, output=10, cache_read=100, cache_write_5m=1_000, cache_write_1h=10_000
    )
    assert usage.prefix == 11_101


@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_outcome_is_frozen_public_and_has_a_word(kind):
    one = outcome(kind)
    assert (is_dataclass(kind), getattr(maxpool, one.__class__.__name__)) == (True, kind)
    assert outcome_class(one).replace("_", "") == one.__class__.__name__.lower()
    assert "usage" not in outcome_text(one)


@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_outcome_ends_a_lease_and_leaves_the_pool_able_to_answer(kind):  # R12
    p = pool("a", "b")
    taken = lease(p, session="s")
    p.release(taken, outcome(kind), NOW)
    view = p.view(NOW)
    assert (view.in_flight, sum(a.in_flight for a in view.accounts), p.plan_in_flight) == (0, 0, 0)
    lease(p, session="s", exclude=frozenset({taken.account_id}))


def test_a_lease_is_a_value():
    one = Lease("1", "a", "m", NOW, lease(pool("a")).decision)
    assert replace(one) == one
    assert replace(one, account_id="b") != one


def test_only_the_model_of_a_request_must_be_known():
    assert [f.name for f in fields(LeaseRequest)][:4] == [
        "model",
        "session",
        "agent",
        "input_tokens",
    ]
    assert LeaseRequest("m").stream


def test_lease_ids_are_never_used_twice():
    p = pool("a")
    assert len({lease(p).id for _ in range(50)}) == 50


def test_two_processes_that_began_in_one_second_give_different_lease_ids():
    first, second = (Pool([account("a")], now=NOW + begun) for begun in (0.1, 0.9))
    assert lease(first).id != lease(second).id


def test_every_public_name_can_be_had():
    for name in maxpool.__all__:
        assert getattr(maxpool, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        maxpool.nothing  # noqa: B018
