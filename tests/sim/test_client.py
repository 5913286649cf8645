import pytest

from maxpool.sim.client import Client, Counts
from maxpool.sim.families import MOST_SENDS
from tests.sim.handmade import hidden, session, turn, world


def client():
    return Client(0, session(), None)


def test_a_request_is_tried_so_many_times_and_no_more():
    found = client()
    found.sends = MOST_SENDS - 1
    assert not found.spent(0.0)
    found.sends += 1
    assert found.spent(0.0)


def test_what_never_left_does_not_count_but_the_time_does():
    found = client()
    found.sends = found.unsent = 2 * MOST_SENDS
    found.network_since = 100.0
    assert not found.spent(129.0)
    assert found.spent(130.0)


def test_a_request_of_its_own_begins_with_nothing_tried():
    found = client()
    found.sends, found.tried, found.repeated = 6, frozenset("a"), True
    found.begin()
    assert (found.sends, found.tried, found.repeated) == (0, frozenset(), False)


def test_late_turns_are_counted_by_how_late_they_were():
    counts = Counts()
    for waited_s in (0.5, 30.0, 61.0):
        counts.late(waited_s)
    assert (counts.late_1s, counts.late_60s, counts.waited_s) == (2, 1, 91.5)


def test_the_result_offers_what_the_scenario_does():
    found = world(hidden(), session(turn(), turn(output=400)))
    result = Counts().result(found, "cost", burned=0.0, key_burned=2e6, took_s=1.0, samples=())
    assert (result.turns, result.value_offered, result.value_served) == (2, 3000.0, 0.0)
    assert result.key_usd == pytest.approx(6.0)
    assert result.overhead == 1.0
