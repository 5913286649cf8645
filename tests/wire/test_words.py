"""Lengths of time for people."""

from __future__ import annotations

import pytest

from maxpool.wire.words import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.2, "1 s"),
        (45, "45 s"),
        (59.5, "1 min"),
        (61, "2 min"),
        (3600, "1 h"),
        (8640, "2 h 24 min"),
        (7200, "2 h"),
        (3599, "1 h"),
        (273_600, "3 d 4 h"),
        (86_400, "1 d"),
        (97_200, "1 d 3 h"),
    ],
)
def test_a_duration_is_never_shorter_than_the_wait(seconds: float, text: str):
    assert duration(seconds) == text
