"""A home's usage, as its status line left it -> readings for the pool. Pure and total."""

from __future__ import annotations

from math import inf

from maxpool.core.lease import Reading, UsageReport
from maxpool.core.ratelimit_unified import claim_window
from maxpool.wire.statusline import document, number, usage_in


def told_at(data: bytes) -> float:
    """When the status line wrote it; never where it does not say."""
    found = number(document(data).get("at"))
    return inf if found is None else found


def report(data: bytes, now: float) -> UsageReport:
    """The windows that still run; one whose reset has passed tells nothing any more."""
    readings = []
    for name, told in usage_in(data).items():
        window = claim_window(name, None)
        if window is not None and told.at(now) is not None:
            readings.append(Reading(window, told.used, told.reset_at))
    return UsageReport(tuple(readings), "statusline")
