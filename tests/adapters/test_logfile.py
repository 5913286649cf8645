"""The log file: small, complete, its owner's, and shared by two processes for a while."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be renamed here")

ROOT = Path(__file__).parents[2]
BEGIN = """
import logging, os, sys
from pathlib import Path
from maxpool.adapters.logfile import LogFile
from maxpool.errors import StateError
path = Path(sys.argv[1])
def begin(max_bytes=200, kept=2):
    handler = LogFile(path, max_bytes=max_bytes, kept=kept)
    logging.basicConfig(handlers=[handler], level="INFO", format="%(message)s")
    return handler
"""


def run(folder: Path, code: str) -> Path:
    """What that code leaves in a process of its own: its output is what the file takes over."""
    path = folder / "serve.log"
    subprocess.run(
        [sys.executable, "-c", BEGIN + code, str(path)], cwd=ROOT, check=True, capture_output=True
    )
    return path


def test_all_that_the_process_writes_goes_there_for_its_owner_alone(tmp_path):
    path = run(
        tmp_path,
        "begin(); logging.info('a line'); print('said', flush=True); os.write(2, b'raw\\n')",
    )
    assert path.read_text().split() == ["a", "line", "said", "raw"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_long_one_begins_anew_and_so_many_old_ones_stay(tmp_path):
    path = run(
        tmp_path, "begin()\nfor n in range(20): logging.info('%04d %s', n, 'x' * 60)\nprint('last')"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["serve.log", "serve.log.1", "serve.log.2"]
    assert all(p.stat().st_size <= 250 for p in tmp_path.iterdir())
    assert path.read_text().endswith("last\n")


def test_whoever_still_writes_to_an_old_one_does_not_rename_the_new_one(tmp_path):
    path = run(
        tmp_path,
        "one = begin(); logging.info('x' * 150)\n"
        "path.rename(path.with_name('serve.log.1')); path.write_text('of another process\\n')\n"
        "logging.info('y' * 100); print('z')",
    )
    assert path.read_text() == f"of another process\n{'y' * 100}\nz\n"
    assert not path.with_name("serve.log.2").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    run(
        tmp_path,
        "path = path / 'none'\n"
        "try: begin()\nexcept StateError as error: assert 'cannot write the log' in error.message\n"
        "else: raise SystemExit(1)",
    )
