"""`/admin/sets`: the named sets of targets, and which of them `maxpool` means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maxpool.web.admin_body import json_body, wrong
from maxpool.web.status import Json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.service.sets import SetDesk
    from maxpool.web.admin_body import Handler

FIELDS: Final = frozenset({"name", "targets", "strategy"})


@dataclass(slots=True)
class SetPages:
    """Sets over one pool."""

    desk: SetDesk

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        one = "/admin/sets/{set}"
        return {
            "/admin/sets": {"GET": self.sets, "POST": self.make},
            one: {"GET": self.show, "PATCH": self.change, "DELETE": self.drop},
            f"{one}/use": {"POST": self.use},
        }

    async def sets(self, _request: Request) -> Response:
        """Every set, the default one first."""
        found = self.desk.listed()
        active = next((one["name"] for one in found if one["active"]), None)
        return Json({"sets": found, "active": active})

    async def show(self, request: Request) -> Response:
        """One set with its targets."""
        return Json({"set": self.desk.shown(request.path_params["set"])})

    async def make(self, request: Request) -> Response:
        """A new set."""
        body = await json_body(request)
        if body.keys() - FIELDS:
            raise wrong('Say what is in it: {"name": "NAME", "targets": ["ACCOUNT/MODEL"]}.')
        strategy = body.get("strategy", "cost")
        made = self.desk.make(body.get("name"), body.get("targets"), strategy)
        return Json({"set": made, "sets": self.desk.listed()}, 201)

    async def change(self, request: Request) -> Response:
        """Other targets, or another name, for a set made at run time."""
        body, name = await json_body(request), request.path_params["set"]
        if not body or body.keys() - FIELDS:
            raise wrong("Say what changes: name, targets or strategy.")
        if body.keys() - {"name"}:
            kept = self.desk.shown(name)
            targets = body.get("targets", kept["written"])
            self.desk.make(name, targets, body.get("strategy", kept["strategy"]))
        found = self.desk.rename(name, body["name"]) if "name" in body else self.desk.shown(name)
        return Json({"set": found})

    async def drop(self, request: Request) -> Response:
        """A set made at run time, away."""
        name = request.path_params["set"]
        self.desk.drop(name)
        return Json({"set": {"name": name, "deleted": True}})

    async def use(self, request: Request) -> Response:
        """`maxpool` means this set from now on."""
        await json_body(request)
        return Json({"set": self.desk.use(request.path_params["set"])})
