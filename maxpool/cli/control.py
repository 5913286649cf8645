"""The admin API of a running server, for the verbs that change it. Standard library only.

Finds the server and its admin key in the state folder, and sends that key to that server alone:
another address gets only a key that a person gave for it ($MAXPOOL_ADMIN_KEY).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from maxpool.cli import server
from maxpool.config import environment
from maxpool.config.peek import peek
from maxpool.config.running import admin_key, running
from maxpool.errors import MaxpoolError, NotRunning

if TYPE_CHECKING:
    from pathlib import Path

SIGNS = {
    "/accounts": "accounts",
    "/accounts/": "name",
    "/alerts": "alerts",
    "/alerts/silence": "alerts",
    "/alerts/test": "arrived",
    "/automatic": "paused",
    "/client-logins/": "name",
    "/decisions": "decisions",
    "/decisions/": "tries",
    "/exec": "pid",
    "/explain": "candidates",
    "/keys": "keys",
    "/keys/": "revoked",
    "/models": "models",
    "/models/": "model",
    "/pause": "paused",
    "/probes": "probes",
    "/providers": "providers",
    "/reload": "loaded_at",
    "/requests": "requests",
    "/resume": "paused",
    "/sessions": "sessions",
    "/sessions/": "account_id",
    "/sets": "sets",
    "/sets/": "set",
    "/stop": "drain_s",
    "/usage": "usage",
    "/warmth": "mode",
}
"""By path (or, with a slash, by how it begins): a field of maxpool's answer, to know it by."""

START = "Start it with: maxpool serve (or name another address with --url)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A server's admin API. `local`: it is the one that uses this machine's state folder."""

    url: str
    key: str
    certificate: Path | None = None
    local: bool = False

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """What the server says; parameters that are None are left out."""
        given = {key: str(value) for key, value in query.items() if value is not None}
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path)

    def post(
        self, path: str, *, within_s: float = server.TIMEOUT_S, **body: object
    ) -> dict[str, Any]:
        """Have something done, and be told within that time."""
        return self._ask("POST", path, body, within_s)

    def patch(self, path: str, **body: object) -> dict[str, Any]:
        """Have settings changed."""
        return self._ask("PATCH", path, body)

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """Have something removed."""
        return self._ask("DELETE", f"{path}?{urlencode(query)}" if query else path)

    def _ask(
        self, method: str, path: str, body: object = None, within_s: float = server.TIMEOUT_S
    ) -> dict[str, Any]:
        status, data = server.ask(
            self.url,
            method,
            f"/admin{path}",
            headers={"x-maxpool-admin-key": self.key},
            body=body,
            certificate=self.certificate,
            timeout_s=within_s,
        )
        if not isinstance(data, dict) or _sign(status, path) not in data:
            raise MaxpoolError(
                f"what answers at {self.url} is not maxpool (HTTP {status})",
                "Name the right address with --url",
            )
        if status >= 400:
            raise _refused(self.url, status, data)
        return data


def _sign(status: int, path: str) -> str:
    """What an answer of maxpool's holds."""
    if status >= 400:
        return "error"
    plain = path.partition("?")[0]
    return SIGNS.get(plain) or SIGNS[plain[: plain.index("/", 1) + 1]]


def control(url: str | None, config_file: Path | None) -> Control:
    """The admin API of the server at `url`, else of the one that uses the config's state folder.

    Raises `NotRunning` when there is none, `MaxpoolError` when its key cannot be read.
    """
    found = peek(config_file)
    folder = found.folder or environment.state_folder()
    alive = running(folder)
    if url is None and alive is None:
        raise NotRunning(f"no maxpool is running (none uses {folder})", START)
    here = alive.url if alive is not None else ""
    given = environment.admin_key()
    if given is None and url is not None and url.lower() != here.rstrip("/").lower():
        raise MaxpoolError(
            f"the admin key in {folder} is not for {url}, and is not sent there",
            f"{_for(here)}set MAXPOOL_ADMIN_KEY to that server's key",
        )
    key = given or admin_key(folder)
    if key is None:
        raise MaxpoolError(
            f"there is no admin key in {folder}",
            "Set MAXPOOL_ADMIN_KEY, or MAXPOOL_HOME to the server's state folder",
        )
    local = bool(here) and (url is None or url.lower() == here.rstrip("/").lower())
    return Control(url=url or here, key=key, certificate=found.tls_cert, local=local)


def _for(here: str) -> str:
    return f"It is for {here}: leave --url out, or " if here else "For another server, "


def word(text: str) -> str:
    """A name or id as one step of a path."""
    return quote(text, safe="")


def _refused(url: str, status: int, data: dict[str, Any]) -> MaxpoolError:
    error = data.get("error")
    message = str(error.get("message")) if isinstance(error, dict) else f"HTTP {status}"
    if status in (401, 403):
        return MaxpoolError(
            f"the server at {url} does not take this admin key (HTTP {status})",
            "Set MAXPOOL_HOME to its state folder, or MAXPOOL_ADMIN_KEY to its key",
        )
    first, stop, rest = message.partition(". ")
    return MaxpoolError(first.rstrip("."), rest if stop else "")


def printed(data: object) -> str:
    """JSON for programs."""
    return json.dumps(data, indent=2)
