"""What every part of the admin API needs: its endpoints' form, and a request's JSON body.

The parts themselves are `admin` and modules of their own, such as `admin_providers`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from maxpool.errors import RequestError
from maxpool.web.messages import read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    Handler = Callable[[Request], Awaitable[Response]]

MAX_BODY_BYTES = 1 << 20
"""Of an account's settings and secret; those are a few hundred bytes."""


class Pages(Protocol):
    """Endpoints of the admin API that another module has."""

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        ...


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object a request carries; an empty body is an empty object."""
    body = await read_body(request.receive, request.state.fields, MAX_BODY_BYTES)
    if body is None:
        raise wrong("The body never came.")  # nobody is there to read this
    if not body.strip():
        return {}
    try:
        data = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise wrong("The body is not JSON.") from None
    if not isinstance(data, dict):
        raise wrong("The body must be a JSON object.")
    return data


def _no_number(word: str) -> float:
    raise ValueError(word)


def wrong(message: str) -> RequestError:
    """A 400 with these words."""
    return RequestError(400, "invalid_request_error", message)
