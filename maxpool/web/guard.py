"""The guard in front of every route: who may talk to the server at all. Plain ASGI, no framework.

A web page must not be able to spend quota or read state, so Host and Origin are checked (which also
ends DNS rebinding), a POST must be JSON (which a form cannot send), and only the pages that the config
names hear a word of CORS. Beyond loopback every route needs a client key. What changes the pool needs
the admin key, on loopback too; a client key never opens it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from maxpool.config import derive
from maxpool.config.running import LOCAL_KEY
from maxpool.errors import BindError, RequestError
from maxpool.web import cors, door
from maxpool.web.allowance import EVERYTHING, Allowance, allowance_of
from maxpool.web.attempts import Attempts
from maxpool.web.browsers import Browsers
from maxpool.web.dashboard import is_asset
from maxpool.wire import headers as wire_headers
from maxpool.wire import replies
from maxpool.wire.resources import FILES

if TYPE_CHECKING:
    from maxpool.config.model import Config
    from maxpool.ports import Clock, Secret

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""All that any route takes: TRACE would show a request's keys, CONNECT is for proxies of another kind."""

MAX_SEEN_HOSTS = 64
"""Accepted Host fields that are not taken apart again; there are two or three of them in real life."""

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Tell only whether the process lives and can serve; supervisors send no key."""
ADMIN = "/admin"
USAGE = "/usage"
ROUTE = "/route"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@,\s]+)(?::[0-9]{0,5})?")
_UNSPENDING = ("none", "same-origin")
"""What a browser says in `Sec-Fetch-Site` of requests that no other site has caused."""

_WITHOUT_KEY = (
    "This maxpool needs a client key: send it as `x-api-key` or as a bearer (ANTHROPIC_AUTH_TOKEN). "
    "`maxpool env` shows how."
)
_WITH_ANOTHER_KEY = (
    "The key in this request is none of this maxpool's client keys (it is looked for in `x-maxpool-key`, "
    "`x-api-key` and the bearer, in this order). `maxpool env` shows one, `maxpool keys add` makes one."
)
_WITH_OWN_LOGIN = (
    "This maxpool needs a client key, and your own login is none: send the key beside it as "
    "`x-maxpool-key` (ANTHROPIC_CUSTOM_HEADERS). `maxpool env --own-login` shows how."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the guard lets through. `keys`: name -> SHA-256 hex of a client key.

    `allowances`: name -> what that key may do, where it has limits.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    allowances: Mapping[str, Allowance] = field(default_factory=dict)
    require_key: bool = False
    max_target: int = 8192


@dataclass(slots=True)
class Guard:
    """Refuses what the rules do not allow, hands everything else on with its header fields read.

    Puts into `scope["state"]`: `fields` (lower-case names), `key_name` (the client key's, or None),
    `allowance` (what that key may do), `admin` (whether the admin key was shown), `prefix` and `set_name`
    (what stood before its path, see `door`). `admin_digest`:
    that key's SHA-256 in hex, "" for none. `running`: requests of keys that may have only so many.
    """

    app: App
    rules: Rules
    new_id: Callable[[], str]
    clock: Clock
    admin_digest: str = ""
    hosts: frozenset[str] = field(init=False)
    seen_hosts: set[str] = field(default_factory=set)
    attempts: Attempts = field(default_factory=Attempts)
    running: dict[str, int] = field(default_factory=dict)
    browsers: Browsers = field(default_factory=Browsers)

    def __post_init__(self) -> None:
        self.hosts = LOOPBACK_NAMES | self.rules.hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        request_id = self.new_id()
        prefix, set_name = "", None
        if scope["path"].startswith(door.STARTS):
            scope, prefix, set_name = _at_its_place(scope)
        try:
            fields = wire_headers.checked(scope["headers"])
            self._admit(scope, fields)
            page = fields.get("origin")
            if page is not None and page in self.rules.origins:
                if cors.is_preflight(scope["method"], fields):
                    await cors.permit(page, fields, send)
                    return
                send = cors.readable_by(page, send)
            admin = is_admin(scope["path"])
            if admin:
                self._check_admin_key(scope, fields)
            key_name = None if admin else self._key(scope, fields)
        except RequestError as error:
            await _refuse(error, request_id, send, scope["path"], prefix)
            return
        allowance = self.rules.allowances.get(key_name or "", EVERYTHING)
        state = scope.setdefault("state", {})
        state["fields"], state["key_name"], state["request_id"] = fields, key_name, request_id
        state["admin"], state["allowance"] = admin, allowance
        state["prefix"], state["set_name"] = prefix, set_name
        if allowance.requests is not None and scope["path"].startswith(("/v1/", ROUTE)):
            await self._counted(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def admit(self, rules: Rules) -> None:
        """Go by new rules from the next request on."""
        self.rules, self.hosts = rules, LOOPBACK_NAMES | rules.hosts
        self.seen_hosts.clear()

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a key that may have only so many requests at once."""
        allowance: Allowance = scope["state"]["allowance"]
        name, most = allowance.name, allowance.requests or 0
        running = self.running.get(name, 0)
        if running >= most:
            what = "request is" if most == 1 else "requests are"
            message = (
                f"The client key {name!r} may have {most} at once ([[client_keys]] requests), and its "
                f"{running} {what} still running or waiting. Try again when one has ended."
            )
            error = RequestError(429, "rate_limit_error", message)
            state = scope["state"]
            where = scope["path"], state["prefix"]
            await _refuse(error, state["request_id"], send, *where, should_retry=True)
            return
        self.running[name] = running + 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running[name] -= 1
            if not self.running[name]:
                del self.running[name]

    def _admit(self, scope: Scope, fields: dict[str, str]) -> None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self.rules.max_target:
            raise RequestError(414, "invalid_request_error", "The request's address is too long.")
        if self.rules.networks:
            self._check_peer(scope)
        host = fields.get("host", "")
        if host not in self.seen_hosts:
            self._check_host(host)
        self._check_origin(fields, host)
        self._check_type(scope, fields)

    def _check_peer(self, scope: Scope) -> None:
        """Only called where the config lists addresses: a caller without a legible one is not in it."""
        client = scope.get("client")
        told = client[0] if client is not None else "an unknown address"
        try:
            address = ipaddress.ip_address(told.partition("%")[0])
        except ValueError:
            address = None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address is not None and address.is_loopback:
            return
        if address is None or not any(address in network for network in self.rules.networks):
            raise RequestError(
                403, "permission_error", f"{address or told} is not in [server] allowed_ips."
            )

    def _check_host(self, host: str) -> None:
        if _host_name(host) not in self.hosts:
            raise RequestError(
                403,
                "permission_error",
                f"This server does not answer for the host {host[:100]!r}. Use http://127.0.0.1, "
                "or add the exact name to [server] allowed_hosts.",
            )
        if len(self.seen_hosts) < MAX_SEEN_HOSTS:
            self.seen_hosts.add(host)

    def _check_origin(self, fields: dict[str, str], host: str) -> None:
        origin = fields.get("origin")
        if origin is None:
            if fields.get("sec-fetch-site", "none") not in _UNSPENDING:
                raise RequestError(403, "permission_error", "Web pages may not call this server.")
            return
        name = host.lower()  # a browser writes both in lower case (Fetch standard, 3.2)
        if origin not in {f"http://{name}", f"https://{name}", *self.rules.origins}:
            raise RequestError(
                403,
                "permission_error",
                f"Web pages of {origin[:100]!r} may not call this server. A page of your own can "
                "be allowed by its exact origin in [server] allowed_origins.",
            )

    def _check_type(self, scope: Scope, fields: dict[str, str]) -> None:
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            if scope["method"] not in METHODS:
                message = f"This server takes no {scope['method'][:20]}."
                allow = ", ".join(sorted(METHODS))
                raise RequestError(405, "invalid_request_error", message, allow=allow)
            return
        kind = fields.get("content-type", "").partition(";")[0].strip().lower()
        # A page can send a form anywhere, yet not with a header of its own (Fetch standard, 4.8).
        upload = kind == "multipart/form-data" and scope["path"] == FILES
        if upload and ("anthropic-version" in fields or wire_headers.client_key(fields)):
            return
        if kind != "application/json":
            how = "Send the request with the header `content-type: application/json`."
            if upload:
                how = "Send an upload with the header `anthropic-version`."
            raise RequestError(415, "invalid_request_error", how)

    def _check_admin_key(self, scope: Scope, fields: dict[str, str]) -> None:
        sent = wire_headers.admin_key(fields)
        if not sent and self.browsers.may_act(scope, fields):
            return
        if not self.admin_digest:
            raise RequestError(
                403, "permission_error", "This server was started without an admin key."
            )
        right = compare_digest(_digest(sent), self.admin_digest)
        if sent:
            self._bound_guesses(scope, ADMIN if right else None)
        if not right:
            raise RequestError(
                401,
                "authentication_error",
                "This needs the admin key: send it as `x-maxpool-admin-key` or as a bearer. It stands "
                "in the file admin.key of the server's state folder.",
            )

    def _key(self, scope: Scope, fields: dict[str, str]) -> str | None:
        rules = self.rules
        if not rules.keys and not rules.require_key:
            return None
        sent = wire_headers.client_key(fields)
        digest = _digest(sent)
        found = None
        for name, known in rules.keys:  # every key is compared: the time taken tells nothing
            if compare_digest(digest, known):
                found = name
        if scope["path"] in OPEN_PATHS or is_asset(scope):
            return found
        if rules.require_key and not self.browsers.may_read(scope, fields):
            own = wire_headers.own_login(fields) if found is None else None
            if sent and sent != own:
                self._bound_guesses(scope, found)
            if found is None:
                lacks = _WITH_ANOTHER_KEY if sent else _WITHOUT_KEY
                message = _WITH_OWN_LOGIN if own is not None and sent == own else lacks
                raise RequestError(401, "authentication_error", message)
        if found is not None and found in rules.allowances:
            self._check_expiry(rules.allowances[found])
        return found

    def _check_expiry(self, allowance: Allowance) -> None:
        if allowance.until is not None and self.clock.now() >= allowance.until:
            raise RequestError(
                401,
                "authentication_error",
                f"The client key {allowance.name!r} has expired. The owner of this server can change "
                "its date, or make another with `maxpool keys add`.",
            )

    def _bound_guesses(self, scope: Scope, name: str | None) -> None:
        """Count a key that was sent, `name` its owner's; after too many wrong ones look at none."""
        client = scope.get("client")
        peer = client[0] if client is not None else None
        wait_s = self.attempts.wait_s(peer, name, self.clock.elapsed())
        if wait_s is not None:
            message = "Too many wrong keys came from this address. Wait a minute."
            raise RequestError(429, "rate_limit_error", message)


def is_admin(path: str) -> bool:
    """Whether a path belongs to the admin API."""
    return path in (ADMIN, USAGE) or path.startswith(ADMIN + "/")


def rules_of(config: Config, resolve: Callable[[str], Secret], local_key: str = "") -> Rules:
    """Whom the config lets in; raises `BindError` when it would open the server to anybody.

    `local_key`: the SHA-256 of the state folder's own client key, "" for none.
    """
    server = config.server
    keys: list[tuple[str, str]] = []
    for entry in config.client_keys:
        if entry.sha256 is not None:
            keys.append((entry.name, entry.sha256.lower()))
        elif entry.key is not None:
            value = resolve(entry.key).reveal()
            keys.append((entry.name, sha256(value.encode()).hexdigest()))
    required = derive.key_required(config)
    if not keys and not derive.on_loopback(config):
        raise BindError(
            f"[server] host = {server.host!r} is open to other machines, and there is no client key",
            "Make one with `maxpool keys add NAME`, or listen on 127.0.0.1.",
        )
    if local_key and LOCAL_KEY not in {key.name for key in config.client_keys}:
        keys.append((LOCAL_KEY, local_key))
    return Rules(
        hosts=frozenset(_as_sent(h) for h in (*server.allowed_hosts, server.host)),
        origins=frozenset(server.allowed_origins),
        networks=tuple(ipaddress.ip_network(net) for net in server.allowed_ips),
        keys=tuple(keys),
        allowances={
            key.name: allowance
            for key in config.client_keys
            if (allowance := allowance_of(key)) is not EVERYTHING
        },
        require_key=required,
    )


def _digest(sent: str | None) -> str:
    """The SHA-256 of a key as it was sent; of nothing when none was."""
    return sha256((sent or "").encode("utf-8", "surrogateescape")).hexdigest()


def _host_name(host: str) -> str:
    """The name in a Host header, without its port; "" where it is none."""
    found = _HOST.fullmatch(host)
    return _as_sent(found[1]) if found is not None else ""


def _as_sent(host: str) -> str:
    """A host as a client names it in its Host header: addresses of IPv6 in brackets, at their shortest."""
    try:
        return f"[{ipaddress.IPv6Address(host.strip('[]'))}]"
    except ValueError:
        return host.lower()


def _at_its_place(scope: Scope) -> tuple[Scope, str, str | None]:
    """The request as if its path had no prefix: every rule holds for what it really asks for."""
    place = door.place_of(scope["path"])
    if place.path == scope["path"]:
        return scope, place.prefix, None
    moved = {**scope, "path": place.path, "raw_path": quote(place.path).encode()}
    return moved, place.prefix, place.set_name


async def _refuse(
    error: RequestError,
    request_id: str,
    send: Send,
    path: str,
    prefix: str,
    *,
    should_retry: bool = False,
) -> None:
    if error.status == 401:
        answer = replies.auth_failure(str(error), request_id=request_id)
    else:
        answer = replies.error(
            error.status, error.kind, str(error), request_id=request_id, should_retry=should_retry
        )
    answer = door.told_there(answer, path, prefix)
    headers = list(answer.headers)
    if error.status == 405:  # RFC 9110 section 15.5.6
        headers.append((b"allow", error.allow.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
