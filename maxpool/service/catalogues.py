"""Providers' catalogues: read again and again, the last good one in force.

One that is too large, broken or missing changes nothing but that the old one is called stale. A catalogue
only fills in what an account's owner did not say: context windows and tiers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from maxpool.errors import MaxpoolError
from maxpool.ports import Call, Unreachable
from maxpool.wire.catalogue import MAX_BYTES, Catalogue, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from maxpool.core.account import Account
    from maxpool.ports import Clock, Upstream

log = logging.getLogger("maxpool.catalogue")

AGE_S: Final = 3600.0
"""How old one may become before it is asked for again."""
RETRY_S: Final = 300.0
TIMEOUT_S: Final = 15.0


@dataclass(slots=True)
class Held:
    """What is known of one provider's catalogue. `error`: why the last reading failed."""

    source: str
    catalogue: Catalogue | None = None
    read_at: float | None = None
    next_at: float = 0.0
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Catalogues:
    """Catalogues by provider. `fetch` gives a source's bytes, or raises `MaxpoolError`.

    `changed`: called after a catalogue that says something else came in.
    """

    clock: Clock
    fetch: Callable[[str], Awaitable[bytes]]
    changed: Callable[[], None] = lambda: None
    held: dict[str, Held] = field(default_factory=dict)

    def follow(self, sources: Mapping[str, str]) -> None:
        """Go by these sources; one that moved is read anew, and nothing of the old one holds."""
        kept = {n: h for n, h in self.held.items() if sources.get(n) == h.source}
        self.held = {name: kept.get(name) or Held(source) for name, source in sources.items()}

    async def tick(self) -> None:
        """Read what is due."""
        now = self.clock.now()
        for name, held in list(self.held.items()):
            if not held.next_at - AGE_S <= now < held.next_at:
                await self._read(name, held)

    async def _read(self, name: str, held: Held) -> None:
        now = self.clock.now()
        held.next_at = now + RETRY_S
        try:
            found = read(await self.fetch(held.source))
        except (MaxpoolError, ValueError) as error:
            if held.error != str(error):
                log.warning("the catalogue of %s is not taken: %s", name, error)
            held.error = str(error)
            return
        fresh = found != held.catalogue
        held.catalogue, held.read_at, held.error = found, now, ""
        held.next_at = now + AGE_S
        if fresh:
            log.info("the catalogue of %s has %s models", name, len(found.models))
            self.changed()

    def filled(self, account: Account) -> Account:
        """The account with what its provider's catalogue says and its owner does not."""
        held = self.held.get(account.provider)
        if held is None or held.catalogue is None:
            return account
        context = {**held.catalogue.context, **account.context}
        return replace(account, context=context, tiers=account.tiers or held.catalogue.tiers)

    def report(self) -> dict[str, Any]:
        """For `/status`: what is in force, how old, and why no newer one."""
        return {
            name: {
                "models": len(held.catalogue.models) if held.catalogue is not None else None,
                "read_at": held.read_at,
                "stale": bool(held.error),
                "error": held.error or None,
            }
            for name, held in self.held.items()
        }


async def download(upstream: Upstream, url: str) -> bytes:
    """A catalogue by HTTP, without any credential; raises `MaxpoolError`."""
    reply = await upstream.send(
        Call(
            method="GET",
            url=url,
            headers=[(b"accept", b"application/json"), (b"accept-encoding", b"identity")],
            body=b"",
            connect_timeout_s=TIMEOUT_S,
            header_timeout_s=TIMEOUT_S,
            idle_timeout_s=TIMEOUT_S,
        )
    )
    if isinstance(reply, Unreachable):
        raise MaxpoolError(f"it could not be reached ({reply.kind})")
    body = bytearray()
    try:
        async for chunk in reply.stream:
            body += chunk
            if len(body) > MAX_BYTES:
                raise MaxpoolError(f"it is larger than {MAX_BYTES >> 20} MB")
    finally:
        await reply.stream.aclose()
    if reply.status != 200:
        raise MaxpoolError(f"HTTP {reply.status}")
    return bytes(body)
