"""A provider's own account of a quota -> `QuotaReading`, by a map from its JSON.

A map says for each amount where it stands and what it is: `"data.balance"`, `"$.limits[0].left"`,
`"usage.cents cents"`. Kinds: number (default), cents (USD from cents), percent (0..100 of a limit of 1),
boolean (true: something is left), time (epoch seconds, milliseconds or a date), duration (seconds from
now, or ISO 8601 as in `PT5M`). What is missing or of another kind is unknown, never zero.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Final

from maxpool.core.durations import epoch, number
from maxpool.core.quotareading import QuotaReading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AMOUNTS: Final = ("used", "limit", "remaining")
FIELDS: Final = (*AMOUNTS, "reset", "unit")
MOST_STEPS: Final = 16

_STEP: Final = re.compile(r"([^.\[\]\s]+)|\[(\d{1,6})\]")
_PATH: Final = re.compile(r"\$?\.?[^.\[\]\s]+(?:\.[^.\[\]\s]+|\[\d{1,6}\])*|\$?(?:\[\d{1,6}\])+\S*")
_ISO_DURATION: Final = re.compile(
    r"P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_ISO_S: Final = (604_800.0, 86_400.0, 3600.0, 60.0, 1.0)


def flaw(field: str, text: str) -> str | None:
    """What is wrong with one line of a map; None when it can be used."""
    if field not in FIELDS:
        return f"is none of {', '.join(FIELDS)}"
    if field == "unit":
        return None
    path, _, kind = text.strip().partition(" ")
    if not _PATH.fullmatch(path) or len(_STEP.findall(path)) > MOST_STEPS:
        return 'must be a path such as "data.balance" or "limits[0].left"'
    known = _TIMES if field == "reset" else _KINDS
    if kind.strip() not in ("", *known):
        return f"must be one of these kinds: {', '.join(known)}"
    return None


def read(told: object, quota_map: Mapping[str, str], now: float) -> QuotaReading:
    """The reading in a provider's JSON."""
    found: dict[str, float | None] = {}
    for field in AMOUNTS:
        path, _, kind = quota_map.get(field, "").strip().partition(" ")
        found[field] = _KINDS[kind.strip() or "number"](at(told, path)) if path else None
    path, _, kind = quota_map.get("reset", "").strip().partition(" ")
    reset = at(told, path) if path else None
    reset_at = _TIMES[kind.strip() or "time"](reset, now)
    return QuotaReading(**found, reset_at=reset_at, unit=quota_map.get("unit", "")).whole()


def at(told: object, path: str) -> object:
    """The value at a path, None where there is none."""
    for name, index in _STEP.findall(path.removeprefix("$")):
        if index:
            number_ = int(index)
            told = told[number_] if isinstance(told, list) and number_ < len(told) else None
        else:
            told = told.get(name) if isinstance(told, dict) else None
    return told


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return number(value.strip().removeprefix("$").replace(",", ""))
    if not isinstance(value, int | float) or abs(value) > 1e18 or not isfinite(value):
        return None
    return max(float(value), 0.0)  # a balance below zero is an empty one


def _cents(value: object) -> float | None:
    found = _number(value)
    return None if found is None else found / 100.0


def _boolean(value: object) -> float | None:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    return float(value) if isinstance(value, bool) else None


def _time(value: object, _now: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return epoch(str(value))


def _duration(value: object, now: float) -> float | None:
    if isinstance(value, str) and (iso := _ISO_DURATION.fullmatch(value.strip().upper())):
        parts = [float(part or 0) for part in iso.groups()]
        return now + sum(n * s for n, s in zip(parts, _ISO_S, strict=True))
    seconds = _number(value)
    return None if seconds is None else now + seconds


_KINDS: Final[Mapping[str, Callable[[object], float | None]]] = {
    "number": _number,
    "cents": _cents,
    "percent": _cents,
    "boolean": _boolean,
}
_TIMES: Final[Mapping[str, Callable[[object, float], float | None]]] = {
    "time": _time,
    "duration": _duration,
}
