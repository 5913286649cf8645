"""`GET /api/oauth/usage` and `/api/oauth/profile`, which clients ask for their own meters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from maxpool.web.messages import target_of
from maxpool.wire.usage import profile_document, usage_document

if TYPE_CHECKING:
    from starlette.requests import Request

    from maxpool.service.ownquestions import OwnQuestions

USAGE = "/api/oauth/usage"
PROFILE = "/api/oauth/profile"


@dataclass(slots=True)
class OwnQuestionPages:
    """Both endpoints."""

    questions: OwnQuestions

    async def usage(self, request: Request) -> Response:
        """How much is used: of the pool, or of the caller's own login."""
        if self.questions.own(request.state.fields):
            return await self._theirs(request)
        return _json(usage_document(self.questions.windows()))

    async def profile(self, request: Request) -> Response:
        """Whose login it is: nobody's in particular, or the caller's own."""
        if self.questions.own(request.state.fields):
            return await self._theirs(request)
        return _json(profile_document())

    async def _theirs(self, request: Request) -> Response:
        scope = request.scope
        request_id = request.state.request_id
        answer = await self.questions.forward(target_of(scope), scope["headers"], request_id)
        response = Response(answer.body, answer.status)
        response.raw_headers = list(answer.headers)
        return response


def _json(body: bytes) -> Response:
    return Response(body, headers={"cache-control": "no-store"}, media_type="application/json")
