"""What the simulated upstream saw: its requests, kept for assertions and bounded in number and bytes.

A record only; nobody decides by it except a scripted fault's own predicate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from maxpool.sim.prompts import read_object


@dataclass(slots=True)
class SimRequest:
    """One request as it arrived; `status` None until (unless) headers went back."""

    at: float
    account: str | None
    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    status: int | None = None

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        wanted = name.lower().encode()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value.decode("latin-1")
        return None

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        return read_object(self.body) or {}

    @property
    def model(self) -> str | None:
        """The model the body names."""
        model = self.json().get("model")
        return model if isinstance(model, str) else None


class RequestLog(deque[SimRequest]):
    """The last requests, oldest first; the oldest go when their number or bytes exceed the limits."""

    def __init__(self, keep: int, keep_bytes: int) -> None:
        super().__init__()
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._bytes = 0

    def note(self, request: SimRequest) -> None:
        """Add a request."""
        self.append(request)
        self._bytes += len(request.body)
        while len(self) > self._keep or (self._bytes > self._keep_bytes and len(self) > 1):
            self._bytes -= len(self.popleft().body)

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self._bytes = 0
