"""The index proposes what a look at every account would find, and looks at few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from maxpool import (
    Burst,
    Command,
    Lease,
    NetworkFailure,
    OwnLogin,
    Pool,
    Reading,
    Success,
    TokenUsage,
    TransientFailure,
    UsageReport,
)
from maxpool.core import field
from maxpool.core.cost import Weigher
from maxpool.core.eligibility import check
from maxpool.core.lanes import signature
from tests.make import DAY, HOUR, NOW, account, ask, lease, pool, state_of, unified

if TYPE_CHECKING:
    from collections.abc import Callable


def week(p: Pool, name: str, used: float, reset_at: float, now: float = NOW) -> None:
    p.observe(name, unified(seven=used, seven_reset=reset_at), now)


def many(n: int) -> Pool:
    """Accounts of three plans, each with a week of its own."""
    plans = ("max_20x", "max_5x", "pro")
    p = pool(*(account(f"a{i:04}", plan=plans[i % 3]) for i in range(n)), home_wait_s=0.0)
    for i, name in enumerate(p.states):
        week(p, name, (i * 7 % 90) / 100, NOW + DAY + (i * 13 % 100) * HOUR)
    return p


@pytest.fixture
def looks(monkeypatch):
    """Counts how often an account is checked or weighed."""
    counted = {"check": 0, "cost": 0}

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args, **given):
            counted[name] += 1
            return real(*args, **given)

        return wrapped

    monkeypatch.setattr(field, "check", counting("check", check))
    monkeypatch.setattr(Weigher, "cost", counting("cost", Weigher.cost))
    return counted


def most(p: Pool, looks: dict[str, int], now: float = NOW, requests: int = 60) -> int:
    """The most accounts that one of these choices looked at."""
    worst, held = 0, []
    for i in range(requests):
        looks.update(check=0, cost=0)
        taken = lease(p, now, f"s{i % 20}")
        worst = max(worst, looks["check"], looks["cost"])
        held.append(taken)
        if i % 3:
            p.release(held.pop(), Success(TokenUsage(1, 500, 19_000, 999)), now)
    for taken in held:
        p.release(taken, Success(TokenUsage(1, 500, 19_000, 999)), now)
    return worst


def test_a_choice_among_a_thousand_accounts_looks_at_no_more_than_among_ten(looks):  # S22
    few, thousand = many(10), many(1_000)
    assert most(few, looks) <= 12
    assert most(thousand, looks) <= 12


def test_an_hour_of_history_makes_no_choice_dearer(looks):  # S22
    p = many(100)
    fresh = most(p, looks)
    for second in range(0, 3_600, 2):
        now = NOW + second
        taken = lease(p, now, f"t{second % 500}")
        headers = unified(now, five=0.2, five_reset=NOW + 4 * HOUR)
        p.observe(taken.account_id, headers, now, lease=taken, status=200)
        outcome = (
            TransientFailure(500) if second % 700 == 0 else Success(TokenUsage(1, 500, 19_999))
        )
        p.release(taken, outcome, now)
    assert most(p, looks, NOW + 2 * HOUR) <= 2 * fresh  # lanes by failures in a row


def test_among_alike_accounts_the_cheapest_week_stands_first():
    p = pool("full", "half", "late")
    week(p, "full", 0.9, NOW + DAY)
    week(p, "half", 0.5, NOW + 2 * DAY)
    week(p, "late", 0.5, NOW + 6 * DAY)
    order: list[str] = []
    for _ in range(3):
        order.append(lease(p, exclude=frozenset(order)).account_id)
    assert order == ["half", "full", "late"]


def test_load_outweighs_a_slightly_cheaper_week():
    p = pool("cheap", "idle")
    week(p, "cheap", 0.49, NOW + DAY)
    week(p, "idle", 0.50, NOW + DAY)
    held = [lease(p).account_id for _ in range(4)]
    assert sorted(held) == ["cheap", "cheap", "idle", "idle"]


def test_a_failure_outweighs_a_slightly_cheaper_week():
    p = pool("cheap", "well")
    week(p, "cheap", 0.4, NOW + DAY)
    week(p, "well", 0.5, NOW + DAY)
    assert lease(p).account_id == "cheap"
    p.release(lease(p, exclude=frozenset({"well"})), TransientFailure(500), NOW)
    assert [lease(p).account_id for _ in range(3)] == ["well"] * 3


def test_a_halved_limit_counts_long_after_the_recovery():
    p = pool("halved", "whole")
    week(p, "halved", 0.5, NOW + DAY)
    week(p, "whole", 0.5, NOW + DAY)
    held = {n: [lease(p, exclude=frozenset(p.states) - {n}) for _ in range(4)] for n in p.states}
    for name in ("halved", "whole"):
        p.release(held[name][3], Burst(1.0) if name == "halved" else Success(), NOW)
    assert lease(p, NOW + 400).account_id == "whole"


def test_the_order_follows_the_weeks_as_they_end():
    p = pool("a", "b")
    week(p, "a", 0.6, NOW + DAY)
    week(p, "b", 0.2, NOW + 6 * DAY)
    assert [lease(p, at).account_id for at in (NOW, NOW + DAY)] == ["a", "b"]


@pytest.mark.parametrize("passed", [0.0, 1.0, 7 * DAY, 7 * DAY + 1, 20 * DAY])
def test_an_idle_account_is_placed_by_its_running_week_not_an_old_one(passed):
    p = pool("idle", "used")
    week(p, "idle", 0.5, NOW)
    now = NOW + passed
    week(p, "used", 0.05, now + 0.1 * DAY, now)
    assert lease(p, now).account_id == "used"  # nearly over and nothing used of it


def test_of_accounts_of_unknown_use_the_one_whose_week_ends_first_is_cheapest():
    p = pool("a", "b", "c")
    for name, ahead in (("b", 60.0), ("c", 6 * DAY)):
        p.learn(name, UsageReport((Reading("7d", None, NOW + ahead),)), NOW)
    order: list[str] = []
    for _ in range(3):
        order.append(lease(p, exclude=frozenset(order)).account_id)
    assert order == ["b", "a", "c"]


def test_a_reset_beyond_the_weeks_length_counts_as_a_whole_week_ahead():
    p = pool("a", "b")
    week(p, "a", 0.5, NOW + 9 * DAY)
    week(p, "b", 0.6, NOW + 7.1 * DAY)
    assert lease(p).account_id == "a"


def test_a_full_window_without_a_reset_parks_for_a_minute_not_for_ever():
    p = pool("a")
    p.learn("a", UsageReport((Reading("5h", 1.0),)), NOW)
    assert state_of(p, "a") == "benched"
    assert p.next_wake(NOW) == NOW + 60
    assert lease(p, NOW + 60).account_id == "a"


def test_no_alarm_is_lost_among_thousands():
    p = pool("a", "b")
    for i in range(500):
        now = NOW + i
        p.release(lease(p, now, exclude=frozenset("b")), Success(), now)
        week(p, "a", 0.1, now + DAY + 100 * i, now)
        for name, place in p.index.places.items():
            assert place.alarm is None or (place.alarm, name) in p.index.alarms
    assert len(p.index.alarms) <= 4 * 2 + 65  # S19


def test_an_alarm_un_parks_an_account_without_any_event():
    p = pool("a")
    p.release(lease(p), NetworkFailure(), NOW)
    assert p.index.next_alarm() == NOW + 5
    assert lease(p, NOW + 5).account_id == "a"


def test_a_single_failure_on_each_account_makes_no_choice_dearer(looks):  # S22
    p = many(200)
    for name in list(p.states)[:199]:
        others = frozenset(p.states) - {name}
        p.release(lease(p, exclude=others), TransientFailure(500), NOW)
    assert most(p, looks) <= 16


@pytest.mark.parametrize("outcome", [Burst(1.0), Burst(5.0, "other")])
def test_an_account_in_trouble_is_weighed_by_itself_until_it_recovered(outcome):
    p = pool("a", "b")
    lease(p, exclude=frozenset("b"))
    p.release(lease(p, exclude=frozenset("b")), outcome, NOW)
    taken = lease(p, NOW + 6)
    assert (taken.account_id, list(p.index.special)) == ("b", ["a"])
    p.index.advance(NOW + DAY)
    assert not p.index.special


def test_the_median_week_is_of_the_known_accounts_of_that_plan():
    p = pool("a", "b", "c", "unknown", account("pro", plan="pro"))
    for name, used in (("a", 0.1), ("b", 0.4), ("c", 0.9), ("pro", 0.7)):
        week(p, name, used, NOW + DAY)
    assert p.index.median_week("max_20x", 0.5) == 0.4
    assert p.index.median_week("pro", 0.5) == 0.7
    assert p.index.median_week("team", 0.5) == 0.5
    p.remove("pro", NOW)
    assert p.index.median_week("pro", 0.5) == 0.5


def test_whatever_enters_choice_enters_the_lane():
    plain = signature(account("a"))
    assert signature(account("b", name="other", caps={"5h": 0.5}, enabled=False)) == plain
    for given in (
        {"priority": 1}, {"tier": 1}, {"kind": "api_key"}, {"format": "f"}, {"provider": "p"},
        {"serves": frozenset("x")}, {"profiles": frozenset("x")}, {"lacks": frozenset("x")},
        {"slots": 1}, {"plan": "pro"}, {"weight": 2.0}, {"models": {"m": "n"}},
        {"context": {"*": 9}}, {"max_output_tokens": 9},
    ):  # fmt: skip
        assert signature(account("a", **given)) != plain, given


def test_a_changed_account_changes_its_lane():
    p = pool("a", "b")
    p.update(account("a", priority=1), NOW)
    assert [lease(p).account_id for _ in range(3)] == ["b"] * 3
    p.update(account("b", priority=2), NOW)
    assert lease(p).account_id == "a"


def test_accounts_at_their_slots_are_passed_over():
    p = pool(account("a", slots=1), account("b", slots=1))
    assert sorted(lease(p).account_id for _ in range(2)) == ["a", "b"]
    assert not isinstance(p.acquire(ask(), NOW), Lease)


def test_an_account_that_borrows_the_yardstick_follows_it_between_leases():
    p = pool("a", "b")
    p.observe("b", unified(five=0.4), NOW)
    taken = lease(p, NOW, exclude=frozenset("a"))
    p.release(taken, Success(), NOW)
    p.index.yardstick.learn("5h", 20.0, 1e-6)
    p.index.renew_guesses(NOW)
    assert p.states["b"].left < 2e6


def test_clients_own_logins_are_looked_at_by_nobody_but_their_own(looks):
    mine = [account(f"mine{i}", kind="client", priority=-9) for i in range(50)]
    p = pool("a", "b", *mine)
    p.command(Command("disable", "mine1"), NOW)
    looks.update(check=0, cost=0)
    assert lease(p).account_id == "a"
    assert max(looks.values()) <= 2
    assert lease(p, own=OwnLogin("mine2")).account_id == "mine2"
    assert p.index.parked == {}
    decision = lease(p, own=OwnLogin("mine1", frozenset({"subscription"}))).decision
    assert dict(decision.unavailable) == {"disabled": 1}
    p.command(Command("enable", "mine1"), NOW)
    assert lease(p, own=OwnLogin("mine1")).account_id == "mine1"


def test_an_account_that_is_removed_with_a_change_still_to_be_lined_up_is_gone():  # S12
    p = pool("a", "b")
    taken = lease(p, session="s")
    p.release(taken, Success(), NOW)
    p.remove(taken.account_id, NOW)
    assert lease(p, session="s").account_id != taken.account_id


def test_a_choice_sees_every_lease_and_release_before_it():
    p = pool("a", "b")
    first, second = lease(p), lease(p)
    assert first.account_id != second.account_id
    for taken in (first, lease(p), lease(p)):
        p.release(taken, Success(), NOW)
    assert lease(p).account_id == first.account_id
