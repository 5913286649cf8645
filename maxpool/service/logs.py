"""Logging set-up: standard library handlers, text or JSON lines, one redacting filter at the root.

No code of maxpool logs a prompt, an answer or a credential; the filter is the second lock, for what
libraries may say. What a foreign exception says of itself is not logged at all: it may quote a body.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING

from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS = re.compile(
    r"(sk-[A-Za-z]{2,5}-|mpk-)[A-Za-z0-9_\-]{4,}"
    r"|((?:authorization|x-api-key|x-maxpool-key|x-maxpool-admin-key|cookie)['\"]?\s*[:=,]\s*(?:b?['\"])?(?:(?:bearer|basic)\s+)?)"
    r"[^\s'\",;)]+"
    r"|(bearer\s+)[A-Za-z0-9._~+/=\-]{8,}"
    r"|(://)[^/\s@'\"]+(?=@)",  # a proxy's name and password
    re.IGNORECASE,
)
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request in which something is logged, "" outside of any; what a request starts has it, too."""

MAX_CHAIN = 8
"""Exceptions of one chain that are told, the last first."""


def redacted(text: str) -> str:
    """The text without anything that looks like a credential."""
    return SECRETS.sub(lambda m: (m[1] or m[2] or m[3] or m[4] or "") + "[redacted]", text)


def whereabouts(error: BaseException) -> str:
    """A traceback without what the exceptions say, unless they are ours, which hold no secrets."""
    return redacted("\n".join(line for one in _chain(error) for line in _lines(one)))


class Redact(logging.Filter):
    """Takes credentials out of every record, arguments included, and foreign texts out of tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drops one."""
        text = record.getMessage()
        if record.name == "asyncio" and record.levelno >= logging.ERROR:
            # Beyond that it shows what things hold.
            text = text.partition("\n")[0].partition("(")[0]
        record.msg, record.args = redacted(text), None
        record.request_id = REQUEST_ID.get()
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = whereabouts(record.exc_info[1])
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON: time (epoch seconds), level, logger, message, error."""
        line: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = getattr(record, "request_id", "")
        if request_id:
            line["request_id"] = request_id
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line)


class TextLines(logging.Formatter):
    """A line for people; one that belongs to a request names it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line, without what an exception adds below it."""
        line = super().formatMessage(record)
        request_id = getattr(record, "request_id", "")
        return f"{line} [{request_id}]" if request_id and request_id not in line else line


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(MAX_CHAIN):
        if error is None:
            return
        yield error
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)


def _lines(error: BaseException) -> Iterator[str]:
    text = f": {error.message}" if isinstance(error, MaxpoolError) else ""
    yield f"{type(error).__name__}{text}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        yield f"  in {frame.name}, {frame.filename}:{frame.lineno}"


def set_up_logging(level: str, form: str, handler: logging.Handler | None = None) -> None:
    """Send the root logger's records to `handler`, else to stderr, redacted; `form` is `text` or `json`."""
    handler = handler or logging.StreamHandler()
    handler.addFilter(Redact())
    if form == "json":
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(TextLines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for noisy in ("apscheduler", "watchfiles"):  # they tell of every ring and every change
        logging.getLogger(noisy).setLevel(logging.WARNING)
