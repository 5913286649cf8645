"""What one client key may do: the limits its owner wrote beside it, and their place in a request.

A limit narrows what a key may claim and is answered for under the key's name. Which accounts can serve
is the pool's decision; how many requests a key has at once is counted by the guard.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from maxpool.errors import RequestError

if TYPE_CHECKING:
    from maxpool.config.account import ClientKeyConfig
    from maxpool.core.lease import LeaseRequest

_DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The limits of a client key; None or empty where there is none.

    `priority`: the most urgent it may claim, 0 is first. `models`: names or patterns with `*`.
    `profile`: the one its requests have. `requests`: most at once, waiting ones too. `until`: epoch
    seconds from which on it opens nothing.
    """

    name: str = ""
    priority: int = 0
    models: tuple[str, ...] = ()
    profile: str | None = None
    max_wait_s: float | None = None
    requests: int | None = None
    until: float | None = None

    def offers(self, model: str) -> bool:
        """Whether the key may ask for that model."""
        return not self.models or any(fnmatchcase(model, one) for one in self.models)

    def patience(self, wait_s: float) -> float:
        """How long a request may wait that could wait so long without this key."""
        return wait_s if self.max_wait_s is None else min(wait_s, self.max_wait_s)


EVERYTHING: Final = Allowance()
"""That of callers without a key, and of keys without limits."""


def allowance_of(key: ClientKeyConfig) -> Allowance:
    """What the config says of a key; `EVERYTHING` itself where it says nothing."""
    until = None
    if key.expires is not None:  # the whole day counts, wherever on Earth it is that day in UTC
        until = datetime.combine(key.expires, time(), UTC).timestamp() + _DAY_S
    limits = Allowance(
        priority=key.priority,
        models=key.models,
        profile=key.profile,
        max_wait_s=key.max_wait_s,
        requests=key.requests,
        until=until,
    )
    return EVERYTHING if limits == EVERYTHING else replace(limits, name=key.name)


def within(request: LeaseRequest, allowed: Allowance, *, unnamed: bool = False) -> LeaseRequest:
    """The request as its key may have it; raises `RequestError` 403 where it may not.

    `unnamed`: a call that may use any model without its saying which.
    """
    if allowed is EVERYTHING:
        return request
    if unnamed and allowed.models:
        raise _denied(allowed, "models", "and this call may use any model")
    if request.model and not allowed.offers(request.model):
        raise _denied(allowed, "models", f"which {request.model[:100]!r} is not among")
    profile = allowed.profile or request.profile
    if request.profile not in (None, profile):
        raise _denied(allowed, "profile", f"which is not {request.profile!r}")
    priority = max(request.priority, allowed.priority)
    return replace(request, priority=priority, profile=profile)


def _denied(allowed: Allowance, what: str, why: str) -> RequestError:
    held = ", ".join(allowed.models) if what == "models" else allowed.profile
    words = f"The client key {allowed.name!r} is for the {what} {held} only, {why}."
    message = f"{words} Its limits stand in its [[client_keys]] entry."
    return RequestError(403, "permission_error", message)
