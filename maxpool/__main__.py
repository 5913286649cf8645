"""The program's entry: `maxpool` and `python -m maxpool`. It only runs the command line.

A reader that leaves early (`maxpool status | head -1`) is no failure worth a traceback.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line of this process and exit with its code."""
    if sys.argv[1:] == ["statusline"]:  # at every prompt of a client: it waits for no click
        from maxpool.cli.statusline_show import main as show

        sys.exit(show())
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and that must not complain either
        # (docs.python.org/3/library/signal.html#note-on-sigpipe).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments == ["env"]:  # at the start of a shell, which waits for no click either
        from maxpool.cli.env_show import main as show

        with suppress(Exception):  # tried again below, where errors end as words
            return show()
    from maxpool.cli.group import run

    return run(arguments)


if __name__ == "__main__":
    main()
