import subprocess
import sys

import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "maxpool", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_the_program_runs_as_a_module():
    assert run("--help").stdout.startswith("Usage: maxpool")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--version",), 0), (("nothing",), 2), (("status", "--url", "http://127.0.0.1:1"), 3)],
)
def test_the_exit_code_is_the_processes(arguments, code):
    assert run(*arguments).returncode == code


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_reader_that_leaves_early_is_met_without_a_traceback():
    code = "import os, sys; os.close(1); r, w = os.pipe(); os.close(r); os.dup2(w, 1); sys.argv = ['maxpool', 'env']; from maxpool.__main__ import main; main()"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert (answer.returncode, answer.stderr) == (1, "")
