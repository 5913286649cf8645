from __future__ import annotations

import pytest

from maxpool.adapters.alertfile import FILE_NAME, AlertFile
from maxpool.errors import StateError


def test_what_is_saved_comes_back_and_nobody_else_can_read_it(tmp_path):
    AlertFile(tmp_path).save({"version": 1, "active": []})
    assert AlertFile(tmp_path).load() == {"version": 1, "active": []}
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, b"", b"[1]", b"{", b"\xff\xfe"])
def test_what_is_missing_or_broken_is_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    assert AlertFile(tmp_path).load() is None


def test_a_folder_that_is_gone_is_said(tmp_path):
    with pytest.raises(StateError, match="cannot write"):
        AlertFile(tmp_path / "gone").save({})
