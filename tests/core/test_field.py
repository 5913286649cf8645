"""The field: as few accounts as it takes are weighed, and the best is always among them."""

from __future__ import annotations

import pytest

from maxpool import FamilyQuotaExceeded, Lease, ModelMissing, TransientFailure
from maxpool.core import field
from maxpool.core.cost import Terms
from maxpool.core.eligibility import Context
from tests.make import DAY, HOUR, NOW, account, ask, key, lease, pool, unified

NOBODY: frozenset[str] = frozenset()


def weeks(n: int, **settings):
    """n accounts of one plan, each with another use of the same week."""
    p = pool(*(account(f"a{i:03}") for i in range(n)), **settings)
    for i, name in enumerate(p.states):
        p.observe(name, unified(seven=(i * 37 % 90) / 100, seven_reset=NOW + 3 * DAY), NOW)
    return p


def field_now(p, request=None, exclude=NOBODY):
    """The field of a request at NOW."""
    request = request or ask()
    ctx = Context(p.settings, p.plan_in_flight)
    weigher = p.selector.weigher(request, None, NOW, ctx)
    return field.field_of(p.selector, weigher, None, exclude, ctx)


def test_a_lane_is_cut_off_where_quota_alone_costs_more_than_the_best():
    found = field_now(weeks(300))
    assert len(found.ranks) == 1
    assert found.ranks[0][-1] == "a000"
    assert [len(b.entries) for b in found.behind] == [16]


def test_accounts_alike_in_everything_are_not_weighed_one_by_one():  # S22
    found = field_now(pool(*(account(f"a{i:04}") for i in range(2_000))))
    assert len(found.ranks) == 1


def test_who_is_excluded_is_passed_over_and_not_shown():
    p = weeks(40)
    best = frozenset({"a000", "a073"}) & p.states.keys()
    found = field_now(p, exclude=best)
    shown = [c.account_id for b in found.behind for _, c in found.terms.rest(b)]
    assert not best & {r[-1] for r in found.ranks}
    assert not best & set(shown)


def test_a_worse_priority_is_not_weighed_while_a_better_one_can_serve():
    p = pool("a", account("late", priority=3), key("k"))
    assert [r[-1] for r in field_now(p).ranks] == ["a"]


def test_an_account_with_a_model_or_family_set_aside_stands_alone():
    p = weeks(3)
    only = frozenset(p.states) - {"a000"}
    p.release(lease(p, exclude=only, model="claude-opus-5-5"), ModelMissing("claude-opus-5-5"), NOW)
    only = frozenset(p.states) - {"a001"}
    p.release(lease(p, exclude=only), FamilyQuotaExceeded("opus", NOW + HOUR), NOW)
    assert sorted(p.index.special) == ["a000", "a001"]
    found = field_now(p, ask(model="claude-opus-5-5"))
    assert [r[-1] for r in found.ranks] == ["a002"]
    assert found.closed == {"model_missing": 1, "family_quota": 1}


@pytest.mark.parametrize("room", [0.0, 1e5, 1e9, float("inf")])
def test_a_lanes_account_costs_the_same_as_when_weighed_alone(room):
    p = weeks(2)
    p.prices.session_work, p.prices.session_count = 1e6, 1.0
    state = p.states["a001"]
    state.left = room
    ctx = Context(p.settings)
    weigher = p.selector.weigher(ask(), None, NOW, ctx)
    place = p.index.places["a001"]
    assert place.entry is not None
    lane = p.index.lanes[place.lane]
    terms = Terms(weigher.weeks, weigher.cold_weight, p.prices.session_mean, NOBODY)
    shift = weigher.weeks.shift(lane.form, 0.0)
    assert terms.cost(lane, shift, place.entry[0], room) == weigher.cost(state, 0.5)


def test_failures_keep_an_account_in_line_but_behind():
    p = weeks(2)
    p.release(lease(p, exclude=frozenset({"a001"})), TransientFailure(500), NOW)
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Lease)
    assert found.account_id == "a001"
    assert not p.index.special
