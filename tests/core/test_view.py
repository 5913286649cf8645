"""Pictures of the pool: true, frozen, and of the enabled accounts."""

from __future__ import annotations

import pytest

from maxpool import (
    Command,
    CredentialChange,
    ProbeFailure,
    QuotaExceeded,
    Refusal,
    Success,
    TokenUsage,
    TransientFailure,
)
from maxpool.core.eligibility import Reason
from maxpool.core.lease import BucketReading, Forbidden, NetworkFailure, RateLimited
from maxpool.core.view import blended, outcome_class, outcome_text, weekly_state
from tests.make import DAY, HOUR, NOW, account, ask, key, lease, pool, state_of, unified


def test_a_picture_stays_as_it_was_when_the_pool_goes_on():  # S21
    p = pool("a")
    before = p.view(NOW)
    (shown,) = before.accounts
    p.release(lease(p, session="s"), Success(TokenUsage(1, 2, 3)), NOW)
    p.credential("a", CredentialChange("expires", NOW + HOUR), NOW)
    p.learn("a", ProbeFailure("429"), NOW)
    assert (shown.total.requests, shown.last_hour.requests, shown.in_flight) == (0, 0, 0)
    assert (shown.credential.expires_at, shown.probing.failures) == (None, 0)
    assert before.leased == 0


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Success(), "ready"),
        (QuotaExceeded("5h", NOW + HOUR), "benched"),
        (RateLimited(NOW + 9), "benched"),
        (NetworkFailure(), "cooling"),
        (Forbidden(), "cooling"),
    ],
)
def test_each_state_has_its_word(outcome, state):
    p = pool("a")
    p.release(lease(p), outcome, NOW)
    assert state_of(p, "a") == state


@pytest.mark.parametrize(
    ("action", "state"), [("disable", "disabled"), ("drain", "draining"), ("reset", "ready")]
)
def test_what_a_person_did_is_shown(action, state):
    p = pool("a")
    p.command(Command(action, "a"), NOW)
    assert state_of(p, "a") == state


def test_a_home_is_never_ready_and_never_serves():
    p = pool(account("h", kind="home"))
    assert state_of(p, "h") == "home"
    refused = p.acquire(ask(), NOW)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.counts) == (Reason.HOME, {"home": 1})


def test_an_account_at_its_slots_is_busy():
    p = pool(account("a", slots=1))
    lease(p)
    assert state_of(p, "a") == "busy"


def test_disabled_is_shown_before_dead_and_dead_before_cooling():
    p = pool("a")
    p.release(lease(p), NetworkFailure(), NOW)
    p.credential("a", CredentialChange("dead"), NOW)
    assert state_of(p, "a") == "locked_out"
    p.command(Command("disable", "a"), NOW)
    assert state_of(p, "a") == "disabled"


@pytest.mark.parametrize(
    ("used", "word"),
    [
        (None, "normal"),
        (0.649, "normal"),
        (0.65, "soft"),
        (0.85, "reserve"),
        (0.95, "critical"),
        (0.999, "exhausted"),
    ],
)
def test_the_weekly_words_have_their_thresholds(used, word):
    assert weekly_state(used) == word


def test_effective_use_adds_six_tenths_of_what_is_ahead_of_an_even_burn():
    p = pool("a")
    p.observe("a", unified(seven=0.7, seven_reset=NOW + 3.5 * DAY), NOW)
    (shown,) = p.view(NOW).accounts
    assert shown.effective_use == pytest.approx(0.82)  # .7 + .6 * (.7 - .5)
    assert shown.weekly_state == "soft"


def test_a_window_projects_its_burn_to_the_reset():
    p = pool("a")
    for i, used in enumerate((0.2, 0.3, 0.4)):
        p.observe("a", unified(five=used, five_reset=NOW + 4 * HOUR), NOW + 900 * i)
    window = p.view(NOW + 1800).accounts[0].windows[0]
    assert window.burn_per_hour == pytest.approx(0.4)
    assert window.projected_at_reset == pytest.approx(0.4 + 0.4 * 3.5)
    assert window.exhausts_at == pytest.approx(NOW + 1800 + 1.5 * HOUR)
    assert (window.source, window.age_s, window.readings) == ("headers", 0.0, 3)


