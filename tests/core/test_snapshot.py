"""What a restart must not forget, and what a broken snapshot must not break."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool import (
    AuthFinal,
    Burst,
    Command,
    CredentialChange,
    Forbidden,
    Lease,
    NetworkFailure,
    Overloaded,
    Pool,
    ProbeFailure,
    QuotaExceeded,
    RateLimited,
    SpendLimited,
    Success,
    TokenUsage,
    TransientFailure,
    Wait,
)
from maxpool.core.health import HealthState
from maxpool.core.snapshot import VERSION
from maxpool.errors import StateError
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


def restarted(p: Pool, now: float = NOW, drop: str = "") -> Pool:
    saved = json.loads(json.dumps(p.snapshot(now), allow_nan=False))
    accounts = [s.account for s in p.states.values() if s.account.id != drop]
    return Pool.restore(saved, accounts, p.settings, now)


@pytest.mark.parametrize(
    ("outcome", "reason", "until"),
    [
        (QuotaExceeded("7d", NOW + DAY), "quota", NOW + DAY),
        (Burst(20.0, "f"), "provisional", NOW + 20),
        (Forbidden(), "forbidden", NOW + 300),
        (SpendLimited(), "spend_limit", NOW + HOUR),
        (AuthFinal("revoked"), "locked_out", None),
    ],
)
def test_whatever_has_a_future_deadline_is_remembered(outcome, reason, until):  # S18
    p = pool("a", "b")
    p.release(lease(p, exclude=frozenset("b")), outcome, NOW)
    again = restarted(p)
    assert (reason_of(again, "a"), until_of(again, "a")) == (reason, until)


def test_a_window_keeps_its_numbers_phase_and_history():  # S18
    p = pool("a")
    for i in range(5):
        p.observe("a", unified(five=0.1 * i, seven=0.5), NOW + 60 * i)
    before, after = p.states["a"].quota.windows, restarted(p).states["a"].quota.windows
    for name in ("5h", "7d"):
        assert after[name].history == before[name].history
        assert after[name].reset_at == before[name].reset_at
        assert (after[name].utilization, after[name].source) == (
            before[name].utilization,
            "restored",
        )


def test_how_often_an_account_was_locked_is_remembered():  # S18
    p = restarted_forbidden = pool("a")
    p.release(lease(p), Forbidden(), NOW)
    restarted_forbidden = restarted(p)
    now = NOW + 300
    restarted_forbidden.release(lease(restarted_forbidden, now), Forbidden(), now)
    assert until_of(restarted_forbidden, "a", now) == now + 600


def test_an_open_breaker_stays_open_and_a_running_probe_is_taken_anew():  # S15, S18
    p = pool("a")
    for _ in range(3):
        p.release(lease(p), TransientFailure(500), NOW)
    assert until_of(restarted(p), "a") == NOW + 30
    lease(p, NOW + 30)
    again = restarted(p, NOW + 31)
    assert again.states["a"].health.state is HealthState.OPEN
    assert lease(again, NOW + 31).account_id == "a"


def test_sessions_stay_at_home_and_protected():  # S18
    p = pool("a", "b", "c")
    homes = {}
    for i in range(9):
        taken = lease(p, session=f"s{i}", signed_thinking=True)
        p.release(taken, Success(TokenUsage(0, 5, 20_000)), NOW)
        homes[f"s{i}"] = taken.account_id
    again = restarted(p)
    assert {s: lease(again, NOW + 9, s).account_id for s in homes} == homes
    assert again.view(NOW).sessions_protected == 9


def test_a_throttle_stays_open_with_its_failed_probes():  # S18
    p = pool("a")
    p.release(lease(p), Burst(None, "f"), NOW)
    probe = lease(p, NOW + 30)
    p.observe("a", {}, NOW + 30, lease=probe, status=529)
    again = restarted(p, NOW + 31)
    assert isinstance(again.acquire(ask(), NOW + 31), Wait)
    assert [(x.until, x.failed_probes) for x in again.view(NOW + 31).pauses] == [(NOW + 35, 1)]


def test_a_probe_that_was_out_at_the_restart_does_not_hold_the_throttle():
    p = pool("a")
    p.release(lease(p), Burst(None, "f"), NOW)
    lease(p, NOW + 30)
    assert isinstance(restarted(p, NOW + 31).acquire(ask(), NOW + 31), Lease)


def test_a_persons_wishes_are_remembered():  # S18
    p = pool("a", "b", "c")
    asked = (
        Command("disable", "a"),
        Command("drain", "b"),
        Command("prefer", "c"),
        Command("pause"),
    )
    for command in asked:
        p.command(command, NOW)
    view = restarted(p).view(NOW)
    assert [a.state for a in view.accounts] == ["disabled", "draining", "ready"]
    assert (view.preferred, view.paused) == ("c", True)


def test_leases_in_flight_are_not_remembered():
    p = pool("a")
    running = lease(p)
    again = restarted(p)
    again.release(running, QuotaExceeded("7d"), NOW)
    view = again.view(NOW)
    assert (view.in_flight, view.accounts[0].in_flight, view.accounts[0].state) == (0, 0, "ready")


def test_counts_credentials_and_harm_are_remembered():
    p = pool("a", "b")
    p.release(lease(p, session="s"), Success(TokenUsage(1, 2, 3)), NOW)
    p.credential("a", CredentialChange("expires", NOW + HOUR), NOW)
    p.harm.moves, p.harm.cache_tokens_lost = 3, 9
    before, after = p.view(NOW), restarted(p).view(NOW)
    assert [a.total for a in after.accounts] == [a.total for a in before.accounts]
    assert after.accounts[0].credential == before.accounts[0].credential
    assert (after.moves, after.cache_tokens_lost) == (3, 9)


def test_an_account_that_is_no_longer_configured_is_dropped():  # S12
    p = pool("a", "b")
    p.release(lease(p, session="s", exclude=frozenset("b")), Success(), NOW)
    p.command(Command("prefer", "a"), NOW)
    again = restarted(p, drop="a")
    assert (list(again.states), again.view(NOW).preferred) == (["b"], None)
    assert lease(again, session="s").account_id == "b"


def test_the_snapshot_is_plain_json_after_anything():
    p = pool("a", "b")
    running = [lease(p) for _ in range(6)]
    for one, kind in zip(running, 2 * (SpendLimited, RateLimited, Overloaded), strict=True):
        p.release(one, kind(MODEL if kind is Overloaded else float("inf")), NOW)
    json.dumps(p.snapshot(NOW), allow_nan=False)


def broken() -> list[Any]:
    good = pool("a").snapshot(NOW)
    account = good["accounts"]["a"]
    return [
        {},
        [],
        None,
        {"version": VERSION + 1},
        {"version": VERSION},
        {"version": 1},
        {"version": True},
        {"version": 0},
        {**good, "accounts": []},
        {**good, "bindings": [{}]},
        {**good, "bindings": [{"home": "a", "warm": {"a": []}}]},
        {**good, "throttle": {**good["throttle"], "pauses": [{"scope": "x"}]}},
        {**good, "throttle": None},
        {**good, "saved_at": "yesterday"},
        {**good, "harm": None},
        {**good, "accounts": {"a": {}}},
        {**good, "accounts": {"a": {**account, "health": {**account["health"], "state": "?"}}}},
        {**good, "accounts": {"a": {**account, "health": {**account["health"], "trips": 1e400}}}},
        {**good, "accounts": {"a": {**account, "shrunk": []}}},
        {**good, "accounts": {"a": {**account, "cooldowns": {"?": 1}}}},
        {**good, "accounts": {"a": {**account, "model_benches": {"m": []}}}},
        {**good, "accounts": {"a": {**account, "total": {**account["total"], "requests": "x"}}}},
        {**good, "accounts": {"a": {**account, "probing": {"count": None}}}},
        {**good, "accounts": {"a": {**account, "credential": {"expires_at": []}}}},
        {**good, "bindings": [{"key": 5, "home": "a", "last_used": NOW, "warm": {}}]},
        {**good, "bindings": [{"key": "s", "home": "a", "last_used": NOW, "warm": {"a": [{}, 1]}}]},
        {**good, "harm": {"moves": {}, "cache_tokens_lost": 0}},
    ]


@pytest.mark.parametrize("data", broken())
def test_a_snapshot_that_cannot_be_read_says_so(data):  # O2
    with pytest.raises(StateError) as caught:
        Pool.restore(data, [account("a")], None, NOW)
    assert caught.value.hint


def test_numbers_that_are_none_never_stop_the_pool():  # S17, O2
    p = pool("a")
    p.release(lease(p, NOW, "s"), Success(TokenUsage(5, 100, 0, 20_000)), NOW)
    saved = p.snapshot(NOW)
    nan, inf = float("nan"), float("inf")
    saved["prices"].update(mean=None, session_work=nan, outputs={"sonnet": inf})
    saved["learned"]["demand"]["hours"][3] = nan
    saved["learned"]["yardstick"] = {"5h": inf}
    saved["learned"]["lives"] = [["", 300.0, 5, [1.0], [0.0], [2.0]]]
    saved["accounts"]["a"]["health"]["open_until"] = inf
    saved["accounts"]["a"]["model_benches"] = {"m": ["model_missing", inf]}
    saved["accounts"]["a"]["total"]["a field of tomorrow"] = 5
    restored = Pool.restore(saved, [account("a")], None, NOW)
    later = NOW + 2 * HOUR
    one = lease(restored, later, "s")
    restored.release(one, Success(TokenUsage(5, 100, 20_000)), later)
    json.dumps(restored.snapshot(later), allow_nan=False)
    assert restored.states["a"].in_flight == 0


def test_the_ramp_after_a_throttle_and_its_count_are_remembered():  # S18
    p = pool("a")
    p.release(lease(p), Burst(None, "f"), NOW)
    probe = lease(p, NOW + 30)
    p.observe("a", {}, NOW + 30, lease=probe, status=200)
    lease(p, NOW + 30)
    again = restarted(p, NOW + 30.1)
    held = again.acquire(ask(), NOW + 30.1)
    assert isinstance(held, Wait)
    assert (held.reason.value, again.view(NOW + 31).throttle_count) == ("throttle", 1)


def test_who_comes_back_fills_up_step_by_step_after_a_restart_too():  # S18
    p = pool("a", soft_slots=2.0)
    p.release(lease(p), NetworkFailure(), NOW)
    p.index.advance(NOW + 5)
    p.index.advance(NOW + 6)
    slots = [p.states["a"].ramp_slots(NOW + 6, p.settings) for p in (p, restarted(p, NOW + 6))]
    assert slots[0] == slots[1] < 50


def test_pauses_of_probes_are_remembered():  # S18
    p = pool(account("a", probes=True))
    p.learn("a", ProbeFailure("429", 5_000), NOW)
    again = restarted(p, NOW + 60)
    assert again.states["a"].probing == p.states["a"].probing
    assert not [one for one in again.due(NOW + 4_999) if one.kind == "probe"]


def test_sessions_that_had_a_turn_lately_still_count_on_their_account():
    p = pool("a")
    for i in range(3):
        p.release(lease(p, NOW + i, f"s{i}"), Success(TokenUsage(0, 5, 20_000)), NOW + i)
    again = restarted(p, NOW + 9)
    assert again.states["a"].growing(NOW + 9, again.settings) == 3


@pytest.mark.parametrize("back_s", [60.0, HOUR, 400 * DAY])
def test_a_clock_set_back_while_it_was_off_lengthens_no_pause(back_s):  # O7
    p = pool("a", "b", "c")
    p.release(lease(p, exclude=frozenset("bc")), Forbidden(), NOW)
    for _ in range(3):
        p.release(lease(p, exclude=frozenset("ac")), TransientFailure(500), NOW)
    p.release(lease(p, exclude=frozenset("ab")), QuotaExceeded("7d", NOW + DAY), NOW)
    now = NOW - back_s
    again = Pool.restore(p.snapshot(NOW), [account(n) for n in "abc"], p.settings, now)
    assert [until_of(again, n, now) for n in "abc"] == [now + 300, now + 30, NOW + DAY]


def test_a_utilization_without_a_reset_is_dropped():
    p = pool("a")
    headers = unified(five=0.7, seven=0.5)
    del headers["anthropic-ratelimit-unified-5h-reset"]
    p.observe("a", headers, NOW)
    known = restarted(p).states["a"].quota
    assert (known.utilization("5h", NOW), known.utilization("7d", NOW)) == (None, 0.5)
