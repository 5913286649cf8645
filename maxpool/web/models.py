"""`GET /v1/models`: the union of what the enabled accounts offer to this caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

from maxpool.wire.replies import model, models
from maxpool.wire.request import program_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from maxpool.service.models import ModelList
    from maxpool.web.allowance import Allowance


@dataclass(slots=True)
class Models:
    """The model list endpoint."""

    listing: ModelList

    async def list(self, request: Request) -> Response:
        """All model ids, in the Messages API's shape."""
        ids = await self._offered(request)
        return Response(models(ids), media_type="application/json")

    async def one(self, request: Request) -> Response:
        """One model by its id; 404 when no account offers it to this caller."""
        name = request.path_params["name"]
        if name not in await self._offered(request):
            raise HTTPException(404, f"No account offers the model {name[:100]!r}.")
        return Response(model(name), media_type="application/json")

    async def _offered(self, request: Request) -> Sequence[str]:
        """What the accounts offer to this program and profile, and its key may ask for."""
        fields: dict[str, str] = request.state.fields
        allowed: Allowance = request.state.allowance
        profile = allowed.profile or fields.get("x-maxpool-profile")
        offered = await self.listing.offered(program_of(fields), profile)
        return [name for name in offered if allowed.offers(name)]
