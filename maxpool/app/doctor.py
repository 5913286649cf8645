"""Collecting what `maxpool doctor` judges: config, machine, server, accounts, clients. Changes nothing.

Works with and without a running server; asks each origin one question that is free, with the account's
own credential, and none at all for plans: what the server has seen of those is told instead.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from maxpool import __version__
from maxpool.adapters.clock import SystemClock
from maxpool.adapters.listening import bind
from maxpool.adapters.privatefile import looseness
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app import clients
from maxpool.app.discovering import secret_of
from maxpool.app.vault import lazy_vault
from maxpool.config import derive
from maxpool.config.clientfiles import CLIENTS, TITLES, same_server
from maxpool.config.load import load
from maxpool.config.problems import render
from maxpool.errors import BindError, ConfigError, MaxpoolError
from maxpool.service import gates
from maxpool.service.gates import Gate, Verdict, failed, passed, warned
from maxpool.service.warming import KINDS
from maxpool.wire.apiroot import models_url
from maxpool.wire.headers import authorization

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.config.load import Loaded
    from maxpool.config.model import Config

SURFACES: Final = ("/v1/messages", "/v1/chat/completions", "/v1/responses")
"""The endpoints that clients use: each must refuse an empty request in its own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The running server, as a command found it: its status, and how its endpoints answered."""

    url: str
    status: dict[str, Any]
    surfaces: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Doctor:
    """One examination. `served` None: no server runs. `live` False: no origin is asked."""

    config_file: Path | None
    served: Served | None = None
    live: bool = True
    timeout_s: float = 10.0
    found: list[Gate] = field(default_factory=list)

    async def examine(self) -> list[Gate]:
        """All gates, in the order in which they matter."""
        loaded = self._config()
        if loaded is not None:
            self._machine(loaded.config)
        self._server(loaded)
        if loaded is not None:
            await self._accounts(loaded)
        self._clients(loaded)
        return self.found

    # -- config and machine ------------------------------------------------------------------------

    def _config(self) -> Loaded | None:
        try:
            loaded = load(self.config_file)
        except ConfigError as error:
            lines = render(error.problems[0])
            more = f", and {len(error.problems) - 1} more" if len(error.problems) > 1 else ""
            said = f"{error.message}: {lines[0]}{more}"
            self.found.append(failed("config", "readable", said, "maxpool config check"))
            return None
        where = str(loaded.path) if loaded.path is not None else "no file: the defaults hold"
        self.found.append(passed("config", "readable", where))
        if not loaded.config.accounts:
            todo = "maxpool login NAME"
            self.found.append(failed("config", "accounts", "there is no account", todo))
        return loaded

    def _machine(self, config: Config) -> None:
        folder = derive.state_folder(config)
        there = next(p for p in (folder, *folder.parents) if p.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            todo = f"Check who owns {there}, or set [storage] folder"
            self.found.append(failed("machine", "state folder", f"{folder} is not writable", todo))
        elif (loose := looseness(folder)) is not None:
            self.found.append(warned("machine", "state folder", loose[0], loose[1]))
        else:
            self.found.append(passed("machine", "state folder", str(folder)))
        self.found.append(gates.disk_gate(str(there), shutil.disk_usage(there).free))
        self._vault(config)

    def _vault(self, config: Config) -> None:
        """Only where an account's secret rests there: others need none."""
        users = [e for e in config.accounts if derive.reference(e).startswith("vault:")]
        if not users:
            self.found.append(passed("machine", "secrets", "no account keeps one in the vault"))
            return
        vault = lazy_vault(config)
        try:
            missing = [e.name for e in users if vault.get(e.stable_id) is None]
        except MaxpoolError as error:
            self.found.append(failed("machine", "secrets", error.message, error.hint))
            return
        if missing:
            todo = f"maxpool login {missing[0]}"
            said = f"nothing is stored for {', '.join(missing)}"
            self.found.append(failed("machine", "secrets", said, todo))
            return
        self.found.append(passed("machine", "secrets", f"{len(users)} in {vault.place}"))

    # -- the server --------------------------------------------------------------------------------

    def _server(self, loaded: Loaded | None) -> None:
        if self.served is None:
            self.found.append(warned("server", "running", "no server runs", "maxpool serve"))
            if loaded is not None:
                self._port(loaded.config)
            return
        status, url = self.served.status, self.served.url
        self.found.append(passed("server", "running", f"{url}, version {status['version']}"))
        if status["version"] != __version__:
            said = f"it is {status['version']}, this command is {__version__}"
            todo = "maxpool reload --exec"
            self.found.append(warned("server", "version", said, todo))
        if status["config"]["error"]:
            said = f"the changed config does not hold: {status['config']['error']}"
            self.found.append(failed("server", "config", said, "maxpool config check"))
        for path, answered in self.served.surfaces.items():
            self.found.append(_surface(path, answered))
        summary = status["summary"]
        ready = summary["accounts_ready"] and not summary["paused"]
        make = passed if ready else failed
        more = () if ready else ("maxpool accounts",)
        self.found.append(make("pool", "serves", summary["verdict"], *more))
        for notice in status.get("notices", ())[:10]:
            self.found.append(warned("server", "notice", notice, "maxpool status"))
        warmth = status.get("jobs", {}).get("warmth")
        if warmth is not None:
            self.found.append(gates.warmth_gate(warmth))

    def _port(self, config: Config) -> None:
        host, port = config.server.host, config.server.port
        try:
            for sock in bind(host, port) if port else ():
                sock.close()
        except BindError as error:
            self.found.append(failed("server", "port", error.message, error.hint))
        else:
            self.found.append(passed("server", "port", f"{port} is free" if port else "any"))

    # -- accounts ----------------------------------------------------------------------------------

    async def _accounts(self, loaded: Loaded) -> None:
        told = {a["id"]: a for a in self.served.status["accounts"]} if self.served else {}
        entries = [e for e in loaded.config.accounts if e.enabled]
        ca_file = loaded.config.upstream.ca_file
        upstream = HttpUpstream(ca_file=str(ca_file) if ca_file is not None else None)
        try:
            asked = await asyncio.gather(*(self._account(loaded, e, upstream) for e in entries))
        finally:
            await upstream.aclose()
        for entry, found in zip(entries, asked, strict=True):
            self.found += found
            if entry.stable_id in told:
                self.found += gates.served_gates(told[entry.stable_id])

    async def _account(
        self, loaded: Loaded, entry: AccountConfig, upstream: HttpUpstream
    ) -> list[Gate]:
        about = f"account {entry.name}"
        if entry.kind not in KINDS:
            said = "a plan is asked nothing here; its own answers tell"
            return [passed(about, "credential", said)]
        folder = loaded.path.parent if loaded.path is not None else None
        try:
            secret = await asyncio.to_thread(secret_of, loaded.config, entry, folder)
        except MaxpoolError as error:
            return [failed(about, "credential", error.message, error.hint)]
        found = [passed(about, "credential", "found" if secret is not None else "none is needed")]
        if not self.live:
            return found
        base, clock = derive.base_url(loaded.config, entry), SystemClock()
        value = secret.reveal() if secret is not None else ""
        header, _ = authorization(value, derive.auth_header(entry) if value else "none")
        headers = [(n.encode(), v.encode()) for n, v in entry.headers.items()]
        headers += [header] if header is not None else []
        if entry.format == "anthropic":
            headers.append((b"anthropic-version", b"2023-06-01"))
        url = models_url(base, entry.format)
        seen = await gates.look(upstream, url, headers, self.timeout_s, clock)
        found += gates.origin_gates(about, base, seen, clock.now())
        if seen.status is None:
            return found
        found.append(gates.auth_gate(about, entry.name, seen))
        targets = [to for to in derive.models(entry).values() if to not in ("", "*")]
        models = gates.models_gate(about, targets, seen.models)
        return [*found, models] if models is not None else found

    # -- clients -----------------------------------------------------------------------------------

    def _clients(self, loaded: Loaded | None) -> None:
        here = self.served.url if self.served is not None else None
        if here is None and loaded is not None:
            here = f"http://127.0.0.1:{loaded.config.server.port}"
        for client in CLIENTS:
            if here is None or not clients.installed(client):
                continue
            title, todo = TITLES[client], f"maxpool doctor --patch {client}"
            try:
                there = clients.leads_to(client)
            except MaxpoolError as error:
                self.found.append(warned(title, "client", error.message, error.hint))
                continue
            if there is not None and same_server(there, here):
                self.found.append(passed(title, "client", f"goes to {there}"))
            else:
                said = f"goes to {there}" if there else "goes to its usual place, not here"
                self.found.append(warned(title, "client", said, todo))


def _surface(path: str, status: int) -> Gate:
    """An endpoint that reads an empty request refuses it; one that is not there says 404."""
    if status in (400, 422):
        return passed("server", path, "answers")
    if status in (401, 403):
        return warned("server", path, "asks for a key", "Set MAXPOOL_KEY to one of its client keys")
    if status == 404:
        return warned("server", path, "is not served by this version", "Update maxpool")
    return failed("server", path, f"answered HTTP {status} to an empty request", "See its log")


def summary(found: list[Gate]) -> str:
    """One sentence on all gates."""
    counts = {v: sum(gate.verdict is v for gate in found) for v in Verdict}
    parts = [
        f"{counts[Verdict.FAIL]} failed" if counts[Verdict.FAIL] else "",
        f"{counts[Verdict.WARN]} to look at" if counts[Verdict.WARN] else "",
    ]
    said = ", ".join(part for part in parts if part) or "all is well"
    return f"{len(found)} gates: {said}."
