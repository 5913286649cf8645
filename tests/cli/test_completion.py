"""Completion as a shell uses it: what the program prints is read by the shell, and asks the program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from maxpool.cli.completion import SHELLS
from maxpool.cli.group import maxpool

SCRIPT = """
maxpool() { "$PYTHON" -m maxpool "$@"; }
export -f maxpool
eval "$(maxpool completion bash)"
COMP_WORDS=(maxpool %s); COMP_CWORD=%d
_maxpool_completion maxpool
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("acc",), {"accounts"}),
        (("accounts", "dis"), {"disable"}),
        (("status", "--w"), {"--watch"}),
        (("completion", ""), set(SHELLS)),
    ],
)
def test_bash_completes_verbs_options_and_values(typed, offered, tmp_path):
    words = " ".join(word or '""' for word in typed)
    program = tmp_path / "maxpool"  # click's script calls it through `env`
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m maxpool "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", SCRIPT % (words, len(typed))],
        env={**os.environ, "PYTHON": sys.executable, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (set(done.stdout.split()), done.stderr) == (offered, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_that_asks_the_program(shell):
    found = CliRunner().invoke(maxpool, ["completion", shell])
    assert found.exit_code == 0
    assert f"_MAXPOOL_COMPLETE={shell}_complete" in found.stdout
