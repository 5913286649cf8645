"""Decisions are remembered with what they were weighed against; bounded, and free of anything secret."""

from __future__ import annotations

from maxpool import Lease, QuotaExceeded, Success
from maxpool.core.decisions import SHOWN_CANDIDATES
from tests.make import DAY, HOUR, NOW, account, ask, lease, pool, unified


def test_a_decision_keeps_its_sixteen_best_candidates_and_counts_the_rest_by_reason():
    p = pool(*(account(f"a{i:02}") for i in range(30)))
    for i, name in enumerate(p.states):
        p.observe(name, unified(seven=i / 100, seven_reset=NOW + 3 * DAY), NOW)
    for name in ("a28", "a29"):
        p.states[name].enabled = False
        p.index.place(name, NOW)
    p.effects.close(p.states["a27"], "5h", NOW + HOUR, NOW)
    p.index.place("a27", NOW)
    decision = lease(p).decision
    ids = [c.account_id for c in decision.candidates]
    assert ids == [f"a{i:02}" for i in range(SHOWN_CANDIDATES)]
    totals = [c.cost.total for c in decision.candidates]
    assert totals == sorted(totals)
    assert decision.unavailable == {"disabled": 2, "quota": 1}


def test_what_stood_in_line_is_reckoned_as_it_was_not_as_it_is_now():
    p = pool(*(account(f"a{i}") for i in range(4)))
    for i, name in enumerate(p.states):
        p.observe(name, unified(seven=i / 10, seven_reset=NOW + 3 * DAY), NOW)
    decision = lease(p).decision
    before = [(c.account_id, round(c.cost.total, 9)) for c in decision.candidates]
    p.observe("a3", unified(seven=0.99, seven_reset=NOW + 3 * DAY), NOW + 1)
    assert [(c.account_id, round(c.cost.total, 9)) for c in decision.candidates] == before
    assert len(before) == 4


def test_a_lease_is_found_by_its_id_with_how_it_ended():
    p = pool("a")
    one = lease(p, NOW, "s")
    record = p.decisions.find(one.id)
    assert record is not None
    assert (record.request.session, record.outcome) == ("s", None)
    p.release(one, QuotaExceeded("5h", NOW + HOUR), NOW + 2)
    assert (record.outcome, record.ended_at) == ("quota_exceeded", NOW + 2)
    assert p.decisions.find("never") is None


def test_the_last_thousand_are_kept_newest_first():  # S19
    p = pool("a")
    for i in range(1_100):
        p.release(lease(p, NOW + i), Success(), NOW + i)
    found = list(p.decisions.latest())
    assert len(found) == 1_000
    assert found[0].at == NOW + 1_099


def test_a_move_says_what_it_left_behind_and_what_that_is_worth():
    p = pool("a", "b")
    first = lease(p, NOW, "s")
    p.release(first, Success(), NOW + 1)
    moved = p.acquire(ask("s"), NOW + 2, exclude=frozenset({first.account_id}))
    assert isinstance(moved, Lease)
    decision = moved.decision
    assert decision.rebind == "need"
    assert decision.lost_tokens == 20_000
    assert decision.move_cost > 0.0
