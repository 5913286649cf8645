"""The program's entry: `maxpool` and `python -m maxpool`. It only runs the command line.

A reader that leaves early (`maxpool status | head -1`) is no failure worth a traceback.
"""

from __future__ import annotations

import os
import sys

from maxpool.cli.group import run


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and that must not complain either
        # (docs.python.org/3/library/signal.html#note-on-sigpipe).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
