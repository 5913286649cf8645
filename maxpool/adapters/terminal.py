"""Reading a secret from the person's terminal without showing it.

Unlike `getpass`: a paste longer than the terminal's line buffer (1,024 bytes on macOS) arrives
whole, one that the terminal broke into lines is one answer and no rest of it reaches the shell, and
a question can be given up because the answer came another way. Without a terminal there is no
question.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import select
import sys
from contextlib import contextmanager, suppress
from getpass import getpass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTLE_S = 0.1
"""How long after a line break the next line of a paste may take; people who type are slower."""

MAX_BYTES = 64 * 1024
"""More than any secret; what follows is dropped, so that a wrong paste cannot fill the memory."""

_ERASE, _CLEAR, _END = (b"\x7f", b"\x08"), b"\x15", b"\x04"
_SEQUENCES = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.?")
"""Arrow keys, and the brackets that terminals put around a paste."""


def is_interactive() -> bool:
    """Whether a person can be asked: somebody types here and reads what is asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def can_be_taken_back() -> bool:
    """Whether a question can end without an answer (not on Windows, whose consoles know no select)."""
    return importlib.util.find_spec("termios") is not None


def ask_hidden(prompt: str) -> str | None:
    """The answer, None at the end of input (Ctrl-D). Blocks; Ctrl-C raises KeyboardInterrupt."""
    with _Question(prompt) as question:
        return question.read()


async def ask_hidden_async(prompt: str) -> str | None:
    """The same without blocking the loop; being cancelled takes the question back.

    A pipe is read just so, with an empty prompt.
    """
    with _Question(prompt) as question:
        waiting = asyncio.ensure_future(asyncio.to_thread(question.read))
        try:
            return await asyncio.shield(waiting)
        finally:
            question.give_up()
            await asyncio.wait([waiting])


class _Question:
    """One hidden question, from the prompt to the terminal's own settings being back."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._line = _Line()

    def __enter__(self) -> _Question:
        self._wake, self._alarm = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._wake)
        os.close(self._alarm)

    def give_up(self) -> None:
        """Have `read` return at once."""
        with suppress(OSError):
            os.write(self._alarm, b"x")

    def read(self) -> str | None:
        if not can_be_taken_back():
            return getpass(self._prompt) if sys.stdin.isatty() else sys.stdin.readline()
        terminal = sys.stdin.fileno()
        with _unechoed(terminal):
            _write(self._prompt)  # what is typed from here on shows nowhere and is not dropped
            ended = self._collect(terminal)
        _write("\n" if self._prompt else "")
        return self._line.text if ended else None

    def _collect(self, terminal: int) -> bool:
        """Whether a line came to its end."""
        while True:
            timeout_s = SETTLE_S if self._line.ended else None
            ready, _, _ = select.select([terminal, self._wake], [], [], timeout_s)
            if not ready:
                return True
            if self._wake in ready:
                return False
            data = os.read(terminal, 4096)
            if not data or (data == _END and not self._line.text):
                return bool(self._line.text)
            self._line.feed(data)


class _Line:
    """What was typed so far; a line break ends it unless more follows at once."""

    def __init__(self) -> None:
        self._data = b""
        self.ended = False

    @property
    def text(self) -> str:
        plain = _SEQUENCES.sub(b"", self._data)
        return re.sub(rb"[\x00-\x08\x0b-\x1f]", b"", plain).decode("utf-8", "replace").strip()

    def feed(self, data: bytes) -> None:
        plain = _SEQUENCES.sub(b"", data)
        if plain:  # the closing bracket of a paste alone continues nothing
            self.ended = plain.endswith((b"\n", b"\r", _END))
        for start in range(len(data)):
            key = data[start : start + 1]
            if key in _ERASE:
                self._data = self._data[:-1]
            elif key == _CLEAR:
                self._data = b""
            elif len(self._data) < MAX_BYTES:
                self._data += key


@contextmanager
def _unechoed(terminal: int) -> Iterator[None]:
    """The terminal showing nothing and handing over each key; signals stay as they are."""
    import termios

    if not os.isatty(terminal):  # a pipe: nothing shows
        yield
        return
    before = termios.tcgetattr(terminal)
    hidden = termios.tcgetattr(terminal)
    hidden[3] &= ~(termios.ECHO | termios.ICANON)
    hidden[6][termios.VMIN], hidden[6][termios.VTIME] = 1, 0
    # What was typed before the question is no answer to it.
    termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
