"""The guard in front of every route: who may talk to the server at all. Plain ASGI, no framework.

A web page must not be able to spend quota or read state, so Host and Origin are checked (which also
ends DNS rebinding), a POST must be JSON (which a form cannot send), and no CORS header is ever sent.
Beyond loopback every route needs a client key. What changes the pool needs the admin key, on loopback
too; a client key never opens it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from maxpool.config import derive
from maxpool.config.running import LOCAL_KEY
from maxpool.errors import BindError, RequestError
from maxpool.wire import headers as wire_headers
from maxpool.wire import replies
from maxpool.wire.resources import FILES

if TYPE_CHECKING:
    from maxpool.config.model import Config
    from maxpool.ports import Secret

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Tell only whether the process lives and can serve; supervisors send no key."""
ADMIN = "/admin"
_WITHOUT_KEY = (
    "This maxpool needs a client key: send it as `x-api-key` or as a bearer (ANTHROPIC_AUTH_TOKEN). "
    "`maxpool env` shows how."
)
_WITH_OWN_LOGIN = (
    "This maxpool needs a client key, and your own login is none: send the key beside it as "
    "`x-maxpool-key` (ANTHROPIC_CUSTOM_HEADERS). `maxpool env --own-login` shows how."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the guard lets through. `keys`: name -> SHA-256 hex of a client key.

    `priorities`: name -> the most urgent that key may claim, where that is not 0.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    priorities: Mapping[str, int] = field(default_factory=dict)
    require_key: bool = False
    max_target: int = 8192


@dataclass(slots=True)
class Guard:
    """Refuses what the rules do not allow, hands everything else on with its header fields read.

    Puts into `scope["state"]`: `fields` (lower-case names), `key_name` (the client key's, or None),
    `most_urgent` (the priority that key may claim at best) and
    `admin` (whether the admin key was shown). `admin_digest`: that key's SHA-256 in hex, "" for none.
    """

    app: App
    rules: Rules
    new_id: Callable[[], str]
    admin_digest: str = ""
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.hosts = LOOPBACK_NAMES | self.rules.hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        request_id = self.new_id()
        try:
            wire_headers.check(scope["headers"])
            fields = wire_headers.fields(scope["headers"])
            self._admit(scope, fields)
            admin = is_admin(scope["path"])
            if admin:
                self._check_admin_key(fields)
            key_name = None if admin else self._key(scope, fields)
        except RequestError as error:
            await _refuse(error, request_id, send)
            return
        state = scope.setdefault("state", {})
        state["fields"], state["key_name"], state["request_id"] = fields, key_name, request_id
        state["admin"], state["most_urgent"] = admin, self.rules.priorities.get(key_name or "", 0)
        await self.app(scope, receive, send)

    def admit(self, rules: Rules) -> None:
        """Go by new rules from the next request on."""
        self.rules, self.hosts = rules, LOOPBACK_NAMES | rules.hosts

    def _admit(self, scope: Scope, fields: dict[str, str]) -> None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self.rules.max_target:
            raise RequestError(414, "invalid_request_error", "The request's address is too long.")
        self._check_peer(scope)
        host = fields.get("host", "")
        if _host_name(host) not in self.hosts:
            raise RequestError(
                403,
                "permission_error",
                f"This server does not answer for the host {host[:100]!r}. Use http://127.0.0.1, "
                "or add the exact name to [server] allowed_hosts.",
            )
        self._check_origin(fields, host)
        self._check_type(scope, fields)

    def _check_peer(self, scope: Scope) -> None:
        client = scope.get("client")
        if client is None:
            return
        try:
            address = ipaddress.ip_address(client[0].partition("%")[0])
        except ValueError:
            return
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address.is_loopback or not self.rules.networks:
            return
        if not any(address in network for network in self.rules.networks):
            raise RequestError(
                403, "permission_error", f"{address} is not in [server] allowed_ips."
            )

    def _check_origin(self, fields: dict[str, str], host: str) -> None:
        origin = fields.get("origin")
        if origin is None:
            if fields.get("sec-fetch-site") in ("cross-site", "same-site"):
                raise RequestError(403, "permission_error", "Web pages may not call this server.")
            return
        own = {f"http://{host}", f"https://{host}"}
        if origin not in own and origin not in self.rules.origins:
            raise RequestError(
                403,
                "permission_error",
                f"Web pages of {origin[:100]!r} may not call this server. A page of your own can "
                "be allowed by its exact origin in [server] allowed_origins.",
            )

    def _check_type(self, scope: Scope, fields: dict[str, str]) -> None:
        if scope["method"] not in ("POST", "PUT", "PATCH"):
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

    def _check_admin_key(self, fields: dict[str, str]) -> None:
        sent = wire_headers.admin_key(fields)
        if not self.admin_digest:
            raise RequestError(
                403, "permission_error", "This server was started without an admin key."
            )
        if not compare_digest(_digest(sent), self.admin_digest):
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
        digest = _digest(wire_headers.client_key(fields))
        found = None
        for name, known in rules.keys:  # every key is compared: the time taken tells nothing
            if compare_digest(digest, known):
                found = name
        if found is None and rules.require_key and scope["path"] not in OPEN_PATHS:
            own = wire_headers.own_login(fields) is not None
            raise RequestError(
                401, "authentication_error", _WITH_OWN_LOGIN if own else _WITHOUT_KEY
            )
        return found


def is_admin(path: str) -> bool:
    """Whether a path belongs to the admin API."""
    return path == ADMIN or path.startswith(ADMIN + "/")


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
        hosts=frozenset(h.lower() for h in (*server.allowed_hosts, server.host)),
        origins=frozenset(server.allowed_origins),
        networks=tuple(ipaddress.ip_network(net) for net in server.allowed_ips),
        keys=tuple(keys),
        priorities={key.name: key.priority for key in config.client_keys if key.priority},
        require_key=required,
    )


def _digest(sent: str | None) -> str:
    """The SHA-256 of a key as it was sent; of nothing when none was."""
    return sha256((sent or "").encode("utf-8", "surrogateescape")).hexdigest()


def _host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


async def _refuse(error: RequestError, request_id: str, send: Send) -> None:
    if error.status == 401:
        answer = replies.auth_failure(str(error), request_id=request_id)
    else:
        answer = replies.error(
            error.status, error.kind, str(error), request_id=request_id, should_retry=False
        )
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)}
    )
    await send({"type": "http.response.body", "body": answer.body})
