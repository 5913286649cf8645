"""The price of a model: which line holds, and which rates of it."""

from __future__ import annotations

import pytest

from maxpool.core.lease import TokenUsage
from maxpool.core.prices_table import KEPT_NAMES, Price, PriceTable, Rates, plain_name


def price(usd: float) -> Price:
    return Price(Rates(usd, usd, usd, usd, usd))


TABLE = PriceTable(
    "2026-01-01",
    {"anthropic": {"m": price(1)}},
    {"m-*": price(2), "m-large*": price(3), "relay/*": price(4)},
)


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        ("anthropic", "m", 1),
        ("anthropic", "M-20260101", 1),
        ("anthropic", "m-small", 2),
        ("anthropic", "m-large-2", 3),
        ("relay", "anything", 4),
        ("relay", "m-large-2", 3),
    ],
)
def test_the_owners_longest_pattern_then_the_list_of_that_provider(provider, model, usd):
    table = PriceTable(TABLE.dated, TABLE.listed, {**TABLE.own})
    if model == "M-20260101":
        table = PriceTable(TABLE.dated, TABLE.listed)
    found = table.find(provider, model)
    assert found is not None
    assert found.rates.input == usd


def test_another_providers_model_of_that_name_has_no_price():
    assert TABLE.find("elsewhere", "m") is None
    assert TABLE.find("anthropic", "n") is None


def test_a_larger_prompt_costs_its_tiers_rates_for_all_of_it():
    tiered = Price(price(1).rates, ((100, price(2).rates), (200, price(3).rates)))
    assert [tiered.of(n).input for n in (100, 101, 200, 201)] == [1, 2, 2, 3]


def test_every_kind_of_token_is_counted_once():
    rates = Rates(1, 10, 100, 1_000, 10_000)
    assert rates.usd(TokenUsage(1, 1, 1, 1, 1)) == pytest.approx(11_111 / 1e6)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-opus-4-5@20251101", "claude-opus-4-5"),
        ("gpt-5-2026-01-31", "gpt-5"),
        ("Claude-3-5-Sonnet-latest", "claude-3-5-sonnet"),
        ("claude-opus-5-5[1m]", "claude-opus-5-5"),
        ("claude-opus-4-5-20251101[1m]", "claude-opus-4-5"),
        ("claude-opus-5", "claude-opus-5"),
    ],
)
def test_an_edition_is_no_part_of_the_name(name, plain):
    assert plain_name(name) == plain


def test_any_number_of_invented_names_is_bounded():
    for n in range(2_000):
        TABLE.find("x", f"m{n}")
    assert len(TABLE.found) <= KEPT_NAMES
