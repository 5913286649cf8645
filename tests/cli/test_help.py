from __future__ import annotations

import pytest
from click.testing import CliRunner

from maxpool.cli.group import VERBS, maxpool
from maxpool.cli.help_topics import TOPICS


def say(*words: str):
    return CliRunner().invoke(maxpool, ["help", *words])


def test_alone_it_lists_all_verbs_and_topics():
    found = say().stdout
    assert all(f"\n  {verb} " in found for verb in VERBS)
    assert all(topic in found for topic in TOPICS)


@pytest.mark.parametrize("words", [("serve",), ("accounts",), ("accounts", "disable")])
def test_a_command_is_explained_as_by_its_own_option(words):
    own = CliRunner().invoke(maxpool, [*words, "--help"]).stdout
    assert say(*words).stdout.replace("maxpool help ", "") == own


@pytest.mark.parametrize(
    ("words", "meant"),
    [(("serv",), "serve"), (("envirnment",), "environment"), (("accounts", "disabel"), "disable")],
)
def test_an_unknown_word_is_answered_with_the_nearest(words, meant):
    found = say(*words)
    assert found.exit_code == 2
    assert f"Did you mean {meant}?" in found.output
