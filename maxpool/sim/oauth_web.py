"""The simulated OAuth server's pages and token endpoint, as functions of a visit.

HTTP shapes only; what a code or token may do is decided in `oauth`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from maxpool.sim.delivery import whole
from maxpool.sim.oauth import OAuthError
from maxpool.sim.prompts import dump, read_object

if TYPE_CHECKING:
    from maxpool.sim.delivery import Delivery
    from maxpool.sim.requests import SimRequest
    from maxpool.sim.visits import Visit, World

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
PASTE_PATH = "/oauth/code/callback"


def authorize(world: World, visit: Visit) -> Response:
    """`GET /oauth/authorize`: with `person=NAME` approve at once, else ask who is signing in."""
    query = dict(parse_qsl(visit.seen.query))
    problem = world.oauth.fault_of_query(query) or _redirect_problem(query["redirect_uri"])
    if problem is not None:
        return _page("This sign-in cannot go on", f"<p>{escape(problem)}</p>", status=400)
    person = query.get("person")
    if person is None:
        return _page("Who is signing in?", _choices(world, query))
    if person not in world.oauth.people:
        return _page("Nobody of that name", "<p>There is no such invented person.</p>", status=400)
    code = world.oauth.authorize(person, query, world.clock.now())
    back = urlencode({"code": code, "state": query["state"]})
    glue = "&" if "?" in query["redirect_uri"] else "?"
    return RedirectResponse(f"{query['redirect_uri']}{glue}{back}", status_code=302)


def paste(world: World, visit: Visit) -> Response:
    """The page that shows `code#state` for logins without a loopback callback."""
    del world
    query = dict(parse_qsl(visit.seen.query))
    shown = f"{query.get('code', '')}#{query.get('state', '')}"
    return _page("Paste this code", f"<p><code>{escape(shown)}</code></p>")


def token(world: World, visit: Visit) -> Delivery:
    """`POST /v1/oauth/token`."""
    body = read_form(world, visit.seen)
    if body is None:
        result: dict[str, Any] | OAuthError = OAuthError(
            error="invalid_request", description="Invalid request format"
        )
    else:
        result = world.oauth.token(body, world.clock.now())
    if isinstance(result, OAuthError):
        error = {"error": result.error, "error_description": result.description}
        headers = (*visit.common_headers, ("content-type", "application/json"))
        script = whole(result.status, headers, dump(error))
        return world.deliver(visit, script, lambda gone: None)
    return world.answer(visit, dump(result))


def revoke(world: World, visit: Visit) -> Response:
    """`POST /v1/oauth/token/revoke`."""
    body = read_form(world, visit.seen) or {}
    world.oauth.revoke(str(body.get("token", "")))
    return JSONResponse({})


def read_form(world: World, seen: SimRequest) -> dict[str, Any] | None:
    """The body's fields: JSON, or a form where the settings allow one."""
    if world.settings.token_forms and "form" in (seen.header("content-type") or ""):
        return dict(parse_qsl(seen.body.decode("latin-1")))
    return read_object(seen.body)


def owner(world: World, seen: SimRequest) -> str | None:
    """Whose login a token request is about."""
    body = read_form(world, seen) or {}
    for name in ("refresh_token", "code", "token"):
        person = world.oauth.person_of(body.get(name))
        if person is not None:
            return person
    return None


def _redirect_problem(uri: str) -> str | None:
    parts = urlsplit(uri)
    if parts.path == PASTE_PATH or parts.hostname in LOOPBACK_HOSTS:
        return None
    return "redirect_uri must be a loopback address or this server's paste page"


def _choices(world: World, query: dict[str, str]) -> str:
    links = (
        f'<li><a href="?{escape(urlencode({**query, "person": name}))}">{escape(name)}</a></li>'
        for name in world.oauth.people
    )
    return f"<ul>{''.join(links)}</ul>"


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    html = f"<!doctype html><title>{title}</title><h1>{title}</h1>{body}"
    return HTMLResponse(html, status)
