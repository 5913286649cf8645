"""The log of a server without a terminal: a file that begins anew when it is long, some old ones kept.

All that the process writes goes there, not only its log lines: tracebacks of the interpreter and what
libraries print have no other place. Redaction is `service/logs`'.
"""

from __future__ import annotations

import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from maxpool.errors import StateError

if TYPE_CHECKING:
    from io import TextIOWrapper

OUTPUTS = (1, 2)


class LogFile(RotatingFileHandler):
    """Log lines, and this process's standard output and error, in one rotated file.

    Two processes may share it while one hands over to the other: only that one renames it which has
    the file open that still bears the name. Raises StateError when it cannot be opened.
    """

    def __init__(self, path: Path, *, max_bytes: int, kept: int) -> None:
        try:
            super().__init__(path, maxBytes=max_bytes, backupCount=kept, encoding="utf-8")
        except OSError as exc:
            raise StateError(f"cannot write the log {path}: {exc.strerror}") from exc

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Begin a new file, or go on in the one that another process has begun."""
        mine = self.stream
        if mine is None or self._is_current(mine):
            super().doRollover()
        else:
            mine.close()
            self.stream = self._open()

    def _open(self) -> TextIOWrapper:
        # A line at a time, for its owner alone: what it holds is redacted, and still nobody else's.
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        stream = os.fdopen(descriptor, "a", encoding=self.encoding, errors="backslashreplace")
        for output in OUTPUTS:
            os.dup2(descriptor, output)
        return stream

    def _is_current(self, stream: TextIOWrapper) -> bool:
        with suppress(OSError):
            return os.path.samestat(os.fstat(stream.fileno()), Path(self.baseFilename).stat())
        return True
