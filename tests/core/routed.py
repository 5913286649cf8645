"""Builders for tests of routes: accounts of several vendors, and names that stand for their models."""

from __future__ import annotations

from typing import Any

from maxpool import Account, Lease, LeaseRequest, Pool, PoolSettings
from maxpool.core.routes import Route
from maxpool.core.targets import Alias, Names, Routes
from tests.make import NOW, account

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"


def provider(name: str, *models: str, **given: Any) -> Account:
    """A provider's account that offers these models under their own names."""
    maps = dict.fromkeys(models, "*")
    return Account(
        **{"id": name, "name": name, "kind": "provider", "provider": name, "models": maps, **given}
    )


MAX, GROQ, OPENAI = account("max"), provider("groq", "llama", "small"), provider("openai", "gpt")


def routed_pool(*accounts: Account, **settings: Any) -> Pool:
    """A pool of these accounts (by default one of each vendor) in which paid ones are equals."""
    chosen = {"key_price": "always", **settings}
    return Pool(accounts or (MAX, GROQ, OPENAI), PoolSettings(**chosen), NOW)


def routes(pool: Pool, *aliases: Alias, **names: Any) -> Routes:
    """What names stand for, for the accounts of a pool."""
    accounts = [state.account for state in pool.states.values()]
    return Routes(Names(aliases=aliases, **names), accounts, pool.routing.sets)


def named(pool: Pool, *targets: str, **given: Any) -> Route:
    """The route of an alias `a` of these targets."""
    cross = given.pop("cross", "always")
    fallback = given.pop("fallback", ())
    alias = Alias(
        name=given.pop("name", "a"),
        targets=targets,
        fallback_targets=fallback,
        cross=cross,
        **given,
    )
    found = routes(pool, alias).resolve(alias.name)
    assert isinstance(found, Route)
    return found


def asking(route: Route, session: str | None = None, **given: Any) -> LeaseRequest:
    """A request for what a route stands for."""
    return LeaseRequest(route.name, session, input_tokens=20_000, route=route, **given)


def granted(pool: Pool, request: LeaseRequest, now: float, **given: Any) -> Lease:
    """A lease that must be granted."""
    found = pool.acquire(request, now, **given)
    assert isinstance(found, Lease), found
    return found


def route_to(names: Routes, model: str, **given: Any) -> Route:
    """What a name stands for, which must be a route."""
    found = names.resolve(model, **given)
    assert isinstance(found, Route), found
    return found
