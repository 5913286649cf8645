"""The unified rate-limit headers of subscriptions: windows, and which of them a rejection closes.

Pure and total, like `core/ratelimit`, which finds the headers. Names: public captures of 2026.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from maxpool.core.durations import MAX_VALUE_CHARS, epoch, numbers
from maxpool.core.family import family_of
from maxpool.core.lease import Reading
from maxpool.core.values import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FULL: Final = 0.999
WELL_BELOW: Final = 0.95  # readings are rounded and lag: above this a window may be the cause
UNIFIED: Final = "anthropic-ratelimit-unified-"
WINDOW_FIELD: Final = re.compile(
    r"(\d{1,3}[hd](?:_[a-z][a-z0-9_]{0,31})?)-(utilization|reset|status|surpassed-threshold)"
)
# Suffixes that abbreviate "the bucket of the model that answered", not a family's name.
_MODEL_BUCKETS: Final = frozenset({"oi", "overage_included", "fallback"})
_CLAIM: Final = re.compile(r"(five_hour|seven_day)(?:_([a-z][a-z0-9_]{0,31}))?")


@value(frozen=True, slots=True)
class Rejection:
    """A verdict that closes `window`; `inferred` when no header named it (claim S2).

    `relative`: no reset was told, `until` follows from `retry-after`.
    """

    window: str
    until: float | None = None
    inferred: bool = False
    relative: bool = False


@value(frozen=True, slots=True)
class Verdict:
    """Which windows a rejection is about; each method is one kind of evidence."""

    windows: Mapping[str, Reading]
    headers: Mapping[str, str]
    now: float
    model: str | None
    wait: float | None

    def by_claim(self) -> tuple[Rejection, ...]:
        """What `representative-claim` names; `overage` is no quota window and names nothing."""
        claim = self.headers.get(UNIFIED + "representative-claim", "")
        window = claim_window(claim.strip().lower(), self.model)
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
            return Rejection(window, self.now + self.wait, inferred, relative=True)
        return Rejection(window, until, inferred)

    def _unified_reset(self) -> float | None:
        reset = epoch(self.headers.get(UNIFIED + "reset", ""))
        return reset if reset is not None and reset > self.now else None


def allowed_by(status: str | None) -> bool | None:
    """Two lines of one header: the worse one counts (claim S17)."""
    words = [word.strip().lower() for word in status.split(",")] if status else []
    if "rejected" in words:
        return False
    return True if any(word.startswith("allowed") for word in words) else None


def window_name(raw: str, model: str | None) -> str:
    """`7d` -> `7d`, `7d_opus` -> `7d:opus`, `7d_oi` -> the window of the family that answered."""
    length, _, suffix = raw.partition("_")
    if not suffix:
        return length
    if suffix in _MODEL_BUCKETS and model:
        return f"{length}:{family_of(model)}"
    return f"{length}:{suffix}"


def claim_window(claim: str, model: str | None) -> str | None:
    """`five_hour` -> `5h`, `seven_day_opus` -> `7d:opus`; other words name no window."""
    match = _CLAIM.fullmatch(claim)
    if match is None or match[2] == "oauth_apps":
        return None
    length = "5h" if match[1] == "five_hour" else "7d"
    return window_name(f"{length}_{match[2]}" if match[2] else length, model)


def reading_of(window: str, told: Mapping[str, str]) -> Reading:
    """One window's headers as a reading; of several joined values the worse one counts (S17)."""
    use = max(numbers(told.get("utilization", "")), default=None)
    if use is None and "surpassed-threshold" in told:
        # a lower bound, and no proof that the window is full
        use = min(max(numbers(told["surpassed-threshold"]), default=0.0), 0.99) or None
    words = told.get("status", "")[:MAX_VALUE_CHARS].lower().split(",")
    status = max((word.strip() for word in words), key=_severity)
    return Reading(window, use, epoch(told.get("reset", "")), status or None)


def worse(one: Reading, other: Reading) -> Reading:
    """Of two readings of one window the fuller, later and stricter in each field (claim S17)."""
    use = max(one.utilization or 0.0, other.utilization or 0.0)
    known = one.utilization is not None or other.utilization is not None
    reset = max(one.reset_at or 0.0, other.reset_at or 0.0) or None
    status = max(one.status or "", other.status or "", key=_severity) or None
    return Reading(one.window, use if known else None, reset, status)


def _severity(status: str) -> int:
    return 3 if status == "rejected" else 2 if status == "allowed_warning" else bool(status)


def by_window(readings: Iterable[Reading | None]) -> dict[str, Reading]:
    """One reading for each window, the worse of doubles."""
    found: dict[str, Reading] = {}
    for told in readings:
        if told is not None:
            found[told.window] = worse(found[told.window], told) if told.window in found else told
    return found
