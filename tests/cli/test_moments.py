from datetime import datetime

import pytest

from maxpool.cli.moments import clock_time, moment

NOON = datetime(2026, 11, 20, 12, 0, 5).timestamp()  # noqa: DTZ001 - as the clock on the wall


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOON - 7 * 86_400),
        ("90s", NOON - 90),
        ("today", datetime(2026, 11, 20).timestamp()),  # noqa: DTZ001
        ("yesterday", datetime(2026, 11, 19).timestamp()),  # noqa: DTZ001
        ("2026-11-03", datetime(2026, 11, 3).timestamp()),  # noqa: DTZ001
        ("2026-11-03T14:30", datetime(2026, 11, 3, 14, 30).timestamp()),  # noqa: DTZ001
        ("2026-11-03T14:30+00:00", 1_793_716_200.0),
    ],
)
def test_moments_are_read_as_people_write_them(text, expected):
    assert moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["", "soon", "-7d", "2026-13-01", "nan"])
def test_what_is_no_moment_names_the_forms(text):
    with pytest.raises(ValueError, match="a span back"):
        moment(text, NOON)


@pytest.mark.parametrize(
    ("ago_s", "shown"),
    [(2, "12:00:03"), (86_400, "19 Nov 12:00"), (400 * 86_400, "2025-10-16")],
)
def test_a_time_is_as_long_as_it_must_be(ago_s, shown):
    assert clock_time(NOON - ago_s, NOON) == shown
