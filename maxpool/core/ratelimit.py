"""Rate-limit headers and usage reports -> readings, by pattern.

Total functions: whatever a header says (NaN, 1e400, nothing, ten thousand digits) they return, and
what cannot be read is None, never "free" (claim S17). Nothing here decides what becomes of an
account: `wire/verdict` names the outcome, `core/pool` keeps the state.

Unified names: public captures of 2026; platform.claude.com/docs/en/api/rate-limits (standard ones).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Final

from maxpool.core.family import family_of
from maxpool.core.lease import BucketReading, Reading, UsageReport

FULL: Final = 0.999
WELL_BELOW: Final = 0.95  # readings are rounded and lag: above this a window may be the cause
RETRY_AFTER_MIN_S: Final = 1.0
RETRY_AFTER_MAX_S: Final = 86_400.0
MAX_LIMITS: Final = 64
MAX_NAMES: Final = 128
MAX_VALUE_CHARS: Final = 256  # longer values are no numbers and no dates

_NATIVE: Final = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")
_PREFIXES: Final = (*_NATIVE, "x-ratelimit-", "x-rate-limit-", "ratelimit-")
_UNIFIED: Final = "anthropic-ratelimit-unified-"
_WINDOW_FIELD: Final = re.compile(
    r"(\d{1,3}[hd](?:_[a-z][a-z0-9_]{0,31})?)-(utilization|reset|status|surpassed-threshold)"
)
# Suffixes that abbreviate "the bucket of the model that answered", not a family's name.
_MODEL_BUCKETS: Final = frozenset({"oi", "overage_included", "fallback"})
_CLAIM: Final = re.compile(r"(five_hour|seven_day)(?:_([a-z][a-z0-9_]{0,31}))?")
_BUCKET_FIELDS: Final = frozenset({"limit", "remaining", "reset"})
_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_HTTP_DATE: Final = re.compile(
    r"(\d{1,2})[ -](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -](\d{4}|\d\d)"
    r" (\d\d):(\d\d):(\d\d)"
)
_MONTHS: Final = "janfebmaraprmayjunjulaugsepoctnovdec"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A verdict that closes `window`; `inferred` when no header named it (claim S2)."""

    window: str
    until: float | None = None
    inferred: bool = False


