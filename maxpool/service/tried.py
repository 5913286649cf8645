"""What a request has tried in vain, as an error tells it to programs: `maxpool.tried` in its body.

The codes are the classes of outcomes, the same as in `x-maxpool-skipped`, `/status` and the ledger. An
answer that belongs to the caller's own request goes on as it came, and is never given to this room.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from maxpool.core.eligibility import Context, Unavailable, check
from maxpool.core.rejected import OF_THE_REQUEST

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.service.retry import Trail
    from maxpool.wire.replies import Answer


def with_tried(
    answer: Answer, trail: Trail, pool: Pool, request: LeaseRequest, now: float, *, show: bool
) -> Answer:
    """The error with what was tried, where that is maxpool's to say; `show`: accounts by name."""
    last = trail.last
    if not trail.tries or trail.own is not None:
        return answer
    if last is not None and isinstance(last.outcome, OF_THE_REQUEST):
        return answer
    told = _envelope(answer)
    if told is None:
        return answer
    facts = told.get("maxpool")
    given = facts if isinstance(facts, dict) else {}
    told["maxpool"] = {**given, "tried": tried(trail, pool, request, now, show=show)}
    headers = tuple(h for h in answer.headers if h[0].lower() != b"content-length")
    return replace(answer, headers=headers, body=msgspec.json.encode(told))


def tried(
    trail: Trail, pool: Pool, request: LeaseRequest, now: float, *, show: bool
) -> list[dict[str, Any]]:
    """Each try: which account and model, why it failed, and until when (epoch seconds) it is no use."""
    ctx = Context(pool.settings)
    found = []
    for one in trail.tries:
        state = pool.states.get(one.account_id)
        block = check(state, request, now, ctx) if state is not None else None
        entry: dict[str, Any] = {
            "model": one.model,
            "reason": one.reason,
            "status": one.status or None,
            "until": block.until if isinstance(block, Unavailable) else None,
        }
        if show:
            name = state.account.name if state is not None else one.account_id
            entry = {"account": name, **entry}
        found.append(entry)
    return found


def _envelope(answer: Answer) -> dict[str, Any] | None:
    """The error as JSON; None where it is none, or cannot be read."""
    if any(name.lower() == b"content-encoding" for name, _ in answer.headers):
        return None
    try:
        told = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("error"), dict) else None
