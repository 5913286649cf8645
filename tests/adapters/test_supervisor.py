from __future__ import annotations

import sys

import pytest

from maxpool.adapters import supervisor
from maxpool.errors import MaxpoolError


def test_what_fails_is_told_with_its_own_last_words():
    code = "import sys; sys.exit('first\\nUnit is masked.')"
    with pytest.raises(MaxpoolError, match=r"failed \(1\): Unit is masked\."):
        supervisor.carry_out([sys.executable, "-c", code])


def test_a_program_that_is_not_there_is_said():
    with pytest.raises(MaxpoolError, match="cannot run maxpool-none: No such file"):
        supervisor.call(["maxpool-none"])


def test_a_file_is_written_into_a_folder_that_is_made_and_removed_once(tmp_path):
    path = tmp_path / "a" / "b.service"
    supervisor.write(path, "text")
    assert path.read_text() == "text"
    assert supervisor.remove(path)
    assert not supervisor.remove(path)


def test_a_place_where_nothing_can_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MaxpoolError, match="cannot write"):
        supervisor.write(tmp_path / "file" / "unit", "text")
