"""`/v1/messages/batches` and `/v1/files`: things that one account holds, by the account that holds them.

Their lists are the accounts' lists one after another, in the owner's order of accounts. Nothing else
under these paths exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maxpool.core.lease import LeaseRequest
from maxpool.core.owners import RESOURCES
from maxpool.errors import RequestError
from maxpool.service.downstream import ClientWatch
from maxpool.service.job import Job
from maxpool.service.listing import Listing
from maxpool.web.allowance import within
from maxpool.web.messages import Messages, read_body, target_of
from maxpool.web.narrowing import narrowed
from maxpool.wire.body import plain
from maxpool.wire.request import program_of
from maxpool.wire.resources import named_in_batch, place_of

if TYPE_CHECKING:
    from maxpool.service.downstream import Downstream
    from maxpool.web.allowance import Allowance
    from maxpool.web.guard import Receive, Scope
    from maxpool.wire.resources import Place


_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(?::[0-9]{1,5})?")


@dataclass(slots=True)
class Resources(Messages):
    """Batches and files."""

    async def _serve(self, job: Job, receive: Receive, down: Downstream) -> None:
        if job.tells != "list":
            await Messages._serve(self, job, receive, down)
            return
        watch = ClientWatch(receive, down, self.tasks)
        async with watch:
            await Listing(self.forwarder, job, watch).run(down)
        if watch.gone:
            self.forwarder.stats.client_gone += 1

    async def _read(self, scope: Scope, receive: Receive, request_id: str) -> Job | None:
        place, method = place_of(scope["path"]), scope["method"]
        if place is None:
            raise RequestError(404, "not_found_error", f"maxpool has no {scope['path'][:200]}.")
        if method not in place.methods:
            takes = ", ".join(place.methods)
            message = f"{scope['path']} takes only {takes}."
            raise RequestError(405, "invalid_request_error", message, allow=takes)
        fields: dict[str, str] = scope["state"]["fields"]
        body = await read_body(receive, fields, self.bodies.sent)
        if body is None:
            return None
        creates = place.action == "list" and method == "POST"
        named = self._named(place, fields, body)
        allowed: Allowance = scope["state"]["allowance"]
        request = self._request(scope, fields)
        request = within(request, allowed, unnamed=creates and place.collection == "batches")
        request = narrowed(request, fields, self.forwarder.pool)
        request, seeks = self.forwarder.owning.bind(request, named, creates=creates)
        return Job(
            method=method,
            target=target_of(scope),
            headers=scope["headers"],
            body=body,
            request=self._patience(request, allowed, streaming=False),
            request_id=request_id,
            streaming=False,
            opaque=place.long,
            once=method not in ("GET", "HEAD"),
            looks=not creates,
            named=named,
            seeks=seeks,
            tells="nothing" if place.long else "list" if _lists(place, method) else "resource",
            origin=_origin(scope, fields),
        )

    def _named(self, place: Place, fields: dict[str, str], body: bytes) -> tuple[str, ...]:
        """What the path names, or the requests of a new batch do."""
        if place.resource is not None:
            return (place.resource,)
        if place.collection != "batches" or not body:
            return ()
        encoding = fields.get("content-encoding", "")
        return named_in_batch(plain(body, encoding, self.bodies.decoded) if encoding else body)

    def _request(self, scope: Scope, fields: dict[str, str]) -> LeaseRequest:
        now = self.forwarder.clock.now()
        request = LeaseRequest(
            "",
            stream=False,
            needs=frozenset({RESOURCES}),
            program=program_of(fields),
            client_key=scope["state"]["key_name"],
            arrived_at=now,
        )
        return self.forwarder.logins.own(request, fields, now)


def _lists(place: Place, method: str) -> bool:
    return place.action == "list" and method == "GET"


def _origin(scope: Scope, fields: dict[str, str]) -> str:
    """Under which the caller reaches this server; a proxy in front can only make that safer."""
    secure = scope.get("scheme") == "https" or fields.get("x-forwarded-proto") == "https"
    host = _HOST.match(fields.get("host", ""))  # goes into JSON: nothing else of the header may
    return f"{'https' if secure else 'http'}://{host[0] if host is not None else ''}"
