"""`SimUpstream`: a simulated Anthropic and OpenAI upstream with hidden quotas and scripted faults.

The demo, the tests and the benchmarks run on it. This file only assembles the world and its routes;
what an endpoint does lives in `generation`, `endpoints` and `oauth_web`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from maxpool.sim import endpoints, oauth_web, resources
from maxpool.sim.accounts import AccountBook, Truth
from maxpool.sim.answers import Author, Prose
from maxpool.sim.clock import WallClock
from maxpool.sim.faults import FaultBook
from maxpool.sim.generation import generate, messages_face
from maxpool.sim.messages import MessagesFace
from maxpool.sim.oauth import OAuthServer
from maxpool.sim.openai_chat import ChatFace
from maxpool.sim.openai_responses import ResponsesFace
from maxpool.sim.plans import SimAccount, SimSettings
from maxpool.sim.problems import Problem
from maxpool.sim.prompts import dump
from maxpool.sim.requests import RequestLog, SimRequest
from maxpool.sim.shelf import Shelves
from maxpool.sim.visits import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from maxpool.ports import Clock
    from maxpool.sim.faults import Fault
    from maxpool.sim.prompts import Face
    from maxpool.sim.visits import Visit

    Handler = Callable[[Request], Awaitable[Response]]
    Small = Callable[[World, Visit], dict[str, Any] | Problem]
    Page = Callable[[World, Visit], Response]


ANY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

__all__ = ["SimAccount", "SimRequest", "SimSettings", "SimUpstream", "Truth"]


class SimUpstream:
    """The simulated upstream: `app` is the ASGI application, the rest is for whoever directs it."""

    def __init__(
        self,
        accounts: Iterable[SimAccount],
        settings: SimSettings | None = None,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        settings = settings if settings is not None else SimSettings()
        clock = clock if clock is not None else WallClock()
        book = AccountBook(accounts, settings, clock.now(), seed)
        shelf_ids = random.Random(f"shelves:{seed}")
        people = tuple(state.account.name for state in book if state.account.of_plan)
        self._world = World(
            settings=settings,
            clock=clock,
            accounts=book,
            oauth=OAuthServer(settings, people, random.Random(f"oauth:{seed}")),
            faults=FaultBook(),
            log=RequestLog(settings.keep_requests, settings.keep_request_bytes),
            author=Author(settings, Prose(seed), seed),
            rng=random.Random(f"ids:{seed}"),
            shelves=Shelves(lambda: f"{shelf_ids.getrandbits(72):018x}"),
        )
        self.app = Starlette(routes=self._routes())

    @property
    def requests(self) -> RequestLog:
        """What arrived, oldest first; bounded."""
        return self._world.log

    @property
    def oauth(self) -> OAuthServer:
        """The OAuth server, to revoke or inspect logins."""
        return self._world.oauth

    def inject(
        self,
        fault: Fault,
        account: str | None = None,
        times: int | None = 1,
        when: Callable[[SimRequest], bool] | None = None,
    ) -> None:
        """Script a fault for the next `times` model calls (None: until cleared) of an account.

        `account` None: any. `when` narrows by the request, and then any path is meant. Raises
        KeyError for an unknown account.
        """
        if account is not None:
            self._world.accounts.named(account)
        self._world.faults.inject(fault, account, times, when)

    def disturb(self, draw: Callable[[SimRequest], Fault | None]) -> None:
        """Let `draw` say what happens to each model call that no scripted fault is meant for."""
        self._world.faults.draw = draw

    def clear_faults(self) -> None:
        """Forget all scripted faults; those that have begun go on."""
        self._world.faults.clear()

    def truth(self, name: str) -> Truth:
        """The hidden truth of an account; KeyError for an unknown one."""
        return self._world.accounts.named(name).truth(self._world.clock.now())

    def set_used(
        self, name: str, *, used_5h: float | None = None, used_7d: float | None = None
    ) -> None:
        """Say what share of an account's windows is spent, as if another program had spent it."""
        quota = self._world.accounts.named(name).organization.quota
        quota.set_used(self._world.clock.now(), used_5h=used_5h, used_7d=used_7d)

    def _routes(self) -> list[Route]:
        small = self._small
        return [
            Route("/v1/messages", self._model(messages_face), methods=["POST"]),
            Route("/v1/messages/count_tokens", small(endpoints.count_tokens), methods=["POST"]),
            Route("/v1/models", small(endpoints.models), methods=["GET"]),
            Route("/v1/messages/batches", self._page(resources.batches), methods=ANY_METHOD),
            Route(
                "/v1/messages/batches/{path:path}",
                self._page(resources.batches),
                methods=ANY_METHOD,
            ),
            Route("/v1/files", self._page(resources.files), methods=ANY_METHOD),
            Route("/v1/files/{path:path}", self._page(resources.files), methods=ANY_METHOD),
            Route("/v1/chat/completions", self._model(_chat), methods=["POST"]),
            Route("/v1/responses", self._model(_responses), methods=["POST"]),
            Route("/api/oauth/usage", small(endpoints.usage), methods=["GET"]),
            Route("/api/oauth/profile", small(endpoints.profile), methods=["GET"]),
            Route("/oauth/authorize", self._page(oauth_web.authorize), methods=["GET"]),
            Route(oauth_web.PASTE_PATH, self._page(oauth_web.paste), methods=["GET"]),
            Route("/v1/oauth/token", self._page(oauth_web.token), methods=["POST"]),
            Route("/v1/oauth/token/revoke", self._page(oauth_web.revoke), methods=["POST"]),
            Route("/", small(endpoints.hello), methods=["GET"]),
            Route("/api/hello", small(endpoints.hello), methods=["GET"]),
            Route("/{path:path}", small(endpoints.nowhere), methods=ANY_METHOD),
        ]

    def _model(self, face_of: Callable[[World, Visit], Face]) -> Handler:
        def page(world: World, visit: Visit) -> Response:
            return generate(world, visit, face_of(world, visit))

        return self._received(page)

    def _small(self, serve: Small) -> Handler:
        def page(world: World, visit: Visit) -> Response:
            result = serve(world, visit)
            if isinstance(result, Problem):
                return world.refuse(visit, _face_of(visit), result)
            return world.answer(visit, dump(result))

        return self._page(page)

    def _page(self, page: Page) -> Handler:
        def unless_scripted(world: World, visit: Visit) -> Response:
            scripted = world.scripted(visit, "")
            if scripted is not None:
                return world.refuse(visit, _face_of(visit), scripted)
            return page(world, visit)

        return self._received(unless_scripted)

    def _received(self, page: Page) -> Handler:
        world = self._world

        async def handle(request: Request) -> Response:
            try:
                visit = await world.receive(request, lambda seen: oauth_web.owner(world, seen))
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            return page(world, visit)

        return handle


def _chat(world: World, visit: Visit) -> Face:
    del world, visit
    return ChatFace()


def _responses(world: World, visit: Visit) -> Face:
    del world, visit
    return ResponsesFace()


def _face_of(visit: Visit) -> Face:
    """The API in whose shape a caller of a small endpoint expects errors."""
    openai = visit.seen.path == "/v1/models" and visit.seen.header("anthropic-version") is None
    return ChatFace() if openai and visit.seen.header("x-api-key") is None else MessagesFace()
