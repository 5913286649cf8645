from __future__ import annotations

import os
import stat

import pytest

from maxpool.adapters.privatefile import locked, looseness, write_private


def test_a_file_is_its_owners_alone_and_nothing_is_left_beside_it(tmp_path):  # X4
    path = tmp_path / "secret"
    old = os.umask(0)
    try:
        write_private(path, b"one")
        path.chmod(0o644)
        write_private(path, b"two")
    finally:
        os.umask(old)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_no_obstacle(tmp_path):  # O2
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    (tmp_path / "secret.new").write_bytes(b"ha")
    write_private(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_write_that_fails_leaves_the_old_content(tmp_path):  # O4
    path = tmp_path / "secret"
    (path / "inside").mkdir(parents=True)  # a folder is in the way of the rename
    with pytest.raises(OSError, match="irectory"):
        write_private(path, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


def test_only_one_has_the_lock(tmp_path):
    path = tmp_path / "lock"
    with locked(path, 1.0), pytest.raises(TimeoutError), locked(path, 0.05):
        pass
    with locked(path, 1.0):
        assert looseness(path) is None


@pytest.mark.parametrize(("mode", "loose"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_reach_is_told_with_the_remedy(tmp_path, mode, loose):  # X4
    path = tmp_path / "a key"
    path.write_bytes(b"")
    path.chmod(mode)
    found = looseness(path)
    assert (found is not None) is loose
    if found is not None:
        assert found == (
            f"{path} can be reached by others (mode {mode:04o})",
            f"Run: chmod 600 '{path}'",
        )


def test_a_folder_is_mended_by_700_and_what_is_not_there_is_not_loose(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    folder.chmod(0o755)
    found = looseness(folder)
    assert found is not None
    assert found[1] == f"Run: chmod 700 {folder}"
    assert looseness(tmp_path / "none") is None
