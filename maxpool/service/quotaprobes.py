"""Quota probes: asking a provider how much of an account's quota or balance is left.

For providers that offer such a page; where it is and how it is read is the account's own config. A probe
takes no lease and counts in no statistics. A failed one changes nothing: the last good numbers hold.
Limits that come with the answers themselves, and the usage endpoint of plans, are other rooms'.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from maxpool import __version__
from maxpool.core import spending
from maxpool.errors import SecretError, StreamCut
from maxpool.ports import Call, Reply, Unreachable
from maxpool.wire import quotamap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.pool import Pool
    from maxpool.core.quotareading import QuotaReading
    from maxpool.ports import Clock, Destination, RawHeaders, Upstream
    from maxpool.service.probes import Bearers
    from maxpool.service.waiting import WaitingRoom

log = logging.getLogger("maxpool.quota")

MAX_ANSWER_BYTES: Final = 256 * 1024
MAX_GAP_S: Final = 3600.0
"""After failures the gap doubles, up to this, and at least as long as its owner says."""

_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", f"maxpool/{__version__}".encode()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaPage:
    """Where an account's quota is told, and how to read it. `gates`: it may close the account."""

    url: str
    quota_map: Mapping[str, str]
    method: str = "GET"
    every_s: float = 300.0
    gates: bool = True


@dataclass(slots=True, kw_only=True)
class QuotaProber:
    """Asks what is due. `pages`: by account id, only those that have one."""

    pool: Pool
    upstream: Upstream
    tokens: Bearers
    waiting: WaitingRoom
    clock: Clock
    destinations: Mapping[str, Destination]
    pages: Mapping[str, QuotaPage] = field(default_factory=dict)
    timeout_s: float = 15.0
    lane: asyncio.Lock = field(default_factory=asyncio.Lock)
    counts: dict[str, int] = field(default_factory=lambda: {"asked": 0, "failed": 0})

    def follow(self, pages: Mapping[str, QuotaPage], timeout_s: float) -> None:
        """Go by these pages from now on."""
        self.pages, self.timeout_s = pages, timeout_s
        gates = {account_id: page.gates for account_id, page in pages.items()}
        spending.watch_quotas(self.pool, gates, self.clock.now())

    async def tick(self) -> None:
        """Ask every account that is due, one after the other."""
        if self.lane.locked():
            return
        async with self.lane:
            for account_id in self.due(self.clock.now()):
                await self.ask(account_id)

    def due(self, now: float) -> list[str]:
        """Whose last question is long enough ago."""
        return [i for i in self.pages if self._due_at(i) <= now and self._alive(i)]

    async def ask(self, account_id: str) -> QuotaReading | str:
        """Ask now: the reading, or in a word why there is none."""
        page = self.pages[account_id]
        told: QuotaReading | str = "timeout"
        self.counts["asked"] += 1
        try:
            async with asyncio.timeout(self.timeout_s):
                told = await self._ask(account_id, page)
        except TimeoutError:
            pass
        if isinstance(told, str):
            self.counts["failed"] += 1
            log.debug("account %s: its quota is not told (%s)", account_id, told)
        spending.quota_told(self.pool, account_id, told, self.clock.now())
        self.waiting.wake()
        return told

    def report(self) -> dict[str, Any]:
        """Numbers for the status page."""
        return {**self.counts, "accounts": len(self.pages)}

    def _due_at(self, account_id: str) -> float:
        known, every_s = self.pool.budget.quotas.get(account_id), self.pages[account_id].every_s
        if known is None or known.asked_at is None:
            return 0.0
        longer_s = min(every_s * 2.0**known.failures, max(every_s, MAX_GAP_S))
        return known.asked_at + longer_s

    def _alive(self, account_id: str) -> bool:
        state = self.pool.states.get(account_id)
        return state is not None and state.enabled and not state.credential.dead

    async def _ask(self, account_id: str, page: QuotaPage) -> QuotaReading | str:
        destination = self.destinations.get(account_id)
        if destination is None:
            return "gone"
        try:
            credential = await self.tokens.bearer(account_id, destination)
        except SecretError:
            return "secret"
        headers = [*_HEADERS]
        headers += ((n.lower().encode(), v.encode()) for n, v in destination.headers)
        if credential.header is not None:
            headers.append(credential.header)
        reply = await self.upstream.send(self._call(page, headers))
        if isinstance(reply, Unreachable):
            return "network"
        try:
            return await self._read(page, reply)
        except StreamCut:
            return "network"
        finally:
            await reply.stream.aclose()

    def _call(self, page: QuotaPage, headers: RawHeaders) -> Call:
        body = b"{}" if page.method == "POST" else b""
        kind = ((b"content-type", b"application/json"),) if body else ()
        return Call(
            method=page.method,
            url=page.url,
            headers=[*headers, *kind],
            body=body,
            connect_timeout_s=self.timeout_s,
            header_timeout_s=self.timeout_s,
            idle_timeout_s=self.timeout_s,
        )

    async def _read(self, page: QuotaPage, reply: Reply) -> QuotaReading | str:
        if reply.status != 200:
            return str(reply.status)
        body = bytearray()
        async for chunk in reply.stream:
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                return "junk"
        try:
            found = quotamap.read(json.loads(bytes(body)), page.quota_map, self.clock.now())
        except (ValueError, RecursionError):
            return "junk"
        return found if found.known else "junk"
