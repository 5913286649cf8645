"""What callers noticed of trouble: errors by status, time held. Counters only, since the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.service.retry import Trail


@dataclass(slots=True)
class Stats:
    """Counts since the server started; keyed by HTTP status, so bounded."""

    requests: int = 0
    client_errors: dict[int, int] = field(default_factory=dict)
    client_gone: int = 0
    held_s: float = 0.0
    sends: int = 0
    failovers: int = 0
    internal_errors: int = 0

    def ended(self, status: int, trail: Trail) -> None:
        """A request was answered with that status."""
        self.requests += 1
        self.sends += trail.sends
        self.failovers += max(len(trail.tried), 0)
        if status >= 400:
            self.client_errors[status] = self.client_errors.get(status, 0) + 1

    def refused(self, status: int) -> None:
        """A request was refused before any account was asked."""
        self.requests += 1
        self.client_errors[status] = self.client_errors.get(status, 0) + 1

    def waited(self, seconds: float) -> None:
        """A request stood in the queue."""
        self.held_s += seconds
