"""What an upstream is told of the time left."""

from __future__ import annotations

import pytest

from maxpool.service.deadline import remaining_ms

NAME = "X-Deadline-Ms"


@pytest.mark.parametrize(
    ("told", "passed_s", "left_ms"),
    [
        ({}, 0.0, 90_000),
        ({}, 50.0, 90_000),  # maxpool's own limit is for each try
        ({"x-stainless-timeout": "600"}, 5.0, 90_000),
        ({"x-stainless-timeout": "60"}, 5.5, 54_500),
        ({"x-stainless-timeout": "60"}, 99.0, 1),
        ({"x-deadline-ms": "1500"}, 0.5, 1_000),
        ({"x-deadline-ms": "900000"}, 0.5, 90_000),
        *(({"x-stainless-timeout": junk}, 5.0, 90_000) for junk in ("", "0", "-1", "NaN", "soon")),
    ],
)
def test_the_smaller_of_our_limit_and_what_the_caller_has_left(told, passed_s, left_ms):
    assert remaining_ms(told, NAME, header_timeout_s=90.0, passed_s=passed_s) == left_ms
