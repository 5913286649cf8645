"""Numbers and times as header values write them: counts, delays, durations, dates, epochs.

Total functions: what cannot be read is None, never 0 (claim S17). They know no header by name.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Final

RETRY_AFTER_MIN_S: Final = 1.0
RETRY_AFTER_MAX_S: Final = 86_400.0
MAX_VALUE_CHARS: Final = 256  # longer values are no numbers and no dates

_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_HTTP_DATE: Final = re.compile(
    r"(\d{1,2})[ -](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -](\d{4}|\d\d)"
    r" (\d\d):(\d\d):(\d\d)"
)
_MONTHS: Final = "janfebmaraprmayjunjulaugsepoctnovdec"


def numbers(value: str) -> list[float]:
    """The readable numbers of a comma list, parameters after `;` cut off."""
    if not value or len(value) > MAX_VALUE_CHARS:
        return []
    if "," not in value and ";" not in value:
        only = number(value)
        return [] if only is None else [only]
    found = (number(part.partition(";")[0]) for part in value.split(","))
    return [n for n in found if n is not None]


def first_number(value: str) -> float | None:
    """The first value of a comma list, None when that one cannot be read."""
    if not value or len(value) > MAX_VALUE_CHARS:
        return None
    return number(value.partition(",")[0].partition(";")[0])


def number(text: str) -> float | None:
    """A finite number >= 0, else None; Python's own extras (`1_0`, other digits) are not numbers."""
    try:
        found = float(text)
    except ValueError:
        return None
    plain = isfinite(found) and found >= 0 and text.isascii() and "_" not in text
    return found if plain else None


def epoch(value: str) -> float | None:
    """Unix seconds (milliseconds from 1e11 on) or RFC 3339; the latest of several values."""
    latest = max((n for n in numbers(value) if n < 1e14), default=None)
    if latest is None:
        return _date(value)
    return latest / 1000 if latest >= 1e11 else latest


def parse_reset(value: str, now: float) -> float | None:
    """A bucket's reset as epoch seconds: date, `6m0s`, delay (< 1e9), epoch s (< 1e10) or ms."""
    if not value or len(value) > MAX_VALUE_CHARS:
        return None
    first = value.partition(",")[0].partition(";")[0].strip()
    found = number(first)
    if found is None:
        seconds = _duration(first.lower())
        if seconds is not None:
            return now + seconds
        at = _date(first)
        return at if at is not None else _date(value)  # HTTP dates hold a comma themselves
    if found < 1e9:
        return now + found
    if found < 1e10:
        return found
    return found / 1000 if found < 1e14 else None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from seconds or an HTTP date (RFC 9110 10.2.3), within 1 s .. 24 h."""
    if not value or len(value) > MAX_VALUE_CHARS:
        return None
    seconds = number(value.partition(",")[0])
    if seconds is None:
        date = _date(value)
        if date is None:
            return None
        seconds = date - now
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)


def _duration(text: str) -> float | None:
    if not text or (match := _DURATION.fullmatch(text)) is None:
        return None
    days, hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds + millis / 1000


def _date(text: str) -> float | None:
    return _kept_date(text) if 8 <= len(text) <= MAX_VALUE_CHARS else None


@lru_cache(maxsize=256)
def _kept_date(text: str) -> float | None:
    """RFC 3339, or one of the HTTP dates of RFC 9110 5.6.7 (asctime excepted)."""
    try:
        match = _HTTP_DATE.search(text.lower())
        if match is None:
            when = datetime.fromisoformat(text.strip())
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        month = _MONTHS.index(match[2]) // 3 + 1
        day, year, hour, minute, second = (int(part) for part in match.group(1, 3, 4, 5, 6))
        year += 2000 if year < 100 else 0
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