@dataclass(frozen=True, slots=True)
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
    told: dict[str, dict[str, str]] = {}
    buckets: dict[str, dict[str, str]] = {}
    for name in names[:MAX_NAMES]:
        kind, key, field = _parse_name(name) if len(name) <= MAX_VALUE_CHARS else ("", "", "")
        if kind:
            group = told if kind == "window" else buckets
            group.setdefault(key, {}).setdefault(field, headers[name])
    windows = _by_window(_reading(_window_name(key, model), one) for key, one in told.items())
    allowed = _allowed(headers.get(_UNIFIED + "status"))
    rejections: tuple[Rejection, ...] = ()
    suspects: tuple[Rejection, ...] = ()
    if allowed is not True:
        verdict = _Verdict(windows, headers, now, model, wait)
        suspects = verdict.by_claim() or verdict.by_status() or verdict.by_use()
        rejections = verdict.by_status() if allowed is None else suspects or verdict.by_absence()
    return HeaderReport(
        readings=tuple(windows.values()),
        buckets=tuple(_bucket(key, values, now) for key, values in buckets.items()),
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
    closes = report.rejections
    if status == 429 and not closes:
        closes = report.suspects
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


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Which windows a rejection is about; each method is one kind of evidence."""

    windows: Mapping[str, Reading]
    headers: Mapping[str, str]
    now: float
    model: str | None
    wait: float | None

    def by_claim(self) -> tuple[Rejection, ...]:
        """What `representative-claim` names; `overage` is no quota window and names nothing."""
        claim = self.headers.get(_UNIFIED + "representative-claim", "")
        window = _claim_window(claim.strip().lower(), self.model)
        return (self._close(window),) if window else ()

    def by_status(self) -> tuple[Rejection, ...]:
        """Every window that says `rejected` of itself."""
        return tuple(self._close(r.window) for r in self.windows.values() if r.status == "rejected")

    def by_use(self) -> tuple[Rejection, ...]:
        """Full account-wide windows, else full family windows."""
        full = [r.window for r in self.windows.values() if (r.utilization or 0.0) >= FULL]
        whole = [window for window in full if ":" not in window]
        return tuple(self._close(window) for window in whole or full)

    def by_absence(self) -> tuple[Rejection, ...]:
        """A rejection that names nothing: the family's when 5h and 7d are well below full (S2)."""
        whole = [self.windows[name] for name in ("5h", "7d") if name in self.windows]
        known = [(r.utilization, r.window) for r in whole if r.utilization is not None]
        if known and max(known)[0] >= WELL_BELOW:
            return (self._close(max(known)[1], inferred=True),)
        if len(known) == 2:
            family = f"7d:{family_of(self.model)}" if self.model else None
            return (self._close(family, inferred=True),) if family else ()
        if known:
            return (self._close("7d" if known[0][1] == "5h" else "5h", inferred=True),)
        ahead = (self._unified_reset() or self.now) - self.now
        return (self._close("5h" if ahead <= 5 * 3600 else "7d", inferred=True),)

    def _close(self, window: str, *, inferred: bool = False) -> Rejection:
        """Until the window's own reset, else the unified one, else what `retry-after` says."""
        own = self.windows[window].reset_at if window in self.windows else None
        until = own if own is not None and own > self.now else self._unified_reset()
        if until is None and self.wait is not None:
            until = self.now + self.wait
        return Rejection(window, until, inferred)

    def _unified_reset(self) -> float | None:
        reset = _epoch(self.headers.get(_UNIFIED + "reset", ""))
        return reset if reset is not None and reset > self.now else None


def _allowed(status: str | None) -> bool | None:
    """Two lines of one header: the worse one counts (claim S17)."""
    words = [word.strip().lower() for word in status.split(",")] if status else []
    if "rejected" in words:
        return False
    return True if any(word.startswith("allowed") for word in words) else None


@lru_cache(maxsize=256)
def _parse_name(name: str) -> tuple[str, str, str]:
    """(`window` | `bucket` | "", its name, the field); cached, since upstreams repeat themselves."""
    if name.startswith(_UNIFIED):
        match = _WINDOW_FIELD.fullmatch(name, len(_UNIFIED))
        return ("window", match[1], match[2]) if match else ("", "", "")
    prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    parts = name[len(prefix) :].split("-")
    field = next((part for part in parts if part in _BUCKET_FIELDS), "")
    if not field:
        return "", "", ""
    parts.remove(field)
    own = {"anthropic-priority-": "priority-", "anthropic-fast-": "fast-"}.get(prefix, "")
    return "bucket", own + ("-".join(parts) or "requests"), field


def _window_name(raw: str, model: str | None) -> str:
    """`7d` -> `7d`, `7d_opus` -> `7d:opus`, `7d_oi` -> the window of the family that answered."""
    length, _, suffix = raw.partition("_")
    if not suffix:
        return length
    if suffix in _MODEL_BUCKETS and model:
        return f"{length}:{family_of(model)}"
    return f"{length}:{suffix}"


def _claim_window(claim: str, model: str | None) -> str | None:
    """`five_hour` -> `5h`, `seven_day_opus` -> `7d:opus`; other words name no window."""
    match = _CLAIM.fullmatch(claim)
    if match is None or match[2] == "oauth_apps":
        return None
    length = "5h" if match[1] == "five_hour" else "7d"
    return _window_name(f"{length}_{match[2]}" if match[2] else length, model)


def _reading(window: str, told: Mapping[str, str]) -> Reading:
    """One window's headers as a reading; of several joined values the worse one counts (S17)."""
    use = max(_numbers(told.get("utilization", "")), default=None)
    if use is None and "surpassed-threshold" in told:
        # a lower bound, and no proof that the window is full
        use = min(max(_numbers(told["surpassed-threshold"]), default=0.0), 0.99) or None
    words = told.get("status", "")[:MAX_VALUE_CHARS].lower().split(",")
    status = max((word.strip() for word in words), key=_severity)
    return Reading(window, use, _epoch(told.get("reset", "")), status or None)


def _worse(one: Reading, other: Reading) -> Reading:
    use = max(one.utilization or 0.0, other.utilization or 0.0)
    known = one.utilization is not None or other.utilization is not None
    reset = max(one.reset_at or 0.0, other.reset_at or 0.0) or None
    status = max(one.status or "", other.status or "", key=_severity) or None
    return Reading(one.window, use if known else None, reset, status)


def _severity(status: str) -> int:
    return 3 if status == "rejected" else 2 if status == "allowed_warning" else bool(status)


def _bucket(name: str, told: Mapping[str, str], now: float) -> BucketReading:
    """Comma lists take the first value (`100, 100;w=60` in older drafts of RateLimit headers)."""
    return BucketReading(
        name,
        limit=next(iter(_numbers(told.get("limit", ""))), None),
        remaining=next(iter(_numbers(told.get("remaining", ""))), None),
        reset_at=parse_reset(told.get("reset", ""), now),
    )


def _numbers(value: str) -> list[float]:
    """The readable numbers of a comma list, parameters after `;` cut off."""
    if not value or len(value) > MAX_VALUE_CHARS:
        return []
    if "," not in value and ";" not in value:
        number = _number(value)
        return [] if number is None else [number]
    found = (_number(part.partition(";")[0]) for part in value.split(","))
    return [n for n in found if n is not None]


def _number(text: str) -> float | None:
    """A finite number >= 0, else None; Python's own extras (`1_0`, other digits) are not numbers."""
    try:
        number = float(text)
    except ValueError:
        return None
    plain = isfinite(number) and number >= 0 and text.isascii() and "_" not in text
    return number if plain else None


def _epoch(value: str) -> float | None:
    """Unix seconds (milliseconds from 1e11 on) or RFC 3339; the latest of several values."""
    latest = max((n for n in _numbers(value) if n < 1e14), default=None)
    if latest is None:
        return _date(value)
    return latest / 1000 if latest >= 1e11 else latest


def parse_reset(value: str, now: float) -> float | None:
    """A bucket's reset as epoch seconds: date, `6m0s`, delay (< 1e9), epoch s (< 1e10) or ms."""
    if not value or len(value) > MAX_VALUE_CHARS:
        return None
    first = value.partition(",")[0].partition(";")[0].strip()
    number = _number(first)
    if number is None:
        seconds = _duration(first.lower())
        return now + seconds if seconds is not None else _date(value)
    if number < 1e9:
        return now + number
    if number < 1e10:
        return number
    return number / 1000 if number < 1e14 else None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from seconds or an HTTP date (RFC 9110 10.2.3), within 1 s .. 24 h."""
    if not value or len(value) > MAX_VALUE_CHARS:
        return None
    seconds = _number(value.partition(",")[0])
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
    """RFC 3339, or one of the HTTP dates of RFC 9110 5.6.7 (asctime excepted)."""
    if not 8 <= len(text) <= MAX_VALUE_CHARS:
        return None
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
    flat = [_usage(_claim_window(key, None), body[key], "utilization", now) for key in keys]
    return UsageReport(readings=tuple((_by_window(flat) | _by_window(listed)).values()))


def _by_window(readings: Iterable[Reading | None]) -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for told in readings:
        if told is not None:
            found[told.window] = _worse(found[told.window], told) if told.window in found else told
    return found


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
    reset = _epoch(resets_at) if isinstance(resets_at, str) else None
    if (reset is not None and reset <= now) or use is reset is None:
        return None
    return Reading(window, use, reset)
