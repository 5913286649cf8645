"""What the config may say of model names."""

from __future__ import annotations

from pathlib import Path

import pytest

from maxpool.config.load import parse
from maxpool.errors import ConfigError

FILE = Path("/x/config.toml")


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_aliases_sets_and_profiles_are_read():
    config = parse(
        """
        [aliases."claude-*"]
        targets = ["max/*", "other/m@3"]
        strategy = "fastest"
        [sets.night]
        targets = ["a/b"]
        [profiles.cheap]
        models = ["small-*"]
        [models]
        fallbacks = { "claude-opus-*" = ["claude-sonnet-5-5"] }
        """,
        FILE,
    )
    assert config.aliases["claude-*"].targets == ("max/*", "other/m@3")
    assert config.sets["night"].targets == ("a/b",)
    assert config.models.fallbacks == {"claude-opus-*": ("claude-sonnet-5-5",)}
    assert config.profiles["cheap"].models == ("small-*",)


def test_a_circle_of_aliases_is_an_error_with_its_line_and_its_way():
    text = (
        '[aliases.a]\ntargets = ["b"]\n[aliases.b]\nfallback_targets = ["c@2"]\ntargets = ["x/m"]\n'
    )
    text += '[aliases.c]\ntargets = ["a"]\n'
    found = problems(text)
    assert [line for line, _ in found] == [2, 5, 7]
    assert "a -> b -> c -> a" in found[0][1]


def test_an_alias_may_name_itself_and_one_alias_may_be_named_twice():
    parse(
        '[aliases.a]\ntargets = ["a", "b"]\n[aliases.b]\ntargets = ["m"]\n'
        '[aliases.c]\ntargets = ["a", "b"]',
        FILE,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[aliases.a]\n", "targets or a tier"),
        ('[aliases."maxpool:x"]\ntargets = ["m"]\n', "a meaning of its own"),
        ('[aliases.a]\ntargets = ["m@0"]\n', "weight 0"),
        ('[aliases.a]\ntargets = ["account:b/m"]\n', "no account: form"),
        ('[aliases.a]\ntargets = ["maxpool"]\n', "no set"),
        ('[aliases.a]\ntier = "huge"\n', "fast"),
        ("[sets.s]\ntargets = []\n", "is empty"),
        ("[profiles.p]\nmodels = []\n", "is empty"),
        ('[models]\ncross_provider = "maybe"\n', "when-exhausted"),
    ],
)
def test_what_cannot_be_meant_is_said(text, words):
    ((_, message),) = problems(text)
    assert words in message
