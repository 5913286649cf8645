"""What browsers ask before a page of another origin may call: answered for the origins in the config only.

Each is named exactly; there is no wildcard and there are no cookies to allow (Fetch standard, 3.3).
Whether a page is let in at all is the guard's decision.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Any

    from maxpool.web.guard import Send

METHODS: Final = b"GET, POST, PUT, PATCH, DELETE"
SHOWN: Final = (
    b"request-id, x-request-id, retry-after, x-should-retry, x-maxpool-account, x-maxpool-attempts, "
    b"x-maxpool-skipped, x-maxpool-retry-at, x-maxpool-model, x-maxpool-route"
)
"""Fields of an answer that the page may read besides the few that every page may."""

MAX_AGE_S: Final = 600
"""How long a browser may remember the permission: a changed config should hold soon."""

_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")


def is_preflight(method: str, fields: Mapping[str, str]) -> bool:
    """Whether a browser only asks whether the real request may come."""
    return method == "OPTIONS" and "access-control-request-method" in fields


async def permit(page: str, fields: Mapping[str, str], send: Send) -> None:
    """Answer a preflight of an allowed page."""
    headers = [
        *_origin(page),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-max-age", b"%d" % MAX_AGE_S),
        (b"content-length", b"0"),
    ]
    wanted = fields.get("access-control-request-headers", "")
    if _NAMES.fullmatch(wanted):
        headers.append((b"access-control-allow-headers", wanted.encode()))
    if fields.get("access-control-request-private-network") == "true":
        headers.append((b"access-control-allow-private-network", b"true"))
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def readable_by(page: str, send: Send) -> Send:
    """`send`, so that the page may read the answer."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            shown = (b"access-control-expose-headers", SHOWN)
            message = {**message, "headers": [*message["headers"], *_origin(page), shown]}
        await send(message)

    return sending


def _origin(page: str) -> list[tuple[bytes, bytes]]:
    allowed = (b"access-control-allow-origin", page.encode("ascii", "replace"))
    return [allowed, (b"vary", b"origin")]
