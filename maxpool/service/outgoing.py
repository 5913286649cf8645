"""What goes out for one try: the caller's own request, as one account's upstream is to get it.

Builds the call and nothing more: which account it is for was decided elsewhere, and so was what its
credential is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from maxpool.ports import Call
from maxpool.service.deadline import remaining_ms
from maxpool.wire import headers as wire_headers
from maxpool.wire.apiroot import requests_url
from maxpool.wire.translation import ANTHROPIC

if TYPE_CHECKING:
    from maxpool.ports import Destination, RawHeaders
    from maxpool.service.job import Job
    from maxpool.service.limits import Limits
    from maxpool.service.passage import Passage
    from maxpool.service.tokens import Credential

API_VERSION: Final = (b"anthropic-version", b"2023-06-01")
"""For clients of another API, which name none; their requests are translated for this one."""

IN_EVERY_API: Final = frozenset(
    (
        *(b"content-type", b"accept", b"user-agent", b"idempotency-key"),
        *(b"x-request-id", b"x-client-request-id", b"traceparent", b"tracestate"),
    )
)
"""What goes along to another API. All else means something in its own only, or tells another vendor of
the client's sessions and machine.
"""

OF_CLAUDE: Final = (b"anthropic-", b"x-claude-", b"x-app")
"""How fields begin that only Anthropic is to read, even where a client of another API sends them."""


def call_of(
    job: Job,
    destination: Destination,
    credential: Credential | None,
    passage: Passage,
    *,
    limits: Limits,
    now: float,
) -> Call:
    """The call to an account's upstream; raises `Uncarried` where that cannot be asked for this.

    `credential` None: the caller's own login serves, and its bearer goes along as it came.
    """
    body = passage.body(job, destination, limits)
    here = job.surface is None and destination.format == ANTHROPIC
    headers = job.headers if here else _abroad(job, destination, native=passage.native)
    if body is not job.body:
        headers = [h for h in headers if h[0].lower() != b"content-encoding"]
    there = destination.base_url
    return Call(
        method=job.method,
        url=there + job.target if here else requests_url(there, destination.format),
        headers=wire_headers.outbound(
            headers,
            authorization=None if credential is None else credential.header,
            extra=_extra(job, destination, limits, now, plain=passage.edits),
            strip_beta=destination.strip_beta_headers,
            oauth=credential is not None and credential.oauth,
            own=credential is None,
        ),
        body=body,
        connect_timeout_s=limits.connect_timeout_s,
        header_timeout_s=_header_timeout(job, limits),
        idle_timeout_s=limits.idle_timeout_s,
    )


def _abroad(job: Job, destination: Destination, *, native: bool) -> RawHeaders:
    """The client's headers where one of the two does not speak Messages."""
    if native:
        return [header for header in job.headers if not header[0].lower().startswith(OF_CLAUDE)]
    to_claude = destination.format == ANTHROPIC
    found = []
    for header in job.headers:
        name = header[0].lower()
        if name in IN_EVERY_API or (to_claude and name.startswith(b"anthropic-")):
            found.append(header)
    if to_claude and not any(name.lower() == API_VERSION[0] for name, _ in found):
        found.append(API_VERSION)
    return found


def _extra(
    job: Job, destination: Destination, limits: Limits, now: float, *, plain: bool
) -> list[tuple[bytes, bytes]]:
    """The account's static headers, and what its upstream is told of the time left."""
    found = [(n.encode(), v.encode()) for n, v in destination.headers]
    if plain or destination.strip_events:  # only what can be read can be changed
        found.append((b"accept-encoding", b"identity"))
    if destination.deadline_header is not None:
        arrived_at = job.request.arrived_at
        left_ms = remaining_ms(
            wire_headers.fields(job.headers),
            destination.deadline_header,
            header_timeout_s=_header_timeout(job, limits),
            passed_s=now - arrived_at if arrived_at is not None else 0.0,
        )
        found.append((destination.deadline_header.encode(), str(left_ms).encode()))
    if destination.idempotency_header is not None:  # the same for all tries of a request
        key = wire_headers.fields(job.headers).get("idempotency-key", job.request_id)
        found.append((destination.idempotency_header.encode(), key.encode("latin-1")))
    return found


def _header_timeout(job: Job, limits: Limits) -> float:
    if job.counts_tokens:
        return limits.header_timeout_count_s
    if job.streaming:
        return limits.header_timeout_stream_s
    return limits.header_timeout_json_s
