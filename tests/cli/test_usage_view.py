from __future__ import annotations

import pytest

from maxpool.cli.tables import Table, plain
from maxpool.cli.usage_view import count, csv, listed, usd

NOW = 1_800_000_000.0


def line(key="claude-sonnet-5-5", **changed):
    given = {
        "key": key,
        "requests": 1234,
        "failed": 5,
        "tokens_in": 999_400,
        "tokens_out": 1_234_567,
        "cache_read": 98_765_432,
        "cache_write": 2_500_000,
        "unpriced": 0,
        "cost_usd": 123.4,
        "total_ms": 1.0,
        "tokens": 103_499_399,
    }
    return {**given, **changed}


def table_of(parts):
    """The lines of the table below the first sentence."""
    (table,) = (part for part in parts if isinstance(part, Table))
    return plain(table)


def told(*lines, by="model"):
    return {"by": by, "usage": list(lines), "total": line("total"), "now": NOW}


def widest(parts):
    return max(map(len, table_of(parts)))


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_the_terminal(width):
    long = line(
        "a-very-long-name-of-a-model-that-somebody-made-up-in-a-hurry-and-never-cut", unpriced=3
    )
    assert widest(listed(told(long, line()), width)) <= width


def test_several_lines_have_their_sum_below():
    parts = listed(told(line(), line("other")), 120)
    assert parts[0] == "103M tokens in 1.23k requests, $123.40."
    assert table_of(parts)[-1].split()[0] == "all"
    assert len(table_of(listed(told(line()), 120))) == 2


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        *((0, "0"), (980, "980"), (999, "999"), (1000, "1.00k"), (12_345, "12.3k")),
        *((999_999, "1.00M"), (123_456_789, "123M"), (2.5e9, "2.50G"), (5e12, "5000G")),
    ],
)
def test_counts_are_short(number, shown):
    assert count(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "$0.00"), (0.0012, "$0.0012"), (3.4, "$3.40"), (1234.5, "$1,234")]
)
def test_money_is_as_exact_as_it_is_small(number, shown):
    assert usd(number) == shown


def test_a_sum_that_lacks_a_price_is_marked():
    shown = table_of(listed(told(line(unpriced=2)), 120))
    assert shown[1].endswith("$123.40+")


def test_nothing_is_said_as_such():
    assert listed(told()) == ["Nothing was used in this time."]


def test_no_cell_of_a_spreadsheet_is_a_formula():
    assert "'=cmd()" in csv(told(line("=cmd()")))
    assert csv(told(line("m"))).splitlines()[1].startswith("m,,1234,5,999400,")


def test_a_session_tells_when_it_was_last_seen():
    one = line("0123456789abcdef", last_at=NOW - 90_000, session="5f2c")
    assert table_of(listed(told(one, by="session"), 120))[1].startswith("5f2c ")
