"""What Claude Code hands to its status line (JSON on stdin) -> the few facts that are shown.

Total: any bytes give a `Shown`; whatever is missing, null or no number is None there. Fields:
code.claude.com/docs/en/statusline. `rate_limits` comes only where the client is signed in to a
subscription itself, after its first answer. It runs at every prompt: standard library only, and
without `dataclasses`, which alone would take a fifth of the whole start.
"""

from __future__ import annotations

import json
import re
from math import inf, isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES: Final = 16 << 20
MAX_TEXT_CHARS: Final = 80
MAX_WINDOWS: Final = 8
SAME_RESET_S: Final = 120.0
"""Reset stamps of one window jitter by seconds."""

WINDOWS: Final = {"five_hour": "5h", "seven_day": "7d"}
"""The client's names of the two windows that are shown, and ours."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_WINDOW_NAME: Final = re.compile(r"(?:five_hour|seven_day)(?:_[a-z][a-z0-9_]{0,31})?")
_MAX_USED: Final = 100.0
_NEVER: Final = 1e12


class Window(NamedTuple):
    """A quota window: share used (above 1 where the client says so), reset in epoch seconds."""

    used: float
    reset_at: float | None = None

    def at(self, now: float) -> Window | None:
        """The window as it is now; None once its reset has passed, because nobody has told since."""
        return None if self.reset_at is not None and self.reset_at <= now else self


class Shown(NamedTuple):
    """The facts. `context`: share of the context window in use. `windows`: by the client's names."""

    session: str | None = None
    model: str | None = None
    context: float | None = None
    windows: Mapping[str, Window] = MappingProxyType({})


def read(data: bytes) -> Shown:
    """The facts in the client's JSON."""
    found = document(data)
    model, context = table(found.get("model")), table(found.get("context_window"))
    limits = table(found.get("rate_limits"))
    windows = {
        name: window(limits[name], "used_percentage", "resets_at") for name in _names(limits)
    }
    return Shown(
        session=text(found.get("session_id")),
        model=text(model.get("display_name")) or text(model.get("id")) or text(found.get("model")),
        context=_context(context),
        windows={name: one for name, one in windows.items() if one is not None},
    )


def _names(limits: Mapping[str, Any]) -> list[str]:
    """The windows there, the two known ones first, and no more than can be meant."""
    others = [n for n in limits if n not in WINDOWS and _WINDOW_NAME.fullmatch(n)]
    return [*(n for n in WINDOWS if n in limits), *others][:MAX_WINDOWS]


def _context(told: Mapping[str, Any]) -> float | None:
    """The share in use, from whichever of its numbers is there."""
    used, left = number(told.get("used_percentage")), number(told.get("remaining_percentage"))
    if used is not None:
        return used / 100.0
    if left is not None:
        return max(1.0 - left / 100.0, 0.0)
    size, tokens = number(told.get("context_window_size")), number(told.get("total_input_tokens"))
    return tokens / size if tokens is not None and size else None


def window(told: object, used_key: str, reset_key: str, *, percent: bool = True) -> Window | None:
    """One window of a JSON document; None where it does not say how much is used."""
    entry = table(told)
    used = number(entry.get(used_key))
    if used is None:
        return None
    return Window(min(used / 100.0 if percent else used, _MAX_USED), number(entry.get(reset_key)))


def merged(
    older: Mapping[str, Window], newer: Mapping[str, Window], now: float
) -> dict[str, Window]:
    """Two readings of one account: a window only fills until its reset, so the fuller one is later.

    Several sessions of one home report here, each what its own last answer said.
    """
    found = {name: one for name, one in older.items() if one.at(now) is not None}
    for name, new in newer.items():
        old = found.get(name)
        if new.at(now) is None:
            continue
        ahead_s = _ahead_s(old, new)
        later = ahead_s > SAME_RESET_S
        if old is None or later or (ahead_s >= -SAME_RESET_S and new.used >= old.used):
            found[name] = new
    return dict(list(found.items())[:MAX_WINDOWS])


def _ahead_s(old: Window | None, new: Window) -> float:
    """How much later the newer reading's window ends; endlessly where either does not say."""
    if old is None or old.reset_at is None or new.reset_at is None:
        return inf
    return new.reset_at - old.reset_at


# -- what a home's status line leaves for the pool ---------------------------------------------------


def usage_text(windows: Mapping[str, Window], session: str | None, now: float) -> bytes:
    """A home's usage as a small file."""
    told = {name: {"used": w.used, "reset_at": w.reset_at} for name, w in windows.items()}
    return json.dumps({"version": 1, "at": now, "session": session, "windows": told}).encode()


def usage_in(data: bytes) -> dict[str, Window]:
    """The windows in such a file, by the client's names; junk reads as none."""
    told = table(document(data).get("windows"))
    found = {n: window(told[n], "used", "reset_at", percent=False) for n in _names(told)}
    return {name: one for name, one in found.items() if one is not None}


# -- reading JSON that may hold anything -------------------------------------------------------------


def document(data: bytes) -> Mapping[str, Any]:
    """The JSON object, an empty one where it is none."""
    try:
        return table(json.loads(data[:MAX_BYTES])) if data else {}
    except (ValueError, RecursionError):
        return {}


def table(value: object) -> Mapping[str, Any]:
    """The object, an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    """One printable line, None where there is none."""
    if not isinstance(value, str):
        return None
    cleaned = _UNPRINTABLE.sub(" ", value[: 8 * MAX_TEXT_CHARS])
    cleaned = cleaned.encode("utf-8", "replace").decode().strip()
    return cleaned[:MAX_TEXT_CHARS] or None


def number(value: object) -> float | None:
    """A number that is not below zero (a time, a share, a count), from a number or its text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value if not isinstance(value, str) else value[:40])
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) and 0.0 <= found < _NEVER else None
