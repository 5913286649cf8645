"""`/admin/models`, `/admin/providers`, `/admin/warmth`: what can be asked for, who serves it, what is warm.

Reads, but for the mode of the checks. Errors have the one envelope of `/v1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from maxpool.core.warmth import INTERVALS_S
from maxpool.web import provider_documents as documents
from maxpool.web.admin_body import json_body, wrong
from maxpool.web.status import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.service.models import ModelList
    from maxpool.service.operate import Operator
    from maxpool.service.warming import Warmer
    from maxpool.web.admin_body import Handler

MODES: Final = ("off", *INTERVALS_S)
MAX_MODELS: Final = 500
"""Models in one answer: each is weighed on every account."""
NOTE: Final = "Kept in memory: until the config says another mode, or the server restarts."


@dataclass(slots=True, kw_only=True)
class ProviderPages:
    """Models and providers over one pool. `asked`: what a name stands for, as parts of a request;
    `names`: aliases and sets.
    """

    operator: Operator
    listing: ModelList
    warmer: Warmer
    asked: Callable[..., dict[str, Any]] = documents.itself
    names: Callable[[], list[str]] = list

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        return {
            "/admin/models": {"GET": self.models},
            "/admin/models/{model:path}": {"GET": self.model},
            "/admin/providers": {"GET": self.providers},
            "/admin/warmth": {"GET": self.warmth, "POST": self.switch},
        }

    async def models(self, _request: Request) -> Response:
        """Every model that can be named, and how many accounts serve it now."""
        pool, now = self.operator.pool, self.operator.clock.now()
        names = documents.mapped_names(pool) | set(self.names())
        for program in documents.PROGRAMS:
            names.update(await self.listing.offered(program))
        found = []
        for name in sorted(names)[:MAX_MODELS]:
            found.append(documents.model(pool, name, now, self.asked))
            await self.operator.clock.sleep(0)  # requests go on meanwhile
        return Json({"models": found, "named": len(names), "now": now})

    async def model(self, request: Request) -> Response:
        """One model, whether or not it is listed."""
        pool, now = self.operator.pool, self.operator.clock.now()
        name = request.path_params["model"][:200]
        return Json({**documents.model(pool, name, now, self.asked), "now": now})

    async def providers(self, _request: Request) -> Response:
        """Every account by its provider."""
        operator = self.operator
        pool, now = operator.pool, operator.clock.now()
        config, warmth = operator.roster.effective(), self.warmer.report()
        shared = config.upstream.base_url
        found = documents.providers(pool, now, config.accounts, warmth, shared)
        return Json({"providers": found, "warmth": warmth, "now": now})

    async def warmth(self, _request: Request) -> Response:
        """The mode of the checks and every target in focus."""
        return Json({**self.warmer.report(), "now": self.operator.clock.now()})

    async def switch(self, request: Request) -> Response:
        """Another mode, now."""
        mode = (await json_body(request)).get("mode")
        if mode not in MODES:
            raise wrong(f'Say which: {{"mode": "eco"}}, of {", ".join(MODES)}.')
        self.warmer.switch(cast("Any", mode))
        return Json({**self.warmer.report(), "now": self.operator.clock.now(), "note": NOTE})
