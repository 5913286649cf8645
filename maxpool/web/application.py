"""The web application: routes, and the guard in front of all of them.

The data plane's endpoints are plain ASGI callables behind Starlette's router; there is no
middleware that touches a body.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from maxpool.errors import RequestError
from maxpool.service.logs import REQUEST_ID
from maxpool.service.tasks import describe
from maxpool.web.door import CHAT_PATH, KEPT_NOTHING, RESPONSES_PATH, told_there
from maxpool.web.guard import ROUTE, Guard, Rules
from maxpool.web.ownquestions import PROFILE, USAGE
from maxpool.web.page import STYLE
from maxpool.wire import replies
from maxpool.wire.resources import place_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from maxpool.ports import Clock
    from maxpool.web.admin import Admin
    from maxpool.web.events import EventPages
    from maxpool.web.guard import Receive, Scope, Send
    from maxpool.web.messages import Messages
    from maxpool.web.metrics import MetricPages
    from maxpool.web.models import Models
    from maxpool.web.ownquestions import OwnQuestionPages
    from maxpool.web.stats import StatsPages
    from maxpool.web.status import StatusPages

log = logging.getLogger("maxpool.web")

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """The endpoints that make up the application."""

    messages: Messages
    count_tokens: Messages
    chat: Messages
    responses: Messages
    any_format: Messages
    kept_nothing: Messages
    models: Models
    resources: Messages
    own_questions: OwnQuestionPages
    status: StatusPages
    metrics: MetricPages
    events: EventPages
    stats: StatsPages
    admin: Admin
    open_paths: tuple[str, ...] = ()
    passthrough: Messages | None = None


def application(
    surfaces: Surfaces,
    rules: Rules,
    new_id: Callable[[], str],
    lifespan: Lifespan,
    clock: Clock,
    admin_digest: str = "",
) -> Guard:
    """The ASGI application; `admin_digest`: the admin key's SHA-256, "" when there is no such key."""
    status = surfaces.status
    routes = [
        Route("/v1/models", surfaces.models.list, methods=["GET"]),
        Route("/v1/models/{name:path}", surfaces.models.one, methods=["GET"]),
        Route("/status", status.status, methods=["GET"]),
        Route("/status.css", _style, methods=["GET"]),
        Route("/ui/{path:path}", status.dashboard.file, methods=["GET"]),
        Route("/events", surfaces.events.events, methods=["GET"]),
        Route("/status/readings", surfaces.events.readings, methods=["GET"]),
        Route("/metrics", surfaces.metrics.metrics, methods=["GET"]),
        Route("/healthz", status.healthz, methods=["GET"]),
        Route("/readyz", status.readyz, methods=["GET"]),
        Route("/api/hello", status.hello, methods=["GET", "HEAD"]),
        Route("/", status.root, methods=["GET", "HEAD"]),
        Route(USAGE, surfaces.own_questions.usage, methods=["GET"]),
        Route(PROFILE, surfaces.own_questions.profile, methods=["GET"]),
        *surfaces.stats.routes(),
        *surfaces.admin.routes(),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _http_error,  # type: ignore[dict-item]
            RequestError: _request_error,  # type: ignore[dict-item]
            Exception: _crash,
        },
    )
    app.router.redirect_slashes = False
    direct: dict[str, Messages] = {
        "/v1/messages": surfaces.messages,
        "/v1/messages/count_tokens": surfaces.count_tokens,
        CHAT_PATH: surfaces.chat,
        RESPONSES_PATH: surfaces.responses,
        ROUTE: surfaces.any_format,
    }
    if surfaces.passthrough is not None:
        # Exact, no patterns; never in place of an endpoint of our own.
        others = (path for path in surfaces.open_paths if place_of(path) is None)
        direct = dict.fromkeys(others, surfaces.passthrough) | direct
    switch = Switch(app, direct, surfaces.resources, surfaces.kept_nothing)
    guard = Guard(switch, rules, new_id, clock, admin_digest)
    guard.browsers = surfaces.events.browsers
    return guard


@dataclass(slots=True)
class Switch:
    """Sends the data plane's paths straight to their endpoints, past the framework.

    Starlette's two outer layers wrap every `send`: a tenth of a request's CPU, and a share of each
    event of a stream.
    """

    app: Starlette
    direct: Mapping[str, Messages]
    resources: Messages
    kept_nothing: Messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = REQUEST_ID.set(scope["state"]["request_id"])
        try:
            await self._to_its_endpoint(scope, receive, send)
        finally:
            REQUEST_ID.reset(token)

    async def _to_its_endpoint(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        endpoint = self.direct.get(path)
        if endpoint is None and place_of(path) is not None:
            endpoint = self.resources
        elif endpoint is None and path.startswith(KEPT_NOTHING):
            endpoint = self.kept_nothing
        if endpoint is not None:
            await endpoint(scope, receive, send)
        else:
            await self._by_framework(scope, receive, send)

    async def _by_framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - `_crash` has answered; the connection may live on
            # Kind and place only: the text of a foreign exception may quote what was asked.
            self.resources.forwarder.stats.internal_errors += 1
            request_id = scope["state"]["request_id"]
            log.error("request %s failed inside maxpool: %s", request_id, describe(error))  # noqa: TRY400


async def _style(_request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers={"cache-control": "max-age=60"})


async def _http_error(request: Request, error: HTTPException) -> Response:
    kinds = {404: "not_found_error"}
    path = request.url.path
    if error.status_code == 404 and error.detail != "Not Found":
        message = str(error.detail)
    elif error.status_code == 404:
        message = (
            f"maxpool has no {path}. It serves POST /v1/messages, POST /v1/messages/count_tokens, "
            "POST /v1/chat/completions, POST /v1/responses, /v1/messages/batches, /v1/files, "
            "GET /v1/models, GET /status and what stands under /admin; others only where [server] "
            "allowed_paths lists them."
        )
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        message = f"{path} does not take {request.method}. Use {allowed}."
    else:
        message = str(error.detail)
    answer = replies.error(
        error.status_code,
        kinds.get(error.status_code, "invalid_request_error"),
        message,
        request_id=request.state.request_id,
        should_retry=False,
    )
    return _response(request, answer, dict(error.headers or {}))


async def _request_error(request: Request, error: RequestError) -> Response:
    answer = replies.error(
        error.status,
        error.kind,
        str(error),
        request_id=request.state.request_id,
        should_retry=False,
    )
    return _response(request, answer, {})


async def _crash(request: Request, _error: Exception) -> Response:
    request_id = request.state.request_id
    message = f"maxpool failed inside; its log names the cause under {request_id}."
    return _response(request, replies.error(500, "api_error", message, request_id=request_id), {})


def _response(request: Request, answer: replies.Answer, extra: dict[str, str]) -> Response:
    answer = told_there(answer, request.url.path, request.state.prefix)
    headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in answer.headers}
    return Response(answer.body, answer.status, {**headers, **extra})
