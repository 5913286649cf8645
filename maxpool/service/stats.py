"""What callers noticed of trouble: errors by status, time held, the last refusals; since the start."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.service.meters import Meters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.lease import Refusal
    from maxpool.service.retry import Trail

KEPT_REFUSALS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One request that the pool refused: why, until when, and how many accounts had which reason."""

    at: float
    request_id: str
    model: str
    reason: str
    retry_at: float | None
    unavailable: Mapping[str, int]


@dataclass(slots=True)
class Stats:
    """Counts since the server started, keyed by HTTP status, and the last refusals; bounded."""

    requests: int = 0
    client_errors: dict[int, int] = field(default_factory=dict)
    client_gone: int = 0
    held_s: float = 0.0
    sends: int = 0
    failovers: int = 0
    internal_errors: int = 0
    meters: Meters = field(default_factory=Meters)
    refusals: deque[Refused] = field(default_factory=lambda: deque(maxlen=KEPT_REFUSALS))

    def ended(self, status: int, trail: Trail) -> None:
        """A request was answered with that status."""
        self.requests += 1
        self.sends += trail.sends
        self.failovers += max(len(trail.tried), 0)
        if status >= 400:
            self.client_errors[status] = self.client_errors.get(status, 0) + 1

    def turned_away(
        self,
        refusal: Refusal,
        request_id: str,
        model: str,
        unavailable: Mapping[str, int],
        now: float,
    ) -> None:
        """The pool could not serve a request."""
        self.refusals.append(
            Refused(
                at=now,
                request_id=request_id,
                model=model[:200],
                reason=refusal.reason.value,
                retry_at=refusal.retry_at,
                unavailable=dict(unavailable),
            )
        )

    def refused(self, status: int) -> None:
        """A request was refused before any account was asked."""
        self.requests += 1
        self.client_errors[status] = self.client_errors.get(status, 0) + 1

    def waited(self, seconds: float) -> None:
        """A request stood in the queue."""
        self.held_s += seconds
