"""What model names stand for while the server runs: requests get their routes here, lists their names.

Holds the values that `config/routes` makes and builds them anew when config or accounts change; what is
chosen of a route is the pool's business.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from maxpool.config import routes as written
from maxpool.core.eligibility import Reason
from maxpool.core.reasons import TRANSLATED
from maxpool.core.routes import Route
from maxpool.core.targets import Names, Routes, Unroutable, upstream_model
from maxpool.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from maxpool.config.model import Config
    from maxpool.core.account import Account
    from maxpool.core.lease import Lease, LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.core.routes import Target

log = logging.getLogger("maxpool.models")

STALE, UNSUPPORTED = "stale", "unsupported"
"""A target that no account offers, and one whose account speaks a format that we cannot."""


@dataclass(slots=True)
class Router:
    """Names and their routes, for the accounts that the pool has."""

    pool: Pool
    routes: Routes = field(init=False)
    said: set[str] = field(default_factory=set)  # targets that cannot serve, told once

    def __post_init__(self) -> None:
        self.routes = Routes(Names(), (), self.pool.routing.sets)

    def follow(self, config: Config) -> None:
        """Go by this config and the accounts that the pool has now."""
        sets = self.pool.routing.sets
        sets.configure(written.sets(config))
        accounts = tuple(state.account for state in self.pool.states.values())
        self.routes = Routes(written.names(config), accounts, sets)
        told = dict(self._troubles())
        for text in told.keys() - self.said:
            log.warning("models: %s is %s: kept, and passed over", text, told[text])
        self.said = set(told)

    def routed(self, request: LeaseRequest, set_name: str | None = None) -> LeaseRequest:
        """The request with what its model stands for; raises `RequestError` where that is nothing it may have.

        `set_name`: the set whose endpoint was asked.
        """
        if not request.model:
            return request
        found = self.routes.resolve(
            request.model, set_name=set_name, profile=request.profile, program=request.program
        )
        if found is None:
            return request
        if isinstance(found, Unroutable):
            if found.reason is Reason.PROFILE:
                raise RequestError(403, "permission_error", found.message)
            raise RequestError(404, "not_found_error", found.message)
        return replace(request, route=found)

    def asked(
        self, name: str, *, program: str | None = None, profile: str | None = None
    ) -> dict[str, Any]:
        """What a name stands for, as parts of a request; nothing where that is itself, or nothing at all."""
        found = self.routes.resolve(name, program=program, profile=profile)
        return {"route": found} if isinstance(found, Route) else {}

    def names(self) -> list[str]:
        """Aliases and sets that clients may ask for, sorted."""
        return sorted(set(self.routes.listed()))

    def trouble(self, target: Target) -> str | None:
        """Why nobody could ever serve a target; None where somebody could."""
        named = (a for a in self._named(target) if a.models or not target.mapped)
        offering = [a for a in named if upstream_model(a.models, target.model) is not None]
        if not offering:
            return STALE
        spoken = any(account.format in TRANSLATED for account in offering)
        return None if spoken else UNSUPPORTED

    def _named(self, target: Target) -> Sequence[Account]:
        """The accounts that a target names, enabled or not."""
        return [
            account
            for account in self.routes.accounts
            if target.account in (None, account.id) and target.provider in (None, account.provider)
        ]

    def _troubles(self) -> Iterator[tuple[str, str]]:
        routes = self.routes
        if not routes.accounts:
            return
        names = [*routes.exact, *(f"maxpool:{one.name}" for one in routes.sets.listed())]
        for name in names:
            found = routes.resolve(name)
            for target in () if found is None or isinstance(found, Unroutable) else found.targets:
                trouble = self.trouble(target)
                if trouble is not None:
                    yield f"target {target.label!r} of {name!r}", trouble


def told_of(lease: Lease) -> list[tuple[bytes, bytes]]:
    """Reply headers of what a name stood for in this answer; none where it stood for itself."""
    decision = lease.decision
    if not decision.route or decision.route == decision.target:
        return []
    text = f"{decision.route} -> {decision.target or lease.model}"
    return [(b"x-maxpool-route", _visible(text))]


def _visible(text: str) -> bytes:
    return text.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")[:300]
