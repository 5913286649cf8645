"""Small files between the server and the status lines."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from maxpool.adapters.homefiles import MAX_BYTES, StateHomeFiles
from maxpool.config.homes import glance_path, usage_path

if TYPE_CHECKING:
    from pathlib import Path


def tell(folder: Path, account_id: str, text: str) -> Path:
    path = usage_path(folder, account_id)
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
    return path


def test_each_report_is_read_once(tmp_path: Path):
    files = StateHomeFiles(tmp_path)
    tell(tmp_path, "h", "1")
    assert (files.usage(), files.usage()) == ({"h": b"1"}, {})
    tell(tmp_path, "h", "2")
    tell(tmp_path, "g", "3")
    assert files.usage() == {"h": b"2", "g": b"3"}


def test_a_report_of_the_same_moment_is_still_another_one(tmp_path: Path):
    files = StateHomeFiles(tmp_path)
    os.utime(tell(tmp_path, "h", "1"), (1, 1))
    files.usage()
    kept = tmp_path / "homes" / "kept"  # so that the next file gets another inode
    os.link(usage_path(tmp_path, "h"), kept)
    os.utime(tell(tmp_path, "h", "2"), (1, 1))
    assert files.usage() == {"h": b"2"}


def test_without_homes_there_is_nothing_to_read(tmp_path: Path):
    assert StateHomeFiles(tmp_path / "missing").usage() == {}


def test_a_huge_file_costs_little(tmp_path: Path):
    tell(tmp_path, "h", "x" * (MAX_BYTES + 9))
    assert len(StateHomeFiles(tmp_path).usage()["h"]) == MAX_BYTES


def test_the_glance_is_private_and_goes_with_the_server(tmp_path: Path):
    files = StateHomeFiles(tmp_path)
    files.show({"ready": 1})
    path = glance_path(tmp_path)
    assert json.loads(path.read_text()) == {"ready": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    files.hide()
    files.hide()
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path):
    StateHomeFiles(tmp_path / "missing").show({"ready": 1})
