"""A prepaid account's money."""

from __future__ import annotations

import pytest

from maxpool.core.wallet import FRESH_S, KEPT_TOPUPS, Wallet
from tests.make import NOW


def wallet(balance: float | None = 10.0, minimum: float = 0.0) -> Wallet:
    made = Wallet()
    made.declare(balance, minimum)
    return made


def test_a_balance_is_what_was_declared_and_added_less_what_was_spent():
    w = wallet()
    w.reserve(3.0)
    w.settle(3.0, 2.5)
    w.top_up(5.0, NOW)
    assert (w.balance, w.reserved) == (12.5, 0.0)


def test_without_a_declared_balance_nothing_is_known_and_nothing_closes():
    w = wallet(None)
    w.top_up(5.0, NOW)
    w.settle(0.0, 99.0)
    assert (w.balance, w.empty(), w.promised()) == (None, False, False)


def test_what_runs_is_promised_before_it_is_spent():
    w = wallet(2.0, minimum=1.0)
    w.reserve(1.0)
    assert (w.empty(), w.promised()) == (False, True)
    w.settle(1.0, 1.0)
    assert w.empty()


def test_another_declared_balance_is_a_new_beginning_and_the_same_is_none():
    w = wallet()
    w.settle(0.0, 4.0)
    w.declare(10.0, 0.0)
    assert w.balance == 6.0
    w.declare(20.0, 0.0)
    assert (w.balance, w.spent) == (20.0, 0.0)


def test_money_is_in_use_once_spent_and_for_a_day_after_it_was_added():
    w = wallet()
    assert not w.opened(NOW)
    w.top_up(1.0, NOW)
    assert w.opened(NOW + FRESH_S - 1)
    assert not w.opened(NOW + FRESH_S)
    w.step(3600.0)
    assert w.opened(NOW + FRESH_S)
    w.settle(0.0, 0.1)
    assert w.opened(NOW + 10 * FRESH_S)


def test_a_restart_keeps_it_and_takes_what_runs_as_spent():
    w = wallet()
    w.top_up(1.0, NOW)
    w.reserve(0.5)
    again = Wallet.load(w.dump())
    assert (again.balance, again.second_try, list(again.topups)) == (10.5, True, [(NOW, 1.0)])


@pytest.mark.parametrize(
    "broken", [{"spent": -1}, {"added": "x"}, {"declared": True}, {"topups": [[1]]}]
)
def test_a_broken_wallet_is_not_taken(broken):
    with pytest.raises((TypeError, ValueError)):
        Wallet.load({**wallet().dump(), **broken})


def test_any_number_of_topups_is_bounded():
    w = wallet()
    for n in range(100):
        w.top_up(1.0, NOW + n)
    assert (len(w.topups), w.balance) == (KEPT_TOPUPS, 110.0)
