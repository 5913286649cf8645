"""From the config's names to the core's."""

from __future__ import annotations

from pathlib import Path

from maxpool.config import derive, routes
from maxpool.config.load import parse
from maxpool.config.model import Config
from maxpool.core.needs import UNSIGNED_THINKING

FILE = Path("/x/config.toml")


def test_the_claude_profile_is_there_and_claude_codes_own():
    names = routes.names(Config())
    assert names.profiles == {"claude": ("claude*",)}
    assert names.usual_profile == {"claude-code": "claude"}
    assert names.cross == "when-exhausted"
    free = routes.names(parse('[models]\nclaude_code_profile = "all"', FILE))
    assert free.usual_profile == {}


def test_aliases_keep_their_order_and_sets_their_strategy():
    text = (
        '[aliases."c-*"]\ntargets = ["a"]\n[aliases.b]\ntier = "fast"\ncross_provider = "always"\n'
    )
    config = parse(text + '[sets.s]\ntargets = ["a", "b"]\nstrategy = "ordered"\n', FILE)
    first, second = routes.names(config).aliases
    assert (first.name, first.targets, first.cross) == ("c-*", ("a",), None)
    assert (second.tier, second.cross) == ("fast", "always")
    assert routes.sets(config)["s"].targets == ("a", "b")
    assert routes.sets(config)["s"].strategy == "ordered"


def test_the_pool_hears_how_vendors_are_crossed():
    config = parse(
        '[models]\ncross_provider = "never"\ncross_after = "5s"\nwhen_all_cooling = "refuse"', FILE
    )
    settings = derive.pool_settings(config)
    assert (settings.cross_provider, settings.cross_after_s) == ("never", 5.0)
    assert settings.when_all_cooling == "refuse"


def test_accounts_have_their_tiers_and_anthropics_take_no_unsigned_thinking():
    text = (
        '[[accounts]]\nname = "a"\nsecret = "env:A"\n[[accounts]]\nname = "p"\nkind = "provider"\n'
    )
    text += 'base_url = "https://p.example"\ntiers = { fast = "quick" }\n'
    own, other = derive.accounts(parse(text, FILE))
    assert UNSIGNED_THINKING in own.lacks
    assert UNSIGNED_THINKING not in other.lacks
    assert other.tiers == {"fast": "quick"}
