"""The account automaton: the whole table, and the breaker's numbers."""

from __future__ import annotations

import itertools

import pytest

from maxpool.core.health import TRANSITIONS, Health, HealthEvent, HealthState, draw
from maxpool.core.settings import PoolSettings
from tests.make import NOW

S, E = HealthState, HealthEvent
SETTINGS = PoolSettings()

# Rows: state; columns in the order of HealthEvent. "." leaves the state as it is.
#               answered tripped taken  lost   died        closed    login   reset
TABLE = {
    S.READY: (".", "open", ".", ".", "locked_out", "closed", ".", "."),
    S.OPEN: (".", ".", "trial", ".", "locked_out", "closed", "ready", "ready"),
    S.TRIAL: ("ready", "open", ".", "open", "locked_out", "closed", "ready", "ready"),
    S.LOCKED_OUT: (".", ".", ".", ".", ".", "closed", "ready", "."),
    S.CLOSED: (".", ".", ".", ".", ".", ".", "ready", "ready"),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(S, E)))
def test_every_pair_of_state_and_event_is_as_the_table_says(state, event):
    health = Health(state=state)
    health.on(event)
    told = TABLE[state][list(E).index(event)]
    assert health.state is (state if told == "." else S(told))


@pytest.mark.parametrize("state", [s for s in S if s is not S.READY])
def test_every_state_has_a_way_back_to_ready(state):
    reached, before = {state}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {after for s in reached for after in TRANSITIONS[s].values()}
    assert S.READY in reached


@pytest.mark.parametrize(
    ("state", "ways"), [(S.LOCKED_OUT, {E.LOGGED_IN}), (S.CLOSED, {E.LOGGED_IN, E.RESET})]
)
def test_only_a_person_opens_a_dead_account_and_a_lock_only_with_a_login(state, ways):
    assert {e for e, after in TRANSITIONS[state].items() if after is S.READY} == ways


def test_the_drawing_shows_every_transition():
    assert len(draw().splitlines()) == sum(len(row) for row in TRANSITIONS.values())


def fail(health: Health, times: int, now: float = NOW, lease_id: str = "x") -> None:
    for _ in range(times):
        health.failed(lease_id, now, SETTINGS)


def test_the_breaker_opens_at_its_threshold_for_the_initial_cooldown():  # S15
    health = Health()
    fail(health, 2)
    assert health.state is S.READY
    fail(health, 1)
    assert (health.state, health.open_until) == (S.OPEN, NOW + 30)


def test_each_further_trip_lasts_twice_as_long_up_to_the_limit():  # S15
    health, now, lengths = Health(), NOW, []
    fail(health, 3)
    for i in range(7):
        now = health.open_until
        health.take_trial(f"t{i}")
        fail(health, 1, now, f"t{i}")
        lengths.append(health.open_until - now)
    assert lengths == [60, 120, 240, 480, 900, 900, 900]


def test_failures_of_running_requests_never_lengthen_an_open_breaker():  # S15
    health = Health()
    fail(health, 3)
    fail(health, 20, NOW + 5, "late")
    assert (health.open_until, health.trips) == (NOW + 30, 1)


def test_one_answer_between_failures_starts_the_count_afresh():
    health = Health()
    fail(health, 2)
    health.answered("y")
    fail(health, 2)
    assert (health.state, health.failures) == (S.READY, 2)


def test_only_the_trials_own_answer_closes_the_breaker():  # S15
    health = Health()
    fail(health, 3)
    health.take_trial("t")
    health.answered("old")
    fail(health, 5, NOW + 31, "old")
    assert (health.state, health.trial) == (S.TRIAL, "t")
    health.answered("t")
    assert (health.state, health.failures, health.trips) == (S.READY, 0, 0)


def test_a_second_probe_is_not_taken_while_one_is_out():  # S15
    health = Health()
    fail(health, 3)
    health.take_trial("t")
    health.take_trial("u")
    assert health.trial == "t"


def test_a_lost_probe_is_handed_on_and_its_late_answer_changes_nothing():  # S15
    health = Health()
    fail(health, 3)
    health.take_trial("t")
    health.lose_trial("t")
    assert (health.state, health.trial) == (S.OPEN, None)
    health.take_trial("u")
    health.answered("t")
    health.lose_trial("t")
    assert (health.state, health.trial) == (S.TRIAL, "u")


def test_a_closed_organisation_keeps_its_own_reason():
    health = Health()
    health.end(E.ORGANISATION_CLOSED, "on hold")
    health.end(E.LOGIN_DIED, "revoked")
    assert (health.state, health.reason) == (S.CLOSED, "on hold")


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (state, event)
        for state in S
        for event in (E.LOGGED_IN, E.RESET)
        if (state, event) != (S.LOCKED_OUT, E.RESET)
    ],
)
def test_a_login_or_a_reset_starts_afresh(state, event):
    health = Health(state, failures=4, trips=3, open_until=NOW + 99, trial="t", reason="r")
    health.revive(event)
    assert health == Health()
