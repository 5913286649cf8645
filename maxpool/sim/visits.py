"""`World`: what all endpoints of the simulated upstream share, and one request's visit to it.

Receives a request, finds its caller and its scripted fault, and turns results into deliveries with
the headers every answer carries. Endpoints decide what the result is.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxpool.sim.credentials import Caller, caller_of
from maxpool.sim.damage import damage
from maxpool.sim.delivery import GZIP_WBITS, Delivery, Script, gzipped, whole
from maxpool.sim.faults import (
    CutFault,
    Fault,
    FaultBook,
    HangFault,
    HeaderFault,
    QuotaFault,
    SlowFault,
    StatusFault,
)
from maxpool.sim.problems import Problem, invalid_request, too_large
from maxpool.sim.requests import RequestLog, SimRequest

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from starlette.requests import Request

    from maxpool.ports import Clock
    from maxpool.sim.accounts import AccountBook
    from maxpool.sim.answers import Author
    from maxpool.sim.oauth import OAuthServer
    from maxpool.sim.plans import SimSettings
    from maxpool.sim.problems import HeaderList
    from maxpool.sim.prompts import Face
    from maxpool.sim.shelf import Shelves

DECODED_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request on its way through: what came, from whom, and what shall go wrong."""

    seen: SimRequest
    caller: Caller | Problem
    fault: Fault | None
    request_id: str
    nth: int

    def note_status(self, status: int) -> None:
        """Headers went out."""
        self.seen.status = status

    @property
    def common_headers(self) -> HeaderList:
        """What every answer carries."""
        ids: HeaderList = (("request-id", self.request_id), ("x-request-id", self.request_id))
        if isinstance(self.caller, Problem):
            return ids
        organization = self.caller.state.account.organization_id
        return (*ids, ("anthropic-organization-id", organization))


@dataclass(slots=True, kw_only=True)
class World:
    """The shared state of one simulated upstream."""

    settings: SimSettings
    clock: Clock
    accounts: AccountBook
    oauth: OAuthServer
    faults: FaultBook
    log: RequestLog
    author: Author
    rng: random.Random
    shelves: Shelves
    count: int = 0

    async def receive(self, request: Request, owner: Callable[[SimRequest], str | None]) -> Visit:
        """Take in a whole request, note it, and find its caller and its fault.

        `owner` names the account where the credential in the headers does not.
        """
        body = await request.body()
        now = self.clock.now()
        seen = SimRequest(
            at=now,
            account=None,
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers=list(request.scope["headers"]),
            body=body,
        )
        caller = caller_of(seen, self.accounts, self.oauth, now)
        if isinstance(caller, Caller):
            seen.account = caller.state.account.name
        else:
            seen.account = owner(seen)
        self.log.note(seen)
        self.count += 1
        return Visit(
            seen=seen,
            caller=caller,
            fault=self.faults.take(seen),
            request_id=f"req_{self.rng.getrandbits(96):024x}",
            nth=self.count,
        )

    def content(self, visit: Visit) -> bytes | Problem:
        """The request's body, decoded and within the size limit."""
        body = visit.seen.body
        if len(body) > self.settings.body_limit_bytes:
            return too_large()
        encoding = (visit.seen.header("content-encoding") or "identity").lower()
        if encoding == "identity":
            return body
        if encoding != "gzip":
            return invalid_request(f"unsupported content-encoding: {encoding}", 415)
        try:
            squeeze = zlib.decompressobj(wbits=GZIP_WBITS)
            plain = squeeze.decompress(body, DECODED_LIMIT_BYTES)
        except zlib.error:
            return invalid_request("the request body could not be decompressed")
        return too_large() if squeeze.unconsumed_tail else plain

    def scripted(self, visit: Visit, model: str) -> Problem | None:
        """The whole error answer a fault demands, if it does."""
        fault, now = visit.fault, self.clock.now()
        if isinstance(fault, QuotaFault) and isinstance(visit.caller, Caller):
            return visit.caller.state.feigned_wall(fault.window, model, fault.resets_in_s, now)
        if not isinstance(fault, StatusFault):
            return None
        if fault.rate_headers and isinstance(visit.caller, Caller):
            return fault.problem.with_headers(visit.caller.state.headers(model, now))
        return fault.problem

    def refuse(self, visit: Visit, face: Face, problem: Problem) -> Delivery:
        """Deliver an error in the API's shape."""
        body = problem.body
        if body is None:
            body = face.complaint(problem, visit.request_id)
        headers = (
            *visit.common_headers,
            ("content-type", problem.content_type),
            *problem.headers,
        )
        script = whole(problem.status, headers, body)
        if isinstance(visit.fault, CutFault | HangFault | SlowFault | HeaderFault):
            script = damage(visit.fault, script)
        return self.deliver(visit, script, _nothing)

    def answer(self, visit: Visit, body: bytes, content_type: str = "application/json") -> Delivery:
        """Deliver a small good answer, damaged by the visit's fault."""
        script = whole(200, (*visit.common_headers, ("content-type", content_type)), body)
        if visit.fault is not None:
            script = damage(visit.fault, script)
        return self.deliver(visit, script, _nothing)

    def deliver(self, visit: Visit, script: Script, on_end: Callable[[bool], None]) -> Delivery:
        """Deliver any script."""
        return Delivery(script, self.clock, visit.note_status, on_end)

    def encoded(self, visit: Visit, script: Script) -> Script:
        """Compressed where the settings say so and the client takes it."""
        accepts = "gzip" in (visit.seen.header("accept-encoding") or "")
        return gzipped(script) if self.settings.gzip and accepts else script


def _nothing(gone: bool) -> None:
    """Nothing was admitted, so nothing ends."""
