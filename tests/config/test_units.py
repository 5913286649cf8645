import math

import pytest

from maxpool.config.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("15min", 900),
        ("2h", 7200),
        ("7d", 604800),
        ("500ms", 0.5),
        ("1h30min", 5400),
        ("2 h 24 min", 8640),
        ("0.5s", 0.5),
        ("10m", 600),
        (12, 12),
        (1.5, 1.5),
        ("0s", 0),
    ],
)
def test_a_duration_is_read_as_people_write_it(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "wrong", ["", "30", "s", "30 sec onds", "1mn", "-1s", -1, True, None, math.inf, math.nan, []]
)
def test_a_duration_without_a_unit_or_a_meaning_is_refused(wrong):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(wrong)


@pytest.mark.parametrize("seconds", [0, 0.25, 1, 1.5, 30, 59, 90, 900, 3600, 5400, 86_400, 604_800])
def test_a_written_duration_reads_back_as_itself(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("64KB", 65_536),
        ("32MB", 33_554_432),
        ("1.5 KiB", 1536),
        ("1gb", 1 << 30),
        (7, 7),
        ("9B", 9),
    ],
)
def test_a_size_is_read_as_people_write_it(text, count):
    assert parse_size(text) == count


@pytest.mark.parametrize("wrong", ["", "64", "KB", "64KX", -1, True, 1.5, None])
def test_a_size_without_a_unit_or_a_meaning_is_refused(wrong):
    with pytest.raises(ValueError, match="size"):
        parse_size(wrong)


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 65_536, 33_554_432, 1 << 30])
def test_a_written_size_reads_back_as_itself(count):
    assert parse_size(format_size(count)) == count
