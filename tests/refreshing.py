"""Logins before a simulated OAuth server: a vault in a folder, a clock that is moved, a whole rig.

Everything that must survive a run rests in one folder, so that a second run, or a second process, can
go on with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from maxpool.adapters.journal import SqliteRefreshJournal
from maxpool.adapters.refreshlock import FileRefreshLocks
from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app.build import build
from maxpool.app.logins import Refreshing
from maxpool.config.model import Config
from maxpool.errors import SecretError
from maxpool.ports import Secret
from maxpool.service.limits import limits_of
from maxpool.sim.clock import WallClock
from maxpool.sim.demo import InventedSecrets
from maxpool.sim.oauth import s256
from maxpool.sim.plans import SimSettings
from maxpool.sim.upstream import SimUpstream
from maxpool.wire.credential import StoredCredential, decode, encode
from tests.rig import ADMIN_KEY, Rig, key, plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from maxpool.service.refresh import Refresher
    from maxpool.sim.requests import SimRequest

TOKEN_PATH = "/v1/oauth/token"
REDIRECT = "http://localhost:1/callback"
LIFE_S = 28_800.0
LOGIN = "the-login"


class FolderVault:
    """`ports.Vault`: one file per account. `broken`: no use at all; `full`: it can be read only."""

    place = "a folder"

    def __init__(self, folder: Path) -> None:
        self.folder, self.broken, self.full = folder, False, False
        folder.mkdir(exist_ok=True)

    def get(self, name: str) -> Secret | None:
        self._check(self.broken)
        path = self.folder / name
        return Secret(path.read_text()) if path.exists() else None

    def put(self, name: str, value: Secret) -> None:
        self._check(self.broken or self.full)
        fresh = self.folder / f"{name}.new"
        fresh.write_text(value.reveal())
        fresh.replace(self.folder / name)

    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def _check(self, broken: bool) -> None:
        if broken:
            raise SecretError("the vault is full or locked", "Make room.")


class MovedClock(WallClock):
    """The machine's clock, and time that has passed besides."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> float:
        return super().now() + self.passed_s

    def elapsed(self) -> float:
        return super().elapsed() + self.passed_s


def sign_in(sim: SimUpstream, person: str, origin: str, now: float) -> StoredCredential:
    """What a sign-in of that person leaves in the vault."""
    verifier = "v" * 43
    query = {"code_challenge": s256(verifier), "redirect_uri": REDIRECT}
    asked = {
        "grant_type": "authorization_code",
        "client_id": "maxpool-demo",
        "code": sim.oauth.authorize(person, query, now),
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
    }
    got = sim.oauth.token(asked, now)
    assert isinstance(got, dict), got
    return StoredCredential(
        secret=got["access_token"],
        origin=origin,
        refresh_token=got["refresh_token"],
        expires_at=now + got["expires_in"],
        granted_at=now,
        scopes=tuple(got["scope"].split()),
        profile="sim",
    )


def parts(folder: Path) -> Refreshing:
    """What outlives a run, in that folder."""
    journal = SqliteRefreshJournal(folder / "logins.db")
    journal.open()
    return Refreshing(
        vault=FolderVault(folder / "vault"),
        locks=FileRefreshLocks(folder / "locks"),
        journal=journal,
        broken_at=journal.broken_at,
    )


@dataclass(slots=True)
class World:
    """The upstream of one or more runs, and the time they share."""

    sim: SimUpstream
    clock: MovedClock
    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    def refreshes(self) -> list[str]:
        """The refresh tokens that reached the token endpoint, in order."""
        bodies = (json.loads(seen.body) for seen in self.sim.requests if seen.path == TOKEN_PATH)
        return [body["refresh_token"] for body in bodies if "refresh_token" in body]


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[World]:
    """A simulated upstream that knows the login's person and the key behind it."""
    clock = MovedClock()
    told = SimSettings(access_token_life_s=LIFE_S, **settings)
    sim = SimUpstream((plan("max"), key("spare")), told, clock)
    server = Server(sim.app, graceful_s=0.0)
    await server.start()
    try:
        yield World(sim, clock, server)
    finally:
        await server.stop(0.0)


