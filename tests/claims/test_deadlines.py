"""Every kind of closing has its end, keeps it, and is over when it is over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from maxpool import (
    BillingFailure,
    Burst,
    Command,
    FamilyQuotaExceeded,
    Forbidden,
    Internal,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    Pool,
    QuotaExceeded,
    RateLimited,
    Refusal,
    SpendLimited,
    Success,
    TransientFailure,
    UsageReport,
)
from maxpool.core.lease import Reading
from tests.claims.asking import NEVER, U, answered, ended, refusal, serves
from tests.make import (
    DAY,
    HOUR,
    MODEL,
    NOW,
    account,
    ask,
    lease,
    pool,
    state_of,
    unified,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.lease import Outcome


LONG_AND_SHORT: dict[str, tuple[Outcome, Outcome]] = {
    "quota 5h": (QuotaExceeded("5h", NOW + 900), QuotaExceeded("5h", NOW + 5)),
    "quota 7d": (QuotaExceeded("7d", NOW + 900), QuotaExceeded("7d", None)),
    "family": (FamilyQuotaExceeded("sonnet", NOW + 900), FamilyQuotaExceeded("sonnet", NOW + 5)),
    "bucket": (RateLimited(NOW + 900), RateLimited(NOW + 5)),
    "spend": (SpendLimited(NOW + 9000), SpendLimited(NOW + 5)),
    "burst": (Burst(30.0, "x"), Burst(1.0, "y")),
}


@pytest.mark.parametrize(("long", "short"), LONG_AND_SHORT.values(), ids=LONG_AND_SHORT)
def test_no_deadline_is_ever_shortened_by_a_second_one_of_its_kind(long, short):  # S14
    p = pool("a", "b")
    only_a = frozenset({"b"})
    first, second = (lease(p, exclude=only_a) for _ in range(2))
    p.release(first, long, NOW)
    before = p.acquire(ask(max_wait_s=NEVER), NOW, exclude=only_a)
    p.release(second, short, NOW + 1)
    after = p.acquire(ask(max_wait_s=NEVER), NOW + 1, exclude=only_a)
    assert isinstance(before, Refusal)
    assert isinstance(after, Refusal)
    assert before.retry_at is not None
    assert after.retry_at == before.retry_at > NOW + 10


def by_verdict(outcome: Outcome) -> Callable[[Pool], None]:
    return lambda p: ended(p, "a", outcome)


def by_reading(window: str, used: float = 1.0) -> Callable[[Pool], None]:
    return lambda p: p.learn("a", UsageReport((Reading(window, used, NOW + HOUR),)), NOW)


def by_rejection(claim: str) -> Callable[[Pool], None]:
    headers = unified(status="rejected", claim=claim, reset=NOW + HOUR)

    def close(p: Pool) -> None:
        answered(p, headers, MODEL)

    return close


def thrice_failed(p: Pool) -> None:
    for _ in range(3):
        ended(p, "a", TransientFailure(500))


CLOSED_UNTIL: dict[str, tuple[Callable[[Pool], None], float, dict[str, Any]]] = {
    "5h by verdict": (by_verdict(QuotaExceeded("5h", NOW + HOUR)), HOUR, {}),
    "7d by verdict": (by_verdict(QuotaExceeded("7d", NOW + HOUR)), HOUR, {}),
    "family by verdict": (by_verdict(FamilyQuotaExceeded("sonnet", NOW + HOUR)), HOUR, {}),
    "5h by rejection": (by_rejection("five_hour"), HOUR, {}),
    "7d by rejection": (by_rejection("seven_day"), HOUR, {}),
    "family by rejection": (by_rejection("seven_day_sonnet"), HOUR, {}),
    "verdict without a time": (by_verdict(QuotaExceeded("5h", None)), 60.0, {}),
    "verdict with a past time": (by_verdict(QuotaExceeded("5h", NOW - 9)), 60.0, {}),
    "5h full": (by_reading("5h"), HOUR, {}),
    "7d full": (by_reading("7d"), HOUR, {}),
    "bucket": (by_verdict(RateLimited(NOW + HOUR)), HOUR, {}),
    "bucket without a time": (by_verdict(RateLimited(None)), 60.0, {}),
    "spend": (by_verdict(SpendLimited(None)), HOUR, {}),
    "burst": (by_verdict(Burst(20.0, "f")), 20.0, {}),
    "forbidden": (by_verdict(Forbidden()), 300.0, {}),
    "billing": (by_verdict(BillingFailure()), 900.0, {}),
    "network": (by_verdict(NetworkFailure()), 5.0, {}),
    "model missing": (by_verdict(ModelMissing(MODEL)), HOUR, {}),
    "overloaded": (by_verdict(Overloaded(MODEL)), 10.0, {}),
    "breaker": (thrice_failed, 30.0, {}),
    **{
        f"{own} on {window}": (by_reading(window, 0.6), HOUR, {own: {window: 0.5}})
        for own in ("caps", "reserve")
        for window in ("5h", "7d", "7d:sonnet")
    },
}


def closed(name: str) -> tuple[Pool, float]:
    """A pool whose one enabled account is closed like that, and when that ends.

    Another one answered well just before, so that no failure is taken for the upstream's own.
    """
    close, lasts_s, own = CLOSED_UNTIL[name]
    p = pool(account("a", **own), "w")
    ended(p, "w", Success())
    close(p)
    p.command(Command("disable", "w"), NOW)
    return p, NOW + lasts_s


@pytest.mark.parametrize("name", CLOSED_UNTIL)
def test_when_a_known_end_lies_in_the_past_the_account_is_tried_and_not_refused(name):  # S16
    p, ends_at = closed(name)
    assert refusal(p, ends_at - 0.5).retry_at == ends_at
    assert serves(p, now=ends_at)


@pytest.mark.parametrize("name", CLOSED_UNTIL)
def test_what_has_ended_while_maxpool_was_off_closes_nothing_afterwards(name):  # S16, S18
    p, ends_at = closed(name)
    saved = json.loads(json.dumps(p.snapshot(NOW)))
    accounts = [state.account for state in p.states.values()]
    early = Pool.restore(saved, accounts, p.settings, ends_at - 0.5)
    assert refusal(early, ends_at - 0.5).retry_at == ends_at
    assert serves(Pool.restore(saved, accounts, p.settings, ends_at), now=ends_at)


@pytest.mark.parametrize(
    "name", [n for n in CLOSED_UNTIL if n not in ("overloaded", "model missing")]
)
def test_the_end_is_seen_by_readers_without_any_request(name):  # S16
    p, ends_at = closed(name)
    blocked = state_of(p, "a", ends_at - 0.5) != "ready"
    assert blocked or "family" in name or "sonnet" in name
    assert state_of(p, "a", ends_at) == "ready"
    wake = p.index.next_alarm()
    assert wake is not None
    assert wake <= ends_at


@pytest.mark.parametrize("window", ["5h", "7d", "7d:opus"])
@pytest.mark.parametrize("source", ["headers", "probe", "restored"])
def test_a_passed_reset_reads_as_empty_for_every_window_and_source(window, source):  # S16
    p = pool("a")
    header = window.replace(":", "_")
    if source == "headers":
        told = {f"{U}{header}-utilization": "0.9", f"{U}{header}-reset": str(int(NOW + 60))}
        p.observe("a", told, NOW)
    else:
        p.learn("a", UsageReport((Reading(window, 0.9, NOW + 60),)), NOW)
    if source == "restored":
        saved = json.loads(json.dumps(p.snapshot(NOW)))
        p = Pool.restore(saved, [account("a")], p.settings, NOW + 1)
    before, after = (p.view(now).accounts[0].windows[0] for now in (NOW + 59, NOW + 60))
    assert (before.utilization, after.utilization) == (0.9, 0.0)


@pytest.mark.parametrize("window", ["5h", "7d", "7d_opus"])
def test_jittering_resets_never_open_a_closed_window_nor_lose_its_use(window):  # S16
    p = pool("a")
    name = window.replace("_", ":")
    p.learn("a", UsageReport((Reading(name, 0.7, NOW + DAY),)), NOW)
    p.states["a"].quota.close(name, NOW + DAY, p.settings)
    for i, jitter in enumerate((-40, 3, 55, -7, 0)):
        p.observe("a", {f"{U}{window}-reset": str(int(NOW + DAY + jitter))}, NOW + i)
    found = p.states["a"].quota.windows[name]
    assert (found.utilization, found.reset_at, found.closed_until) == (0.7, NOW + DAY, NOW + DAY)


# -- our own faults ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLOSED_UNTIL)
def test_our_own_exception_changes_no_account_in_whatever_state(name):  # S24
    p = pool("a")
    taken = lease(p)
    CLOSED_UNTIL[name][0](p)
    before = json.dumps(p.snapshot(NOW)["accounts"])
    p.release(taken, Internal(), NOW)
    assert json.dumps(p.snapshot(NOW)["accounts"]) == before


def test_our_own_exception_on_a_trial_hands_the_trial_on_and_counts_nothing():  # S24
    p = pool("a")
    thrice_failed(p)
    before = p.snapshot(NOW + 30)["accounts"]["a"]
    p.release(lease(p, NOW + 30), Internal(), NOW + 31)
    after = p.snapshot(NOW + 31)["accounts"]["a"]
    assert {**after, "opened_at": None} == before  # it is back, and fills up step by step
    assert serves(p, now=NOW + 31)


# -- how long a trouble of one's own lasts -----------------------------------------------------------


def test_network_trouble_lasts_five_flat_seconds_however_often_it_comes():
    p = pool("a")
    for i in range(10):
        now = NOW + 5 * i
        ended(p, "a", NetworkFailure(), now)
        assert refusal(p, now).retry_at == now + 5
    assert p.view(NOW + 60).accounts[0].failures == 0


def test_failures_in_a_row_cool_for_half_a_minute_doubling_to_a_quarter_of_an_hour():
    p, now, lengths = pool("a"), NOW, []
    for _ in range(2):
        ended(p, "a", TransientFailure(503), now)
    for _ in range(7):
        ended(p, "a", TransientFailure(503), now)
        ends_at = refusal(p, now).retry_at or 0.0
        lengths.append(ends_at - now)
        now = ends_at
    assert lengths == [30, 60, 120, 240, 480, 900, 900]


@pytest.mark.parametrize(
    ("wait", "lasts_s"), [(None, 60), ("90", 90), ("0", 1), ("999999", 86_400), ("soon", 60)]
)
def test_a_quota_verdict_lasts_as_long_as_its_retry_after_within_bounds(wait, lasts_s):
    p = pool("a")
    headers = unified(status="rejected", claim="five_hour")
    answered(p, headers | ({"retry-after": wait} if wait is not None else {}), MODEL)
    assert refusal(p).retry_at == NOW + lasts_s
