"""Rates and budgets as people write them."""

from pathlib import Path

import pytest

from maxpool.config import derive
from maxpool.config.limits import read_rate
from maxpool.config.load import parse
from maxpool.core.ratebuckets import Period, Rule
from maxpool.errors import ConfigError


def rules(text: str) -> tuple[Rule, ...]:
    return derive.pool_settings(parse(text, Path("/c.toml"))).limits


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("60/minute", Rule("requests", 60, Period("minute"))),
        ("60 requests per minute", Rule("requests", 60, Period("minute"))),
        ("1M tokens/day", Rule("tokens", 1e6, Period("day"))),
        ("1_500 tokens / hour", Rule("tokens", 1500, Period("hour"))),
        ("2.5k tokens/s", Rule("tokens", 2500, Period("second"))),
        ("300/5 hours", Rule("requests", 300, Period("hour", 5))),
        ("300/5h", Rule("requests", 300, Period("hour", 5))),
        ("0.5 usd/week", Rule("usd", 0.5, Period("week"))),
        ("9/month rolling", Rule("requests", 9, Period("month"), rolling=True)),
    ],
)
def test_a_rate_is_an_amount_and_a_span(text, rule):
    assert read_rate(text) == rule


@pytest.mark.parametrize(
    "text", ["", "60", "/minute", "60/fortnight", "-1/day", "0/day", "0.5/day", "1/0 days", "x/day"]
)
def test_what_is_no_rate_is_told_with_an_example(text):
    with pytest.raises(ConfigError) as caught:
        rules(f"[[limits]]\nrequests = '{text}'")
    assert caught.value.problems[0].hint == "60/minute"


def test_an_entry_counts_what_its_keys_say():
    assert rules(
        "[[limits]]\nprovider = 'p'\naccount = 'a*'\nmodel = 'm'\nclient_key = 'k'\n"
        "requests = '6/minute'\ntokens = '1k/day'\nusd = '2/week'\nwindow = 'rolling'\nsafety = 0.1\n"
    ) == tuple(
        Rule(amount, limit, Period(unit), True, 0.1, "p", "a*", "m", "k")  # type: ignore[arg-type]
        for amount, limit, unit in (
            ("requests", 6.0, "minute"),
            ("tokens", 1000.0, "day"),
            ("usd", 2.0, "week"),
        )
    )


@pytest.mark.parametrize("text", ["account = 'a'", "tokens = '5 usd/day'", "safety = 1.0"])
def test_an_entry_that_limits_nothing_or_contradicts_itself_is_wrong(text):
    with pytest.raises(ConfigError):
        rules(f"[[limits]]\n{text}")


def test_the_pools_budget_and_a_keys_limits_are_rules_too():
    found = rules(
        "[budget]\ndaily_usd = 5.0\nrun_usd = 9.0\n"
        "[[client_keys]]\nname = 'ci'\nkey = 'env:K'\nrpm = 3\ntpm = 4\nlimits = ['7/day']\n"
        "daily_budget_usd = 1.0\n"
    )
    assert found == (
        Rule("usd", 5.0, Period("day")),
        Rule("usd", 9.0, Period("run")),
        Rule("requests", 3, Period("minute"), rolling=True, client_key="ci"),
        Rule("tokens", 4, Period("minute"), rolling=True, client_key="ci"),
        Rule("requests", 7, Period("day"), client_key="ci"),
        Rule("usd", 1.0, Period("day"), client_key="ci"),
    )


def test_an_accounts_own_limits_and_money_reach_the_core():
    config = parse(
        "[[accounts]]\nname = 'a'\nsecret = 'env:A'\nrpm = 60\ntpm = 100\nlimits = ['1000/day']\n"
        "balance_usd = 5.0\nminimum_balance_usd = 1.0\ndaily_budget_usd = 2.0\nsession_budget_usd = 3.0\n",
        Path("/c.toml"),
    )
    (account,) = derive.accounts(config)
    assert account.limits == (
        Rule("requests", 60, Period("minute"), rolling=True),
        Rule("tokens", 100, Period("minute"), rolling=True),
        Rule("requests", 1000, Period("day")),
        Rule("usd", 2.0, Period("day")),
        Rule("usd", 3.0, Period("run")),
    )
    assert (account.balance_usd, account.minimum_balance_usd) == (5.0, 1.0)
