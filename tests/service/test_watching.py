"""Events, noticed by looking."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from maxpool.core.lease import Burst, Command, CredentialChange, RateLimited
from maxpool.service.events import Events
from maxpool.service.watching import Watch
from maxpool.sim.clock import HandClock
from tests.make import NOW, lease, pool


@pytest.fixture
def watch():
    clock = HandClock(NOW)
    reloader: Any = SimpleNamespace(reloads=0, error=None)
    found = Watch(pool("a", "b"), clock, Events(clock), reloader)
    found.look()
    return found


def told(watch):
    watch.look()
    found = [(e.kind, e.account, dict(e.detail)) for e in watch.events.latest]
    watch.events.latest.clear()
    return found


def test_the_first_look_and_a_quiet_one_tell_nothing(watch):
    assert told(watch) == []


def test_a_state_that_changed_is_told_with_its_reason(watch):
    watch.pool.release(lease(watch.pool), RateLimited(NOW + 60.0), NOW)
    ((kind, account, detail),) = told(watch)
    assert (kind, account) == ("account_state", "a")
    assert (detail["before"], detail["now"], detail["reason"]) == (
        *("ready", "benched"),
        "rate_limited",
    )
    watch.clock.advance(61.0)
    ((_, _, detail),) = told(watch)
    assert (detail["before"], detail["now"]) == ("benched", "ready")


def test_a_request_in_flight_is_no_news(watch):
    held = [lease(watch.pool) for _ in range(60)]
    assert held
    assert told(watch) == []


def test_a_login_that_died_and_one_that_is_back_are_told(watch):
    watch.pool.credential("a", CredentialChange("dead", reason="revoked"), NOW)
    assert ("login_dead", "a", {"reason": "revoked"}) in told(watch)
    watch.pool.credential("a", CredentialChange("logged_in"), NOW)
    assert "login_renewed" in [kind for kind, _, _ in told(watch)]


def test_accounts_that_come_and_go_are_told(watch):
    account = watch.pool.states["b"].account
    watch.pool.remove("b", NOW)
    assert told(watch) == [("account_removed", "b", {})]
    watch.pool.add(account, NOW)
    assert told(watch) == [("account_added", "b", {})]


def test_a_pause_of_the_upstream_is_told_at_both_ends(watch):
    for _ in range(2):
        one = lease(watch.pool)
        watch.pool.release(one, Burst(20.0, "same"), NOW)
        watch.pool.command(Command("disable", one.account_id), NOW)
    began = [e for e in told(watch) if e[0] == "throttle_began"]
    assert len(began) == len(watch.pool.throttle.pauses) > 0
    watch.pool.throttle.pauses.clear()
    assert "throttle_ended" in [kind for kind, _, _ in told(watch)]


def test_a_config_that_was_read_or_refused_is_told_once(watch):
    watch.reloader.error = "line 3: no"
    assert told(watch) == [("config_refused", "", {"error": "line 3: no"})]
    assert told(watch) == []
    watch.reloader.reloads, watch.reloader.error = 1, None
    assert told(watch) == [("config_loaded", "", {})]


def test_trouble_of_the_ledger_is_told_at_both_ends(watch):
    trouble = ["disk full"]
    watch.trouble = lambda: trouble[0]
    assert told(watch) == [("ledger_trouble", "", {"error": "disk full"})]
    trouble[0] = ""
    assert told(watch) == [("ledger_mended", "", {})]
