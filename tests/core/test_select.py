"""The choice: order of what counts, owned resources, the price of keys, and why nobody can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maxpool import (
    AuthRejected,
    Command,
    CredentialChange,
    Lease,
    NetworkFailure,
    OwnLogin,
    Pool,
    QuotaExceeded,
    Refusal,
    Success,
    TokenUsage,
    Wait,
)
from maxpool.core import select
from maxpool.core.eligibility import check
from maxpool.core.strategy import STRATEGIES
from tests.make import DAY, HOUR, NOW, account, ask, key, lease, pool, unified


def close(p: Pool, name: str, until: float, now: float = NOW) -> None:
    """A verdict on one account."""
    others = frozenset(p.states) - {name}
    p.release(lease(p, now, exclude=others), QuotaExceeded("5h", until), now)


def test_preference_comes_before_priority_before_payment_before_tier_before_cost():
    p = pool(
        account("preferred", priority=9),
        account("urgent", tier=9),
        key("key", priority=1),
        account("late", priority=1, tier=5),
        account("early", priority=1, tier=4),
    )
    p.observe("early", unified(seven=0.9, seven_reset=NOW + 6 * DAY), NOW)
    p.command(Command("prefer", "preferred"), NOW)
    order: list[str] = []
    for _ in p.states:
        order.append(lease(p, exclude=frozenset(order), arrived_at=NOW - HOUR).account_id)
    assert order == ["preferred", "urgent", "early", "late", "key"]


def test_ties_go_to_the_least_recently_leased_then_by_id():
    p = pool("c", "a", "b")
    order = []
    for _ in range(6):
        taken = lease(p)
        p.release(taken, Success(), NOW)
        order.append(taken.account_id)
    assert order == ["a", "b", "c"] * 2


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_a_home_is_never_leased_however_good_it_looks(strategy):
    best = account("home", kind="home", priority=-9, tier=-9)
    p = pool(best, "a", key("k", priority=9), strategy=strategy)
    p.observe("a", unified(five=0.9, seven=0.9), NOW)
    p.command(Command("prefer", "home"), NOW)
    assert {lease(p, session=f"s{i}").account_id for i in range(40)} == {"a"}
    close(p, "a", NOW + DAY)
    assert lease(p, arrived_at=NOW - HOUR).account_id == "k"


@pytest.mark.parametrize("owner", ["a", "b", "c", "d"])
def test_what_belongs_to_an_account_goes_to_that_account(owner):  # R19
    p = pool("a", "b", account("c", tier=3), account("d", priority=7))
    for _ in range(3):
        assert lease(p, owner=owner).account_id == owner


def test_what_belongs_to_an_account_waits_for_it_and_never_goes_elsewhere():  # R19
    p = pool("a", "b")
    close(p, "b", NOW + 60)
    held = p.acquire(ask(owner="b"), NOW)
    assert isinstance(held, Wait)
    assert (held.reason, held.until) == ("quota", NOW + 60)
    gone = p.acquire(ask(owner="nobody"), NOW)
    assert isinstance(gone, Refusal)
    assert (gone.reason, gone.counts) == ("owner", {"owner": 2})


def test_a_choice_changes_nothing_by_being_explained():
    p = pool("a", "b")
    taken = lease(p)
    names = [c.account_id for c in taken.decision.candidates]
    assert names[0] == taken.account_id
    assert taken.decision.cost == taken.decision.candidates[0].cost


def test_never_means_that_no_key_serves_where_a_plan_could_have():
    p = pool("plan", key("k"), key_price="never")
    excluded = p.acquire(ask(), NOW, exclude=frozenset({"plan"}))
    assert isinstance(excluded, Refusal)
    p.release(lease(p), AuthRejected(), NOW)
    dead = p.acquire(ask(), NOW)
    assert isinstance(dead, Refusal)
    assert (dead.reason, dead.retry_at) == ("locked_out", None)


def test_a_key_serves_what_no_plan_offers_even_if_never():
    p = pool(account("plan", models={"claude-haiku-*": "*"}), key("k"), key_price="never")
    assert lease(p).account_id == "k"


def test_a_key_waits_for_a_busy_plan_until_its_price_is_met():
    p = pool(account("plan", slots=1), key("k"))
    lease(p)
    held = p.acquire(ask(arrived_at=NOW), NOW)
    assert isinstance(held, Wait)
    assert (held.reason, held.until) == ("key_price", NOW + 20)
    served = p.acquire(ask(arrived_at=NOW), NOW + 20, ticket=held.ticket)
    assert isinstance(served, Lease)
    assert served.account_id == "k"


def test_a_key_serves_at_once_when_every_plan_comes_back_too_late():
    p = pool("plan", key("k"))
    close(p, "plan", NOW + 21)
    assert lease(p, arrived_at=NOW).account_id == "k"


def test_a_reserve_opens_in_an_emergency_only_for_who_allowed_it():
    p = pool(
        account("mine", reserve={"7d": 0.2}), account("open", reserve={"7d": 0.2}, emergency=True)
    )
    for name in ("mine", "open"):
        p.observe(name, unified(seven=0.9, seven_reset=NOW + DAY), NOW)
    assert {lease(p).account_id for _ in range(3)} == {"open"}
    held = p.acquire(ask(max_wait_s=1), NOW, exclude=frozenset({"open"}))
    assert isinstance(held, Refusal)
    assert held.reason == "reserve"


def test_a_reserve_that_was_in_trouble_itself_opens_when_that_ends():
    p = pool(account("kept", reserve={"7d": 0.2}, emergency=True), "b")
    close(p, "b", NOW + 2 * HOUR)
    p.release(lease(p), NetworkFailure(), NOW)
    p.observe("kept", unified(seven=0.85, seven_reset=NOW + DAY), NOW)
    assert isinstance(p.acquire(ask(max_wait_s=1), NOW), Refusal)
    assert lease(p, NOW + 5).account_id == "kept"


def test_a_pool_that_is_closed_is_not_searched_again_for_each_caller(monkeypatch):  # S22
    p = pool(*(account(f"a{i}") for i in range(50)))
    for name in p.states:
        close(p, name, NOW + HOUR)
    looks: list[float] = []

    def counting(*args: Any) -> Any:
        looks.append(1)
        return check(*args)

    monkeypatch.setattr(select, "check", counting)
    for _ in range(20):
        p.acquire(ask(max_wait_s=1), NOW)
    assert len(looks) == 50


def test_the_soonest_recovery_is_named_and_people_are_named_last():  # S20
    p = pool("week", "soon", account("off", enabled=False), account("gpt", models={"gpt-5": "*"}))
    close(p, "week", NOW + 5 * DAY)
    p.release(lease(p), NetworkFailure(), NOW)
    found = p.acquire(ask(max_wait_s=1), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == ("network", NOW + 5)
    assert found.counts == {"quota": 1, "network": 1, "disabled": 1, "model": 1}


def test_a_person_who_must_act_is_named_before_a_model_nobody_offers():
    p = pool("dead", account("gpt", models={"gpt-5": "*"}))
    p.credential("dead", CredentialChange("dead", reason="revoked"), NOW)
    found = p.acquire(ask(), NOW)
    assert isinstance(found, Refusal)
    assert found.reason == "locked_out"


def test_all_excluded_says_so():
    p = pool("a")
    found = p.acquire(ask(), NOW, exclude=frozenset({"a"}))
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at, found.counts) == ("excluded", None, {"excluded": 1})


def test_who_waits_is_woken_when_a_reserve_opens_for_it():
    reserve = account("r", reserve={"7d": 0.2}, emergency=True)
    p = pool(account("a", slots=1), reserve)
    p.observe("r", unified(seven=0.9, seven_reset=NOW + 3 * DAY), NOW)
    lease(p)
    held = p.acquire(ask(arrived_at=NOW), NOW)
    assert isinstance(held, Wait)
    wake = p.next_wake(NOW)
    assert wake == NOW + 60.0
    ((_, found),) = p.wake(wake)
    assert isinstance(found, Lease)
    assert found.account_id == "r"


def test_a_ramp_refuses_nobody_whom_the_end_of_a_lease_would_serve():
    p = pool(account("a", plan="pro"))
    p.release(lease(p), QuotaExceeded("5h", NOW + 60), NOW)
    back = NOW + 60
    running = [lease(p, back) for _ in range(3)]
    held = p.acquire(ask(max_wait_s=0.5, arrived_at=back), back)
    assert isinstance(held, Wait)
    p.release(running[0], Success(), back + 0.2)
    assert [type(found) for _, found in p.wake(back + 0.2)] == [Lease]


@pytest.mark.parametrize(("gap", "waits"), [(8.0, False), (0.01, True)])
def test_a_session_waits_for_its_crowded_home_only_where_all_others_are_much_dearer(gap, waits):
    p = pool("a", "b", "c", home_wait_s=15.0, home_wait_gap=gap, warm_bonus=1.0, soft_slots=2.0)
    first = lease(p, NOW, "s")
    home = first.account_id
    p.release(first, Success(TokenUsage(5, 100, 0, 20_000)), NOW)
    others = frozenset(p.states) - {home}
    for _ in range(2):
        lease(p, NOW + 1, exclude=others)
    for name in others:
        lease(p, NOW + 1, exclude=frozenset(p.states) - {name})
    found = p.acquire(ask("s", arrived_at=NOW + 1, max_wait_s=60), NOW + 1)
    assert isinstance(found, Wait) is waits


def test_a_clients_own_login_has_the_last_word_when_only_its_upstream_closed_it():
    own = OwnLogin("mine")
    p = pool("a", account("mine", kind="client"))
    assert p.last_word(ask(), NOW) is None, "it brought no login along"
    held = lease(p, own=own)
    p.release(held, QuotaExceeded("5h", NOW + HOUR), NOW)
    assert isinstance(p.acquire(ask(own=own, max_wait_s=0), NOW), Refusal)
    last = p.last_word(ask(own=own), NOW)
    assert isinstance(last, Lease)
    assert last.account_id == "mine"
    p.release(last, NetworkFailure(), NOW)
    assert p.last_word(ask(own=own), NOW) is None, "the network has no say"
    p.command(Command("pause"), NOW + 9)
    assert p.last_word(ask(own=own), NOW + 9) is None


def test_logins_of_other_clients_are_no_accounts_to_anybody_else():
    p = pool(account("mine", kind="client"))
    found = p.acquire(ask(max_wait_s=0), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, dict(found.counts)) == ("no_accounts", {})


@pytest.mark.parametrize(("price", "after_s"), [("never", None), ("after", 20.0)])
def test_naming_a_paid_account_does_not_lower_its_price(price, after_s):  # X9
    p = pool("a", key("k"), key_price=price, slots_per_account=1)
    lease(p)
    chosen = ask(owner="k", owner_chosen=True)
    assert isinstance(p.acquire(chosen, NOW + 1), Wait)
    assert isinstance(p.acquire(ask(owner="k"), NOW + 1), Lease)  # what it made belongs to it
    if after_s is not None:
        assert isinstance(p.acquire(replace(chosen, arrived_at=NOW), NOW + after_s), Lease)
