"""Rate buckets: windows, room, reservations; counts against a list of every call."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.ratebuckets import HELD_S, SLICES, Bucket, Period, Rule
from tests.make import DAY, HOUR, NOW

AMOUNTS = ("requests", "tokens", "usd")


def utc(*when: int) -> float:
    return datetime(*when, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


def bucket(limit: float = 10, unit: str = "minute", n: int = 1, **given: object) -> Bucket:
    values = {"amount": "requests", "limit": limit, "period": Period(unit, n), **given}  # type: ignore[arg-type]
    return Bucket(Rule(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit", "n", "at", "start", "end"),
    [
        ("minute", 1, (2026, 11, 22, 10, 5, 59), (2026, 11, 22, 10, 5), (2026, 11, 22, 10, 6)),
        ("hour", 5, (1970, 1, 1, 7), (1970, 1, 1, 5), (1970, 1, 1, 10)),
        ("day", 1, (2026, 12, 31, 23, 59, 59), (2026, 12, 31), (2027, 1, 1)),
        ("week", 1, (2026, 11, 22, 23), (2026, 11, 16), (2026, 11, 23)),  # a Sunday
        ("week", 1, (2026, 11, 23), (2026, 11, 23), (2026, 11, 30)),
        ("month", 1, (2028, 2, 29, 12), (2028, 2, 1), (2028, 3, 1)),
        ("month", 1, (2026, 12, 31), (2026, 12, 1), (2027, 1, 1)),
        ("month", 3, (2026, 5, 5), (2026, 4, 1), (2026, 7, 1)),
    ],
)
def test_calendar_windows_are_utc_and_weeks_begin_on_monday(unit, n, at, start, end):  # P4
    period = Period(unit, n)
    index = period.index(utc(*at))
    assert (period.start(index), period.start(index + 1)) == (utc(*start), utc(*end))
    assert period.index(utc(*end)) == index + 1
    assert period.index(utc(*end) - 0.001) == index


def test_an_exhausted_calendar_bucket_opens_when_its_window_ends():
    b, at = bucket(2, "week"), utc(2026, 11, 22, 23, 59)
    b.add(1, at)
    assert b.exhausted(at) is None
    b.add(1, at)
    assert b.exhausted(at) == utc(2026, 11, 23)
    assert b.exhausted(utc(2026, 11, 23)) is None


def test_a_rolling_bucket_opens_when_enough_of_it_has_left():
    b = bucket(3, rolling=True)
    for seconds in (0, 20, 40):
        b.add(1, NOW + seconds)
    opens = b.exhausted(NOW + 41)
    assert opens is not None
    assert NOW + 60 <= opens <= NOW + 60 + 2 * b.slice_s
    assert b.exhausted(opens - 1e-6) is not None
    assert b.exhausted(opens) is None
    b.add(1, opens)
    assert b.exhausted(opens) is not None, "the second call has not left yet"


def test_a_share_of_the_limit_is_kept_and_one_request_is_never_too_much():
    assert bucket(100, safety=0.05).rule.capacity == 95
    assert bucket(1, safety=0.5).rule.capacity == 1


def test_tokens_have_room_only_where_all_of_them_fit():
    b = bucket(1000, amount="tokens")
    b.add(700, NOW)
    assert b.closed(NOW, 300) is None
    assert b.closed(NOW, 301) == b.rule.period.start(b.index + 1)
    assert b.exhausted(NOW) is None


def test_a_request_larger_than_its_bucket_goes_when_that_is_empty():
    b = bucket(1000, amount="tokens")
    assert b.closed(NOW, 5000) is None
    b.add(1, NOW)
    assert b.closed(NOW, 5000) is not None


def test_what_only_running_calls_fill_is_looked_at_again_soon():
    b = bucket(1000, "month", amount="tokens")
    b.reserve(1000)
    assert b.exhausted(NOW) == NOW + HELD_S
    b.settle(1000, 10, NOW)
    assert (b.exhausted(NOW), b.reserved, b.count(NOW)) == (None, 0.0, 10)


def test_a_run_has_no_end():
    b = bucket(5, "run", amount="usd")
    b.add(5, NOW)
    assert b.exhausted(NOW) == b.exhausted(NOW + 400 * DAY) == inf


def test_an_unsent_call_is_taken_back_in_its_own_window_only():
    for rolling in (False, True):
        b = bucket(rolling=rolling)
        b.add(1, NOW)
        b.take_back(1, NOW)
        assert b.count(NOW) == 0
        b.add(1, NOW + HOUR)
        b.take_back(1, NOW)
        assert b.count(NOW + HOUR) == 1


def test_a_clock_set_back_over_a_boundary_forgets_nothing():
    b = bucket(60)
    b.add(60, NOW - 1)
    b.add(1, NOW + 1)
    b.step(-6)
    assert b.count(NOW - 5) == 61
    assert b.exhausted(NOW - 5) == NOW


def test_a_clock_set_forward_takes_the_calls_with_it():
    for rolling in (False, True):
        b = bucket(5, rolling=rolling)
        b.add(5, NOW)
        b.step(3 * HOUR)
        assert b.exhausted(NOW + 3 * HOUR) is not None
        assert b.exhausted(NOW + 3 * HOUR + 62) is None


def test_a_restart_keeps_the_count_and_takes_running_calls_as_used():
    for rolling in (False, True):
        b = bucket(100, "day", amount="tokens", rolling=rolling)
        b.add(30, NOW)
        b.reserve(20)
        again = Bucket(b.rule)
        again.load(b.dump(NOW))
        assert (again.count(NOW), again.reserved) == (50, 0.0)


@pytest.mark.parametrize("junk", [{}, {"index": 1}, {"slices": [[1, -1]]}, {"slices": [["x", 1]]}])
def test_a_broken_count_is_not_taken(junk):
    with pytest.raises((LookupError, TypeError, ValueError)):
        bucket(rolling=True).load(junk)


@given(
    unit=st.sampled_from(["second", "minute", "hour", "day", "week", "month"]),
    n=st.integers(1, 5),
    rolling=st.booleans(),
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 9)), max_size=80),
)
def test_counts_stay_within_the_truth(unit, n, rolling, steps):
    b = bucket(50, unit, n, rolling=rolling)
    now, calls = NOW, list[tuple[float, int]]()
    for part, amount in steps:
        now += part * b.rule.period.length_s / 3
        b.add(amount, now)
        calls.append((now, amount))
        if rolling:
            length, slice_s = b.rule.period.length_s, b.rule.period.length_s / SLICES
            inside = sum(a for at, a in calls if at > now - length)
            at_most = sum(a for at, a in calls if at > now - length - slice_s - 1e-3)
            assert inside <= b.count(now) <= at_most
            assert len(b.slices) <= SLICES + 1
        else:
            index = b.rule.period.index
            assert b.count(now) == sum(a for at, a in calls if index(at) == index(now))
        until = b.exhausted(now)
        assert until is None or (until > now and (rolling or b.exhausted(until) is None))


@given(
    st.lists(
        st.tuples(st.sampled_from(["reserve", "settle", "cancel", "pass"]), st.integers(0, 400)),
        max_size=60,
    )
)
def test_no_order_of_calls_leaks_or_owes_anything(steps):
    b, running, used, now = bucket(1000, "day", amount="tokens"), list[int](), 0, NOW
    for what, amount in steps:
        if what == "reserve":
            b.reserve(amount)
            running.append(amount)
        elif what == "pass":
            now += amount / 1000
        elif running:
            spent = amount if what == "settle" else 0
            b.settle(running.pop(0), spent, now)
            used += spent
        assert b.reserved == pytest.approx(sum(running))
        assert b.count(now) == used
        assert min(b.reserved, b.running) >= 0
