"""What a client asks about usage and profile: the pool's answer, or under its own login its provider's.

A client that is signed in by itself gets the answer that it would get without us, for its own bearer.
Such a question is no traffic: it takes no lease, and says nothing of an account's health.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maxpool.core.view import Blend, blended
from maxpool.errors import StreamCut
from maxpool.ports import Call, Reply
from maxpool.wire import headers as wire_headers
from maxpool.wire import replies
from maxpool.wire.request import is_claude_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, RawHeaders, Upstream
    from maxpool.service.clientlogin import ClientLogins

TIMEOUT_S: Final = 10.0
"""For one answer; Claude Code waits about as long."""
MAX_ANSWER_BYTES: Final = 1 << 20


@dataclass(slots=True)
class OwnQuestions:
    """Answers them."""

    pool: Pool
    clock: Clock
    upstream: Upstream
    logins: ClientLogins

    def windows(self) -> dict[str, Blend]:
        """The pool's own use of each window that any account has told of."""
        states = self.pool.states.values()
        names = {name for state in states for name in state.quota.windows}
        now = self.clock.now()
        found = {name: blended(self.pool, name, now) for name in names}
        return {name: blend for name, blend in found.items() if blend is not None}

    def own(self, fields: Mapping[str, str]) -> bool:
        """Whether the caller asks about its own login, which counts here; `fields`: its headers."""
        counts = self.logins.destination is not None and is_claude_code(fields)
        return counts and wire_headers.own_login(fields) is not None

    async def forward(self, target: str, headers: RawHeaders, request_id: str) -> replies.Answer:
        """Its provider's answer, untouched; 502 when there is none. Only for an `own` question."""
        there = self.logins.destination
        assert there is not None
        call = Call(
            method="GET",
            url=there.base_url + target,
            headers=wire_headers.outbound(headers, authorization=None, own=True),
            body=b"",
            connect_timeout_s=TIMEOUT_S,
            header_timeout_s=TIMEOUT_S,
            idle_timeout_s=TIMEOUT_S,
        )
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):
                reply = await self.upstream.send(call)
                if isinstance(reply, Reply):
                    return await _whole(reply)
        except (StreamCut, TimeoutError):
            pass
        message = "The provider of your own login did not answer this question."
        return replies.error(502, "api_error", message, request_id=request_id, should_retry=True)


async def _whole(reply: Reply) -> replies.Answer:
    body = bytearray()
    try:
        async for chunk in reply.stream:
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise StreamCut("protocol", "a longer answer than such a question has")
    finally:
        await reply.stream.aclose()
    if 300 <= reply.status < 400:  # never followed, and nothing that a client should follow
        raise StreamCut("protocol", "a redirect")
    headers = wire_headers.inbound(reply.headers, drop_ratelimit=False)
    kept = [header for header in headers if header[0].lower() != b"content-length"]
    kept.append((b"content-length", str(len(body)).encode()))
    return replies.Answer(reply.status, tuple(kept), bytes(body))
