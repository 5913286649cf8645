"""What goes out for one try: the caller's own request, as one account's upstream is to get it.

Builds the call and nothing more: which account it is for was decided elsewhere, and so was what its
credential is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.ports import Call
from maxpool.service.deadline import remaining_ms
from maxpool.wire import headers as wire_headers
from maxpool.wire.body import plain
from maxpool.wire.rename import with_model

if TYPE_CHECKING:
    from maxpool.ports import Destination, RawHeaders
    from maxpool.service.job import Job
    from maxpool.service.limits import Limits
    from maxpool.service.tokens import Credential


def call_of(
    job: Job,
    destination: Destination,
    credential: Credential | None,
    *,
    model: str,
    limits: Limits,
    now: float,
) -> Call:
    """The call to an account's upstream, which knows the model as `model`.

    `credential` None: the caller's own login serves, and its bearer goes along as it came.
    """
    headers, body = _for_account(job, model, limits)
    return Call(
        method=job.method,
        url=destination.base_url + job.target,
        headers=wire_headers.outbound(
            headers,
            authorization=None if credential is None else credential.header,
            extra=_extra(job, destination, limits, now),
            strip_beta=destination.strip_beta_headers,
            oauth=credential is not None and credential.oauth,
            own=credential is None,
        ),
        body=body,
        connect_timeout_s=limits.connect_timeout_s,
        header_timeout_s=_header_timeout(job, limits),
        idle_timeout_s=limits.idle_timeout_s,
    )


def _extra(
    job: Job, destination: Destination, limits: Limits, now: float
) -> list[tuple[bytes, bytes]]:
    """The account's static headers, and what its upstream is told of the time left."""
    found = [(n.encode(), v.encode()) for n, v in destination.headers]
    if destination.strip_events:  # events can be taken out of what can be read only
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
    return found


def _for_account(job: Job, model: str, limits: Limits) -> tuple[RawHeaders, bytes]:
    """Headers and body for an account: the caller's own bytes unless its model map renames."""
    if model == job.request.model or not job.request.model:
        return job.headers, job.body
    encoding = wire_headers.fields(job.headers).get("content-encoding", "")
    headers = [h for h in job.headers if h[0].lower() != b"content-encoding"]
    return headers, with_model(plain(job.body, encoding, limits.max_decoded_bytes), model)


def _header_timeout(job: Job, limits: Limits) -> float:
    if job.counts_tokens:
        return limits.header_timeout_count_s
    if job.streaming:
        return limits.header_timeout_stream_s
    return limits.header_timeout_json_s
