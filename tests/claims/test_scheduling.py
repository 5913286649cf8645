"""Verdicts, percentages, identity and our own faults: every form of each claim."""

from __future__ import annotations

import pytest

from maxpool import (
    Refusal,
    TransientFailure,
    UsageReport,
)
from maxpool.core.lease import Reading
from maxpool.wire.verdict import classify
from tests.claims.asking import NEVER, OPUS, U, answered, refusal, serves
from tests.make import (
    DAY,
    HOUR,
    MODEL,
    NOW,
    account,
    ask,
    lease,
    pool,
    reason_of,
    unified,
    until_of,
)

# -- verdicts and percentages ------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["allowed", "allowed_warning"])
@pytest.mark.parametrize("window", ["5h", "7d"])
def test_an_allowed_account_is_not_benched_by_headers_nor_by_a_later_probe(status, window):  # S1
    p = pool("a")
    p.observe("a", unified(status=status, five=1.0, seven=1.0), NOW)
    assert serves(p)
    reset_at = NOW + (2 * HOUR if window == "5h" else 3 * DAY)
    p.learn("a", UsageReport((Reading(window, 1.0, reset_at),)), NOW + 60)
    assert serves(p, now=NOW + 60)


@pytest.mark.parametrize(
    ("claim", "opus", "sonnet"),
    [
        ("five_hour", False, False),
        ("seven_day", False, False),
        ("seven_day_opus", False, True),
        ("seven_day_overage_included", False, True),
        ("seven_day_sonnet", True, False),
    ],
)
def test_a_rejection_benches_exactly_what_it_names(claim, opus, sonnet):  # S1
    p = pool("a")
    headers = unified(status="rejected", claim=claim, five=0.4, seven=0.5, reset=NOW + HOUR)
    answered(p, headers, OPUS)
    assert (serves(p, OPUS), serves(p, MODEL)) == (opus, sonnet)


@pytest.mark.parametrize(("window", "reason"), [("5h", "quota"), ("7d", "quota")])
def test_a_rejection_by_window_status_benches_that_window_until_its_reset(window, reason):  # S1
    p = pool("a")
    headers = unified(status="rejected", five=0.4, seven=0.5)
    headers |= {f"{U}{window}-status": "rejected"}
    answered(p, headers, MODEL)
    assert reason_of(p, "a") == reason
    assert until_of(p, "a") == NOW + (2 * HOUR if window == "5h" else 3 * DAY)


@pytest.mark.parametrize(("five", "seven"), [(0.0, 0.0), (0.2, 0.9), (0.94, 0.94)])
def test_an_unnamed_rejection_well_below_full_benches_the_family_on_that_account_only(
    five, seven
):  # S2
    p = pool("a", "b")
    taken = lease(p, model=OPUS, exclude=frozenset({"b"}))
    headers = unified(status="rejected", five=five, seven=seven, reset=NOW + DAY)
    p.observe("a", headers, NOW, lease=taken, status=429)
    p.release(taken, classify(429, headers, b"", model=OPUS, now=NOW), NOW)
    only_a = frozenset({"b"})
    assert isinstance(p.acquire(ask(model=OPUS, max_wait_s=NEVER), NOW, exclude=only_a), Refusal)
    assert lease(p, model="claude-opus-4-1", exclude=frozenset({"a"})).account_id == "b"
    assert lease(p, model=MODEL, exclude=only_a).account_id == "a"


def test_a_family_bench_from_a_429_lasts_to_its_reset_whatever_probes_and_answers_read():  # S3
    p = pool("a")
    reset_at = NOW + DAY
    headers = unified(status="rejected", claim="seven_day_opus", five=0.2, seven=0.3)
    answered(p, headers | {f"{U}7d_opus-reset": str(int(reset_at))}, OPUS)
    for hours, used in ((1, 0.4), (5, 0.0), (20, 0.97)):
        now = NOW + hours * HOUR
        p.learn("a", UsageReport((Reading("7d:opus", used, reset_at + 20),)), now)
        p.observe("a", unified(now, five=0.1, seven=0.3), now)
        assert refusal(p, now, model=OPUS).retry_at == reset_at
        assert serves(p, MODEL, now)
    assert not serves(p, OPUS, reset_at - 1)
    assert serves(p, OPUS, reset_at)


