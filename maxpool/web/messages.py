"""`POST /v1/messages` and `/v1/messages/count_tokens`: from ASGI to `service/forward`.

A raw ASGI endpoint: the data path pays for no framework object. Reads the body once, bounded.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from maxpool.core.lease import LeaseRequest
from maxpool.errors import RequestError
from maxpool.service.downstream import ClientWatch, Downstream
from maxpool.service.job import Job
from maxpool.service.tasks import describe
from maxpool.web.allowance import within
from maxpool.web.narrowing import narrowed
from maxpool.wire import replies
from maxpool.wire.request import program_of, read

if TYPE_CHECKING:
    from maxpool.service.forward import Forwarder
    from maxpool.service.pulse import Pulse
    from maxpool.service.tasks import Tasks
    from maxpool.web.allowance import Allowance
    from maxpool.web.guard import Receive, Scope, Send
    from maxpool.wire.translation import Surface

READ_AWAY_BYTES = 256 << 20
READ_AWAY_S = 10.0
"""How much of a body that is too large is still taken, and for how long."""

log = logging.getLogger("maxpool.web")


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Bytes of a request body as sent and after decoding."""

    sent: int = 32 << 20
    decoded: int = 64 << 20


@dataclass(slots=True)
class Messages:
    """The Messages endpoints; `counts_tokens` for the one that only counts."""

    forwarder: Forwarder
    pulse: Pulse
    tasks: Tasks
    bodies: BodyLimits
    counts_tokens: bool = False
    surface: Surface | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        forwarder = self.forwarder
        server = scope.get("extensions") or {}
        down = Downstream(
            send,
            forwarder.clock,
            server.get("maxpool.abort"),
            server.get("maxpool.on_leave"),
            self.surface,
        )
        request_id: str = scope["state"]["request_id"]
        try:
            job = await self._read(scope, receive, request_id)
            if job is None:
                return
            if job.surface is not None:
                now = forwarder.clock.now()
                down.speak(
                    job.surface, job.surface.writer(job.asked, request_id=request_id, now=now)
                )
            await self._serve(job, receive, down)
        except RequestError as error:
            forwarder.stats.refused(error.status)
            down.surface = scope["state"].get("surface", down.surface)
            await down.answer(_error(error, request_id))
        except Exception as error:  # noqa: BLE001 - the last line of defence: answered and logged
            # Kind and place only: the text of a foreign exception may quote what was asked.
            log.error("request %s failed inside maxpool: %s", request_id, describe(error))  # noqa: TRY400
            forwarder.stats.internal_errors += 1
            await _internal(down, request_id)

    async def _serve(self, job: Job, receive: Receive, down: Downstream) -> None:
        watch = ClientWatch(receive, down, self.tasks)
        async with watch:
            beat = self.pulse.join(down, watch, job.request_id, streaming=job.streaming)
            try:
                await self.forwarder.serve(job, down, watch)
            finally:
                self.pulse.leave(beat)
        if watch.gone:
            self.forwarder.stats.client_gone += 1

    async def _read(self, scope: Scope, receive: Receive, request_id: str) -> Job | None:
        if scope["method"] != "POST":
            raise RequestError(405, "invalid_request_error", f"{scope['path']} takes only POST.")
        fields: dict[str, str] = scope["state"]["fields"]
        body = await read_body(receive, fields, self.bodies.sent)
        return None if body is None else self._job(scope, fields, body, request_id)

    def _job(self, scope: Scope, fields: dict[str, str], body: bytes, request_id: str) -> Job:
        """The request as read, for whoever serves it; `body`: a Messages request."""
        request, asked = read(
            fields,
            body,
            key_id=scope["state"]["key_name"],
            arrived_at=self.forwarder.clock.now(),
            max_decoded_bytes=self.bodies.decoded,
        )
        allowed: Allowance = scope["state"]["allowance"]
        request = within(request, allowed)
        request = self.forwarder.logins.own(request, fields, request.arrived_at or 0.0)
        request = narrowed(request, fields, self.forwarder.pool)
        request = self.forwarder.router.routed(request, scope["state"]["set_name"])
        request, seeks = self.forwarder.owning.bind(request, asked.resources)
        streaming = request.stream and not self.counts_tokens
        return Job(
            method="POST",
            target=target_of(scope),
            headers=scope["headers"],
            body=body,
            request=self._patience(request, allowed, streaming=streaming),
            request_id=request_id,
            streaming=streaming,
            counts_tokens=self.counts_tokens,
            named=asked.resources,
            seeks=seeks,
            tells="thread" if asked.threaded else "message",
        )

    def _patience(
        self, request: LeaseRequest, allowed: Allowance, *, streaming: bool
    ) -> LeaseRequest:
        """How long this request may wait: what its caller says, within what the owner allows."""
        limits = self.forwarder.limits
        alive = streaming or (limits.json_keepalive and bool(request.model))
        usual = limits.max_wait_s if alive else min(limits.max_wait_s, limits.max_wait_json_s)
        most = limits.max_wait_allowed_s if alive else limits.max_wait_json_s
        if self.counts_tokens:
            # It warms no cache and takes no tokens, and another API has no such question.
            request = replace(request, session=None, agent=None, native=True, spends=False)
            usual = most = 0.0  # an estimate is better than a wait
        said = request.max_wait_s
        wait = allowed.patience(usual if said is None else min(said, max(most, usual)))
        return replace(request, max_wait_s=wait, stream=streaming)


