"""`GET /status` (JSON, or a plain page for browsers), `/`, `/healthz`, `/readyz`.

Reading a status changes nothing. The page needs no script and works offline.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from maxpool.web.dashboard import Dashboard, wants_page
from maxpool.web.page import render
from maxpool.web.report import READY_STATES, document

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.stats import Stats
    from maxpool.web.report import ServerFacts

PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Json(Response):
    """A JSON answer, never cached."""

    media_type: str | None = "application/json"

    def __init__(self, content: object, status_code: int = 200) -> None:
        body = json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"
        super().__init__(body, status_code, {"cache-control": "no-store"})


@dataclass(slots=True)
class StatusPages:
    """The status endpoints over one pool."""

    pool: Pool
    stats: Stats
    clock: Clock
    facts: Callable[[], ServerFacts]
    dashboard: Dashboard = field(default_factory=Dashboard)

    def document(self) -> dict[str, Any]:
        """The status document now."""
        return document(self.pool.view(self.clock.now()), self.stats, self.facts())

    async def status(self, request: Request) -> Response:
        """JSON, or a page for a browser (`?format=json` and `?format=html` decide)."""
        wanted = request.query_params.get("format")
        accepts = request.headers.get("accept", "")
        if wanted == "html" or (wanted is None and "text/html" in accepts):
            return HTMLResponse(render(self.document()), headers=PAGE_HEADERS)
        return Json(self.document())

    async def root(self, request: Request) -> Response:
        """`HEAD /` is how clients see that a server is there; browsers get the dashboard."""
        if request.method == "HEAD":
            return Response(status_code=200)
        if wants_page(request.scope):
            return await self.dashboard.page(request)
        return await self.status(request)

    async def hello(self, _request: Request) -> Response:
        """`/api/hello`: Claude Code's start-up question."""
        return Response(status_code=200)

    async def healthz(self, _request: Request) -> Response:
        """The process lives."""
        return Json({"ok": True})

    async def readyz(self, _request: Request) -> Response:
        """Whether an account can serve and the pool is not paused: 200, or 503 with the reason."""
        view = self.pool.view(self.clock.now())
        ready = sum(a.enabled and a.state in READY_STATES for a in view.accounts)
        reason = "paused" if view.paused else None if ready else "no account can serve"
        said: dict[str, Any] = {"ready": reason is None, "accounts_ready": ready}
        return Json(said if reason is None else {**said, "reason": reason}, 503 if reason else 200)
