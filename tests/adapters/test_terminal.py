"""Questions in a real terminal (a pty), asked by a small program of their own."""

from __future__ import annotations

import os
import sys

import pytest

from tests.cli.terminals import Typed, typing_program

ASK = """
import sys
from maxpool.adapters.terminal import ask_hidden
print("got", repr(ask_hidden("Secret: ")))
"""
GIVE_UP = """
import asyncio, sys
from maxpool.adapters.terminal import ask_hidden_async

async def main():
    try:
        async with asyncio.timeout(0.3):
            await ask_hidden_async("Secret: ")
    except TimeoutError:
        print("given up", sys.stdin.readline().strip())

asyncio.run(main())
"""


def asked(tmp_path, typed: str) -> Typed:
    with typing_program(ASK, env={}, cwd=tmp_path) as it:
        it.answer("Secret: ", typed)
        it.end()
        return it


@pytest.mark.parametrize(
    ("typed", "got"),
    [
        ("the-secret\n", "'the-secret'"),
        ("the-sx\x7fecret\r", "'the-secret'"),
        ("wrong\x15the-secret\n", "'the-secret'"),
        ("\x1b[200~the-secret\x1b[201~\n", "'the-secret'"),
        ("\x1b[200~the-\nsecret\n\x1b[201~", "'the-\\nsecret'"),
        ("the-\nsecret\n", "'the-\\nsecret'"),  # a paste that the terminal broke into lines
        ("the-secret\x04", "'the-secret'"),
        ("\x04", "None"),
        ("\n", "''"),
    ],
)
def test_a_secret_is_read_whole_and_never_shown(tmp_path, typed, got):
    it = asked(tmp_path, typed)
    shown, _, printed = it.seen.partition("got ")
    assert printed.strip() == got
    assert "secret" not in shown.replace("Secret: ", "")


def test_a_paste_longer_than_a_terminals_line_arrives_whole(tmp_path):
    assert f"got {'x' * 9000!r}" in asked(tmp_path, "x" * 9000 + "\n").seen


def test_ctrl_c_ends_it_and_the_terminal_shows_again_what_is_typed(tmp_path):
    import termios

    with typing_program(ASK, env={}, cwd=tmp_path) as it:
        it.answer("Secret: ", "half\x03")
        assert it.end() != 0
        assert "half" not in it.seen
        with os.fdopen(os.dup(it.hands)) as terminal:
            assert termios.tcgetattr(terminal)[3] & termios.ECHO


def test_a_question_can_be_taken_back_and_eats_nothing_afterwards(tmp_path):
    with typing_program(GIVE_UP, env={}, cwd=tmp_path) as it:
        it.until("Secret: ")
        it.until("\n")
        it.type("the next line\n")
        it.until("given up the next line")
        assert it.end() == 0


def test_nobody_is_asked_without_a_terminal():
    import subprocess

    code = "from maxpool.adapters.terminal import is_interactive; print(is_interactive())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
