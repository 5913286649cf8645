"""`GET /v1/models`: the union of what the enabled accounts offer to this caller, in its API's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from maxpool.web.door import asks_openai
from maxpool.wire import chat_answer
from maxpool.wire.replies import model, models
from maxpool.wire.request import program_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from maxpool.service.models import ModelList
    from maxpool.service.routes import Router
    from maxpool.web.allowance import Allowance


@dataclass(slots=True)
class Models:
    """The model list endpoint."""

    listing: ModelList
    router: Router

    async def list(self, request: Request) -> Response:
        """All model ids."""
        ids = await self._offered(request)
        body = chat_answer.models(ids) if _openai(request) else models(ids)
        return Response(body, media_type="application/json")

    async def one(self, request: Request) -> Response:
        """One model by its id; 404 when no account offers it to this caller."""
        name = request.path_params["name"]
        if name not in await self._offered(request):
            if _openai(request):
                request.state.prefix = "openai"  # and the error has that shape, too
            raise HTTPException(404, f"No account offers the model {name[:100]!r}.")
        body = chat_answer.model(name) if _openai(request) else model(name)
        return Response(body, media_type="application/json")

    async def _offered(self, request: Request) -> Sequence[str]:
        """What the accounts offer to this program and profile, and its key may ask for."""
        fields: dict[str, str] = request.state.fields
        allowed: Allowance = request.state.allowance
        profile = allowed.profile or fields.get("x-maxpool-profile")
        offered = await self.listing.offered(program_of(fields), profile)
        names = sorted({*self.router.names(), *offered})
        return [name for name in names if allowed.offers(name)]


def _openai(request: Request) -> bool:
    return asks_openai(request.state.fields, request.state.prefix)
