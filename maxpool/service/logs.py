"""Logging set-up: standard library handlers, text or JSON lines, one redacting filter at the root.

No code of maxpool logs a prompt, an answer or a credential; the filter is the second lock, for what
libraries may say.
"""

from __future__ import annotations

import json
import logging
import re

SECRETS = re.compile(
    r"(sk-[A-Za-z]{2,5}-)[A-Za-z0-9_\-]{4,}"
    r"|((?:authorization|x-api-key|x-maxpool-key|cookie)['\"]?\s*[:=,]\s*(?:b?['\"])?(?:bearer\s+)?)"
    r"[^\s'\",;)]+"
    r"|(bearer\s+)[A-Za-z0-9._~+/=\-]{8,}",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """The text without anything that looks like a credential."""
    return SECRETS.sub(lambda m: (m[1] or m[2] or m[3] or "") + "[redacted]", text)


class Redact(logging.Filter):
    """Takes credentials out of every record, arguments and tracebacks included."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; never drops one."""
        record.msg = redacted(record.getMessage())
        record.args = None
        if record.exc_info and record.exc_text is None:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
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
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line)


def set_up_logging(level: str, form: str) -> None:
    """Send the root logger's records to stderr, redacted; `form` is `text` or `json`."""
    handler = logging.StreamHandler()
    handler.addFilter(Redact())
    if form == "json":
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for noisy in ("apscheduler", "watchfiles"):  # they tell of every ring and every change
        logging.getLogger(noisy).setLevel(logging.WARNING)
