from __future__ import annotations

import os
import pty
import subprocess
import sys

import click
import pytest

from maxpool.cli.passphrase import passphrase
from maxpool.errors import SecretError


def test_a_file_of_its_owners_alone_gives_it(tmp_path):
    path = tmp_path / "phrase"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    assert passphrase("Pass phrase", path, "--file") == "correct horse"
    path.chmod(0o644)
    with pytest.raises(SecretError, match="can be read by others"):
        passphrase("Pass phrase", path, "--file")


def test_without_a_terminal_the_option_is_named():
    with pytest.raises(click.UsageError, match="give --file FILE"):
        passphrase("Pass phrase", None, "--file")


def typed(*lines: str) -> tuple[str, str]:
    """What a person at a terminal gets who types these lines, and what the terminal showed."""
    code = (
        "from maxpool.cli.passphrase import passphrase\n"
        "print('got', passphrase('Pass phrase', None, '--file', twice=True)[::-1])"
    )
    terminal, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, waiting = "", list(lines)
    while True:
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError:  # the program ended
            break
        if waiting and shown.endswith(": "):
            os.write(terminal, waiting.pop(0).encode() + b"\n")
            shown += " "
    os.close(terminal)
    child.wait(10)
    return shown.rpartition("got ")[2].strip()[::-1], shown


def test_it_is_asked_for_twice_and_never_shown():
    got, shown = typed("correct horse", "correct horse")
    assert got == "correct horse"
    assert "correct" not in shown


def test_a_slip_of_the_hand_is_noticed():
    got, shown = typed("correct horse", "correct house", "correct horse", "correct horse")
    assert got == "correct horse"
    assert "do not match" in shown
