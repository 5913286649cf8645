from __future__ import annotations

import pytest

from maxpool.core.alertrules import DAY_S, DEFAULT_RULES, AlertRule, Numbers, Seen, seen
from maxpool.core.lease import Command, CredentialChange
from maxpool.core.pool import Pool
from maxpool.core.ratebuckets import Period, Rule
from tests.make import NOW, account, ask, key, lease, pool, unified


def saw(pool: Pool, now: float = NOW, numbers: Numbers | None = None, **rule: object) -> list[Seen]:
    given = AlertRule(**{"name": "r", **rule})  # type: ignore[arg-type]
    return list(seen([given], pool.view(now), numbers or Numbers()))


@pytest.mark.parametrize(
    ("used", "fires"), [(0.84, None), (0.86, False), (0.89, False), (0.9, True), (1.0, True)]
)
def test_a_window_fires_at_its_limit_and_is_over_only_well_below(used, fires):
    it = pool("a")
    it.observe("a", unified(five=used, seven=0.1), NOW)
    found = saw(it, when="window", window="5h", above=0.9)
    assert [one.fires for one in found] == ([] if fires is None else [fires])
    assert all(one.key == ("r", "a", "5h") and one.name == "a" for one in found)


def test_rules_are_for_the_accounts_and_windows_they_name_and_never_for_disabled_ones():
    it = pool("max-1", "max-2", "old")
    for name in ("max-1", "max-2", "old"):
        it.observe(name, unified(five=0.95, seven=0.95), NOW)
    it.command(Command("disable", "max-2"), NOW)
    found = saw(it, when="window", account="max-*", window="7d")
    assert [one.key for one in found] == [("r", "max-1", "7d")]


def test_a_window_that_runs_dry_before_its_reset_fires_once_enough_readings_say_so():
    it, fired = pool("a"), []
    for step in range(5):
        at = NOW + 600.0 * step
        it.observe("a", unified(NOW, five=0.1 + 0.15 * step), at)
        fired.append([one.fires for one in saw(it, at, when="dry")])
    assert fired[0] == []
    assert fired[-1] == [True]


def test_the_pool_is_dry_when_nobody_can_serve_and_says_when_the_next_one_is_back():
    it = pool("a", "b")
    assert saw(it, when="pool_dry") == []
    it.observe("a", unified(five=1.0, five_status="rejected", status="rejected"), NOW)
    it.command(Command("disable", "b"), NOW)
    (found,) = saw(it, when="pool_dry")
    assert found.fires
    assert found.until is not None
    assert found.until > NOW


def test_an_empty_pool_is_not_a_dry_one():
    assert saw(Pool([], now=NOW), when="pool_dry") == []


def test_a_dead_login_is_told_with_its_reason_and_its_end_no_more():
    it = pool(account("a"))
    it.credential("a", CredentialChange("dead", reason="it was revoked"), NOW)
    (found,) = saw(it, when="login_dead")
    assert found.why == "it was revoked"
    assert saw(it, when="login_expiring") == []


def test_the_end_of_a_login_gets_more_urgent_seven_and_two_days_before():
    it = pool("a")
    it.states["a"].credential.grant_expires_at = NOW + 28 * DAY_S
    levels = {
        day: [one.level for one in saw(it, NOW + day * DAY_S, when="login_expiring")]
        for day in (0, 20, 21, 25, 26, 27)
    }
    assert levels == {0: [], 20: [], 21: [1], 25: [1], 26: [2], 27: [2]}


@pytest.mark.parametrize(
    ("answers", "errors", "fires"),
    [(19, 19, None), (100, 10, None), (100, 20, False), (100, 25, True)],
)
def test_a_share_of_errors_says_something_only_among_enough_answers(answers, errors, fires):
    numbers = Numbers(answers=answers, errors=errors)
    found = saw(pool("a"), numbers=numbers, when="error_rate", above=0.25)
    assert [one.fires for one in found] == ([] if fires is None else [fires])


def test_a_limit_of_the_owner_nearly_used_is_told_by_its_name():
    limit = Rule("requests", 10.0, Period("day"), account="k")
    it = pool(key("k"), limits=(limit,))
    for _ in range(9):
        lease(it)
    (found,) = saw(it, when="budget", above=0.9)
    assert (found.fires, found.value) == (True, 0.9)
    assert found.key[2]


def test_trouble_of_our_own_is_told():
    numbers = Numbers(ledger_trouble="the disk is full", ledger_lost=3, internal_errors=1)
    (ledger,) = saw(pool("a"), numbers=numbers, when="ledger")
    (errors,) = saw(pool("a"), numbers=numbers, when="internal_errors", above=0.0)
    assert (ledger.why, ledger.value, errors.value) == ("the disk is full", 3.0, 1.0)
    assert saw(pool("a"), when="ledger") == []


def test_the_usual_rules_see_nothing_in_a_pool_that_is_well():
    it = pool("a", key("k"))
    it.observe("a", unified(five=0.5, seven=0.5), NOW)
    it.acquire(ask(), NOW)
    assert list(seen(DEFAULT_RULES, it.view(NOW), Numbers(answers=100))) == []
