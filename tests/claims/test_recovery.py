"""Why nobody can serve, and when somebody will: every pair of reasons."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from maxpool import (
    AccountClosed,
    AuthFinal,
    BillingFailure,
    Command,
    FamilyQuotaExceeded,
    Forbidden,
    Internal,
    Lease,
    ModelMissing,
    NetworkFailure,
    Pool,
    QuotaExceeded,
    RateLimited,
    SpendLimited,
)
from tests.claims.asking import ended, refusal
from tests.make import (
    DAY,
    HOUR,
    MODEL,
    NOW,
    account,
    lease,
    pool,
)

if TYPE_CHECKING:
    from maxpool.core.lease import Outcome


CLOSING: dict[str, tuple[str, float | None, Outcome | Command]] = {
    "week": ("quota", 5 * DAY, QuotaExceeded("7d", NOW + 5 * DAY)),
    "hours": ("quota", 2 * HOUR, QuotaExceeded("5h", NOW + 2 * HOUR)),
    "family": ("family_quota", 2 * DAY, FamilyQuotaExceeded("sonnet", NOW + 2 * DAY)),
    "bucket": ("rate_limited", 40.0, RateLimited(NOW + 40)),
    "spend": ("spend_limit", 90.0, SpendLimited(NOW + 90)),
    "network": ("network", 5.0, NetworkFailure()),
    "forbidden": ("forbidden", 300.0, Forbidden()),
    "billing": ("billing", 900.0, BillingFailure()),
    "missing": ("model_missing", HOUR, ModelMissing(MODEL)),
    "disabled": ("disabled", None, Command("disable")),
    "draining": ("draining", None, Command("drain")),
    "dead": ("locked_out", None, AuthFinal("revoked")),
    "closed": ("closed", None, AccountClosed()),
}
PAIRS = list(itertools.combinations_with_replacement(CLOSING, 2))


def close(p: Pool, held: Lease, kind: str) -> None:
    """End a lease so that its account is closed like that."""
    how = CLOSING[kind][2]
    if isinstance(how, Command):
        p.release(held, Internal(), NOW)
        p.command(replace(how, account_id=held.account_id), NOW)
    else:
        p.release(held, how, NOW)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_of_any_two_accounts_the_soonest_real_recovery_is_named(pair):  # S20
    p = pool("a", "b")
    held = [lease(p, exclude=frozenset({other})) for other in "ba"]
    for one, kind in zip(held, pair, strict=True):
        close(p, one, kind)
    found = refusal(p)
    ends = [CLOSING[kind][:2] for kind in pair]
    timed = sorted((after, reason) for reason, after in ends if after is not None)
    assert found.retry_at == (NOW + timed[0][0] if timed else None)
    assert found.reason.value in ({timed[0][1]} if timed else {reason for reason, _ in ends})
    assert found.counts == {r: sum(x == r for x, _ in ends) for r, _ in ends}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_an_account_closed_twice_over_comes_back_when_the_last_of_both_has_ended(
    pair, swapped
):  # S20
    p = pool("a")
    held = [lease(p), lease(p)]
    for one, kind in zip(held, reversed(pair) if swapped else pair, strict=True):
        close(p, one, kind)
    ends = [CLOSING[kind][1] for kind in pair]
    timed = [after for after in ends if after is not None]
    found = refusal(p)
    assert found.retry_at == (NOW + max(timed) if len(timed) == 2 else None)
    reasons = {CLOSING[k][0] for k in pair if CLOSING[k][1] is None or len(timed) == 2}
    assert found.reason.value in reasons


def test_far_weekly_resets_never_mask_a_near_one_among_many():  # S20
    p = pool(*(f"w{i}" for i in range(20)), "near", account("off", enabled=False))
    for i in range(20):
        ended(p, f"w{i}", QuotaExceeded("7d", NOW + (1 + i % 6) * DAY))
    ended(p, "near", QuotaExceeded("5h", NOW + 90))
    found = refusal(p)
    assert (found.reason, found.retry_at) == ("quota", NOW + 90)
    assert found.counts == {"quota": 21, "disabled": 1}