@dataclass(slots=True)
class LoginRig(Rig):
    """A running proxy whose account `max` is an OAuth login; `spare` is a key behind it."""

    world: World = field(init=False)
    parts: Refreshing = field(init=False)

    @property
    def clock(self) -> MovedClock:
        return self.world.clock

    @property
    def refresher(self) -> Refresher:
        return self.parts.refresher

    @property
    def vault(self) -> FolderVault:
        assert isinstance(self.parts.vault, FolderVault)
        return self.parts.vault

    @property
    def journal(self) -> SqliteRefreshJournal:
        assert isinstance(self.parts.journal, SqliteRefreshJournal)
        return self.parts.journal

    def stored(self) -> StoredCredential:
        """The login as the vault has it."""
        found = self.vault.get(LOGIN)
        assert found is not None
        return decode(found.reveal())

    def sign_in(self, **changes: Any) -> StoredCredential:
        """Sign in, and keep that in the vault as a command would."""
        found = sign_in(self.sim, "max", self.upstream.url, self.clock.now())
        found = replace(found, **changes)
        self.vault.put(LOGIN, Secret(encode(found)))
        return found

    async def tick(self) -> None:
        """Do what the timer would, and wait until it is done."""
        await self.refresher.tick()
        while self.refresher.running:
            await asyncio.wait(set(self.refresher.running.values()))

    async def due(self) -> None:
        """Let a refresh become due, while the access token is valid for minutes; and do it."""
        self.clock.passed_s += LIFE_S - 300.0
        await self.tick()

    async def credential(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.state("max"))["credential"]
        return found

    async def notices(self) -> str:
        """All notices as one text."""
        return "\n".join((await self.status())["notices"])


def is_refresh(seen: SimRequest) -> bool:
    """For `sim.inject`: a fault of the token endpoint."""
    return seen.path == TOKEN_PATH


@asynccontextmanager
async def login_rig(
    folder: Path, of: World | None = None, *, spare: bool = True, **sections: Any
) -> AsyncIterator[LoginRig]:
    """A proxy on what is in `folder`, before that world; keywords are config sections.

    Somebody signs in first, unless there is a login.
    """
    if of is None:
        async with world() as fresh, login_rig(folder, fresh, spare=spare, **sections) as it:
            yield it
        return
    kept = parts(folder)
    config = config_of(of.url, spare=spare, **sections)
    secrets = InventedSecrets((key("spare"),))
    digest = hashlib.sha256(ADMIN_KEY.encode()).hexdigest()
    proxy = build(config, clock=of.clock, secrets=secrets, refreshing=kept, admin_digest=digest)
    proxy.forwarder.limit(
        replace(limits_of(config), retry_same_s=(0.0, 0.01), backoff_s=(0.0, 0.01))
    )
    server, client = Server(proxy.app, graceful_s=0.2), HttpUpstream()
    running = LoginRig(of.sim, proxy, server, of.server, client)
    running.world, running.parts = of, kept
    try:
        if running.vault.get(LOGIN) is None:
            running.sign_in()
        await kept.refresher.start()
        await proxy.revival.look()
        await server.start()
        yield running
    finally:
        proxy.waiting.close()
        await client.aclose()
        await server.stop(0.2)
        running.journal.close()


def config_of(url: str, *, spare: bool = True, **sections: Any) -> Config:
    """A config with the OAuth login `max` and, behind it, the key `spare`."""
    profile = {
        "authorize_url": f"{url}/oauth/authorize",
        "token_url": f"{url}{TOKEN_PATH}",
        "client_id": "maxpool-demo",
        "token_body": "json",
    }
    entry = {"name": "max", "kind": "oauth", "oauth": "sim", "id": LOGIN}
    accounts: list[dict[str, Any]] = [{**entry, **sections.pop("entry", {})}]
    if spare:
        accounts.append({"name": "spare", "secret": "env:spare", "priority": 1})
    given = {"oauth": {"sim": profile}, **sections}
    return Config.model_validate({"accounts": accounts, "upstream": {"base_url": url}, **given})
