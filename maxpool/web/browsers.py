"""Signing in from a browser: the admin key once, then a cookie that scripts of the page cannot read.

The cookie is signed with what the server knows of the admin key, so it outlives a restart and ends with
the key; the key itself is never kept in the browser. Only pages of this very server can use it (SameSite,
and the guard's look at the origin), and what changes something needs a second word that only they know.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from maxpool.web.status import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.ports import Clock
    from maxpool.web.admin_body import Handler
    from maxpool.web.guard import Scope

SIGNED_IN_S: Final = 7 * 86_400
"""How long a sign-in holds: a page that is left open for a week needs the key once."""

MAX_ENDED: Final = 256
"""Sign-outs that are remembered until their cookie would have ended anyway."""

CSRF: Final = "x-maxpool-csrf"
READABLE: Final = frozenset(
    {"/", "/status", "/status/readings", "/status.css", "/events", "/metrics"}
)
"""What a signed-in browser may read where callers need a key. It spends no quota: /v1 is not in it."""

_SAFE: Final = frozenset({"GET", "HEAD"})


@dataclass(slots=True)
class Browsers:
    """Makes and checks cookies. `secret`: the admin key's digest, "" where there is no such key."""

    secret: str = ""
    clock: Clock | None = None
    new_id: Callable[[], str] = str
    ended: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def cookie(self) -> tuple[str, int]:
        """A new cookie and how long it holds, in seconds."""
        until = int(self._now()) + SIGNED_IN_S
        said = f"{until}.{self.new_id()}"
        return f"{said}.{self._signed('cookie', said)}", SIGNED_IN_S

    def csrf(self, cookie: str) -> str:
        """The word that must stand in a header beside that cookie to change something."""
        return self._signed("csrf", cookie)

    def holds(self, cookie: str | None) -> bool:
        """Whether a cookie is one of ours, in its time, and not signed out."""
        if not cookie or not self.secret or len(cookie) > 200:
            return False
        said, _, signature = cookie.rpartition(".")
        right = _same(signature, self._signed("cookie", said))
        until = said.partition(".")[0]
        return right and int(until) > self._now() and cookie not in self.ended

    def end(self, cookie: str) -> None:
        """That cookie opens nothing any more."""
        if self.holds(cookie):
            self.ended[cookie] = None
            while len(self.ended) > MAX_ENDED:
                self.ended.popitem(last=False)

    def signed_in(self, scope: Scope, fields: Mapping[str, str]) -> str | None:
        """The cookie that a request shows, if it holds."""
        found = cookie_of(scope, fields)
        return found if self.holds(found) else None

    def may_act(self, scope: Scope, fields: Mapping[str, str]) -> bool:
        """Whether it is as good as the admin key for this request."""
        cookie = self.signed_in(scope, fields)
        if cookie is None:
            return False
        word = fields.get(CSRF, "")
        return scope["method"] in _SAFE or _same(word, self.csrf(cookie))

    def may_read(self, scope: Scope, fields: Mapping[str, str]) -> bool:
        """Whether it is as good as a client key for looking."""
        path = scope["path"]
        return path in READABLE and self.signed_in(scope, fields) is not None

    def about(self, scope: Scope, fields: Mapping[str, str]) -> dict[str, Any]:
        """What the page is told of the person before it."""
        cookie = self.signed_in(scope, fields)
        told = None if cookie is None else self.csrf(cookie)
        return {"admin": cookie is not None, "csrf": told, "can_sign_in": bool(self.secret)}

    def _now(self) -> float:
        return 0.0 if self.clock is None else self.clock.now()

    def _signed(self, purpose: str, text: str) -> str:
        message = f"{purpose}:{text}".encode("utf-8", "surrogateescape")
        return hmac.new(self.secret.encode(), message, sha256).hexdigest()


@dataclass(slots=True)
class SignIn:
    """`/admin/login`, `/admin/logout`: the guard has asked for the admin key, or for a cookie that holds."""

    browsers: Browsers

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        return {
            "/admin/login": {"POST": self.sign_in},
            "/admin/logout": {"POST": self.sign_out},
        }

    async def sign_in(self, request: Request) -> Response:
        """A cookie for the admin key that came with the request."""
        cookie, seconds = self.browsers.cookie()
        answer = Json({"admin": True, "csrf": self.browsers.csrf(cookie), "expires_in_s": seconds})
        answer.set_cookie(
            _name(request.scope),
            cookie,
            max_age=seconds,
            path="/",
            secure=request.scope["scheme"] == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    async def sign_out(self, request: Request) -> Response:
        """The cookie ends, here and in the browser."""
        cookie = cookie_of(request.scope, request.state.fields)
        if cookie is not None:
            self.browsers.end(cookie)
        answer = Json({"admin": False})
        answer.delete_cookie(_name(request.scope), path="/", httponly=True, samesite="strict")
        return answer


def _same(shown: str, right: str) -> bool:
    """In constant time, whatever bytes were shown."""
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), right.encode())


def cookie_of(scope: Scope, fields: Mapping[str, str]) -> str | None:
    """Our cookie in a request, None without one (RFC 6265 section 4.2.1)."""
    name = _name(scope)
    for pair in fields.get("cookie", "").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return None


def _name(scope: Scope) -> str:
    """Cookies know no ports: two servers of one machine must not take each other's."""
    server = scope.get("server")
    return f"maxpool_admin_{server[1] if server else 0}"
