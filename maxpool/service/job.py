"""`Job`: one request as it came, on its way through the services. A value, no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest
    from maxpool.ports import RawHeaders


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request as it came: `target` is path and query as the caller wrote them."""

    method: str
    target: str
    headers: RawHeaders
    body: bytes
    request: LeaseRequest
    request_id: str
    streaming: bool
    counts_tokens: bool = False
    opaque: bool = False  # nothing is known of its answer's form
    once: bool = False  # it may create something: never sent again once a byte went out
