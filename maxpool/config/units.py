"""Durations and sizes as people write them, and back: "15min" <-> 900.0, "32MB" <-> 33554432.

Plain functions over text and numbers; knows nothing of files or of the settings that use them.
"""

from __future__ import annotations

import math
import re

_DURATION_UNITS = (("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001))
_DURATION_WORDS = {**dict(_DURATION_UNITS), "m": 60.0, "sec": 1.0}
_DURATION_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")

# Powers of 1024: a body limit named "32 MB" upstream means 32 * 1024 * 1024 bytes.
_SIZE_UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1))
_SIZE_WORDS = {name.lower(): factor for name, factor in _SIZE_UNITS} | {
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_duration(value: object) -> float:
    """Seconds from "30s", "15min", "1h30min", "7d" or a number of seconds; ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be a duration such as "30s", "15min" or "2h"')  # noqa: TRY004
    seconds = _duration_text(value) if isinstance(value, str) else float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError("must be a duration of zero or more")
    return seconds


def _duration_text(text: str) -> float:
    seconds, at = 0.0, 0
    while at < len(text):
        part = _DURATION_PART.match(text, at)
        if part is None or part[2] not in _DURATION_WORDS:
            break
        seconds += float(part[1]) * _DURATION_WORDS[part[2]]
        at = part.end()
    if not text or at < len(text):
        raise ValueError('must be a duration such as "30s", "15min" or "2h"')
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest exact text that `parse_duration` reads back: 900.0 -> "15min"."""
    for name, length in _DURATION_UNITS[:3]:
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{name}"
    if seconds != int(seconds) and seconds < 1:
        return f"{seconds * 1000:.6g}ms"
    return f"{seconds:.10g}s"


def parse_size(value: object) -> int:
    """Bytes from "64KB", "32MB" or a number of bytes; ValueError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2].lower() not in _SIZE_WORDS:
        raise ValueError('must be a size such as "64KB" or "32MB"')
    return int(float(match[1]) * _SIZE_WORDS[match[2].lower()])


def format_size(count: int) -> str:
    """The shortest exact text that `parse_size` reads back: 33554432 -> "32MB"."""
    for name, factor in _SIZE_UNITS:
        if count >= factor and count % factor == 0:
            return f"{count // factor}{name}"
    return "0B"
