"""A sign of life on stderr for what takes more than a moment; for a person at a terminal, nobody else.

Nothing shows for what is quick, and nothing is left behind. No answer may be asked for meanwhile.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from maxpool.config.environment import no_color

if TYPE_CHECKING:
    from collections.abc import Iterator

AFTER_S: Final = 0.7
"""What ends earlier needs no sign, and would only flicker."""

FRAME_S: Final = 0.2
FRAMES: Final = "|/-\\"


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say `what` goes on for as long as the block runs, with its seconds."""
    if not sys.stderr.isatty() or no_color():
        yield
        return
    over = threading.Event()
    sign = threading.Thread(target=_turn, args=(what, over), name="progress", daemon=True)
    sign.start()
    try:
        yield
    finally:
        over.set()
        sign.join()


def _turn(what: str, over: threading.Event) -> None:
    """Turn in place until it is over, then clear the line."""
    passed_s, frame, shown = 0.0, 0, False
    wait_s = AFTER_S
    while not over.wait(wait_s):
        passed_s += wait_s
        wait_s, shown = FRAME_S, True
        sys.stderr.write(f"\r{FRAMES[frame % len(FRAMES)]} {what} ({passed_s:.0f} s) ")
        sys.stderr.flush()
        frame += 1
    if shown:
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()
