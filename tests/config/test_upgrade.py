"""Older formats are read, whatever they said in comments; the present one is left alone."""

from __future__ import annotations

import pytest

from maxpool.config import load, upgrade
from maxpool.config.model import Config
from maxpool.config.upgrade import upgraded

OLD = "# mine\n[server]\nlisten = 4000   # the port\n"


def renamed(text: str) -> str:
    """A step as there may be one: a key has another name."""
    return "version = 2\n" + text.replace("listen", "port")


def test_the_present_format_needs_no_step():
    present = Config().version
    assert sorted(upgrade.STEPS) == list(range(1, present))
    assert upgraded(OLD) == OLD


def test_a_file_without_a_version_is_of_the_first_and_keeps_its_comments():
    assert (
        upgraded(OLD, {1: renamed}) == "version = 2\n# mine\n[server]\nport = 4000   # the port\n"
    )


def test_steps_follow_each_other():
    def again(text: str) -> str:
        return text.replace("version = 2", "version = 3").replace("4000", "4001")

    found = upgraded(OLD, {1: renamed, 2: again})
    assert found.startswith("version = 3\n")
    assert "port = 4001" in found


@pytest.mark.parametrize(
    "text", ["version = 2\n", "version = 99\n", "[server\n", "version = 'x'\n"]
)
def test_newer_and_unreadable_texts_are_left_to_the_check(text):
    assert upgraded(text, {1: renamed}) == text


def test_a_step_that_does_not_lead_on_is_noticed():
    with pytest.raises(AssertionError, match="version 1"):
        upgraded(OLD, {1: str.upper})


def test_whoever_reads_an_old_file_gets_what_it_means(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "upgraded", lambda text: text.replace("listen", "port"))
    assert load.parse(OLD, tmp_path / "c.toml").server.port == 4000
