"""Our status line in the client's settings: in, out, and nothing else touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from maxpool.adapters.clientsettings import BACKUP_NAME, install, uninstall
from maxpool.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

OURS = "/opt/maxpool/bin/maxpool statusline"
THEIRS = '{\n  "statusLine": {"type": "command", "command": "~/line.sh"},\n  "model": "opus"\n}\n'


def settings(folder: Path, text: str) -> Path:
    path = folder / "settings.json"
    path.write_text(text)
    return path


def command(path: Path) -> str | None:
    held = json.loads(path.read_text()).get("statusLine")
    return held["command"] if held else None


def test_without_settings_a_private_file_is_made(tmp_path: Path):
    done = install(tmp_path / "new", OURS, replace=False)
    assert (done.done, command(done.path)) == ("installed", OURS)
    assert done.path.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "new" / BACKUP_NAME).exists()


def test_every_other_key_stays_to_the_character_and_a_copy_is_kept(tmp_path: Path):
    text = '{\n    "model":"opus", "x" : [1,2]\n}\n'
    path = settings(tmp_path, text)
    install(tmp_path, OURS, replace=False)
    assert path.read_text().startswith('{\n    "model":"opus", "x" : [1,2],\n    "statusLine": {')
    assert (tmp_path / BACKUP_NAME).read_text() == text


def test_installing_again_changes_nothing(tmp_path: Path):
    install(tmp_path, OURS, replace=False)
    before = (tmp_path / "settings.json").stat().st_mtime_ns
    assert install(tmp_path, OURS, replace=False).done == "already"
    assert (tmp_path / "settings.json").stat().st_mtime_ns == before


def test_somebody_elses_line_is_kept_unless_its_owner_says_so(tmp_path: Path):
    path = settings(tmp_path, THEIRS)
    kept = install(tmp_path, OURS, replace=False)
    assert (kept.done, kept.other, path.read_text()) == ("kept", "~/line.sh", THEIRS)
    assert install(tmp_path, OURS, replace=True).done == "installed"
    assert command(path) == OURS


def test_uninstalling_brings_back_what_stood_there(tmp_path: Path):
    path = settings(tmp_path, THEIRS)
    install(tmp_path, OURS, replace=True)
    install(tmp_path, "/elsewhere/maxpool statusline", replace=False)
    done = uninstall(tmp_path)
    assert (done.done, command(path)) == ("restored", "~/line.sh")
    assert json.loads(path.read_text())["model"] == "opus"


def test_uninstalling_leaves_what_others_changed_meanwhile(tmp_path: Path):
    settings(tmp_path, '{"model": "opus"}')
    install(tmp_path, OURS, replace=False)
    path = settings(tmp_path, (tmp_path / "settings.json").read_text().replace("opus", "haiku"))
    assert uninstall(tmp_path).done == "removed"
    assert path.read_text() == '{"model": "haiku"}'
    assert uninstall(tmp_path).done == "absent"


def test_a_line_that_is_not_ours_is_never_removed(tmp_path: Path):
    path = settings(tmp_path, THEIRS)
    assert uninstall(tmp_path).other == "~/line.sh"
    assert path.read_text() == THEIRS


@pytest.mark.parametrize("text", ['{"a": 1,}', "[]", '{\n "a": 1 // mine\n}', "[" * 9999, "\xff"])
def test_broken_settings_are_refused_with_their_place(text: str, tmp_path: Path):
    path = tmp_path / "settings.json"
    path.write_bytes(text.encode("latin-1"))
    for change in (lambda: install(tmp_path, OURS, replace=True), lambda: uninstall(tmp_path)):
        with pytest.raises(StateError, match=r"settings\.json is no"):
            change()
    assert path.read_bytes() == text.encode("latin-1")


def test_a_linked_file_stays_a_link_with_its_mode(tmp_path: Path):
    (tmp_path / "dotfiles").mkdir()
    real = settings(tmp_path / "dotfiles", "{}")
    real.chmod(0o644)
    (tmp_path / "settings.json").symlink_to(real)
    install(tmp_path, OURS, replace=False)
    assert (tmp_path / "settings.json").is_symlink()
    assert (command(real), real.stat().st_mode & 0o777) == (OURS, 0o644)
