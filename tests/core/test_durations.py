"""core/durations: numbers and times as headers write them."""

from __future__ import annotations

import pytest

from maxpool.core.durations import (
    epoch,
    first_number,
    number,
    numbers,
    parse_reset,
    parse_retry_after,
)

NOW = 1_787_270_000.0
JUNK = ["NaN", "1e400", "-1", "", "null", "1_0", "٣", "0x1", "9" * 5000, "a\r\nb", "inf"]


@pytest.mark.parametrize("value", JUNK)
def test_what_is_no_number_is_none_in_every_reading(value: str):
    assert (number(value), first_number(value), numbers(value)) == (None, None, [])
    assert (epoch(value), parse_reset(value, NOW), parse_retry_after(value, NOW)) == (None,) * 3


def test_of_a_comma_list_the_first_value_counts_even_where_it_cannot_be_read():
    assert first_number("100, 50;w=60") == 100.0
    assert first_number("50;w=60") == 50.0
    assert first_number("NaN, 50") is None
    assert numbers("NaN, 50, 7;w=1") == [50.0, 7.0]


def test_an_epoch_is_the_latest_of_several_in_seconds_or_milliseconds():
    assert epoch("1787270400, 1787270401") == 1_787_270_401.0
    assert epoch("1787270400000") == 1_787_270_400.0
    assert epoch("2026-08-21T00:00:00Z") == 1_787_270_400.0


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("90", NOW + 90),
        ("1787270400", 1_787_270_400.0),
        ("1787270400000", 1_787_270_400.0),
        ("6m0s", NOW + 360),
        ("1h2m3.5s", NOW + 3723.5),
        ("120ms", NOW + 0.12),
        ("2d", NOW + 172_800),
        ("2026-08-21T00:00:00Z", 1_787_270_400.0),
        ("2026-08-21T02:00:00+02:00", 1_787_270_400.0),
        ("Fri, 21 Aug 2026 00:00:00 GMT", 1_787_270_400.0),
        ("60, 100;w=1", NOW + 60),
        ("1e9", 1e9),
        ("999999999", NOW + 999_999_999),
        ("9999999999", 9_999_999_999.0),
        ("10000000000", 10_000_000.0),
        ("2026-08-21T00:00:00Z, 2026-08-22T00:00:00Z", 1_787_270_400.0),
        ("6m0s, 7m0s", NOW + 360),
        ("Friday, 21-Aug-26 00:00:00 GMT", 1_787_270_400.0),
        ("", None),
        ("soon", None),
        ("2026-13-45T00:00:00Z", None),
        ("99 Feb 2026 00:00:00", None),
    ],
)
def test_a_bucket_reset_is_read_in_every_form(value: str, at: float | None):
    assert parse_reset(value, NOW) == at


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0", 1.0),
        ("1.5", 1.5),
        ("999999999", 86_400.0),
        ("Thu, 20 Aug 2026 23:54:20 GMT", 60.0),
        ("Thursday, 20-Aug-26 23:54:20 GMT", 60.0),
        ("Thu, 20 Aug 2020 23:54:20 GMT", 1.0),
        *((junk, None) for junk in (None, "", "-5", "NaN", "1e400", "later", "9" * 5000)),
    ],
)
def test_retry_after_is_clamped_and_junk_is_none(value: str | None, seconds: float | None):
    assert parse_retry_after(value, 1_787_270_000.0) == seconds
