"""core/cooldowns: whose word says how long an account rests."""

from __future__ import annotations

import pytest

from maxpool import (
    BillingFailure,
    Forbidden,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    Pool,
    PoolSettings,
    RateLimited,
    TransientFailure,
)
from tests.make import MODEL, NOW, account, lease, pool, reason_of, until_of


def vendor(name: str = "v", **given):
    """An account of another vendor."""
    return account(name, kind="provider", provider=name, plan=None, **given)


def after(outcome, **given) -> Pool:
    """A pool of one such account, on which a request has just ended so."""
    p = pool(vendor(**given))
    p.release(lease(p), outcome, NOW)
    return p


def bench(p: Pool) -> float:
    return p.states["v"].model_benches[MODEL][1] - NOW


@pytest.mark.parametrize(
    ("outcome", "cause", "usual_s"),
    [
        (RateLimited(), "quota", 30.0),
        (BillingFailure(), "billing", 900.0),
        (Forbidden(), "forbidden", 1800.0),
    ],
)
def test_an_account_rests_as_long_as_its_owner_says_else_as_is_usual(outcome, cause, usual_s):
    assert until_of(after(outcome), "v") == NOW + usual_s
    assert until_of(after(outcome, cooldowns={cause: 7.0}), "v") == NOW + 7


@pytest.mark.parametrize(
    ("outcome", "cause", "usual_s"),
    [(ModelMissing(MODEL), "model", 3600.0), (Overloaded(MODEL), "overloaded", 10.0)],
)
def test_one_model_rests_alone(outcome, cause, usual_s):
    assert (reason_of(p := after(outcome), "v"), bench(p)) == (None, usual_s)
    assert bench(after(outcome, cooldowns={cause: 7.0})) == 7


def test_a_time_that_was_told_outranks_the_owners():
    p = after(RateLimited(NOW + 500), cooldowns={"quota": 7.0})
    assert until_of(p, "v") == NOW + 500


def test_a_403_does_not_last_longer_each_time():
    p = after(Forbidden())
    p.release(lease(p, NOW + 1801), Forbidden(), NOW + 1801)
    assert until_of(p, "v", NOW + 1801) == NOW + 1801 + 1800


def test_a_vendors_breaker_opens_for_30_60_120_240_and_at_most_300_seconds():  # S15
    p, now, told = pool(vendor()), NOW, []
    for n in range(8):
        p.release(lease(p, now), TransientFailure(500), now)
        if n < 2:
            continue
        told.append((until_of(p, "v", now) or now) - now)
        now += told[-1]
    assert told == [30, 60, 120, 240, 300, 300]


def test_the_breakers_steps_outlive_a_restart():  # S18
    settings, p = PoolSettings(), pool(vendor())
    for _ in range(3):
        p.release(lease(p), TransientFailure(500), NOW)
    p.release(lease(p, NOW + 31), TransientFailure(500), NOW + 31)
    again = Pool.restore(p.snapshot(NOW + 32), [vendor()], settings, NOW + 32)
    assert until_of(again, "v", NOW + 32) == NOW + 91
    again.release(lease(again, NOW + 92), TransientFailure(500), NOW + 92)
    assert until_of(again, "v", NOW + 92) == NOW + 92 + 120


def test_silence_counts_against_a_vendor_that_took_the_request_and_not_against_the_network():  # R10
    there, away = pool(vendor()), pool(vendor())
    now = NOW
    for n in range(3):
        now = NOW + 6 * n
        there.release(lease(there, now), NetworkFailure("timeout", sent=True), now)
        away.release(lease(away, now), NetworkFailure("refused", sent=False), now)
    assert (until_of(there, "v", now), until_of(away, "v", now)) == (now + 30, now + 5)


def test_one_overloaded_vendor_pauses_nobody_else():
    p = pool(vendor("v"), vendor("w"))
    p.release(lease(p, exclude=frozenset("w")), Overloaded(MODEL), NOW)
    assert p.view(NOW).pauses == ()
    assert lease(p).account_id == "w"
