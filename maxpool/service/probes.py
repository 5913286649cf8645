"""Probes: asking an account's usage endpoint, one account at a time in the whole pool.

Which account, and when, is `pool.due(now)`'s to say. A probe is no traffic: it takes no lease, counts
in no statistics and says nothing about health; a failed one means that nothing is known, no more.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from maxpool import __version__
from maxpool.core.duty import NO_SCOPE
from maxpool.core.groups import HEADER as ORGANIZATION
from maxpool.core.lease import ProbeFailure, UsageReport
from maxpool.core.ratelimit import parse_retry_after, read_usage
from maxpool.errors import MaxpoolError, SecretError, StreamCut
from maxpool.ports import Call, Reply, Unreachable
from maxpool.wire import headers as wire_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.ports import Clock, Destination, RawHeaders, Upstream
    from maxpool.service.tokens import Credential
    from maxpool.service.waiting import WaitingRoom

log = logging.getLogger("maxpool.probe")

MAX_ANSWER_BYTES = 256 * 1024
"""A usage report is a few kilobytes; more is no report."""

PROFILE_SCOPE = "profile"
"""The last word of the scope that the usage endpoint asks for (`user:profile`)."""

OAUTH_BETA = (b"anthropic-beta", b"oauth-2025-04-20")
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", f"maxpool/{__version__}".encode()),
)


class Bearers(Protocol):
    """The part of `service/tokens` that probes need."""

    async def bearer(self, account_id: str, destination: Destination, /) -> Credential:
        """The credential to send; raises `SecretError`."""
        ...

    async def renew(
        self, account_id: str, destination: Destination, refused: Credential | None, /
    ) -> bool:
        """Get another credential than the refused one; False when there is none."""
        ...


async def nobody_said(_account_id: str) -> tuple[str, ...]:
    """Scopes of a login about which nothing is known."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageUrl:
    """Where an account's usage is told, and in which form."""

    url: str
    shape: str = "anthropic"


