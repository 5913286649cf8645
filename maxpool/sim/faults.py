"""Scripted faults: everything that can go wrong upstream, as a closed set of small values.

A fault says what happens; `damage` does it to an answer, `FaultBook` decides to which request. The
functions at the end are the rows of the outcome table by name, with the texts seen in the wild.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from maxpool.sim.problems import (
    HeaderList,
    Problem,
    burst,
    forbidden,
    invalid_request,
    kind_of_status,
    model_missing,
    unauthenticated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.sim.requests import SimRequest

Place = int | Literal["delta", "block"]
"""Where in a stream: after so many events, after the first piece of content (inside its block), or
after the first finished block."""

INFERENCE_PATHS = ("/v1/messages", "/v1/chat/completions", "/v1/responses")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFault:
    """A whole error answer; `rate_headers` adds the account's own limit headers to it."""

    problem: Problem
    rate_headers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaFault:
    """A quota wall with unified headers although there is quota left.

    `resets_in_s` None: the account's true reset.
    """

    window: Literal["5h", "7d", "family"] = "5h"
    resets_in_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEventFault:
    """An `error` event inside a 200, after `after` (0: it is the first event), then the end."""

    problem: Problem
    after: Place = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CutFault:
    """The connection drops: before headers (`after` None) or somewhere in the body.

    `half_event`: the next event is begun and breaks off in its middle.
    """

    after: Place | None = None
    rst: bool = True
    half_event: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFault:
    """The body ends cleanly, too early."""

    after: Place = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HangFault:
    """Silence: before headers (`after` None), or in the body; `seconds` None: for good."""

    after: Place | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageFault:
    """A 200 that is no answer."""

    kind: Literal["html", "empty", "broken_json", "no_events", "truncated_gzip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowFault:
    """The body trickles: `size` bytes each `interval_s`."""

    interval_s: float = 1.0
    size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFault:
    """Odd header values on an otherwise good answer; they replace headers of the same name."""

    headers: HeaderList


Fault = (
    StatusFault
    | QuotaFault
    | ErrorEventFault
    | CutFault
    | EndFault
    | HangFault
    | GarbageFault
    | SlowFault
    | HeaderFault
)


@dataclass(slots=True)
class Scripted:
    """A fault waiting for its request; `left` None: until cleared."""

    fault: Fault
    account: str | None
    left: int | None
    when: Callable[[SimRequest], bool] | None

    def fits(self, request: SimRequest) -> bool:
        """Whether this request is meant; without `when`, model calls only."""
        if self.left == 0 or self.account not in (None, request.account):
            return False
        if self.when is not None:
            return self.when(request)
        return _model_call(request)


@dataclass(slots=True)
class FaultBook:
    """The faults in the order they were written down; the first that fits happens.

    `draw` says for any other model call what happens to it, for instance by lot.
    """

    scripted: list[Scripted] = field(default_factory=list)
    draw: Callable[[SimRequest], Fault | None] | None = None

    def inject(
        self,
        fault: Fault,
        account: str | None = None,
        times: int | None = 1,
        when: Callable[[SimRequest], bool] | None = None,
    ) -> None:
        """Write down a fault for the next `times` requests that fit."""
        self.scripted.append(Scripted(fault, account, times, when))

    def clear(self) -> None:
        """Forget all faults."""
        self.scripted.clear()
        self.draw = None

    def take(self, request: SimRequest) -> Fault | None:
        """The fault that happens to this request, counted as used."""
        for scripted in self.scripted:
            if scripted.fits(request):
                if scripted.left is not None:
                    scripted.left -= 1
                    if scripted.left == 0:
                        self.scripted.remove(scripted)
                return scripted.fault
        if self.draw is not None and _model_call(request):
            return self.draw(request)
        return None


def _model_call(request: SimRequest) -> bool:
    return request.method == "POST" and request.path in INFERENCE_PATHS


# -- the rows of the outcome table, by name ----------------------------------------------------


def status(
    code: int, message: str = "", *, headers: HeaderList = (), error_code: str | None = None
) -> StatusFault:
    """Any status with its documented error type: 500, 502, 520, 529, 408, 409, 413, 422, ..."""
    kind = kind_of_status(code)
    text = message or ("Overloaded" if code == 529 else kind.replace("_", " ").capitalize())
    return StatusFault(
        problem=Problem(
            status=code, kind=kind, message=text, headers=headers, error_code=error_code
        )
    )


def overloaded() -> StatusFault:
    """529: no capacity for anybody."""
    return status(529, "Overloaded")


def unauthorized(message: str = "Invalid authentication credentials") -> StatusFault:
    """401."""
    return StatusFault(problem=unauthenticated(message))


def revoked() -> StatusFault:
    """403: the login is over."""
    return StatusFault(
        problem=forbidden("OAuth token has been revoked. Please obtain a new token.")
    )


def not_a_member() -> StatusFault:
    """403: the person left the organisation."""
    text = "Account is no longer a member of the organization associated with this token."
    return StatusFault(problem=forbidden(text))


def oauth_not_allowed() -> StatusFault:
    """403: the organisation forbids OAuth logins."""
    text = "OAuth authentication is currently not allowed for this organization."
    return StatusFault(problem=forbidden(text, "oauth_org_not_allowed"))


def plain_forbidden() -> StatusFault:
    """403 for no known reason."""
    return StatusFault(problem=forbidden("Request not allowed"))


def organization_disabled() -> StatusFault:
    """400 that is about the account, not the request."""
    return StatusFault(problem=invalid_request("This organization has been disabled."))


def organization_on_hold() -> StatusFault:
    """The same, told by its machine-readable code."""
    return status(400, "Your organization is on hold.", error_code="organization_on_hold")


def credit_balance() -> StatusFault:
    """400: prepaid credit is gone."""
    text = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."
    return StatusFault(problem=invalid_request(text))


def payment_required() -> StatusFault:
    """402."""
    return status(402, "Payment required")


def bad_request(body: bytes = b"") -> StatusFault:
    """400 about the request; `body` goes out byte for byte."""
    problem = invalid_request("messages.0: that does not look right")
    if not body:
        return StatusFault(problem=problem)
    exact = Problem(status=400, kind=problem.kind, message=problem.message, body=body)
    return StatusFault(problem=exact)


def extra_usage() -> StatusFault:
    """429 of an entitlement, not of a quota."""
    return status(429, "Extra usage is required for long context requests.")


def missing_model(model: str) -> StatusFault:
    """404 that names the model."""
    return StatusFault(problem=model_missing(model))


def concurrency_burst(retry_after_s: float | None = 2.0) -> StatusFault:
    """429 `Rate limited` without unified headers; None: without retry-after too."""
    return StatusFault(problem=burst(retry_after_s))


def bare_429() -> StatusFault:
    """429 that tells nothing."""
    return StatusFault(problem=Problem(status=429, kind="rate_limit_error", message="Error"))


def spend_limit(error_code: str = "enforced_spend_limit_reached") -> StatusFault:
    """429: the organisation's own spend limit."""
    return status(429, "Your organization has reached its spend limit.", error_code=error_code)


def ramp_limit(retry_after_s: int = 2) -> StatusFault:
    """429: usage grew faster than allowed."""
    headers = (("retry-after", str(retry_after_s)),)
    return status(
        429,
        "Your usage is growing too fast.",
        headers=headers,
        error_code="ramp_limit_exceeded",
    )


def redirect(location: str = "https://elsewhere.invalid/v1/messages") -> StatusFault:
    """302, never to be followed."""
    headers = (("location", location),)
    return StatusFault(
        problem=Problem(
            status=302,
            kind="api_error",
            message="Found",
            headers=headers,
            body=b"<html>Found</html>",
            content_type="text/html",
        )
    )


def error_event(
    kind: Literal["overloaded_error", "rate_limit_error", "api_error"] = "overloaded_error",
    after: Place = 0,
) -> ErrorEventFault:
    """An `error` event in a stream."""
    code, text = {
        "overloaded_error": (529, "Overloaded"),
        "rate_limit_error": (429, "Rate limited"),
        "api_error": (500, "Internal server error"),
    }[kind]
    return ErrorEventFault(problem=Problem(status=code, kind=kind, message=text), after=after)
