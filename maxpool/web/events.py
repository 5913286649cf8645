"""`GET /events`: the live feed as Server-Sent Events (WHATWG HTML section 9.2); `/status/readings`.

Events: `hello` (the whole picture, first and after every reconnect), then what changed: `summary`,
`account`, `request`, `queue`, `throttle`, `sessions`, `config` and whatever parts the status document has
besides; `event` for what happened. A comment keeps a silent stream open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

    from maxpool.service.feed import Feed
    from maxpool.web.admin_ledger import LedgerPages
    from maxpool.web.browsers import Browsers
    from maxpool.web.guard import Receive, Scope, Send

HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


@dataclass(slots=True)
class EventPages:
    """The live feed over HTTP."""

    feed: Feed
    browsers: Browsers
    ledger: LedgerPages

    async def events(self, request: Request) -> Response:
        """A stream that ends when the caller leaves or the server stops."""
        return _Stream(self.feed, self.browsers)

    async def readings(self, request: Request) -> Response:
        """What the quota windows showed before: the past of what `/status` tells, for charts."""
        return await self.ledger.readings(request)


class _Stream(Response):
    def __init__(self, feed: Feed, browsers: Browsers) -> None:
        super().__init__()
        self._feed, self._browsers = feed, browsers

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        about = self._browsers.about(scope, scope["state"]["fields"])
        client = scope.get("client")
        address = client[0] if client is not None else ""
        listener = self._feed.join(address, msgspec.json.encode(about))
        on_leave = scope.get("extensions", {}).get("maxpool.on_leave")
        if on_leave is not None:
            on_leave(listener.close)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            async for message in listener.messages():
                await send({"type": "http.response.body", "body": message, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._feed.leave(listener)