@dataclass(slots=True)
class Passthrough(Messages):
    """Paths the owner allows besides: any method, relayed as they come, never sent twice."""

    async def _read(self, scope: Scope, receive: Receive, request_id: str) -> Job | None:
        fields: dict[str, str] = scope["state"]["fields"]
        body = await read_body(receive, fields, self.bodies.sent)
        if body is None:
            return None
        now = self.forwarder.clock.now()
        request = LeaseRequest(
            "",
            stream=False,
            native=True,
            program=program_of(fields),
            client_key=scope["state"]["key_name"],
            arrived_at=now,
        )
        allowed: Allowance = scope["state"]["allowance"]
        request = within(request, allowed, unnamed=scope["method"] not in ("GET", "HEAD"))
        request = self.forwarder.logins.own(request, fields, now)
        request = narrowed(request, fields, self.forwarder.pool)
        return Job(
            method=scope["method"],
            target=target_of(scope),
            headers=scope["headers"],
            body=body,
            request=self._patience(request, allowed, streaming=False),
            request_id=request_id,
            streaming=False,
            opaque=True,
            once=scope["method"] not in ("GET", "HEAD"),
        )


async def read_body(receive: Receive, fields: dict[str, str], limit: int) -> bytes | None:
    """The request body, None when the caller left meanwhile; `RequestError` 413 over the limit."""
    declared = fields.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        if "expect" not in fields:  # else it waits for our word before it sends
            await _read_away(receive)
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            parts.clear()
            if message.get("more_body", False):
                await _read_away(receive)
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


async def _read_away(receive: Receive) -> None:
    """Take and drop the rest of a body, within bounds.

    Many clients read no answer before they have sent everything: closing on them turns a clear 413
    into a reset connection (RFC 9112 section 9.6).
    """
    left = READ_AWAY_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_AWAY_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def target_of(scope: Scope) -> str:
    """Path and query as the caller wrote them."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw.partition(b"?")[0].decode("latin-1")
    query: bytes = scope["query_string"]
    return f"{path}?{query.decode('latin-1')}" if query else path


def _too_large(limit: int) -> RequestError:
    return RequestError(
        413,
        "request_too_large",
        f"The request is larger than {limit >> 20} MB. Send less, or raise [server] max_body.",
    )


def _error(error: RequestError, request_id: str) -> replies.Answer:
    answer = replies.error(
        error.status, error.kind, str(error), request_id=request_id, should_retry=False
    )
    if error.status == 405:  # RFC 9110 section 15.5.6
        return replace(answer, headers=(*answer.headers, (b"allow", error.allow.encode())))
    return answer


async def _internal(down: Downstream, request_id: str) -> None:
    """Our own exception: the API's shape before headers, a visible break after them."""
    if down.finished:
        return
    if down.started:
        down.abort()
        return
    message = f"maxpool failed inside; its log names the cause under {request_id}."
    await down.answer(
        replies.error(500, "api_error", message, request_id=request_id, should_retry=True)
    )
