from __future__ import annotations

import shutil
import subprocess

import pytest
from click.testing import CliRunner

from maxpool.cli.group import VERBS, maxpool
from maxpool.cli.help_topics import TOPICS


def page() -> str:
    return CliRunner().invoke(maxpool, ["man"]).stdout


def test_every_verb_and_topic_has_its_section():
    found = page()
    assert all(f"\n.SS maxpool {verb} " in found for verb in VERBS)
    assert all(f"\n.SH {topic.upper()}\n" in found for topic in TOPICS)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_reads_it_without_a_warning_and_keeps_options_as_they_are_typed():
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii"],
        input=page(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "maxpool status --watch 2" in done.stdout
