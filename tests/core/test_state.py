"""One account's changing parts: limits, cooldowns, benches, recovery."""

from __future__ import annotations

from typing import Any

import pytest

from maxpool import QuotaExceeded
from maxpool.core.eligibility import Reason
from maxpool.core.lease import Reading
from maxpool.core.settings import PoolSettings
from maxpool.core.state import AccountState, Credential
from tests.make import DAY, HOUR, NOW, account, ask, key, lease, pool

SETTINGS = PoolSettings()


def state(**given: Any) -> AccountState:
    return AccountState(account=account("a", **given), enabled=True)


@pytest.mark.parametrize(
    ("own", "slots"),
    [(account(), 50), (key(), 500), (account(slots=3), 3), (key(slots=0), 0)],
)
def test_slots_are_the_accounts_own_or_its_kinds(own, slots):
    assert AccountState(account=own, enabled=True).slots(SETTINGS) == slots


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({"plan": "max_20x"}, 12.0),
        ({"plan": "max_5x"}, 6.892),
        ({"plan": "pro"}, 3.621),
        ({"plan": "max_20x", "weight": 0.5}, 6.0),
        ({"plan": "pro", "weight": 0.1}, 2.0),
    ],
)
def test_the_soft_limit_starts_by_the_plan(given, limit):
    assert state(**given).soft_limit(NOW, SETTINGS) == pytest.approx(limit, abs=0.001)


def test_a_burst_halves_what_was_in_flight_and_it_grows_back_by_one_every_ten_minutes():
    s = state()
    s.in_flight = 10
    s.shrink(NOW, SETTINGS)
    grown = [s.soft_limit(NOW + 600 * i, SETTINGS) for i in range(9)]
    assert grown == [5, 6, 7, 8, 9, 10, 11, 12, 12]


def test_more_in_flight_than_the_limit_halves_the_limit():
    s = state(plan="pro")
    s.in_flight = 40
    s.shrink(NOW, SETTINGS)
    assert s.soft_limit(NOW, SETTINGS) == pytest.approx(1.8103, abs=0.001)
    for _ in range(9):
        s.shrink(NOW, SETTINGS)
    assert s.soft_limit(NOW, SETTINGS) == 1.0


def test_a_clock_that_jumps_back_never_shrinks_the_limit_below_one():  # O7
    s = state()
    s.in_flight = 4
    s.shrink(NOW, SETTINGS)
    assert s.soft_limit(NOW - DAY, SETTINGS) == 1.0


def test_a_second_shorter_cooldown_never_shortens_the_first():  # S14
    s = state()
    s.cool(Reason.PROVISIONAL, NOW + 30)
    s.cool(Reason.PROVISIONAL, NOW + 10)
    assert s.cooldowns == {Reason.PROVISIONAL: NOW + 30}
    s.uncool(Reason.PROVISIONAL)
    s.uncool(Reason.PROVISIONAL)
    assert not s.cooldowns


def test_a_model_bench_keeps_the_later_deadline_and_its_reason():  # S14
    s = state()
    s.bench_model("m", Reason.MODEL_MISSING, NOW + 3600, 8)
    s.bench_model("m", Reason.MODEL_COOLING, NOW + 10, 8)
    assert s.model_benches["m"] == (Reason.MODEL_MISSING, NOW + 3600)


def test_model_benches_are_bounded_and_the_oldest_goes_first():  # S19
    s = state()
    for i in range(100):
        s.bench_model(f"m{i}", Reason.MODEL_COOLING, NOW + 10, 3)
    assert list(s.model_benches) == ["m97", "m98", "m99"]


def test_recovery_starts_when_the_last_parking_ended():
    s = state()
    s.cool(Reason.NETWORK, NOW + 5)
    s.cool(Reason.FORBIDDEN, NOW + 100)
    assert s.recovering(NOW + 50, SETTINGS) == 0.0  # still parked
    assert s.recovering(NOW + 100, SETTINGS) == 1.0
    assert s.recovering(NOW + 250, SETTINGS) == 0.5
    assert s.recovering(NOW + 400, SETTINGS) == 0.0


def test_tidying_drops_only_what_nothing_reads_any_more():
    s = state()
    s.cool(Reason.NETWORK, NOW)
    s.bench_model("m", Reason.MODEL_COOLING, NOW, 8)
    s.health.open_until = NOW
    s.tidy(NOW + 299, SETTINGS)
    assert (len(s.cooldowns), len(s.model_benches), s.health.open_until) == (1, 0, NOW)
    s.tidy(NOW + 300, SETTINGS)
    assert (len(s.cooldowns), s.health.open_until) == (0, 0.0)


def test_a_reset_by_hand_forgets_every_bench():
    s = state()
    s.cool(Reason.BILLING, NOW + 9)
    s.bench_model("m", Reason.MODEL_COOLING, NOW + 9, 8)
    s.trips[Reason.FORBIDDEN] = 3
    s.quota.merge([Reading("5h", 0.9995, NOW + DAY)], NOW, "headers", SETTINGS)
    s.shrink(NOW, SETTINGS)
    s.clear(SETTINGS)
    assert (s.cooldowns, s.trips, len(s.model_benches), s.shrunk_to) == ({}, {}, 0, None)
    assert s.quota.account_closed(NOW, SETTINGS) is None


def test_an_account_that_came_back_fills_up_step_by_step():
    p = pool("a", queue_limit=99)
    p.release(lease(p), QuotaExceeded("5h", NOW + HOUR), NOW)
    for i in range(64):
        p.acquire(ask(f"s{i}", max_wait_s=2 * HOUR), NOW + 1)
    back = NOW + HOUR
    served = [len(p.wake(back + s)) for s in (0.0, 1.1, 2.1, 10.1, 60.0)]
    assert served == [12, 1, 1, 8, 28]  # L = 12, one more each second, then all 50 slots
    assert p.states["a"].opened_at is None


def test_the_ramps_next_step_wakes_whoever_waits_for_it():
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + HOUR), NOW)
    for i in range(13):
        p.acquire(ask(f"s{i}", max_wait_s=2 * HOUR), NOW + 1)
    assert len(p.wake(NOW + HOUR)) == 12
    wake = p.next_wake(NOW + HOUR)
    assert wake is not None
    assert wake == pytest.approx(NOW + HOUR + 1.0, abs=0.01)
    assert len(p.wake(wake)) == 1


def test_a_key_has_no_ramp_and_a_new_account_neither():
    p = pool(key("k"), "a")
    assert all(s.ramp_slots(NOW, p.settings) == s.slots(p.settings) for s in p.states.values())
    p.states["k"].cool(Reason.COOLDOWN, NOW + 5)
    p.index.place("k", NOW)
    p.index.advance(NOW + 6)
    assert p.states["k"].ramp_slots(NOW + 6, p.settings) == 500


def test_a_clock_set_back_ends_the_ramp_rather_than_making_it_last():
    s = state()
    s.opened_at = NOW
    assert s.ramp_slots(NOW, SETTINGS) == 12
    assert s.ramp_slots(NOW - HOUR, SETTINGS) == 50


def test_a_short_lived_token_is_renewed_after_half_its_life():
    kept = Credential(expires_at=1300.0, granted_at=1000.0)
    assert kept.early_s(600.0) == 150.0
    kept.refreshed_at, kept.expires_at = 1200.0, 9000.0
    assert kept.early_s(600.0) == 600.0
    assert Credential(expires_at=9000.0).early_s(600.0) == 600.0
