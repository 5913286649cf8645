from __future__ import annotations

import sys

import pytest

from maxpool.adapters.processnumbers import process_numbers


def test_time_on_the_cpu_is_told_everywhere_and_grows():
    before = process_numbers()["process_cpu_seconds_total"]
    sum(range(2_000_000))
    assert process_numbers()["process_cpu_seconds_total"] > before


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells these")
def test_memory_and_open_files_are_those_of_this_process(tmp_path):
    before = process_numbers()
    assert 1 << 20 < before["process_resident_memory_bytes"] < 1 << 40
    with (tmp_path / "x").open("w"):
        assert process_numbers()["process_open_fds"] == before["process_open_fds"] + 1
    assert before["process_max_fds"] > before["process_open_fds"]
