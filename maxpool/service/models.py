"""Which models the accounts offer: their model maps, and what their upstreams list.

Upstream lists are asked for at most every `LIST_AGE_S`, once per origin and credential kind, and an
upstream that does not answer in time only means a shorter list.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from maxpool.core.eligibility import Reason, mismatch
from maxpool.core.lease import LeaseRequest
from maxpool.core.targets import served_by_name
from maxpool.errors import SecretError, StreamCut
from maxpool.ports import Call, Unreachable
from maxpool.service.outgoing import API_VERSION
from maxpool.wire.apiroot import models_url
from maxpool.wire.encoding import Decoder
from maxpool.wire.headers import fields as header_fields
from maxpool.wire.translation import ANTHROPIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.account import Account
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, Destination, Upstream
    from maxpool.service.tokens import Tokens

Origin = tuple[str, str]
"""Base URL and API format."""

LIST_AGE_S = 600.0
FAILED_AGE_S = 30.0
TIMEOUT_S = 2.0  # Claude Code waits 3 s for the list
MAX_LIST_BYTES = 1 << 20
MAX_AT_ONCE = 64  # lists asked for; each holds a connection, of which a process may have some 1,000


class _Model(msgspec.Struct):
    id: str


class _Tag(msgspec.Struct):
    name: str


class _Listing(msgspec.Struct):
    """As the Messages API and OpenAI's list them; `models`: as prompt bridges do."""

    data: list[_Model] = []
    models: list[_Tag] = []

    @property
    def ids(self) -> tuple[str, ...]:
        return (*(model.id for model in self.data), *(tag.name for tag in self.models))


@dataclass(slots=True)
class ModelList:
    """Model ids by origin, remembered for a while."""

    pool: Pool
    upstream: Upstream
    tokens: Tokens
    clock: Clock
    destinations: Mapping[str, Destination]
    known: dict[Origin, tuple[float, tuple[str, ...]]] = field(default_factory=dict)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE))

    async def offered(self, program: str | None, profile: str | None = None) -> list[str]:
        """Model ids that enabled accounts offer to that program and profile, sorted, without doubles."""
        found: set[str] = set()
        asked: dict[Origin, tuple[Account, Destination]] = {}
        for state in list(self.pool.states.values()):
            account = state.account
            probe = LeaseRequest("", program=program, format=account.format, profile=profile)
            if not state.enabled or mismatch(account, probe) not in (None, Reason.MODEL):
                continue
            if account.models:
                found.update(served_by_name(account.models))
                continue
            destination = self.destinations.get(account.id)
            # A locked account's bearer goes nowhere: its origin may not be the confirmed one.
            if destination is not None and not state.credential.dead:
                asked.setdefault(_origin(destination), (account, destination))
        # All at once: a client waits no longer for several that do not answer than for one.
        lists = await asyncio.gather(*(self._listed(*one) for one in asked.values()))
        return sorted(found.union(*lists))

    async def _listed(self, account: Account, destination: Destination) -> tuple[str, ...]:
        now, origin = self.clock.now(), _origin(destination)
        kept = self.known.get(origin)
        if kept is not None and 0 <= now < kept[0]:
            return kept[1]
        async with self.room:
            fresh = await self._ask(account, destination)
        ids = fresh if fresh is not None else (kept[1] if kept is not None else ())
        self.known[origin] = (now + (LIST_AGE_S if fresh is not None else FAILED_AGE_S), ids)
        return ids

    async def _ask(self, account: Account, destination: Destination) -> tuple[str, ...] | None:
        """What the upstream lists, None when it did not say."""
        try:
            credential = await self.tokens.bearer(account.id, destination)
        except SecretError:
            return None
        headers = [(b"accept-encoding", b"identity")]
        if destination.format == ANTHROPIC:
            headers.append(API_VERSION)
        headers += [(n.encode(), v.encode()) for n, v in destination.headers]
        if credential.header is not None:
            headers.append(credential.header)
        if credential.oauth:
            headers.append((b"anthropic-beta", b"oauth-2025-04-20"))
        reply = await self.upstream.send(
            Call(
                method="GET",
                url=models_url(destination.base_url, destination.format),
                headers=headers,
                body=b"",
                connect_timeout_s=TIMEOUT_S,
                header_timeout_s=TIMEOUT_S,
                idle_timeout_s=TIMEOUT_S,
            )
        )
        if isinstance(reply, Unreachable):
            return None
        body = bytearray()
        try:
            async for chunk in reply.stream:
                body += chunk
                if reply.status != 200 or len(body) > MAX_LIST_BYTES:
                    return None
        except StreamCut:
            return None
        finally:
            await reply.stream.aclose()
        decoder = Decoder.of(header_fields(reply.headers).get("content-encoding", ""))
        try:
            listing = msgspec.json.decode(
                decoder.feed(bytes(body)) if decoder else b"", type=_Listing
            )
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None
        return listing.ids


def _origin(destination: Destination) -> Origin:
    return destination.base_url, destination.format