@pytest.mark.parametrize("source", ["headers", "probe"])
@pytest.mark.parametrize("window", ["5h", "7d"])
@pytest.mark.parametrize(
    ("used", "free"), [(0.98, True), (0.9989, True), (0.999, False), (1.2, False)]
)
def test_a_threshold_closes_only_what_is_really_full(source, window, used, free):  # S4
    p = pool("a")
    if source == "probe":
        p.learn("a", UsageReport((Reading(window, used, NOW + HOUR),)), NOW)
    else:
        p.observe(
            "a",
            {f"{U}{window}-utilization": str(used), f"{U}{window}-reset": str(int(NOW + HOUR))},
            NOW,
        )
    assert serves(p) is free


@pytest.mark.parametrize("source", ["headers", "probe"])
@pytest.mark.parametrize("used", [0.95, 0.98, 1.0, 1.3])
def test_no_family_is_ever_closed_by_its_number(source, used):  # S4
    p = pool("a")
    if source == "probe":
        p.learn("a", UsageReport((Reading("7d:opus", used, NOW + DAY),)), NOW)
    else:
        p.observe("a", {f"{U}7d_opus-utilization": str(used)}, NOW)
    assert serves(p, OPUS)


@pytest.mark.parametrize("used", [0.3, 0.6, 0.9, 0.99])
def test_an_account_far_ahead_of_an_even_burn_still_serves(used):  # S5
    p = pool("a")
    p.observe("a", unified(seven=used, seven_reset=NOW + 6.9 * DAY), NOW)
    (shown,) = p.view(NOW).accounts
    assert (shown.windows[0].pace or 0.0) > 10
    assert serves(p)


def test_what_is_unknown_is_what_the_probe_asks_for_first():  # S6
    p = pool(account("known", probes=True), account("unknown", probes=True))
    p.observe("known", unified(five=0.4, seven=0.4), NOW)
    due = [one.account_id for one in p.due(NOW + 60) if one.kind == "probe"]
    assert due == ["unknown"]


def test_six_large_requests_leave_the_best_account_only_once_its_slots_are_full():  # S7
    p = pool(account("ten", slots=4), account("ninety"), account("nearly"))
    for name, used in (("ten", 0.10), ("ninety", 0.93), ("nearly", 0.97)):
        p.observe(name, unified(seven=used, seven_reset=NOW + DAY), NOW)
    chosen = [lease(p, input_tokens=300_000).account_id for _ in range(6)]
    assert chosen[:4] == ["ten"] * 4
    assert "ten" not in chosen[4:]


# -- identity ----------------------------------------------------------------------------------------


def test_an_exclusion_names_the_same_account_after_others_came_and_went():  # S12
    p = pool("a", "b", "c")
    tried = frozenset({"b"})
    p.remove("a", NOW)
    p.update(account("b", name="renamed"), NOW)
    p.add(account("a", name="b"), NOW)
    chosen = {lease(p, exclude=tried).account_id for _ in range(8)}
    assert chosen == {"a", "c"}


@pytest.mark.parametrize("change", ["rename", "disable", "remove"])
def test_a_change_in_flight_moves_no_binding_to_another_account(change):  # S12
    p = pool("a", "b")
    taken = lease(p, session="s")
    home, other = taken.account_id, "b" if taken.account_id == "a" else "a"
    if change == "remove":
        p.remove(home, NOW)
        p.add(account("new", name=home), NOW)
    else:
        p.update(account(home, name="x", enabled=change == "rename"), NOW)
    p.release(taken, TransientFailure(500), NOW)
    states = {a.account.id: (a.in_flight, a.failures) for a in p.view(NOW).accounts}
    assert all(n == 0 for n, _ in states.values())
    assert states[other][1] == 0
    bound = p.bindings.by_key.get("s")
    assert (bound.home if bound is not None else None) == (None if change == "remove" else home)
