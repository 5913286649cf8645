"""Rate-limit headers -> readings, by pattern: the unified ones, the standard ones, the generic ones.

Total functions: whatever a header says (NaN, 1e400, nothing, ten thousand digits) they return, and
what cannot be read is None, never "free" (claim S17). Nothing here decides what becomes of an
account: `wire/verdict` names the outcome, `core/pool` keeps the state. Which windows a rejection
closes is told apart in `core/ratelimit_unified`, the usage endpoint is read in `core/ratelimit_usage`.

Standard names: platform.claude.com/docs/en/api/rate-limits. Generic ones (`x-ratelimit-*`,
`x-rate-limit-*`, `ratelimit-*`): limit, remaining and reset, `-requests` or `-tokens` before or after.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from maxpool.core.durations import (
    MAX_VALUE_CHARS,
    RETRY_AFTER_MAX_S,
    RETRY_AFTER_MIN_S,
    first_number,
    parse_reset,
    parse_retry_after,
)
from maxpool.core.lease import BucketReading, Reading
from maxpool.core.ratelimit_unified import (
    UNIFIED,
    WINDOW_FIELD,
    Rejection,
    Verdict,
    allowed_by,
    by_window,
    reading_of,
    window_name,
)
from maxpool.core.ratelimit_usage import read_usage
from maxpool.core.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NOTHING",
    "RETRY_AFTER_MAX_S",
    "RETRY_AFTER_MIN_S",
    "HeaderReport",
    "Rejection",
    "empty_bucket",
    "evidence",
    "parse_reset",
    "parse_retry_after",
    "read_headers",
    "read_usage",
]

MAX_NAMES: Final = 128
MAX_KEPT_CHARS: Final = 64  # longer values are read, not remembered
Parts = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""Names of windows or buckets, and for each the headers that speak of it: (field, header name)."""

_NATIVE: Final = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")
_PREFIXES: Final = (*_NATIVE, "x-ratelimit-", "x-rate-limit-", "ratelimit-")
_BUCKET_FIELDS: Final = frozenset({"limit", "remaining", "reset"})


