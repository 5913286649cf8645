"""Whether an account can carry a request, and the one true reason when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from maxpool.core.eligibility import (
    BY_EVENT,
    ELIGIBLE,
    SPENT,
    TOLD,
    Context,
    Reason,
    Unavailable,
    account_state,
    check,
    mismatch,
    only_for,
)
from maxpool.core.health import HealthState
from maxpool.core.lease import OwnLogin, Reading
from maxpool.core.settings import PoolSettings
from maxpool.core.state import AccountState
from tests.make import DAY, HOUR, NOW, account, ask, key

if TYPE_CHECKING:
    from maxpool.core.account import Account

SETTINGS = PoolSettings(slots_per_account=2, slots_total=5)
CTX = Context(SETTINGS)


PREFILL = frozenset({"prefill"})
ABROAD: dict[str, Any] = {"lacks": PREFILL, "lacks_abroad": PREFILL}


def state(*readings: Reading, of: Account | None = None, **given: Any) -> AccountState:
    own = of or account("a", **given)
    found = AccountState(account=own, enabled=own.enabled)
    found.quota.merge(readings, NOW, "headers", SETTINGS)
    return found


def why(s: AccountState, now: float = NOW, ctx: Context = CTX, **request: Any) -> Any:
    found = check(s, ask(**request), now, ctx)
    return None if found is ELIGIBLE else found


@pytest.mark.parametrize(
    ("own", "request_", "reason"),
    [
        ({}, {}, None),
        ({"models": {"gpt-*": "*"}}, {}, Reason.MODEL),
        ({"models": {"claude-*": "*"}}, {}, None),
        ({"provider": "openai"}, {"signed_thinking": True}, Reason.NEEDS),  # S11
        ({}, {"signed_thinking": True}, None),  # S11
        ({"lacks": frozenset({"images"})}, {"needs": frozenset({"images", "tools"})}, Reason.NEEDS),
        ({"lacks": frozenset({"images"})}, {"needs": frozenset({"tools"})}, None),
        ({"format": "openai-chat", **ABROAD}, {"needs": PREFILL}, Reason.NEEDS),
        ({"format": "openai-chat", **ABROAD}, {"needs": PREFILL, "format": "openai-chat"}, None),
        ({"profiles": frozenset({"work"})}, {}, Reason.PROFILE),
        ({"profiles": frozenset({"work"})}, {"profile": "work"}, None),
        ({"serves": frozenset({"claude-code"})}, {"program": "curl"}, Reason.PROGRAM),
        ({"serves": frozenset({"claude-code"})}, {"program": "claude-code"}, None),
        ({"format": "openai"}, {}, Reason.FORMAT),
        ({"context": {"*": 10_000}}, {}, Reason.CONTEXT),  # P2
        ({"context": {"*": 20_000}}, {}, None),
        ({"format": "openai-chat"}, {}, None),
        ({"format": "openai-chat"}, {"native": True}, Reason.FORMAT),
        ({}, {"owner": "b"}, Reason.OWNER),  # R19
        ({}, {"owner": "a"}, None),
        ({"kind": "home"}, {}, Reason.HOME),
        ({"kind": "home"}, {"owner": "a"}, Reason.HOME),
        ({"kind": "home"}, {"home": True}, None),
        ({}, {"home": True}, Reason.HOME),
    ],
)
def test_what_an_account_can_never_carry_is_a_mismatch(own, request_, reason):
    assert mismatch(account("a", **own), ask(**request_)) is reason
    assert why(state(**own), **request_) == (None if reason is None else Unavailable(reason))


def test_the_owners_switches_end_only_by_a_person():
    off, draining = state(enabled=False), state()
    draining.draining = True
    draining.cool(Reason.NETWORK, NOW + 5)
    assert why(off) == Unavailable(Reason.DISABLED)
    assert why(draining) == Unavailable(Reason.DRAINING)
    assert not why(off).temporary


@pytest.mark.parametrize(
    ("health", "found"),
    [
        (HealthState.READY, None),
        (HealthState.LOCKED_OUT, Unavailable(Reason.LOCKED_OUT)),
        (HealthState.CLOSED, Unavailable(Reason.CLOSED)),
        (HealthState.TRIAL, Unavailable(Reason.TRIAL)),
        (HealthState.OPEN, Unavailable(Reason.BREAKER, NOW + 30)),
    ],
)
def test_health_decides_whether_an_account_works_at_all(health, found):
    s = state()
    s.health.state, s.health.open_until = health, NOW + 30
    assert why(s) == found


def test_an_open_breaker_admits_a_probe_once_its_pause_is_over():
    s = state()
    s.health.state, s.health.open_until = HealthState.OPEN, NOW
    assert why(s) is None


def test_of_several_reasons_the_one_that_ends_last_is_the_true_one():  # S20
    s = state(Reading("5h", 1.0, NOW + HOUR), Reading("7d", 1.0, NOW + 2 * DAY))
    s.cool(Reason.NETWORK, NOW + 5)
    s.in_flight = 2
    assert why(s) == Unavailable(Reason.QUOTA, NOW + 2 * DAY)
    s.health.state = HealthState.LOCKED_OUT
    assert why(s) == Unavailable(Reason.LOCKED_OUT)


def test_a_cooldown_ends_at_its_time_without_any_event():
    s = state()
    s.cool(Reason.FORBIDDEN, NOW + 5)
    assert why(s) == Unavailable(Reason.FORBIDDEN, NOW + 5)
    assert why(s, NOW + 5) is None


def test_a_closed_family_blocks_its_models_only_even_where_nothing_else_is_known():  # S2
    s = state()
    s.quota.close("7d:opus", NOW + DAY, SETTINGS)
    assert why(s, model="claude-opus-5-5") == Unavailable(Reason.FAMILY_QUOTA, NOW + DAY)
    assert why(s, model="claude-sonnet-4-5") is None
    assert account_state(s, NOW, CTX) is None


def test_a_mapped_account_is_closed_by_the_family_its_upstream_was_asked_for():
    s = state(models={"claude-sonnet-*": "claude-opus-5-5", "*": "*"})
    s.quota.close("7d:opus", NOW + DAY, SETTINGS)
    assert why(s, model="claude-sonnet-4-5") == Unavailable(Reason.FAMILY_QUOTA, NOW + DAY)
    assert why(s, model="claude-haiku-4-5") is None


def test_a_benched_model_blocks_itself_only():
    s = state()
    s.bench_model("m", Reason.MODEL_MISSING, NOW + 9, 8)
    assert why(s, model="m") == Unavailable(Reason.MODEL_MISSING, NOW + 9)
    assert (why(s, model="other"), why(s, NOW + 9, model="m")) == (None, None)


@pytest.mark.parametrize("own", [{"caps": {"5h": 0.5}}, {"reserve": {"5h": 0.5}}])
def test_a_cap_or_reserve_closes_until_the_window_ends(own):
    reason = Reason.CAP if "caps" in own else Reason.RESERVE
    s = state(Reading("5h", 0.5, NOW + HOUR), **own)
    assert why(s) == Unavailable(reason, NOW + HOUR)
    assert why(s, NOW + HOUR) is None
    assert why(state(Reading("5h", 0.49, NOW + HOUR), **own)) is None
    assert why(state(**own)) is None  # unknown is not full


def test_a_cap_on_a_window_without_a_reset_is_tried_again_after_a_minute():
    s = state(Reading("5h", 0.6), caps={"5h": 0.5})
    assert why(s) == Unavailable(Reason.CAP, NOW + 60)
    assert why(s, NOW + 60) is None


def test_an_emergency_opens_a_reserve_but_never_a_cap():
    emergency = Context(SETTINGS, emergency=True)
    reading = Reading("7d", 0.9, NOW + DAY)
    assert why(state(reading, reserve={"7d": 0.2}, emergency=True), ctx=emergency) is None
    assert why(state(reading, reserve={"7d": 0.2}), ctx=emergency) is not None
    assert why(state(reading, caps={"7d": 0.8}, emergency=True), ctx=emergency) is not None


def test_full_slots_end_by_an_event():
    s = state()
    s.in_flight = 2
    assert why(s) == Unavailable(Reason.SLOTS_FULL)
    assert why(s).temporary


def test_the_pools_own_slots_count_plan_accounts_only():
    full = Context(SETTINGS, plan_in_flight=5)
    assert why(state(), ctx=full) == Unavailable(Reason.SLOTS_FULL)
    assert why(state(of=key()), ctx=full) is None


@pytest.mark.parametrize("reason", list(Reason))
def test_waiting_helps_where_a_time_or_an_event_ends_the_reason(reason):
    assert Unavailable(reason, NOW).temporary
    assert Unavailable(reason).temporary == (reason in BY_EVENT)


OWN = OwnLogin("mine", frozenset({"api_key"}))


@pytest.mark.parametrize(
    ("of", "own", "reason"),
    [
        (account("mine", kind="client"), OWN, None),
        (account("mine", kind="client"), None, Reason.OTHER_LOGIN),
        (account("yours", kind="client"), OWN, Reason.OTHER_LOGIN),
        (account("yours", kind="client"), OwnLogin(""), Reason.OTHER_LOGIN),
        (key(), OWN, None),
        (account("pooled"), OWN, Reason.SPILL),
        (key(), OwnLogin(""), Reason.SPILL),
        (account("pooled"), None, None),
    ],
)
def test_a_clients_own_login_serves_its_own_requests_and_only_named_kinds_help_out(of, own, reason):
    assert mismatch(of, ask(own=own)) is reason


def test_only_what_an_upstream_said_of_a_login_is_for_its_client_to_hear():
    mine = state(of=account("mine", kind="client"))
    mine.cool(Reason.FORBIDDEN, NOW + HOUR)
    assert only_for(TOLD, mine, ask(own=OWN), NOW, CTX)
    assert not only_for(TOLD, mine, ask(), NOW, CTX)
    mine.cool(Reason.NETWORK, NOW + 5)
    assert not only_for(TOLD, mine, ask(own=OWN), NOW, CTX)


def test_what_an_account_has_spent_says_nothing_against_what_it_holds():  # R19
    spent = state(kind="api_key")
    spent.cool(Reason.BILLING, NOW + HOUR)
    assert only_for(SPENT, spent, ask(), NOW, CTX)
    spent.cool(Reason.FORBIDDEN, NOW + HOUR)
    assert not only_for(SPENT, spent, ask(), NOW, CTX)
    assert not only_for(SPENT, state(), ask(owner="another"), NOW, CTX)
