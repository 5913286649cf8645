"""What a person can ask of the pool while it runs."""

from __future__ import annotations

import pytest

from maxpool import (
    AccountClosed,
    AuthFinal,
    Command,
    CredentialChange,
    Lease,
    NetworkFailure,
    Pool,
    QuotaExceeded,
    Success,
    TransientFailure,
    Wait,
)
from tests.make import DAY, NOW, account, ask, lease, pool, reason_of, state_of, until_of


def does(p: Pool, action, account_id: str | None = None, session: str | None = None) -> bool:
    return p.command(Command(action, account_id, session), NOW)


@pytest.mark.parametrize("action", ["prefer", "enable", "disable", "drain", "reset"])
def test_a_command_for_nobody_changes_nothing_and_says_so(action):
    p = pool("a")
    before = p.snapshot(NOW)["accounts"]
    assert not does(p, action, "nobody")
    assert not does(p, action)
    assert p.snapshot(NOW)["accounts"] == before


def test_a_drained_account_finishes_what_runs_and_enabling_brings_it_back():
    p = pool("a")
    running = lease(p)
    does(p, "drain", "a")
    assert state_of(p, "a") == "draining"
    p.release(running, Success(), NOW)
    assert does(p, "enable", "a")
    assert isinstance(p.acquire(ask(), NOW), Lease)


def test_automatic_takes_the_preference_back():
    p = pool("a", "b")
    does(p, "prefer", "b")
    assert does(p, "automatic")
    assert [lease(p).account_id for _ in range(2)] == ["a", "b"]


def test_disabling_the_preferred_account_ends_the_preference():
    p = pool("a", "b")
    does(p, "prefer", "b")
    does(p, "disable", "b")
    does(p, "enable", "b")
    assert p.view(NOW).preferred is None


def test_a_reset_ends_whatever_closed_an_account_but_a_lock():
    p = pool("a")
    running = [lease(p) for _ in range(6)]
    for one in running[:3]:
        p.release(one, TransientFailure(500), NOW)
    p.release(running[3], QuotaExceeded("7d", NOW + DAY), NOW)
    assert does(p, "reset", "a")
    assert (state_of(p, "a"), p.view(NOW).accounts[0].failures) == ("ready", 0)


@pytest.mark.parametrize("lock", ["refused", "dead", "closed later"])
def test_a_reset_opens_no_account_whose_credential_is_dead(lock):
    p = pool("a")
    running = [lease(p) for _ in range(2)]
    if lock == "refused":
        p.release(running[0], AuthFinal("revoked"), NOW)
    else:
        p.credential("a", CredentialChange("dead", reason="its base_url changed"), NOW)
    if lock == "closed later":
        p.release(running[1], AccountClosed("on hold"), NOW)
    before = p.snapshot(NOW)["accounts"]
    assert not does(p, "reset", "a")
    assert p.snapshot(NOW)["accounts"] == before
    p.credential("a", CredentialChange("logged_in"), NOW)
    assert state_of(p, "a") == "ready"


def test_pausing_holds_and_resuming_lets_go():
    p = pool("a")
    does(p, "pause")
    held = p.acquire(ask(), NOW)
    assert isinstance(held, Wait)
    assert (held.reason, held.until) == ("paused", None)
    does(p, "resume")
    assert isinstance(p.acquire(ask(), NOW, ticket=held.ticket), Lease)


def test_moving_needs_a_session_and_an_account_that_exist():
    p = pool("a", "b")
    lease(p, session="s")
    assert not does(p, "move_session", "a", "unknown")
    assert not does(p, "move_session", "nobody", "s")
    assert not does(p, "move_session", "a")
    assert does(p, "move_session", "b", "s")
    assert p.bindings.by_key["s"].home == "b"


def test_a_moved_session_comes_before_cost_but_not_before_priority():
    p = pool(account("a"), account("b", priority=1))
    p.release(lease(p, session="s"), Success(), NOW)
    does(p, "move_session", "b", "s")
    assert lease(p, session="s").account_id == "a"


def test_every_command_is_a_change_that_waiters_hear_of():
    p = pool("a")
    before = p.revision
    does(p, "pause"), does(p, "resume"), does(p, "automatic")
    assert p.revision == before + 3


def test_a_failed_refresh_sets_an_expired_login_aside_until_its_next_try():  # T9
    p = pool("a", "b")
    p.credential("a", CredentialChange("expires", expires_at=NOW + 60), NOW)
    p.credential("a", CredentialChange("stalled", until=NOW + 30), NOW)
    assert state_of(p, "a") == "ready", "its token is still good"
    p.credential("a", CredentialChange("stalled", until=NOW + 130), NOW + 100)
    assert reason_of(p, "a", NOW + 100) == "network"
    assert until_of(p, "a", NOW + 100) == NOW + 130
    p.credential("a", CredentialChange("refreshed", expires_at=NOW + 900), NOW + 101)
    assert state_of(p, "a", NOW + 101) == "ready"


def test_a_refresh_ends_no_pause_that_it_did_not_begin():
    p = pool("a")
    p.release(lease(p), NetworkFailure("reset", sent=True), NOW)
    p.credential("a", CredentialChange("refreshed", expires_at=NOW + 900), NOW)
    assert reason_of(p, "a") == "network"


def test_a_login_that_is_ending_serves_on_and_a_new_one_makes_up_for_it():  # T4 T5
    p = pool("a")
    p.credential("a", CredentialChange("ending", reason="over"), NOW)
    assert (state_of(p, "a"), p.states["a"].credential.ending) == ("ready", "over")
    p.credential("a", CredentialChange("dead", reason="over"), NOW)
    assert state_of(p, "a") == "locked_out"
    p.credential("a", CredentialChange("logged_in", granted_at=NOW), NOW)
    kept = p.states["a"].credential
    assert (state_of(p, "a"), kept.ending, kept.dead, kept.granted_at) == ("ready", "", "", NOW)
