"""Asking for a key or pass phrase: hidden, at the terminal, or from a file. Never from arguments."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path


def passphrase(what: str, file: Path | None, option: str, *, twice: bool = False) -> str:
    """The text that `file` holds, else what somebody types; `twice` guards against a slip of the hand.

    `option` is the one that names the file, for callers without a terminal.
    """
    if file is not None:
        from maxpool.app.vault import read_phrase

        return read_phrase(file)
    if not sys.stdin.isatty():
        raise click.UsageError(f"There is no terminal to ask in: give {option} FILE.")
    text: str = click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
    return text