def test_unknown_stays_unknown_in_every_number():  # S17
    p = pool("a")
    p.observe("a", {"anthropic-ratelimit-unified-5h-status": "allowed"}, NOW)
    window = p.view(NOW).accounts[0].windows[0]
    shown = (window.utilization, window.reset_at, window.pace, window.projected_at_reset)
    assert shown == (None, None, None, None)
    assert blended(p, "5h", NOW) is None


def test_the_pools_own_window_weighs_enabled_plans_by_capacity():  # S23
    p = pool("big", account("small", plan="pro"), account("off", enabled=False), key("k"))
    for name, used, ahead in (("big", 0.5, 3), ("small", 0.92, 2), ("off", 1.0, 1), ("k", 1.0, 1)):
        p.observe(name, unified(seven=used, seven_reset=NOW + ahead * DAY), NOW)
    blend = blended(p, "7d", NOW)
    assert blend is not None
    assert blend.utilization == pytest.approx((0.5 * 20 + 0.92) / 21)
    assert blend.reset_at == NOW + 2 * DAY


def test_the_homes_have_a_window_of_their_own():
    p = pool("a", account("h", kind="home"))
    p.observe("a", unified(five=0.2), NOW)
    p.observe("h", unified(five=0.8), NOW)
    shares = [blended(p, "5h", NOW, homes=homes) for homes in (False, True)]
    assert [s.utilization for s in shares if s is not None] == [0.2, 0.8]


def test_sessions_are_shown_latest_first_and_not_all_of_them():
    p = pool("a")
    for i in range(60):
        p.release(lease(p, NOW + i, f"s{i}"), Success(), NOW + i)
    view = p.view(NOW + 60)
    assert (len(view.sessions), view.sessions_bound, view.accounts[0].sessions) == (50, 60, 60)
    assert (view.sessions[0].session, view.sessions[0].idle_s) == ("s59", 1.0)


def test_protected_sessions_are_counted():
    p = pool("a")
    lease(p, session="s", signed_thinking=True)
    lease(p, session="t")
    assert p.view(NOW).sessions_protected == 1


def test_benches_buckets_and_pauses_are_shown_while_they_last():
    p = pool("a", "b")
    p.states["a"].bench_model("m", Reason.MODEL_MISSING, NOW + 5, 8)
    p.states["a"].quota.merge_buckets([BucketReading("tokens", 10, 2)], p.settings)
    (shown, _) = p.view(NOW).accounts
    assert shown.model_benches == {"m": (Reason.MODEL_MISSING, NOW + 5)}
    assert shown.buckets[0]["remaining"] == 2
    assert not p.view(NOW + 5).accounts[0].model_benches


def test_outcomes_have_a_word_and_a_text_without_usage():
    assert outcome_class(QuotaExceeded("5h")) == "quota_exceeded"
    assert outcome_text(TransientFailure(503)) == "status=503"
    assert outcome_text(Success(TokenUsage(1))) == ""
    assert len(outcome_text(QuotaExceeded("x" * 999))) == 200


def test_waiting_is_shown_with_its_cause():
    p = pool(account("a", slots=0))
    p.acquire(ask(), NOW)
    (waiter,) = p.view(NOW + 3).waiters
    assert (waiter.cause, waiter.waiting_s, waiter.position) == (Reason.SLOTS_FULL, 3.0, 1)


def test_what_clients_have_left_of_their_own_is_no_part_of_the_pools_numbers():
    p = pool("a", account("mine", kind="client"))
    p.observe("a", unified(five=0.2), NOW)
    p.observe("mine", unified(five=0.9), NOW)
    blend = blended(p, "5h", NOW)
    assert blend is not None
    assert blend.utilization == pytest.approx(0.2)