@value(frozen=True, slots=True)
class HeaderReport:
    """What one answer's headers say.

    `allowed`: the unified verdict, None when there is none. `rejections`: the windows that verdict
    closes. `suspects`: windows that a 429 without any verdict would be about; on another status
    they mean nothing (see `evidence`).
    """

    readings: tuple[Reading, ...] = ()
    buckets: tuple[BucketReading, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    allowed: bool | None = None
    retry_after_s: float | None = None
    suspects: tuple[Rejection, ...] = ()


NOTHING: Final = HeaderReport()


def read_headers(headers: Mapping[str, str], now: float, model: str | None = None) -> HeaderReport:
    """Readings, buckets and verdicts in response headers (lower-case names, duplicates joined).

    `model` is the model that answered: it names the family that `7d_oi` stands for.
    """
    wait = parse_retry_after(headers.get("retry-after"), now)
    names = [name for name in headers if name.startswith(_PREFIXES)]
    if not names:
        return NOTHING if wait is None else HeaderReport(retry_after_s=wait)
    told, buckets = _layout(tuple(names[:MAX_NAMES]))
    windows = by_window(_reading(key, model, parts, headers) for key, parts in told)
    allowed = allowed_by(headers.get(UNIFIED + "status"))
    rejections: tuple[Rejection, ...] = ()
    suspects: tuple[Rejection, ...] = ()
    if allowed is not True:
        verdict = Verdict(windows, headers, now, model, wait)
        suspects = verdict.by_claim() or verdict.by_status() or verdict.by_use()
        rejections = verdict.by_status() if allowed is None else suspects or verdict.by_absence()
    return HeaderReport(
        readings=tuple(windows.values()),
        buckets=tuple(
            [_bucket(key, {f: headers[name] for f, name in parts}, now) for key, parts in buckets]
        ),
        rejections=rejections,
        allowed=allowed,
        retry_after_s=wait,
        suspects=suspects,
    )


def evidence(report: HeaderReport, status: int) -> Rejection | BucketReading | None:
    """The strongest evidence of quota in an answer of that status; None when there is none.

    Order: claim, window status, utilization, family bucket, what a bare
    `rejected` implies, standard headers with nothing remaining. `retry-after` alone is none.
    """
    closes = (report.suspects if status == 429 else ()) or report.rejections
    if closes:
        return max(closes, key=lambda one: (":" not in one.window, one.until or 0.0))
    return empty_bucket(report) if status == 429 else None


def empty_bucket(report: HeaderReport) -> BucketReading | None:
    """The standard bucket that is used up, the one that refills last; None when none is.

    Priority and fast-mode buckets overflow into the standard ones and prove nothing.
    """
    empty = [
        bucket
        for bucket in report.buckets
        if bucket.remaining == 0 and not bucket.name.startswith(("priority-", "fast-"))
    ]
    return max(empty, key=lambda one: one.reset_at or 0.0) if empty else None


@lru_cache(maxsize=64)
def _layout(names: tuple[str, ...]) -> tuple[Parts, Parts]:
    """Which of these headers are about which window, and which bucket; cached: upstreams repeat themselves.

    Names of absurd length say nothing. Of two names for one thing the first counts.
    """
    told: dict[str, dict[str, str]] = {}
    buckets: dict[str, dict[str, str]] = {}
    for name in names:
        kind, key, field = _parse_name(name) if len(name) <= MAX_VALUE_CHARS else ("", "", "")
        if kind:
            group = told if kind == "window" else buckets
            group.setdefault(key, {}).setdefault(field, name)
    return tuple((k, tuple(v.items())) for k, v in told.items()), tuple(
        (k, tuple(v.items())) for k, v in buckets.items()
    )


def _reading(
    key: str, model: str | None, parts: tuple[tuple[str, str], ...], headers: Mapping[str, str]
) -> Reading:
    """What these headers say of one window."""
    values = tuple([headers[name] for _, name in parts])
    if max(map(len, values)) > MAX_KEPT_CHARS:
        return reading_of(
            window_name(key, model), {f: v for (f, _), v in zip(parts, values, strict=True)}
        )
    return _kept_reading(key, model, parts, values)


@lru_cache(maxsize=512)
def _kept_reading(
    key: str, model: str | None, parts: tuple[tuple[str, str], ...], values: tuple[str, ...]
) -> Reading:
    """The same, remembered: answer after answer says the same of a window."""
    told = {field: value for (field, _), value in zip(parts, values, strict=True)}
    return reading_of(window_name(key, model), told)


def _parse_name(name: str) -> tuple[str, str, str]:
    """(`window` | `bucket` | "", its name, the field)."""
    if name.startswith(UNIFIED):
        match = WINDOW_FIELD.fullmatch(name, len(UNIFIED))
        return ("window", match[1], match[2]) if match else ("", "", "")
    prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    parts = name[len(prefix) :].split("-")
    field = next((part for part in parts if part in _BUCKET_FIELDS), "")
    if not field:
        return "", "", ""
    parts.remove(field)
    own = {"anthropic-priority-": "priority-", "anthropic-fast-": "fast-"}.get(prefix, "")
    return "bucket", own + ("-".join(parts) or "requests"), field


def _bucket(name: str, told: Mapping[str, str], now: float) -> BucketReading:
    """Comma lists take the first value (`100, 100;w=60` in older drafts of RateLimit headers)."""
    reset, remaining = told.get("reset", ""), first_number(told.get("remaining", ""))
    reset_at = parse_reset(reset, now)
    return BucketReading(
        name,
        limit=first_number(told.get("limit", "")),
        remaining=remaining,
        reset_at=reset_at,
        # A time stays where it is when it is read a second later; a wait does not.
        relative=remaining == 0 and parse_reset(reset, now + 1.0) != reset_at,
    )
