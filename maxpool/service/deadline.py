"""How long a try may still take until its answer begins: what an account's `deadline_header` says.

The budget is the time within which response headers must be there: maxpool's own limit for this kind
of request, or less where the caller has less left. A caller tells by `x-stainless-timeout` (seconds,
sent by the SDKs and Claude Code) or by the deadline header itself (milliseconds), both counted from
the request's arrival, so waiting and earlier tries have used them up. What streams once the answer
has begun is never cut by a total, so it is no part of the budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.durations import number

if TYPE_CHECKING:
    from collections.abc import Mapping

SDK_TIMEOUT = "x-stainless-timeout"


def remaining_ms(
    fields: Mapping[str, str], header: str, *, header_timeout_s: float, passed_s: float
) -> int:
    """Milliseconds left, at least 1. `fields`: the caller's headers; `passed_s`: since it came."""
    left_s = [header_timeout_s]
    told_s = number(fields.get(SDK_TIMEOUT, ""))
    told_ms = number(fields.get(header.lower(), ""))
    if told_s is not None and told_s > 0:
        left_s.append(told_s - passed_s)
    if told_ms is not None and told_ms > 0:
        left_s.append(told_ms / 1000.0 - passed_s)
    return max(int(min(left_s) * 1000.0), 1)
