"""What happens in the demo's scenario, told from one picture of the pool to the next.

Reads `/status` documents and nothing else; when there is nothing new it says nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from maxpool.cli.render import SERVING

Status = dict[str, Any]


class Story:
    """Says when the plans begin to serve, when another vendor takes over, and when they are back."""

    def __init__(self) -> None:
        self._own: bool | None = None
        self._answered = 0

    def after(self, status: Status) -> str | None:
        """The next sentence, if this picture has one."""
        plans = [a for a in status["accounts"] if a["kind"] == "subscription"]
        others = [a for a in status["accounts"] if a["kind"] != "subscription"]
        own = _served_by(plans)
        if own is None or own is self._own:
            return None
        first, self._own = self._own is None, own
        names, answered = _names(others), sum(a["total"]["requests"] for a in others)
        meanwhile, self._answered = answered - self._answered, answered
        if first and own:
            return f">> The Claude accounts serve: {_names(plans)}."
        if own:
            return f">> The window has reset: {_names(plans)} serve again. {names} answered {meanwhile} requests meanwhile."
        return f">> The Claude accounts are used up{_until(plans)}: {names} takes over, by OpenAI's Chat Completions."


def _served_by(plans: list[Status]) -> bool | None:
    """True: the plans serve; False: all are used up; None: neither, for a moment."""
    if any(a["state"] in SERVING for a in plans):
        return True
    reasons = {(a["unavailable"] or {}).get("reason") for a in plans}
    return False if reasons == {"quota"} else None


def _names(accounts: list[Status]) -> str:
    return " and ".join(a["name"] for a in accounts)


def _until(accounts: list[Status]) -> str:
    """When the first of them is back, by the clock on the wall."""
    ends = [a["unavailable"]["until"] for a in accounts if a["unavailable"]]
    known = [at for at in ends if at is not None]
    return f" until {datetime.fromtimestamp(min(known)).astimezone():%H:%M:%S}" if known else ""
