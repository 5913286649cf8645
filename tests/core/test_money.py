"""Estimates of what an answer cost."""

from __future__ import annotations

import pytest

from maxpool.core.lease import TokenUsage
from maxpool.core.money import estimate_usd
from maxpool.core.settings import PoolSettings
from tests.make import account, key

MILLION = 1_000_000
SETTINGS = PoolSettings()


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (TokenUsage(), 0.0),
        (TokenUsage(input=MILLION), 3.0),
        (TokenUsage(output=MILLION), 15.0),
        (TokenUsage(cache_read=MILLION), 0.3),
        (TokenUsage(cache_write_5m=MILLION), 3.75),
        (TokenUsage(cache_write_1h=MILLION), 6.0),
    ],
)
def test_each_kind_of_token_has_its_list_price(usage, usd):
    assert estimate_usd(key(), "claude-sonnet-4-5", usage, SETTINGS) == pytest.approx(usd)


def test_a_mapped_model_is_priced_as_what_was_asked_of_the_upstream():
    mapped = key(models={"*": "claude-opus-5-5"})
    usage = TokenUsage(input=MILLION)
    assert estimate_usd(mapped, "claude-haiku-4-5", usage, SETTINGS) == pytest.approx(5.0)


def test_what_a_plan_serves_is_paid_already():
    assert estimate_usd(account(), "claude-opus-5-5", TokenUsage(input=9), SETTINGS) == 0.0


@pytest.mark.parametrize(
    ("given", "model"), [({"provider": "other"}, "claude-opus-5-5"), ({}, "gpt-5.2")]
)
def test_without_a_list_price_nothing_is_estimated(given, model):
    assert estimate_usd(key(**given), model, TokenUsage(input=9), SETTINGS) is None
