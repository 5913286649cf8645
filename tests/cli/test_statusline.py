"""`maxpool statusline install` and `uninstall`, as a person runs them."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from maxpool.cli.group import maxpool
from maxpool.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

OTHER = '{"statusLine": {"type": "command", "command": "theirs"}}'


def say(*arguments: str, answer: str = "", **env: str) -> Result:
    return CliRunner(env=env).invoke(maxpool, ["statusline", *arguments], input=answer)


def command(folder: Path) -> str:
    found: str = json.loads((folder / "settings.json").read_text())["statusLine"]["command"]
    return found


def test_what_is_installed_runs_from_any_folder(tmp_path: Path):
    result = say("install", "--config-dir", str(tmp_path))
    assert result.exit_code == 0, result.output
    (tmp_path / "json.py").write_text("raise SystemExit(9)")  # a project's own module
    done = subprocess.run(
        shlex.split(command(tmp_path)),
        input=b'{"model": {"id": "m"}}',
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"m\n", b"")


def test_it_goes_where_the_client_looks(tmp_path: Path):
    assert say("install", CLAUDE_CONFIG_DIR=str(tmp_path / "home")).exit_code == 0
    assert command(tmp_path / "home").endswith(" statusline")


@pytest.mark.parametrize(
    ("answer", "flags", "code", "ours"),
    [("n\n", [], 1, False), ("", [], 1, False), ("y\n", [], 0, True), ("", ["--yes"], 0, True)],
)
def test_another_line_is_replaced_only_on_a_yes(
    answer: str, flags: list[str], code: int, ours: bool, tmp_path: Path
):
    (tmp_path / "settings.json").write_text(OTHER)
    result = say("install", "--config-dir", str(tmp_path), *flags, answer=answer)
    assert (result.exit_code, command(tmp_path) != "theirs") == (code, ours)


def test_uninstalling_says_what_came_back(tmp_path: Path):
    (tmp_path / "settings.json").write_text(OTHER)
    say("install", "--config-dir", str(tmp_path), "--yes")
    assert "theirs" in say("uninstall", "--config-dir", str(tmp_path)).output
    assert command(tmp_path) == "theirs"
    assert (
        "There is no status line of maxpool"
        in say("uninstall", "--config-dir", str(tmp_path)).output
    )


def test_broken_settings_are_an_error_with_their_place(tmp_path: Path):
    (tmp_path / "settings.json").write_text('{\n "a": 1,\n}')
    result = say("install", "--config-dir", str(tmp_path))
    assert result.exit_code == 1
    assert "line 3" in result.output or isinstance(result.exception, StateError)


def test_without_a_verb_it_prints_the_line():
    result = say(answer='{"model": {"id": "m"}}', NO_COLOR="1", MAXPOOL_CONFIG="/nowhere")
    assert result.exit_code == 0
