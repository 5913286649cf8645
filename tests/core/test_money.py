"""Estimates of what an answer cost."""

from __future__ import annotations

import pytest

from maxpool.config.prices import shipped
from maxpool.core.lease import TokenUsage
from maxpool.core.money import estimate_usd
from maxpool.core.settings import PoolSettings
from tests.make import account, key

MILLION = 1_000_000
SETTINGS = PoolSettings(price_table=shipped())


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (TokenUsage(), 0.0),
        (TokenUsage(input=100_000), 0.3),
        (TokenUsage(output=MILLION), 15.0),
        (TokenUsage(cache_read=100_000), 0.03),
        (TokenUsage(cache_write_5m=100_000), 0.375),
        (TokenUsage(cache_write_1h=100_000), 0.6),
        (TokenUsage(input=100_000, cache_read=100_001), 0.6 + 0.0600006),
    ],
)
def test_each_kind_of_token_has_its_list_price(usage, usd):
    assert estimate_usd(key(), "claude-sonnet-4-5", usage, SETTINGS) == pytest.approx(usd)


def test_an_edition_of_a_model_costs_what_the_model_does():
    for name in ("claude-opus-4-5-20251101", "claude-opus-4-5-latest", "claude-opus-4-5[1m]"):
        assert estimate_usd(key(), name, TokenUsage(input=MILLION), SETTINGS) == pytest.approx(5.0)


def test_a_mapped_model_is_priced_as_what_was_asked_of_the_upstream():
    mapped = key(models={"*": "claude-opus-5-5"})
    usage = TokenUsage(input=2 * MILLION)
    assert estimate_usd(mapped, "claude-haiku-4-5", usage, SETTINGS) == pytest.approx(8.0)


def test_what_a_plan_serves_is_paid_already():
    assert estimate_usd(account(), "claude-opus-5-5", TokenUsage(input=9), SETTINGS) == 0.0


@pytest.mark.parametrize(
    ("given", "model"), [({"provider": "other"}, "claude-opus-5-5"), ({}, "gpt-5.2")]
)
def test_without_a_list_price_nothing_is_estimated(given, model):
    assert estimate_usd(key(**given), model, TokenUsage(input=9), SETTINGS) is None
