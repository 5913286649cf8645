from dataclasses import FrozenInstanceError

import pytest

from maxpool.sim.client import Counts
from tests.sim.handmade import hidden, session, turn, world


def result(burned, least):
    counts = Counts()
    counts.least = least
    found = world(hidden(), session(turn()))
    return counts.result(found, "cost", burned=burned, key_burned=0.0, took_s=0.0, samples=())


def test_overhead_is_what_was_burned_over_the_least_possible():
    assert result(1100.0, 1000.0).overhead == pytest.approx(1.1)


def test_where_nothing_was_served_there_is_no_overhead():
    assert result(0.0, 0.0).overhead == 1.0


def test_no_policy_can_change_a_scenario():
    with pytest.raises(FrozenInstanceError):
        world(hidden()).seed = 2  # type: ignore[misc]
