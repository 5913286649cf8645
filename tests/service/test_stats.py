"""What callers noticed of trouble."""

from __future__ import annotations

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Refusal
from maxpool.service.retry import Trail
from maxpool.service.stats import KEPT_REFUSALS, Stats
from tests.make import NOW


def test_an_answered_request_counts_sends_and_unseen_failovers():
    stats = Stats()
    stats.ended(200, Trail(began=0.0, sends=3, tried={"a", "b"}))
    assert (stats.requests, stats.sends, stats.failovers, stats.client_errors) == (1, 3, 2, {})


def test_errors_are_counted_by_status():
    stats = Stats()
    stats.ended(502, Trail(began=0.0, sends=1, tried={"a"}))
    stats.refused(400)
    stats.refused(400)
    assert stats.client_errors == {502: 1, 400: 2}
    assert stats.requests == 3


def test_time_held_adds_up():
    stats = Stats()
    stats.waited(1.5)
    stats.waited(0.5)
    assert stats.held_s == 2.0


def test_the_last_refusals_are_kept_and_no_more():  # S19
    stats = Stats()
    for i in range(100):
        refusal = Refusal(Reason.QUOTA, NOW + 60, "quota")
        stats.turned_away(refusal, f"r{i}", "m" * 999, {"quota": 2}, NOW + i)
    assert len(stats.refusals) == KEPT_REFUSALS
    last = stats.refusals[-1]
    assert (last.request_id, last.at, last.reason, last.retry_at) == (
        "r99",
        NOW + 99,
        "quota",
        NOW + 60,
    )
    assert (dict(last.unavailable), len(last.model)) == ({"quota": 2}, 200)
