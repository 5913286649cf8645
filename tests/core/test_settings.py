"""Every limit of the pool in one place."""

from __future__ import annotations

from dataclasses import fields

import pytest

from maxpool.core.settings import PoolSettings

SETTINGS = PoolSettings()


def test_the_defaults_are_those_of_the_design():
    assert SETTINGS.window_lengths == {"5h": 18_000, "7d": 604_800}
    assert (SETTINGS.slots_per_account, SETTINGS.slots_total) == (50, 150)
    assert (SETTINGS.full_at, SETTINGS.queue_limit, SETTINGS.queue_max_wait_s) == (0.999, 64, 900)
    assert SETTINGS.throttle_reopen_s[:3] == (5, 10, 20)


@pytest.mark.parametrize("name", [f.name for f in fields(PoolSettings) if f.compare])
def test_no_limit_is_negative_or_missing(name):
    value = getattr(SETTINGS, name)
    values = (
        value.values() if hasattr(value, "values") else value if type(value) is tuple else [value]
    )
    assert all(isinstance(v, str) or v >= 0 for v in values)


def test_two_pools_never_share_their_tables():
    assert PoolSettings().window_lengths is not SETTINGS.window_lengths
    assert PoolSettings().model_prices is not SETTINGS.model_prices


def test_a_first_step_is_never_longer_than_the_longest():
    s = SETTINGS
    for first, most in (
        (s.breaker_initial_s, s.breaker_max_s),
        (s.forbidden_initial_s, s.forbidden_max_s),
        (s.spend_initial_s, s.spend_max_s),
        (s.provisional_s, s.provisional_max_s),
        (s.retry_after_min_s, s.retry_after_max_s),
    ):
        assert first <= most


def test_what_brings_a_session_home_outweighs_a_recovery_and_a_failure():  # S8
    s = SETTINGS
    assert s.recovery_weight + s.failure_weight < s.home_bonus < s.warm_bonus
