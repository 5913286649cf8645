from __future__ import annotations

import json
import tomllib

import click
import pytest
from click.testing import CliRunner

from maxpool.cli.config_edit import path_of
from maxpool.cli.group import maxpool
from tests.cli.terminals import typing

FILE = """\
# mine
[queue]
max_wait = "20s"  # patience

[[accounts]]
name = "work"
kind = "api_key"
secret = "env:WORK_KEY"
"""


@pytest.fixture
def say(tmp_path):
    """`maxpool config ...` on a small file."""
    file = tmp_path / "c.toml"
    file.write_text(FILE)

    def go(*arguments: str, code: int = 0):
        line = ["config", *arguments, "--config", str(file)]
        result = CliRunner(env={"MAXPOOL_HOME": str(tmp_path)}).invoke(maxpool, line)
        assert result.exit_code == code, result.output
        return result

    go.file = file  # type: ignore[attr-defined]
    return go


def test_a_key_is_set_and_the_rest_of_the_file_stays_as_it_is(say):
    assert say("set", "queue.max_wait", "30s").stdout == 'queue.max_wait is "30s" now.\n'
    assert say.file.read_text() == FILE.replace('"20s"', '"30s"')


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("server.port", "4000", 4000),
        ("server.host", "127.0.0.1", "127.0.0.1"),
        ("server.require_key", "true", True),
        ("server.allowed_hosts", '["a.example"]', ["a.example"]),
    ],
)
def test_a_value_is_toml_where_it_can_be_and_text_elsewhere(say, key, value, meant):
    told = json.loads(say("set", key, value, "--json").stdout)
    assert told["value"] == meant
    section, name = key.split(".")
    assert tomllib.loads(say.file.read_text())[section][name] == meant


def test_a_name_that_looks_like_a_number_is_taken_as_text(say):
    say("set", "accounts.work.name", "2026")
    assert tomllib.loads(say.file.read_text())["accounts"][0]["name"] == "2026"


def test_a_key_of_one_account_is_set_and_unset(say):
    say("set", "accounts.work.priority", "3")
    assert tomllib.loads(say.file.read_text())["accounts"][0]["priority"] == 3
    say("unset", "accounts.work.priority")
    assert say.file.read_text() == FILE


def test_what_would_be_wrong_is_not_written(say):
    assert "max_wait must be a duration" in say("set", "queue.max_wait", "soon", code=2).stderr
    assert "unknown key" in say("set", "queue.patience", "1", code=2).stderr
    assert "no account called 'home'" in say("set", "accounts.home.tier", "1", code=1).stderr
    assert say.file.read_text() == FILE


@pytest.mark.parametrize("key", ["port", "a b", "server.", "", "accounts.work"])
def test_a_key_without_a_section_is_wrong_usage(say, key):
    assert say("set", key, "1", code=2).stderr
    assert say.file.read_text() == FILE


def test_a_step_with_a_dot_is_quoted():
    assert path_of('aliases."claude-3.5".targets') == ("aliases", "claude-3.5", "targets")
    with pytest.raises(click.UsageError):
        path_of("a = 1\nb")


def test_an_alias_is_added_listed_and_removed(say):
    say("alias", "add", "claude-3.5", "claude-opus-5-5", "work/claude-sonnet-5-5@2")
    listed = say("alias", "list").stdout
    assert "claude-opus-5-5, work/claude-sonnet-5-5@2" in listed
    assert json.loads(say("alias", "list", "--json").stdout)["aliases"]["claude-3.5"]["targets"]
    assert "There are: claude-3.5" in say("alias", "remove", "best", code=1).stderr
    say("alias", "remove", "claude-3.5")
    assert "no alias" in say("alias", "list").stdout


def test_limits_are_added_and_listed(say):
    assert "no limit" in say("limit", "list").stdout
    say("limit", "add", "account=work", "usd=5/week")
    say("limit", "add", "requests=60/minute")
    assert say("limit", "list").stdout.splitlines() == [
        "ACCOUNT  REQUESTS   USD",
        "work     -          5/week",
        "-        60/minute  -",
    ]
    assert len(json.loads(say("limit", "list", "--json").stdout)["limits"]) == 2
    assert say("limit", "add", "usd", code=2).stderr


def test_an_editor_is_opened_and_what_it_wrote_is_checked(tmp_path):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho \'[server]\nport = "x"\' > "$1"\n')
    editor.chmod(0o755)
    env = {"MAXPOOL_CONFIG": str(tmp_path / "new" / "c.toml"), "VISUAL": str(editor)}
    with typing("config", "edit", env=env, cwd=tmp_path) as it:
        assert it.end() == 2
    assert "port" in it.seen


def test_without_a_terminal_there_is_nothing_to_edit_in(say):
    assert "maxpool config set" in say("edit", code=2).stderr
