"""Snapshots of earlier versions, brought up to the present one a version at a time.

Each step knows two forms and fills what the older one did not keep with "not known". Reading the
present form is `core/snapshot`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Saved = dict[str, Any]


def migrated(data: Mapping[str, Any], version: int) -> Saved:
    """The same memory in the form of `version`.

    Raises LookupError where no step leads there; whatever else a broken form makes a step raise.
    """
    found = dict(data)
    while found["version"] != version:
        found = _STEPS[found["version"]](found)
    return found


def _from_1(old: Saved) -> Saved:
    """Throttles without ramps and counts, quota without organisations, an hour's work half counted."""
    learned = dict(old.get("learned") or {"yardstick": {}, "lives": [], "prefixes": []})
    learned["demand"] = {"hours": learned.pop("demand", []), "hour": None, "burned": 0.0}
    throttle = {"pauses": old["pauses"], "ramps": [], "count": len(old["pauses"]), "last_at": None}
    kept = {key: value for key, value in old.items() if key != "pauses"}
    return {
        **kept,
        "version": 2,
        "leased": 0,
        "prices": {"session_work": 0.0, "session_count": 0.0, **old["prices"]},
        "learned": learned,
        "accounts": {i: _account_from_1(account) for i, account in old["accounts"].items()},
        "throttle": throttle,
        "owned": {},
        "budget": {},
        "habits": {},
        "latency": [],
        "sets": {},
    }


def _account_from_1(old: Saved) -> Saved:
    return {
        **old,
        "windows": [{"slope": None, "closed_by_us": False, **w} for w in old["windows"]],
        "bucket_closed_by_us": False,
        "buckets": [],
        "organization": [None, -1],
        "opened_at": None,
        "last_status": [None, None],
    }


_STEPS: Mapping[Any, Callable[[Saved], Saved]] = {1: _from_1}
