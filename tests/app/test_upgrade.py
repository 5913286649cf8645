"""An old config file is rewritten once, its old text kept beside it."""

from __future__ import annotations

from maxpool.app.upgrade import upgrade
from tests.config.test_upgrade import OLD, renamed

STEPS = {1: renamed}


def test_the_old_text_stays_beside_the_new_one(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(OLD)
    backup = upgrade(path, STEPS)
    assert backup is not None
    assert backup.parent == tmp_path
    assert backup.read_text() == OLD
    assert backup.stat().st_mode & 0o077 == 0  # it may hold what the config holds
    assert path.read_text() == renamed(OLD)


def test_a_file_of_the_present_format_is_not_touched(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("version = 1\n")
    assert upgrade(path) is None
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


def test_no_file_and_a_file_that_is_no_text_are_left_alone(tmp_path):
    path = tmp_path / "config.toml"
    assert upgrade(path, STEPS) is None
    path.write_bytes(b"\xff\xfe")
    assert upgrade(path, STEPS) is None
    assert path.read_bytes() == b"\xff\xfe"
