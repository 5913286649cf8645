"""A config without accounts, a simulated provider, and somebody who signs in there."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from maxpool.app.vault import open_vault
from maxpool.config.load import load
from maxpool.wire.credential import StoredCredential, decode
from tests.claims.test_operations import ROOT, Place, place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from maxpool.config.account import AccountConfig
    from maxpool.service.login import Attempt
    from maxpool.sim.plans import SimAccount, SimSettings

VAULT_KEY = "5e" * 32


@asynccontextmanager
async def world(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *people: SimAccount,
    settings: SimSettings | None = None,
    more: str = "",
) -> AsyncIterator[Place]:
    """A place whose config names the provider's sign-in as `[oauth.demo]`, and no account yet."""
    environment = {"MAXPOOL_SECRET_KEY": VAULT_KEY, "BROWSER": "none", "MAXPOOL_ADMIN_KEY": ""}
    async with place(folder, *people, settings=settings) as one:
        environment |= {"MAXPOOL_CONFIG": str(one.config), "MAXPOOL_HOME": str(one.state)}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        url = one.upstream_url
        one.config.write_text(
            f'# mine\n[server]\nport = 0\n[upstream]\nbase_url = "{url}"\n'
            f'[storage]\nfolder = "{one.state}"\n[secrets]\nstore = "file"\n'
            f'[oauth.demo]\nauthorize_url = "{url}/oauth/authorize"\n'
            f'token_url = "{url}/v1/oauth/token"\nrevoke_url = "{url}/v1/oauth/token/revoke"\n'
            f'profile_url = "{url}/api/oauth/profile"\n'
            f'client_id = "maxpool-demo"\ntoken_body = "json"\n{more}'
        )
        yield one


def entries(one: Place) -> dict[str, AccountConfig]:
    """The accounts of the config as it is now."""
    return {entry.name: entry for entry in load(one.config).config.accounts}


async def visit(url: str, *, follow: bool = True) -> tuple[int, str]:
    """What a browser gets: status, and the page or (not followed) where it is sent."""
    return await asyncio.to_thread(_visit, url, follow)


def as_person(url: str, person: str) -> str:
    """The sign-in page's address, with somebody approving at once."""
    return f"{url}&person={quote(person)}"


async def sent_back(url: str, person: str) -> str:
    """Where the browser is sent after somebody signed in."""
    return (await visit(as_person(url, person), follow=False))[1]


async def pasted(url: str, person: str) -> str:
    """`CODE#STATE`, as a provider's page shows it."""
    found = re.search(r"code=([^&]+)&state=([^&]+)", await sent_back(url, person))
    assert found is not None
    return f"{found[1]}#{found[2]}"


@dataclass
class Browser:
    """`app.signin.Person`: signs in as `person` as soon as it is shown where."""

    person: str | None = None
    attempts: asyncio.Queue[Attempt] = field(default_factory=asyncio.Queue)
    objections: list[str] = field(default_factory=list)
    pages: list[asyncio.Future[tuple[int, str]]] = field(default_factory=list)

    def show(self, attempt: Attempt, *, opened: bool) -> None:
        assert not opened
        self.attempts.put_nowait(attempt)
        if self.person is not None:
            self.open(as_person(attempt.url, self.person))

    def object(self, text: str) -> None:
        self.objections.append(text)

    def open(self, url: str) -> asyncio.Future[tuple[int, str]]:
        self.pages.append(asyncio.ensure_future(visit(url)))
        return self.pages[-1]


def _visit(url: str, follow: bool) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    there = answer.headers.get("location")
    if there is not None:
        return _visit(there, follow) if follow else (answer.status, there)
    return answer.status, text


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


async def command(*arguments: str, given: str = "") -> Done:
    """Run `maxpool ARGUMENTS` without a terminal, `given` on its stdin."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "maxpool", *arguments),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given.encode())
    return Done(process.returncode or 0, out.decode(), err.decode())


def kept(one: Place, name: str) -> StoredCredential | None:
    """What the vault holds for the account of that name."""
    text = open_vault(load(one.config).config).get(entries(one)[name].stable_id)
    return decode(text.reveal()) if text is not None else None
