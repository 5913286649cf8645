"""`GET /v1/models`: the union of what the enabled accounts offer to this caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from maxpool.wire.replies import model, models
from maxpool.wire.request import program_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from maxpool.service.models import ModelList


@dataclass(slots=True)
class Models:
    """The model list endpoint."""

    listing: ModelList

    async def list(self, request: Request) -> Response:
        """All model ids, in the Messages API's shape."""
        ids = await self.listing.offered(program_of(request.state.fields))
        return Response(models(ids), media_type="application/json")

    async def one(self, request: Request) -> Response:
        """One model by its id; 404 when no account offers it to this caller."""
        name = request.path_params["name"]
        if name not in await self.listing.offered(program_of(request.state.fields)):
            raise HTTPException(404, f"No account offers the model {name[:100]!r}.")
        return Response(model(name), media_type="application/json")
