"""Values of a request: compared and hashed by their fields; the type checker keeps them as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool.core.values import value


@value(frozen=True, slots=True, kw_only=True)
class Point:
    x: int
    y: int = 0


def test_values_are_compared_and_hashed_by_their_fields():
    assert Point(x=1) == Point(x=1, y=0) != Point(x=1, y=2)
    assert len({Point(x=1), Point(x=1), replace(Point(x=1), y=2)}) == 2


def test_a_value_takes_no_other_fields():
    with pytest.raises(AttributeError):
        Point(x=1).z = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]


def test_the_type_checker_lets_nobody_change_a_value():
    point = Point(x=1)
    point.x = 2  # type: ignore[misc]  # an error there if the checker had nothing to say
    assert point != Point(x=1)
