from __future__ import annotations

import timeit

import pytest

from maxpool.service.meters import MAX_FAMILIES, OTHER, Histogram, Meters
from tests.make import request_record


def test_a_value_falls_into_the_first_bucket_whose_bound_it_does_not_pass():
    found = Histogram((1.0, 5.0))
    for value in (0.5, 1.0, 1.1, 99.0):
        found.observe(value)
    assert (found.counts, found.total) == ([2, 1, 1], 101.6)


def test_requests_are_counted_by_account_family_format_and_class_of_status():
    meters = Meters()
    for status in (200, 200, 529, 0):
        meters.ended(request_record(model="claude-opus-5-5", account="a", status=status))
    form = request_record().format
    assert meters.requests == {
        ("a", "opus", form, 2): 2,
        ("a", "opus", form, 5): 1,
        ("a", "opus", form, 0): 1,
    }


def test_model_names_that_clients_invent_are_one_family():
    meters = Meters()
    for number in range(100):
        meters.ended(request_record(model=f"x{number}", status=404))
    assert {family for _, family, _, _ in meters.requests} == {OTHER}
    for number in range(2 * MAX_FAMILIES):
        meters.ended(request_record(model=f"x{number}", status=200))
    assert len(meters.first_byte_s) == MAX_FAMILIES
    assert len(meters.requests) == MAX_FAMILIES + 2


def test_only_who_waited_counts_as_waiting_and_only_an_answer_has_a_first_byte():
    meters = Meters()
    meters.ended(request_record(waited_ms=0.0, ttfb_ms=40.0, overhead_ms=2.0))
    meters.ended(request_record(waited_ms=3000.0, ttfb_ms=None, status=503))
    assert sum(meters.waited_s.counts) == 1
    assert meters.waited_s.total == 3.0
    assert [sum(one.counts) for one in meters.first_byte_s.values()] == [1]
    assert sum(meters.overhead_s.counts) == 2


def test_counting_a_request_takes_microseconds():
    meters, row = Meters(), request_record()
    took_s = min(timeit.repeat(lambda: meters.ended(row), number=2000, repeat=5)) / 2000
    assert took_s < 15e-6  # 1.5 us on an idle core


def test_another_processs_counts_are_added_and_what_is_not_known_is_left_out():
    meters, theirs = Meters(), Meters()
    for one in (meters, theirs, theirs):
        one.ended(request_record(waited_ms=20.0))
    meters.add(theirs.told() | {"news": 1.0, "\x1f".join(("overhead_s", "99")): 1.0})
    for _ in range(2):
        theirs.ended(request_record(waited_ms=20.0))
    assert (meters.requests, meters.first_byte_s["sonnet"].counts) == (
        dict.fromkeys(theirs.requests, 3),
        [0, 0, 3, *[0] * 9],
    )
    assert meters.waited_s.counts[0] == 3
    assert meters.waited_s.total == pytest.approx(0.06)
