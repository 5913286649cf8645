"""Moments as people write and read them: `7d`, `today`, `2026-11-20`, and back to local clock times.

Local time is the machine's. Standard library only; pure but for the time zone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from maxpool.config.units import parse_duration

FORMS = 'today, yesterday, a span back such as "7d", a day such as 2026-11-20, or 2026-11-20T14:30'


def moment(text: str, now: float) -> float:
    """Epoch seconds; raises `ValueError` with the forms there are."""
    if text in ("today", "yesterday"):
        return _midnight(now, 0 if text == "today" else 1)
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"must be {FORMS}") from None


def clock_time(at: float, now: float) -> str:
    """`14:03:05` on the same day, else `20 Nov 14:03`; of another year the day alone."""
    then, here = _local(at), _local(now)
    if then.date() == here.date():
        return f"{then:%H:%M:%S}"
    return f"{then:%d %b %H:%M}" if then.year == here.year else f"{then:%Y-%m-%d}"


def _midnight(now: float, days_back: int) -> float:
    day = _local(now).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return (day - timedelta(days=days_back)).astimezone().timestamp()


def _local(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone()
