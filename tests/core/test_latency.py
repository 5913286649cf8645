"""How fast and how surely each target answered lately."""

from __future__ import annotations

from maxpool import Burst, ClientGone, LeaseRequest, QuotaExceeded, Success
from maxpool.core.latency import KEPT_ANSWERS, Latencies, Timing
from tests.core.routed import granted
from tests.make import MODEL, NOW, pool


def timing_of(kept, model="m"):
    return kept.by_target["a", model]


def test_the_p95_is_that_of_the_last_twenty_answers():
    timing = Timing()
    for seconds in (99.0, *range(1, 21)):
        timing.add(float(seconds))
    assert len(timing.answers) == KEPT_ANSWERS
    assert timing.p95_s == 19.0


def test_failures_count_against_success_and_not_into_the_time():
    timing = Timing()
    for seconds in (1.0, -1.0, None, 3.0):
        timing.add(seconds)
    assert (timing.p95_s, timing.success) == (3.0, 0.75)
    for _ in range(KEPT_ANSWERS):
        timing.add(2.0)
    assert timing.success == 1.0


def test_nothing_is_known_of_a_target_that_never_answered():
    assert (Timing().p95_s, Timing().success) == (None, None)
    assert Latencies(5).find("a", "m") is None


def test_what_is_not_the_targets_doing_is_not_counted():
    kept = Latencies(5)
    for outcome in (ClientGone(), QuotaExceeded("5h")):
        kept.ended("a", "m", 1.0, outcome)
    kept.ended("a", "", 1.0, Success())
    assert not kept.by_target
    kept.ended("a", "m", None, Burst())
    assert timing_of(kept).success == 0.0


def test_targets_are_bounded_and_the_longest_unused_goes_first():  # S19
    kept = Latencies(2)
    for name in ("a", "b", "a", "c"):
        kept.ended(name, "m", 1.0, Success())
    assert [name for name, _ in kept.by_target] == ["a", "c"]
    kept.forget_account("a")
    assert [model for model, _ in kept.of_account("c")] == ["m"]
    assert len(kept.by_target) == 1


def test_the_time_runs_from_the_lease_to_a_good_answers_headers():
    it = pool("a")
    lease = granted(it, LeaseRequest(MODEL), NOW)
    it.observe("a", {}, NOW + 0.7, lease=lease, status=500)
    it.observe("a", {}, NOW + 1.5, lease=lease, status=200)
    it.release(lease, Success(), NOW + 30)
    assert timing_of(it.latency, MODEL).p95_s == 1.5


def test_a_restart_keeps_what_was_learned_of_the_accounts_that_are_left():  # S18
    kept, fresh = Latencies(9), Latencies(9)
    for name in ("a", "b"):
        kept.ended(name, "m", 2.0, Success())
        kept.ended(name, "m", None, Burst())
    fresh.load(kept.dump(), {"a": object()})
    assert fresh.dump() == [["a", "m", [2.0, -1.0]]]
    assert timing_of(fresh).success == 0.5
