"""The status line: what matters first, in the columns that there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.cli.statusline_line import Facts, Place, line
from maxpool.wire.statusline import Window
from tests.make import DAY, HOUR, NOW

MAX = Place(name="max", windows={"5h": Window(0.57, NOW + 2 * HOUR), "7d": Window(0.23, NOW + DAY)})
POOL = Place(name="pool", windows={"5h": Window(0.4, NOW + HOUR), "7d": Window(0.31, NOW + DAY)})
ALL = Facts(model="Sonnet 5.5", context=0.43, account=MAX, pool=POOL, ready=(3, 5))
WHOLE = "Sonnet 5.5 · ctx 43 % · max 5h 57 % 7d 23 % · pool 3/5 5h 40 % 7d 31 % · 5h resets in 2 h"


def test_everything_known_is_shown():
    assert line(ALL, NOW) == WHOLE


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, WHOLE),
        (80, "Sonnet 5.5 · ctx 43 % · max 5h 57 % 7d 23 % · pool 3/5 5h 40 % 7d 31 %"),
        (65, "Sonnet 5.5 · max 5h 57 % 7d 23 % · pool 3/5 5h 40 % 7d 31 %"),
        (40, "Sonnet 5.5 · max 5h 57 % 7d 23 %"),
        (12, "Sonnet 5.5"),
        (4, "Sonn"),
    ],
)
def test_what_does_not_fit_is_left_out_by_importance(width: int, shown: str):
    assert line(ALL, NOW, width=width) == shown


def test_nothing_known_is_still_a_line():
    assert line(Facts(), NOW) == "maxpool"


def test_a_window_whose_reset_has_passed_is_unknown():
    assert line(Facts(account=MAX), NOW + 3 * HOUR) == "max 7d 23 % · 7d resets in 21 h"
    assert line(Facts(account=MAX), NOW + 2 * DAY) == "maxpool"


def test_the_reset_of_a_full_window_is_the_one_that_matters():
    windows = {"5h": Window(0.2, NOW + HOUR), "7d": Window(1.0, NOW + 3 * HOUR)}
    assert "7d resets in 3 h" in line(Facts(account=Place(name="a", windows=windows)), NOW)


@pytest.mark.parametrize(("used", "colour"), [(0.69, 32), (0.7, 33), (0.9, 31), (1.2, 31)])
def test_a_number_is_coloured_by_its_level(used: float, colour: int):
    assert f"\x1b[{colour}m{used * 100:.0f} %\x1b[0m" in line(Facts(context=used), NOW, colour=True)


def test_a_pool_in_which_nobody_can_serve_is_red():
    facts = Facts(pool=POOL, ready=(0, 5))
    assert "\x1b[31m 0/5\x1b[0m" in line(facts, NOW, colour=True)


@given(st.text(max_size=30), st.integers(1, 120))
def test_it_never_takes_more_columns_than_there_are(model: str, width: int):
    found = line(Facts(model=model, account=MAX, pool=POOL), NOW, width=width)
    assert len(found) <= max(width, len("maxpool"))
