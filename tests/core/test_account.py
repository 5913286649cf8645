"""An account's identity: what is paid for already, and how large a plan is."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from maxpool.core.account import Account


@pytest.mark.parametrize(
    ("kind", "paid"),
    [
        ("subscription", False),
        ("oauth", False),
        ("client", False),
        ("home", False),
        ("api_key", True),
        ("provider", True),
    ],
)
def test_tokens_of_a_plan_are_paid_for_already(kind, paid):
    assert Account("a", "a", kind).paid is paid


@pytest.mark.parametrize(
    ("plan", "weight"),
    [("max_20x", 20.0), ("Max 5x", 5.0), ("pro", 1.0), ("PRO", 1.0), (None, 20.0), ("team", 20.0)],
)
def test_a_plan_weighs_what_its_name_says_and_an_unknown_one_most(plan, weight):
    assert Account("a", "a", plan=plan).plan_weight == weight


def test_an_account_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Account("a", "a").enabled = False  # type: ignore[misc]
