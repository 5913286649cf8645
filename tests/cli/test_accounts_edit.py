"""`maxpool accounts rename | remove | priority | probe | refresh`, with and without a server.

With a server that has a config file: tests/claims/test_following.
"""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.cli.operate import run, say
from tests.rig import rig

TEXT = """# mine
[[accounts]]
name = "max 1"   # the first
secret = "env:A"

[[accounts]]
name = "b"
secret = "env:B"
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "none.toml"  # what `say` names as the config
    path.write_text(TEXT)
    return path


def entries(config):
    return tomllib.loads(config.read_text()).get("accounts", [])


def test_a_rename_writes_the_name_and_the_id_that_it_had(tmp_path, config):
    before = json.loads(say(tmp_path, "accounts", "show", "max 1", "--json").stdout)["id"]
    result = say(tmp_path, "accounts", "rename", "max 1", "work")
    assert result.stdout.startswith("max 1 is called work now.")
    assert entries(config)[0] == {"name": "work", "secret": "env:A", "id": before}
    assert "# the first" in config.read_text()


def test_a_priority_is_written(tmp_path, config):
    assert say(tmp_path, "accounts", "priority", "b", "-2").exit_code == 0
    assert entries(config)[1]["priority"] == -2


def test_a_removal_asks_and_where_nobody_can_be_asked_wants_to_be_told(tmp_path, config):
    result = say(tmp_path, "accounts", "remove", "b")
    assert (result.exit_code, config.read_text()) == (2, TEXT)
    assert "--yes" in result.stderr
    done = say(tmp_path, "accounts", "remove", "b", "--yes")
    assert "b is removed from" in done.stdout
    assert "stays where it is: env:B" in done.stdout
    assert [entry["name"] for entry in entries(config)] == ["max 1"]


@pytest.mark.parametrize("verb", [["rename", "c"], ["priority", "1"], ["remove", "--yes"]])
def test_a_wrong_name_changes_nothing(tmp_path, config, verb):
    result = say(tmp_path, "accounts", verb[0], "max1", *verb[1:])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Did you mean max 1?"
    assert config.read_text() == TEXT


def test_without_a_server_refreshing_says_who_does_it(tmp_path, config):
    result = say(tmp_path, "accounts", "refresh", "b")
    assert result.exit_code == 3
    assert "maxpool serve" in result.stderr.splitlines()[-1]


def test_an_account_that_cannot_be_asked_for_its_usage_is_said_as_such(tmp_path, config):
    result = say(tmp_path, "accounts", "probe", "b")
    assert result.exit_code == 1
    assert "the usage of b cannot be asked for" in result.stderr


async def test_a_run_time_account_is_removed_and_has_no_entry_to_rename(tmp_path):
    async with rig() as it:
        await it.admin("POST", "/accounts", {"name": "r", "secret": "sk-ant-api03-r"})
        renamed = await run(it, tmp_path, "accounts", "rename", "r", "s")
        assert renamed.exit_code == 1
        assert "added at run time" in renamed.stderr
        assert (await run(it, tmp_path, "accounts", "remove", "r", "--yes")).exit_code == 0
        assert {a["name"] for a in (await it.status())["accounts"]} == {"a", "b", "c"}


async def test_a_server_without_a_config_file_says_that_it_cannot_remove(tmp_path):
    async with rig() as it:
        result = await run(it, tmp_path, "accounts", "remove", "a", "--yes")
        assert result.exit_code == 1
        assert "remove its [[accounts]] entry there" in result.stderr


@pytest.mark.parametrize("verb", ["probe", "refresh"])
async def test_what_came_of_a_question_is_said(tmp_path, verb):
    async def answer(account_id: str) -> str:
        assert account_id == it.proxy.operator.account_id("b")
        return "5h 40 % used."

    async with rig() as it:
        setattr(it.proxy.operator, verb, answer)
        result = await run(it, tmp_path, "accounts", verb, "b")
        assert result.stdout == "5h 40 % used.\n"