@dataclass(slots=True, kw_only=True)
class Prober:
    """Asks what is due. `targets`: by account id, only those that can be asked."""

    pool: Pool
    upstream: Upstream
    tokens: Bearers
    waiting: WaitingRoom
    clock: Clock
    destinations: Mapping[str, Destination]
    targets: Mapping[str, UsageUrl] = field(default_factory=dict)
    timeout_s: float = 15.0
    scopes: Callable[[str], Awaitable[tuple[str, ...]]] = nobody_said
    lane: asyncio.Lock = field(default_factory=asyncio.Lock)
    counts: dict[str, int] = field(default_factory=lambda: {"asked": 0, "failed": 0, "by_hand": 0})

    async def tick(self) -> None:
        """Ask the one account that is due, unless a question is out."""
        if self.lane.locked():
            return
        async with self.lane:
            due = [d for d in self.pool.due(self.clock.now()) if d.kind == "probe"]
            if due and due[0].account_id is not None:
                await self._probe(due[0].account_id)

    async def probe(self, account_id: str) -> str:
        """Ask because a person wants to know; what came of it, in a sentence.

        Own gaps do not count then, the upstream's pauses do: raises `MaxpoolError` with the reason.
        """
        async with self.lane:
            self._may_ask(account_id)
            self.counts["by_hand"] += 1
            report = await self._probe(account_id)
        if isinstance(report, UsageReport):
            return f"{_in_words(report)}."
        return f"{_FAILED.get(report.kind, f'It answered {report.kind}')}; what was known before holds."

    def report(self) -> dict[str, Any]:
        """Numbers for the status page."""
        return {**self.counts, "running": self.lane.locked(), "accounts": len(self.targets)}

    def _may_ask(self, account_id: str) -> None:
        state, now = self.pool.states.get(account_id), self.clock.now()
        name = state.account.name if state is not None else account_id
        if state is None or account_id not in self.targets:
            raise MaxpoolError(
                f"the usage of {name} cannot be asked for",
                'Only accounts of kind = "oauth" can be asked, whose [oauth.NAME] has a usage_url at '
                "the origin of the account; [probes] enabled and its own `probes` must be true.",
            )
        if not state.enabled:
            raise MaxpoolError(f"{name} is disabled", "Enable it before asking for its usage.")
        probing = state.probing
        if probing.barred == NO_SCOPE:
            raise MaxpoolError(
                f"the login of {name} may not ask for its usage (it lacks the profile scope)",
                "Its answers tell its quota as it is used.",
            )
        wait_s = probing.paused_until - now
        why = "its upstream asked for a pause"
        lane_s = self.pool.settings.probe_lane_s
        if probing.last_at is not None and probing.last_at + lane_s - now > wait_s:
            wait_s, why = probing.last_at + lane_s - now, "it was asked a moment ago"
        if wait_s > 0:
            raise MaxpoolError(f"{name} is not asked now: {why}", f"Ask again in {_span(wait_s)}.")

    async def _probe(self, account_id: str) -> UsageReport | ProbeFailure:
        """Ask once and hand on what came of it, whatever that is; holds the lane."""
        report: UsageReport | ProbeFailure = ProbeFailure("error")
        self.counts["asked"] += 1
        try:
            async with asyncio.timeout(2 * self.timeout_s):
                report = await self._ask(account_id)
        except TimeoutError:
            report = ProbeFailure("timeout")
        finally:  # a question that went out counts, also when its answer broke us or nobody waits
            self._learn(account_id, report)
        return report

    def _learn(self, account_id: str, report: UsageReport | ProbeFailure) -> None:
        state = self.pool.states.get(account_id)
        if state is None:
            return  # removed meanwhile
        self.pool.learn(account_id, report, self.clock.now())
        name = state.account.name
        if isinstance(report, UsageReport):
            log.info("probe of %s: %s", name, _in_words(report))
            self.waiting.wake()
            return
        self.counts["failed"] += 1
        barred = ", not again before the next login"
        next_in = f", again in {_span(state.probing.next_at - self.clock.now())} at the soonest"
        log.info(
            "probe of %s: %s%s", name, report.kind, barred if state.probing.barred else next_in
        )

    async def _ask(self, account_id: str) -> UsageReport | ProbeFailure:
        state, destination = self.pool.states.get(account_id), self.destinations.get(account_id)
        target = self.targets.get(account_id)
        if state is None or target is None or destination is None or state.credential.dead:
            return ProbeFailure("gone")  # its bearer goes nowhere until its owner says so
        try:
            if not _may(await self.scopes(account_id)):
                return ProbeFailure(NO_SCOPE)
            credential = await self.tokens.bearer(account_id, destination)
            report = await self._send(state, target, credential)
            refused = isinstance(report, ProbeFailure) and report.kind == "401"
            if refused and await self.tokens.renew(account_id, destination, credential):
                fresh = await self.tokens.bearer(account_id, destination)
                return await self._send(state, target, fresh)
        except SecretError:
            return ProbeFailure("secret")
        return report

    async def _send(
        self, state: AccountState, target: UsageUrl, credential: Credential
    ) -> UsageReport | ProbeFailure:
        headers = [*_HEADERS]
        if credential.header is not None:
            headers.append(credential.header)
        if target.shape == "anthropic":
            headers.append(OAUTH_BETA)
        reply = await self.upstream.send(self._call(target.url, headers))
        if isinstance(reply, Unreachable):
            return ProbeFailure("network")
        try:
            return await self._read(state, reply)
        except StreamCut:
            return ProbeFailure("network")
        finally:
            await reply.stream.aclose()

    def _call(self, url: str, headers: RawHeaders) -> Call:
        return Call(
            method="GET",
            url=url,
            headers=headers,
            body=b"",
            connect_timeout_s=self.timeout_s,
            header_timeout_s=self.timeout_s,
            idle_timeout_s=self.timeout_s,
        )

    async def _read(self, state: AccountState, reply: Reply) -> UsageReport | ProbeFailure:
        now, fields = self.clock.now(), wire_headers.fields(reply.headers)
        if reply.status != 200:
            wait_s = parse_retry_after(fields.get("retry-after"), now)
            return ProbeFailure(str(reply.status), wait_s)
        body = bytearray()
        async for chunk in reply.stream:
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                return ProbeFailure("junk")
        try:
            report = read_usage(json.loads(bytes(body)), now)
        except (ValueError, RecursionError):
            return ProbeFailure("junk")
        if not report.readings:
            return ProbeFailure("junk")
        if ORGANIZATION in fields:
            told = {ORGANIZATION: fields[ORGANIZATION]}
            self.pool.observe(state.account.id, told, now)
        return report


_FAILED = {
    "429": "Its upstream refused to say so soon (429)",
    "401": "Its login was refused (401)",
    "403": "Its login may not ask (403)",
    NO_SCOPE: "Its login may not ask: it lacks the profile scope",
    "secret": "Its login could not be read",
    "network": "Its upstream could not be reached",
    "timeout": "Its upstream did not answer in time",
    "junk": "Its upstream answered something else",
    "gone": "It was locked or removed meanwhile",
}


def _may(scopes: tuple[str, ...]) -> bool:
    """Whether a login may ask for its usage; where nobody said, asking tells."""
    return not scopes or any(one.rpartition(":")[2] == PROFILE_SCOPE for one in scopes)


def _in_words(report: UsageReport) -> str:
    known = [
        f"{reading.window} {reading.utilization * 100:.0f} % used"
        for reading in report.readings
        if reading.utilization is not None
    ]
    return ", ".join(known) or "it told no numbers"


def _span(seconds: float) -> str:
    """A time to wait, for people."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
