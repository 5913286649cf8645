"""The OAuth usage endpoint's answer -> readings. Pure and total: junk reads as an empty report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from maxpool.core.durations import epoch
from maxpool.core.family import family_of
from maxpool.core.lease import Reading, UsageReport
from maxpool.core.ratelimit_unified import by_window, claim_window

MAX_LIMITS: Final = 64


def read_usage(body: object, now: float) -> UsageReport:
    """The OAuth usage endpoint's answer; utilization is 0..100 there.

    `limits[]` is the current source; flat keys fill in windows it does not name. Junk reads as an
    empty report. A window whose reset lies before `now` has begun anew: its number is dropped.
    """
    if not isinstance(body, Mapping):
        return UsageReport(readings=())
    limits = body.get("limits")
    entries = limits[:MAX_LIMITS] if isinstance(limits, list) else []
    listed = [_usage(_limit_window(entry), entry, "percent", now) for entry in entries]
    keys = [key for key in body if isinstance(key, str)][:MAX_LIMITS]
    flat = [_usage(claim_window(key, None), body[key], "utilization", now) for key in keys]
    return UsageReport(readings=tuple((by_window(flat) | by_window(listed)).values()))


def _limit_window(entry: object) -> str | None:
    """Which window one of `limits[]` is about; None for scopes we do not schedule by."""
    if not isinstance(entry, Mapping):
        return None
    kind, scope = entry.get("kind"), entry.get("scope")
    model = scope.get("model") if isinstance(scope, Mapping) else None
    if not isinstance(model, Mapping):
        return "5h" if kind == "session" else "7d" if kind == "weekly_all" else None
    name = model.get("id") or model.get("display_name")
    if not isinstance(name, str) or not name.strip():
        return None
    return f"7d:{family_of(name.strip().replace(' ', '-')[:64])}"


def _usage(window: str | None, entry: object, key: str, now: float) -> Reading | None:
    if window is None or not isinstance(entry, Mapping):
        return None
    percent, resets_at = entry.get(key), entry.get("resets_at")
    use = None
    if isinstance(percent, int | float) and not isinstance(percent, bool) and 0 <= percent < 1e6:
        use = percent / 100
    reset = epoch(resets_at) if isinstance(resets_at, str) else None
    if (reset is not None and reset <= now) or use is reset is None:
        return None
    return Reading(window, use, reset)
