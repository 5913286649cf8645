"""Counts of one account."""

from __future__ import annotations

from dataclasses import astuple, fields

from maxpool.core.lease import TokenUsage
from maxpool.core.tally import MINUTES, Counts, Tally
from tests.make import HOUR, NOW

USAGE = TokenUsage(input=1, output=2, cache_read=3, cache_write_5m=4, cache_write_1h=5)


def test_each_kind_of_token_is_counted_once():
    tally = Tally()
    tally.add(USAGE, NOW, 1.0, failed=False, estimate_usd=0.0)
    tally.add(TokenUsage(), NOW, 1.0, failed=True)
    assert tally.total == Counts(2, 1, 1, 2, 3, 9)


def test_the_upstreams_own_figure_counts_before_our_estimate():
    tally = Tally()
    tally.add(TokenUsage(input=9, cost_usd=0.5), NOW, 1.0, failed=False, estimate_usd=0.2)
    tally.add(TokenUsage(input=9), NOW, 1.0, failed=False, estimate_usd=0.3)
    for counts in (tally.total, tally.last(NOW)):
        assert (counts.cost_usd, counts.told_usd, counts.told_estimate_usd) == (0.8, 0.5, 0.2)
        assert counts.unpriced == 0


def test_tokens_that_nobody_prices_are_counted_as_such_and_not_as_free():
    tally = Tally()
    tally.add(USAGE, NOW, 1.0, failed=False)
    tally.add(TokenUsage(), NOW, 1.0, failed=True)
    assert (tally.total.unpriced, tally.total.cost_usd) == (1, 0.0)


def test_spans_add_up_in_every_field():
    span = Counts(*range(1, len(fields(Counts)) + 1))
    total = Counts()
    total.merge(span)
    total.merge(span)
    assert astuple(total) == tuple(2 * value for value in astuple(span))


def test_the_last_status_is_kept_with_its_time():
    tally = Tally()
    tally.answered(200, NOW)
    assert (tally.last_status, tally.last_status_at) == (200, NOW)


def test_the_last_minutes_hold_only_what_happened_in_them():
    tally = Tally()
    for minute in range(30):
        tally.add(USAGE, NOW + 60 * minute, 1.0, failed=False)
    now = NOW + 60 * 29
    assert (tally.last(now, 15).requests, tally.last(now).requests) == (15, 30)
    assert tally.last(now + HOUR).requests == 0


def test_an_hour_is_kept_and_no_more():  # S19
    tally = Tally()
    for minute in range(500):
        tally.add(USAGE, NOW + 60 * minute, 1.0, failed=False)
    assert (len(tally.minutes), len(tally.times_ms)) == (MINUTES, 200)
    assert (tally.total.requests, tally.last(NOW + 60 * 499).requests) == (500, 60)


def test_the_median_time_is_of_the_last_hours_answers():
    tally = Tally()
    assert tally.p50_ms(NOW) is None
    tally.add(USAGE, NOW - 2 * HOUR, 99.0, failed=False)
    for took in (1.0, 2.0, 3.0):
        tally.add(USAGE, NOW, took, failed=False)
    tally.add(USAGE, NOW, 50.0, failed=True)
    assert tally.p50_ms(NOW) == 2000.0


def test_the_mean_time_is_of_the_last_hours_answers():
    tally = Tally()
    assert tally.mean_ms(NOW) is None
    tally.add(USAGE, NOW - 2 * HOUR, 99.0, failed=False)
    for took in (1.0, 4.0):
        tally.add(USAGE, NOW, took, failed=False)
    assert tally.mean_ms(NOW) == 2500.0
