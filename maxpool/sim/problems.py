"""Every error the simulated upstream can answer with, as values with the texts seen in the wild.

A `Problem` says what is wrong; the API's face (`messages`, `openai_chat`, ...) says it in its own
shape. Texts are those collected in the protocol notes: clients match on some of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

QUOTA_TEXT = "This request would exceed your account's rate limit. Please try again later."

HeaderList = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error answer; `body` replaces the face's rendering byte for byte when given."""

    status: int
    kind: str
    message: str
    error_code: str | None = None
    headers: HeaderList = ()
    body: bytes | None = None
    content_type: str = "application/json"

    def with_headers(self, headers: HeaderList) -> Problem:
        """The same problem with more headers after its own."""
        return replace(self, headers=self.headers + headers)


def invalid_request(message: str, status: int = 400) -> Problem:
    """The request itself is at fault."""
    return Problem(status=status, kind="invalid_request_error", message=message)


def unauthenticated(message: str) -> Problem:
    """401 with one of the texts clients know."""
    return Problem(status=401, kind="authentication_error", message=message)


def forbidden(message: str, error_code: str | None = None) -> Problem:
    """403 with one of the texts clients know."""
    return Problem(status=403, kind="permission_error", message=message, error_code=error_code)


def model_missing(model: str) -> Problem:
    """404 that names the model."""
    return Problem(status=404, kind="not_found_error", message=f"model: {model}")


def not_found() -> Problem:
    """404 of a path nobody serves."""
    return Problem(status=404, kind="not_found_error", message="Not Found")


def too_large() -> Problem:
    """413, in the words Claude Code shows."""
    return Problem(
        status=413,
        kind="request_too_large",
        message="Request too large (max 32MB). Try a smaller file.",
    )


def burst(retry_after_s: float | None) -> Problem:
    """The short concurrency 429: no unified headers, hence no statement about quota."""
    headers: HeaderList = ()
    if retry_after_s is not None:
        headers = (("retry-after", str(math.ceil(retry_after_s))),)
    return Problem(status=429, kind="rate_limit_error", message="Rate limited", headers=headers)


def quota_wall(retry_after_s: float) -> Problem:
    """The 429 of an exhausted window; the unified headers come from the account's truth."""
    return Problem(
        status=429,
        kind="rate_limit_error",
        message=QUOTA_TEXT,
        headers=(
            ("retry-after", str(max(1, math.ceil(retry_after_s)))),
            ("x-should-retry", "true"),
        ),
    )


def rate_wall(bucket: str, limit: float, retry_after_s: float) -> Problem:
    """The 429 of an empty per-minute bucket of a key."""
    words = bucket.replace("-", " ")
    return Problem(
        status=429,
        kind="rate_limit_error",
        message=f"This request would exceed your organization's rate limit of {limit:,.0f} {words} per minute.",
        headers=(("retry-after", str(max(1, math.ceil(retry_after_s)))),),
    )


def kind_of_status(status: int) -> str:
    """The error type the vendor documents for a status (platform errors page)."""
    known = {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        409: "conflict_error",
        413: "request_too_large",
        429: "rate_limit_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
    return known.get(status, "api_error" if status >= 500 else "invalid_request_error")
