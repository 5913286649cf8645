"""Going on with a conversation means going back to where it is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maxpool.cli.claude_sessions import DEFAULT_MODEL, GoesOn, goes_on, keeps, latest_at, model

ID = "0b3c1e52-7a11-4c6e-9a5b-111111111111"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], None),
        (["-p", "go on"], None),
        (["-c"], GoesOn()),
        (["--continue", "-p", "x"], GoesOn()),
        (["--resume"], GoesOn()),
        (["-r", ID], GoesOn(ID)),
        ([f"--resume={ID}"], GoesOn(ID)),
        (["--resume", "--model", "opus"], GoesOn()),
        (["--resume", "../../etc/passwd"], GoesOn()),
        (["-p", "x", "--", "--resume", ID], None),
    ],
)
def test_the_command_line_tells_which_conversation_goes_on(
    arguments: list[str], found: GoesOn | None
):
    assert goes_on(arguments) == found


@pytest.mark.parametrize(
    ("arguments", "usual", "found"),
    [
        ([], None, DEFAULT_MODEL),
        ([], "haiku", "haiku"),
        (["--model", "opus", "-p", "x"], "haiku", "opus"),
        (["--model=opus"], None, "opus"),
    ],
)
def test_the_command_line_tells_the_model(arguments: list[str], usual: str | None, found: str):
    assert model(arguments, usual) == found


def kept(folder: Path, project: str, session: str, at: float) -> None:
    path = folder / "projects" / project / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (at, at))


def test_a_conversation_is_found_in_whichever_project_it_was(tmp_path: Path):
    kept(tmp_path, "-work-app", ID, 1)
    assert keeps(tmp_path, ID)
    assert not keeps(tmp_path, ID.replace("1", "2"))
    assert not keeps(tmp_path / "missing", ID)


def test_the_latest_conversation_is_the_working_folders(tmp_path: Path):
    kept(tmp_path, "-home-me-my-app-2", "a", 10)
    kept(tmp_path, "-home-me-my-app-2", "b", 20)
    kept(tmp_path, "-elsewhere", "c", 30)
    assert latest_at(tmp_path, Path("/home/me/my_app.2")) == 20
    assert latest_at(tmp_path, Path("/home/me/other")) is None


def test_the_name_of_a_long_folder_is_shortened_by_the_client(tmp_path: Path):
    working = Path("/" + "a" * 300)
    kept(tmp_path, "-" + "a" * 199 + "-x1y2", "s", 10)
    assert latest_at(tmp_path, working) == 10
