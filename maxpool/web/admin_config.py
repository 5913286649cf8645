"""`GET /admin/config`: the config as it holds, key by key, with where each value comes from. Only shows.

Secrets appear as references, as in `maxpool config show`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maxpool.config import show
from maxpool.web.status import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.config.load import Loaded
    from maxpool.service.reload import Reloader
    from maxpool.web.admin_body import Handler


@dataclass(slots=True, kw_only=True)
class ConfigPages:
    """The running config. `loaded` is the config that runs with where its values come from."""

    reloader: Reloader
    loaded: Callable[[], Loaded]

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        return {"/admin/config": {"GET": self.config}}

    async def config(self, _request: Request) -> Response:
        """Every table, in file order."""
        reloader = self.reloader
        return Json(
            {
                "loaded_at": reloader.loaded_at,
                "error": reloader.error,
                "tables": [_table(table) for table in show.tables(self.loaded())],
            }
        )


def _table(table: show.Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "entry": table.entry,
        "settings": [
            {
                "key": setting.key,
                "value": None if setting.value is None else show.toml_value(setting.value),
                "origin": setting.origin,
            }
            for setting in table.settings
        ],
    }
