"""How the simulated upstream tells of its limits: response headers and the usage report.

Writes what `quota` and `buckets` know, in the names and roundings seen in the wild (protocol notes,
"Rate-limit headers"); decides nothing.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maxpool.sim.buckets import Bucket, KeyLimits
    from maxpool.sim.problems import HeaderList
    from maxpool.sim.quota import WindowTruth

UNIFIED = "anthropic-ratelimit-unified"
TOKEN_ROUNDING = 1000  # the vendor rounds token headers to thousands


def unified(windows: Sequence[WindowTruth], *, rejected: bool, warn_at: float) -> HeaderList:
    """The subscription headers; `rejected` when this very answer is the refusal."""
    worst = _representative(windows, rejected=rejected)
    status = _status(worst, rejected=rejected, warn_at=warn_at)
    out = [(f"{UNIFIED}-status", status), (f"{UNIFIED}-representative-claim", worst.claim)]
    if worst.reset_at is not None:
        out.append((f"{UNIFIED}-reset", str(math.ceil(worst.reset_at))))
    for window in windows:
        out += _window(window, rejected=rejected, warn_at=warn_at)
    out += [
        (f"{UNIFIED}-fallback", "available"),
        (f"{UNIFIED}-fallback-percentage", "0.5"),
        (f"{UNIFIED}-overage-status", "rejected"),
        (f"{UNIFIED}-overage-disabled-reason", "org_level_disabled"),
    ]
    return tuple(out)


def _window(window: WindowTruth, *, rejected: bool, warn_at: float) -> HeaderList:
    name = f"{UNIFIED}-{window.name}"
    out = [
        (f"{name}-status", _status(window, rejected=rejected, warn_at=warn_at)),
        (f"{name}-utilization", f"{window.utilization:.2f}"),
    ]
    if window.reset_at is not None:
        out.insert(1, (f"{name}-reset", str(math.ceil(window.reset_at))))
    if window.utilization >= warn_at:
        out.append((f"{name}-surpassed-threshold", f"{warn_at:g}"))
    return tuple(out)


def _representative(windows: Sequence[WindowTruth], *, rejected: bool) -> WindowTruth:
    full = [w for w in windows if w.exhausted]
    if rejected and full:
        return max(full, key=lambda w: w.reset_at or 0.0)
    return max(windows, key=lambda w: w.utilization)


def _status(window: WindowTruth, *, rejected: bool, warn_at: float) -> str:
    if rejected and window.exhausted:
        return "rejected"
    return "allowed_warning" if window.utilization >= warn_at else "allowed"


def standard(limits: KeyLimits, now: float, empty: str | None = None) -> HeaderList:
    """An API key's headers; `empty` names the bucket that this refusal is about."""
    requests, inputs, outputs = limits.all(now)
    tightest = min((inputs, outputs), key=lambda b: b.level / b.limit)
    named = [("requests", requests, 1), ("tokens", tightest, TOKEN_ROUNDING)]
    named += [(b.name, b, TOKEN_ROUNDING) for b in (inputs, outputs)]
    out: list[tuple[str, str]] = []
    for name, bucket, rounding in named:
        gone = empty in (name, bucket.name)
        out += [
            (f"anthropic-ratelimit-{name}-limit", f"{bucket.limit:.0f}"),
            (f"anthropic-ratelimit-{name}-remaining", _left(bucket, rounding, gone=gone)),
            (f"anthropic-ratelimit-{name}-reset", rfc3339(bucket.full_at())),
        ]
    return tuple(out)


def generic(limits: KeyLimits, now: float, empty: str | None = None) -> HeaderList:
    """Another provider's `x-ratelimit-*` headers, with resets like `6m0s`."""
    requests, inputs, outputs = limits.all(now)
    tightest = min((inputs, outputs), key=lambda b: b.level / b.limit)
    out: list[tuple[str, str]] = []
    for name, bucket in (("requests", requests), ("tokens", tightest)):
        out += [
            (f"x-ratelimit-limit-{name}", f"{bucket.limit:.0f}"),
            (f"x-ratelimit-remaining-{name}", _left(bucket, 1, gone=empty == bucket.name)),
            (f"x-ratelimit-reset-{name}", go_duration(bucket.full_at() - now)),
        ]
    return tuple(out)


def _left(bucket: Bucket, rounding: int, *, gone: bool) -> str:
    return "0" if gone else str(max(0, round(bucket.level / rounding)) * rounding)


def rfc3339(at: float) -> str:
    """Epoch seconds as the vendor writes reset stamps: whole seconds, UTC, never too early."""
    return datetime.fromtimestamp(math.ceil(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def go_duration(seconds: float) -> str:
    """A duration as OpenAI writes it: `6m0s`, `1.5s`, `20ms`."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours:.0f}h{minutes:.0f}m{text}"
    return f"{minutes:.0f}m{text}" if minutes else text


def usage_report(windows: Sequence[WindowTruth], family: str | None) -> dict[str, Any]:
    """The usage endpoint's answer; utilization is 0..100 here."""
    by_name = {window.name: window for window in windows}
    limits = [_limit(window, family) for window in windows]
    return {
        "five_hour": _flat(by_name.get("5h")),
        "seven_day": _flat(by_name.get("7d")),
        "seven_day_oauth_apps": None,
        "seven_day_opus": None,
        "seven_day_sonnet": None,
        "extra_usage": {
            "is_enabled": False,
            "monthly_limit": None,
            "used_credits": None,
            "utilization": None,
        },
        "limits": limits,
    }


def _flat(window: WindowTruth | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "utilization": round(window.utilization * 100, 1),
        "resets_at": None if window.reset_at is None else rfc3339(window.reset_at),
    }


def _limit(window: WindowTruth, family: str | None) -> dict[str, Any]:
    scoped = window.name not in ("5h", "7d")
    kind = "weekly_scoped" if scoped else "session" if window.name == "5h" else "weekly_all"
    scope = None
    if scoped and family:
        scope = {"model": {"id": None, "display_name": family.capitalize()}, "surface": None}
    return {
        "kind": kind,
        "group": "session" if kind == "session" else "weekly",
        "percent": round(window.utilization * 100),
        "severity": "critical" if window.exhausted else "normal",
        "resets_at": None if window.reset_at is None else rfc3339(window.reset_at),
        "scope": scope,
        "is_active": window.utilization > 0,
    }
