"""What an error answer means, whichever API it came in; and what cannot even be asked.

Reads the answer within bounds and names the outcome. What is done about it is `service/retry`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from maxpool.core.lease import ModelMissing
from maxpool.core.rejected import NotCarried
from maxpool.errors import Uncarried
from maxpool.service.relay import error_body
from maxpool.service.retry import Failed
from maxpool.wire import headers as wire_headers
from maxpool.wire.blocks import JUNK
from maxpool.wire.encoding import Decoder
from maxpool.wire.verdict import classify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.lease import Lease
    from maxpool.errors import RequestError
    from maxpool.ports import Destination, RawHeaders, Reply
    from maxpool.service.job import Job
    from maxpool.service.limits import Limits
    from maxpool.service.passage import Passage


class _Told(msgspec.Struct):
    error: object = None


OF_THE_BODY: Final = (b"content-encoding", b"content-length", b"content-type")
ABROAD: Final = frozenset((b"date", b"retry-after", b"retry-after-ms", b"x-should-retry"))
"""Fields of an error that mean the same in every API; all others speak of the upstream's own."""


async def failure_of(  # noqa: PLR0913 - each part of one exchange
    job: Job,
    lease: Lease,
    passage: Passage,
    reply: Reply,
    fields: Mapping[str, str],
    destination: Destination,
    limits: Limits,
    now: float,
) -> Failed:
    """Read an error answer (bounded) and classify it; what it says goes on in the Messages envelope,
    or, where the client speaks the account's own API, as it came.
    """
    body, whole = await error_body(reply, limits)
    decoder = Decoder.of(fields.get("content-encoding", ""))
    text = decoder.feed(body) if decoder is not None else b""
    told = passage.error(reply.status, text)
    failures = destination.failures
    judge = classify if failures is None else failures.classify
    sent_as = passage.model or lease.model
    outcome = judge(reply.status, fields, told, model=sent_as, now=now)
    if isinstance(outcome, ModelMissing):
        outcome = ModelMissing(lease.model)  # the pool knows models by the names it gave
    own = job.by_own_login(lease.account_id)
    headers: RawHeaders = wire_headers.inbound(reply.headers, drop_ratelimit=not own)
    if passage.edits or job.surface is not None:
        body = text if passage.native and _is_error(text) else told
        headers = _readable(headers, abroad=not passage.native)
    return Failed(outcome, reply.status, headers, body, whole=whole)


def _is_error(text: bytes) -> bool:
    """Whether a body has an `error` object, as clients of either API look for it."""
    try:
        return isinstance(msgspec.json.decode(text, type=_Told).error, dict)
    except JUNK:
        return False


def not_carried(error: RequestError) -> Failed:
    """The account's API has no place for this request: it is passed over, and nobody is to blame."""
    what = error.what if isinstance(error, Uncarried) else "request"
    return Failed(NotCarried(what, error.status), 0, (), str(error).encode())


def _readable(headers: RawHeaders, *, abroad: bool) -> RawHeaders:
    """The fields of an answer whose body was decoded."""
    kept = [
        (name, value)
        for name, value in headers
        if (name.lower() in ABROAD if abroad else name.lower() not in OF_THE_BODY)
    ]
    return [*kept, (b"content-type", b"application/json")]
