"""A command in a terminal of its own (a pty), with a person's hands on it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
OWN_TERMINAL = (  # so that Ctrl-C is a signal, as in a person's own
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(slots=True)
class Typed:
    """A running command; `seen` is what its terminal showed so far."""

    process: subprocess.Popen[bytes]
    hands: int
    seen: str = ""
    read_to: int = 0

    def until(self, text: str) -> str:
        """Wait until the terminal shows `text`; returns everything up to there, new since last time."""
        until_at = time.monotonic() + PATIENCE_S
        while (at := self.seen.find(text, self.read_to)) < 0:
            assert self._more(until_at), self.seen
        start, self.read_to = self.read_to, at + len(text)
        return self.seen[start : self.read_to]

    def type(self, text: str) -> None:
        """Type or paste."""
        os.write(self.hands, text.encode())

    def answer(self, prompt: str, text: str) -> None:
        """Wait for a prompt, then type the answer to it."""
        self.until(prompt)
        self._settled()
        self.type(text)

    def end(self) -> int:
        """Wait for the command's end; returns its exit code."""
        until_at = time.monotonic() + PATIENCE_S
        while self._more(until_at):
            pass
        return self.process.wait(PATIENCE_S)

    def _settled(self) -> None:
        """Until the terminal shows nothing that is typed: the command has begun to read."""
        import termios

        until_at = time.monotonic() + PATIENCE_S
        while termios.tcgetattr(self.hands)[3] & termios.ECHO:
            assert time.monotonic() < until_at, self.seen
            os.sched_yield()

    def _more(self, until_at: float) -> bool:
        left_s = until_at - time.monotonic()
        ready = left_s > 0 and select.select([self.hands], [], [], left_s)[0]
        assert ready, f"it came to no end:\n{self.seen}"
        try:
            data = os.read(self.hands, 4096)
        except OSError:  # Linux: the last one who had the terminal has left
            return False
        self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


def typing(*arguments: str, env: Mapping[str, str], cwd: Path) -> AbstractContextManager[Typed]:
    """Run `maxpool ARGUMENTS` in a terminal."""
    return _running(["-m", "maxpool", *arguments], env, cwd)


def typing_program(
    code: str, *, env: Mapping[str, str], cwd: Path
) -> AbstractContextManager[Typed]:
    """Run Python code in a terminal."""
    return _running(["-c", code], env, cwd)


@contextmanager
def _running(arguments: list[str], env: Mapping[str, str], cwd: Path) -> Iterator[Typed]:
    ours, theirs = pty.openpty()
    around = {**os.environ, "PYTHONPATH": str(ROOT), "BROWSER": "none", "TERM": "dumb", **env}
    process = subprocess.Popen(
        [sys.executable, "-c", OWN_TERMINAL, sys.executable, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=around,
        cwd=cwd,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Typed(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
