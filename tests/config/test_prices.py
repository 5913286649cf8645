"""The price list that ships, and the owner's own prices."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from maxpool.config import derive
from maxpool.config.load import parse
from maxpool.config.model import Config
from maxpool.config.prices import shipped
from maxpool.errors import ConfigError

ROOT = Path(__file__).parents[2]
listing = import_module("pricelib.listing")


def test_the_shipped_table_is_what_the_kept_list_makes():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "prices", "--check"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_every_shipped_price_is_in_the_right_relation():
    assert shipped().dated >= "2026-10-24"
    for models in shipped().listed.values():
        for name, price in models.items():
            for rates in (price.rates, *(rates for _, rates in price.tiers)):
                assert 0 < rates.cache_read < rates.input <= rates.output, name
                assert rates.input < rates.cache_write_5m < rates.cache_write_1h, name


def test_the_models_of_today_have_a_price():
    for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-1"):
        assert shipped().find("anthropic", model) is not None
    assert shipped().find("anthropic", "claude-opus-9") is None


def test_the_owners_price_comes_first_and_says_only_what_differs():
    config = parse(
        "[prices.'claude-opus-*']\ninput = 1.0\noutput = 2.0\ncache_read = 0.5\n"
        "tiers = [{ above = 10, input = 3.0, output = 4.0 }, { above = 5, input = 2.0, output = 2.0 }]\n",
        Path("/c.toml"),
    )
    table = derive.pool_settings(config).price_table
    found = table.find("anthropic", "claude-opus-5-5")
    assert found is not None
    assert (found.rates.cache_read, found.rates.cache_write_1h) == (0.5, 1.0)
    assert [found.of(n).input for n in (5, 6, 11)] == [1.0, 2.0, 3.0]
    assert table.find("anthropic", "claude-sonnet-5-5") is not None


def test_without_prices_of_ones_own_the_shipped_table_itself_is_used():
    assert derive.pool_settings(Config()).price_table is shipped()


@pytest.mark.parametrize(
    "text", ["input = 1.0", "input = -1.0\noutput = 1.0", "input = 1\nout = 2"]
)
def test_a_price_that_is_none_is_told(text):
    with pytest.raises(ConfigError):
        parse(f"[prices.m]\n{text}", Path("/c.toml"))


GOOD = "dated 2026-01-01\nsource p https://example.com\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("source p u\np m 1 2 0.1 1.25 2", "it has no date"),
        (f"{GOOD}p b 1 2 0.1 1.25 2\np a 1 2 0.1 1.25 2", "its lines are not sorted"),
        (f"{GOOD}p a 1 2 0.1 1.25 2\np a 1 2 0.1 1.25 2", "a stands in it twice"),
        (f"{GOOD}q a 1 2 0.1 1.25 2", "a: q has no source"),
        (f"{GOOD}p a 1 2 0.1 1.25", "line 3: cannot be read"),
        (f"{GOOD}p a 1 2 0 1.25 2", "a: a price is not positive, or too large to be one"),
        (f"{GOOD}p a 2 1 0.1 2.5 4", "a: output is cheaper than input"),
        (
            f"{GOOD}p a 1 2 1.1 1.25 2",
            "a: not: cache read < input < write for 5 min < write for 1 h",
        ),
        (
            f"{GOOD}p a 1 2 0.1 1.25 2 > 9 1 2 0.1 1.25 2 > 8 1 2 0.1 1.25 2",
            "a: its tiers are not in order",
        ),
    ],
)
def test_every_slip_of_the_hand_is_found(text, problem):
    assert problem in listing.read(text).problems


def test_a_good_list_has_no_problem_and_reads_back():
    from maxpool.config.prices import read_table

    found = listing.read(f"{GOOD}p a 1 2 0.1 1.25 2 > 9 2 4 0.2 2.5 4\n")
    assert found.problems == []
    table = read_table(listing.rendered(found))
    price = table.find("p", "a")
    assert price is not None
    assert (table.dated, price.of(10).output) == ("2026-01-01", 4.0)
