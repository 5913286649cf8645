"""The topics tell the truth about what can be checked by a machine."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from maxpool.cli.group import VERBS, maxpool
from maxpool.cli.help_topics import TOPICS
from maxpool.config.running import ADDRESS_NAME, CLIENT_KEY_NAME, KEY_NAME, LOCK_NAME

PACKAGE = Path(__file__).parents[2] / "maxpool"
INTERNAL = {"MAXPOOL_HANDOVER", "MAXPOOL_COMPLETE"}


def test_every_variable_that_is_read_is_told_and_no_other():
    texts = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    read = {name for text in texts for name in re.findall(r"MAXPOOL_[A-Z_]+[A-Z]", text)}
    assert set(re.findall(r"MAXPOOL_[A-Z_]+[A-Z]", TOPICS["environment"])) == read - INTERNAL


def test_the_files_are_those_of_the_state_folder():
    names = {ADDRESS_NAME, CLIENT_KEY_NAME, KEY_NAME, LOCK_NAME, "serve.log", "state.db"}
    assert names <= set(re.findall(r"^  (\S+)", TOPICS["files"], re.MULTILINE))


def test_the_exit_codes_are_those_of_the_help():
    help_text = " ".join(CliRunner().invoke(maxpool, ["--help"]).stdout.split())
    for line in TOPICS["exit-codes"].splitlines():
        code, _, words = line.partition("  ")
        assert f"{code} {words.split(',')[0].split(' or ')[0]}" in help_text


def test_every_command_of_a_topic_exists():
    found = re.findall(r"maxpool ([a-z]+) ", "\n".join(TOPICS.values()))
    assert found
    assert set(found) <= set(VERBS)
