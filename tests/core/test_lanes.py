"""Accounts alike, and the place where one stands."""

from __future__ import annotations

from dataclasses import replace

from maxpool import LeaseRequest
from maxpool.core.lanes import signature
from tests.core.routed import GROQ, MAX, granted, provider, routed_pool
from tests.make import NOW


def test_accounts_with_models_of_their_own_share_a_lane_whatever_they_offer():
    pool = routed_pool(*(provider(f"p{n}", f"m{n}") for n in range(40)))
    assert len(pool.index.lanes) == 1
    for n in (0, 17, 39):
        lease = granted(pool, LeaseRequest(f"m{n}"), NOW)
        assert lease.account_id == f"p{n}"


def test_what_costs_otherwise_is_another_lane():
    assert signature(GROQ) == signature(provider("other", "x", lacks=frozenset({"images"})))
    for given in ({"priority": 1}, {"tier": 2}, {"weight": 2.0}, {"slots": 3}):
        assert signature(replace(GROQ, **given)) != signature(GROQ)
    assert signature(MAX) != signature(replace(MAX, lacks=frozenset({"images"})))


def test_of_many_that_offer_a_model_the_one_that_can_take_it_serves():
    blind = (provider(f"p{n}", "m", lacks=frozenset({"images"})) for n in range(60))
    pool = routed_pool(*blind, provider("sees", "m"))
    needs = frozenset({"images"})
    lease = granted(pool, LeaseRequest("m", needs=needs), NOW)
    assert lease.account_id == "sees"
    assert lease.decision.unavailable["needs"] > 0
    assert granted(pool, LeaseRequest("m"), NOW).account_id != "sees"
