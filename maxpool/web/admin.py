"""`/admin/...`: what a person does with the running pool, over HTTP. The guard asked for the admin key.

Reads requests and writes JSON; what is done is `service/operate`'s, what is shown `admin_documents`'s.
GET changes nothing. Errors have the one envelope of `/v1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from maxpool.config.identity import OWN_LOGINS
from maxpool.core.lease import LeaseRequest, OwnLogin
from maxpool.errors import RequestError
from maxpool.service.operate import ACCOUNT_ACTIONS, POOL_ACTIONS
from maxpool.web import admin_documents as documents
from maxpool.web import topup
from maxpool.web.admin_body import json_body
from maxpool.web.status import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from maxpool.core.pool import Pool
    from maxpool.service.operate import Operator
    from maxpool.service.traces import Trace, Traces
    from maxpool.web.admin_body import Handler, Pages

SHOWN, MOST_SHOWN = 50, 1000
"""Decisions and sessions in one answer, unless `limit` says otherwise, and at most."""

KEY_LIMITS = ("models", "profile", "requests", "max_wait", "expires")
KEY_FIELDS = frozenset({"name", "priority", *KEY_LIMITS})
MAX_TOKENS = 100_000_000
MAX_WORD = 200


@dataclass(slots=True)
class Admin:
    """The admin API over one pool."""

    operator: Operator
    traces: Traces
    pages: tuple[Pages, ...] = ()
    asked: Callable[..., dict[str, Any]] = lambda _name, **_said: {}  # what a name stands for

    def routes(self) -> list[Route]:
        """One route a path, with its methods."""
        return [
            Route(path, _dispatch(handlers), methods=sorted(handlers))
            for part in (self, *self.pages)
            for path, handlers in part.endpoints().items()
        ]

    def endpoints(self) -> dict[str, dict[str, Handler]]:
        """Path -> method -> handler."""
        one, account = "/admin/accounts", "/admin/accounts/{account}"
        found: dict[str, dict[str, Handler]] = {
            one: {"GET": self.accounts, "POST": self.add},
            account: {"GET": self.account, "PATCH": self.change, "DELETE": self.remove},
        }
        found |= {f"{account}/{a}": {"POST": self._act(a)} for a in ACCOUNT_ACTIONS}
        found[f"{account}/confirm"] = {"POST": self.confirm}
        found[f"{account}/topup"] = {"POST": topup.handler(self.operator, self._shown)}
        found[f"{account}/probe"] = {"POST": self.probe}
        found[f"{account}/refresh"] = {"POST": self.refresh}
        found |= {f"/admin/{a}": {"POST": self._command(a)} for a in POOL_ACTIONS}
        return found | {
            "/admin/keys": {"GET": self.keys, "POST": self.add_key},
            "/admin/keys/{key}": {"DELETE": self.revoke_key},
            "/admin/client-logins/confirm": {"POST": self.confirm_logins},
            "/admin/probes": {"GET": self.probes, "POST": self.probe_all},
            "/admin/reload": {"POST": self.reload},
            "/admin/exec": {"POST": self.execute},
            "/admin/stop": {"POST": self.stop},
            "/admin/sessions": {"GET": self.sessions},
            "/admin/sessions/{session:path}/move": {"POST": self.move},
            "/admin/decisions": {"GET": self.decisions},
            "/admin/decisions/{request}": {"GET": self.decision},
            "/admin/explain": {"GET": self.explain},
        }

    @property
    def _pool(self) -> Pool:
        return self.operator.pool

    def _now(self) -> float:
        return self.operator.clock.now()

    # -- accounts ----------------------------------------------------------------------------------

    async def accounts(self, _request: Request) -> Response:
        """Every account: settings, state, quota."""
        view, roster = self._pool.view(self._now()), self.operator.roster
        return Json(
            {
                "accounts": documents.accounts(view, roster),
                "preferred": view.preferred,
                "paused": view.paused,
                "now": view.now,
            }
        )

    async def account(self, request: Request) -> Response:
        """One account."""
        return self._shown(self.operator.account_id(request.path_params["account"]))

    async def add(self, request: Request) -> Response:
        """A run-time account: 201 when new, 200 when it replaced one of that name."""
        account_id, new = self.operator.add(await json_body(request))
        return self._shown(account_id, 201 if new else 200)

    async def change(self, request: Request) -> Response:
        """Settings of an account, until the config says otherwise."""
        account_id = self.operator.account_id(request.path_params["account"])
        self.operator.change(account_id, await json_body(request))
        note = (
            "Kept in memory: until the config says something else for it, or the server restarts."
        )
        return self._shown(account_id, note=note)

    async def remove(self, request: Request) -> Response:
        """An account, away: from memory, or from the config file and the vault."""
        account_id = self.operator.account_id(request.path_params["account"])
        keep = request.query_params.get("keep_secret") == "true"
        name = self._pool.states[account_id].account.name
        done = await self.operator.remove(account_id, keep_secret=keep)
        return Json({"removed": account_id, "name": name, "result": done})

    async def confirm(self, request: Request) -> Response:
        """Its credential may go where its `base_url` leads now."""
        account_id = self.operator.account_id(request.path_params["account"])
        await json_body(request)
        self.operator.confirm(account_id)
        return self._shown(account_id)

    async def confirm_logins(self, request: Request) -> Response:
        """Clients' own logins may go where `[upstream] base_url` leads now."""
        await json_body(request)
        return Json({"name": OWN_LOGINS, "base_url": self.operator.confirm_logins()})

    async def probe(self, request: Request) -> Response:
        """Ask the provider for the account's usage now."""
        account_id = self.operator.account_id(request.path_params["account"])
        await json_body(request)
        return self._shown(account_id, result=await self.operator.ask_usage(account_id))

    async def refresh(self, request: Request) -> Response:
        """New tokens for the account's login now."""
        account_id = self.operator.account_id(request.path_params["account"])
        await json_body(request)
        return self._shown(account_id, result=await self.operator.renew_login(account_id))

    def _act(self, action: str) -> Handler:
        async def act(request: Request) -> Response:
            account_id = self.operator.account_id(request.path_params["account"])
            await json_body(request)
            self.operator.command(action, account_id)
            return self._shown(account_id)

        return act

    def _shown(self, account_id: str, status: int = 200, **more: object) -> Response:
        view, roster = self._pool.view(self._now()), self.operator.roster
        (found,) = documents.accounts(view, roster, account_id)
        return Json({**found, **self._file(), "now": view.now, **more}, status)

    def _file(self) -> dict[str, Any]:
        path = self.operator.config_path
        return {"config_path": str(path) if path is not None else None}

    # -- probes and client keys --------------------------------------------------------------------

    async def probes(self, _request: Request) -> Response:
        """When each account was and will be asked for its usage, and what came of it."""
        view = self._pool.view(self._now())
        return Json({"probes": documents.probes(view), "now": view.now})

    async def probe_all(self, request: Request) -> Response:
        """Ask every account that can be asked, one after the other."""
        await json_body(request)
        done = []
        for asked in documents.probes(self._pool.view(self._now())):
            if asked["probed"]:
                try:
                    result = await self.operator.ask_usage(asked["account_id"])
                except RequestError as error:  # one account's trouble is not the others'
                    result = error.message
                done.append({"account": asked["account"], "result": result})
        return Json({"probes": done, "now": self._now()})

    async def keys(self, _request: Request) -> Response:
        """The client keys, by name; nobody can be told a key itself."""
        return Json({"keys": self._keys(), **self._file()})

    def _keys(self) -> list[dict[str, Any]]:
        operator = self.operator
        return documents.keys(operator.reloader.config, local=operator.local_key())

    async def add_key(self, request: Request) -> Response:
        """A new client key; this answer is the only time it is told."""
        body = await json_body(request)
        name, priority = body.get("name"), body.get("priority", 0)
        if not isinstance(name, str) or type(priority) is not int or body.keys() - KEY_FIELDS:
            raise _wrong('Say who it is for: {"name": "NAME", "priority": 0}.')
        limits = {limit: body[limit] for limit in KEY_LIMITS if limit in body}
        key = await self.operator.file().add_key(name, priority, limits)
        told = {"name": name, "priority": priority, **limits, "key": key.reveal()}
        return Json({**told, "keys": self._keys()}, 201)

    async def revoke_key(self, request: Request) -> Response:
        """A client key, away."""
        name = request.path_params["key"]
        await self.operator.file().revoke_key(name)
        return Json({"revoked": name})

    # -- the pool ----------------------------------------------------------------------------------

    def _command(self, action: str) -> Handler:
        async def command(request: Request) -> Response:
            await json_body(request)
            self.operator.command(action)
            view = self._pool.view(self._now())
            return Json(
                {
                    "paused": view.paused,
                    "preferred": view.preferred,
                    "in_flight": view.in_flight,
                    "queued": len(view.waiters),
                }
            )

        return command

    async def reload(self, request: Request) -> Response:
        """Read the config file again."""
        await json_body(request)
        self.operator.reload()
        reloader = self.operator.reloader
        return Json({"loaded_at": reloader.loaded_at, "notices": list(reloader.notices())})

    async def execute(self, request: Request) -> Response:
        """A new process takes over; this one drains."""
        await json_body(request)
        return Json(await self.operator.succeed())

    async def stop(self, request: Request) -> Response:
        """Drain and end."""
        await json_body(request)
        running = self.operator.shut_down()
        drain_s = self.operator.reloader.first.server.drain_s
        return Json({"stopping": True, "in_flight": running, "drain_s": drain_s}, 202)

    # -- sessions ----------------------------------------------------------------------------------

    async def sessions(self, request: Request) -> Response:
        """Where sessions are bound, the latest first."""
        limit = _number(request, "limit", SHOWN, MOST_SHOWN)
        found = documents.sessions(self._pool, self._now())
        return Json({"bound": len(found), "sessions": found[:limit]})

    async def move(self, request: Request) -> Response:
        """Bind a session to another account."""
        account = (await json_body(request)).get("account")
        if not isinstance(account, str):
            raise _wrong('Say where to: {"account": "NAME"}.')
        key, account_id = self.operator.move(request.path_params["session"], account)
        name = self._pool.states[account_id].account.name
        shown = documents.session_name(key)
        return Json({"session": shown, "account": name, "account_id": account_id})

    # -- why ---------------------------------------------------------------------------------------

    async def decisions(self, request: Request) -> Response:
        """The latest requests and where they went, the newest first."""
        limit = _number(request, "limit", SHOWN, MOST_SHOWN)
        asked = request.query_params
        account = asked.get("account")
        account_id = self.operator.account_id(account) if account is not None else None
        found: list[dict[str, Any]] = []
        for trace in self.traces.latest():
            if len(found) >= limit:
                break
            if _matches(trace, asked) and (
                account_id is None or account_id in documents.accounts_of(trace, self._pool)
            ):
                found.append(documents.decision(trace, self._pool, self._now(), whole=False))
        return Json({"decisions": found})

    async def decision(self, request: Request) -> Response:
        """All tries of one request, by its id or a lease's."""
        wanted = request.path_params["request"]
        trace = self.traces.find(wanted)
        if trace is None:
            raise RequestError(
                404,
                "not_found_error",
                f"Nothing is known of {wanted[:100]!r}. The last {self.traces.limit} requests since the "
                "server's start are kept; answers carry their id as x-request-id.",
            )
        return Json(documents.decision(trace, self._pool, self._now(), whole=True))

    async def explain(self, request: Request) -> Response:
        """What would be chosen now, and why; changes nothing."""
        now = self._now()
        asked = self._asked(request, now)
        return Json(documents.explanation(self._pool.explain(asked, now), self._pool, now))

    def _asked(self, request: Request, now: float) -> LeaseRequest:
        """The request that is asked about: what is not said is as an ordinary client has it."""
        word = {key: value[:MAX_WORD] or None for key, value in request.query_params.items()}
        model, shown = word.get("model"), word.get("session")
        if model is None:
            raise _wrong("Say which model: /admin/explain?model=NAME.")
        session, _, agent = (shown or "").partition("/")
        key = shown.replace("/", "\x1f") if shown else None
        binding = self._pool.bindings.find(key, now)
        return LeaseRequest(
            model=model,
            session=session or None,
            agent=agent or None,
            input_tokens=_number(request, "input_tokens", 0, MAX_TOKENS),
            program=word.get("program"),
            profile=word.get("profile"),
            signed_thinking=binding is not None and binding.protected,
            arrived_at=now,
            home=word.get("home") is not None,
            own=self._login(word.get("login")),
            **self.asked(model, program=word.get("program"), profile=word.get("profile")),
        )

    def _login(self, wanted: str | None) -> OwnLogin | None:
        """The client's own login that is asked about, by the name of its account."""
        if wanted is None:
            return None
        spill = self.operator.roster.config.pool.spill
        return OwnLogin(self.operator.account_id(wanted), frozenset(spill))


def _dispatch(handlers: Mapping[str, Handler]) -> Handler:
    async def dispatch(request: Request) -> Response:
        if not request.scope["state"]["admin"]:  # the guard lets nobody else this far
            raise RequestError(403, "permission_error", "This needs the admin key.")
        method = "GET" if request.method == "HEAD" else request.method
        return await handlers[method](request)

    return dispatch


def _matches(trace: Trace, asked: Mapping[str, str]) -> bool:
    """Whether a request is of that model, session and kind."""
    session = documents.session_of(trace.request)
    said = {"model": trace.request.model, "session": session, "kind": trace.kind}
    return all(asked[key] == value for key, value in said.items() if key in asked)


def _number(request: Request, name: str, usual: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise _wrong(f"{name} must be a whole number.")
    return min(int(text), most)


def _wrong(message: str) -> RequestError:
    return RequestError(400, "invalid_request_error", message)
