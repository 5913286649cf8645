"""Keeping targets warm: the checks that are due, sent; what came of them, kept for people.

A check opens the connection, resolves the credential and asks a question that is free. It takes no
lease, says nothing about health and never uses a plan: only API keys and providers are checked.
What is due is `core/warmth`'s to say.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from maxpool import __version__
from maxpool.core.health import HealthState
from maxpool.core.ratelimit import parse_retry_after
from maxpool.core.targets import upstream_model
from maxpool.core.warmth import LANE_S, MAX_FOCUS, Check, Checked, Warmth
from maxpool.errors import SecretError, StreamCut
from maxpool.ports import Call, Unreachable
from maxpool.wire import headers as wire_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.core.warmth import Mode, Target
    from maxpool.ports import Clock, Destination, Reply, Upstream
    from maxpool.service.tasks import Tasks
    from maxpool.service.tokens import Tokens

log = logging.getLogger("maxpool.warm")

KINDS: Final = frozenset({"api_key", "provider"})
"""Kinds of account that may be checked: nothing is sent for a plan that its user did not ask."""
MAX_ANSWER_BYTES: Final = 1 << 20
FOLLOW_S: Final = 30.0
"""How often the focus is worked out anew; also with each change of accounts or settings."""
NO_FREE: Final = frozenset({404, 405, 501})
_SHUT: Final = (HealthState.LOCKED_OUT, HealthState.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where an account is asked: `free_url` costs nothing, `message_url` takes a message."""

    free_url: str
    message_url: str
    format: str = "anthropic"


@dataclass(slots=True, kw_only=True)
class Warmer:
    """Sends what is due. `questions`: by account id; `focus`: models to keep warm, none = the most used.

    `resolve` turns the name of a model into the targets that may serve it; None = each account's own map.
    """

    pool: Pool
    upstream: Upstream
    tokens: Tokens
    clock: Clock
    tasks: Tasks
    destinations: Mapping[str, Destination]
    warmth: Warmth = field(default_factory=Warmth)
    questions: Mapping[str, Question] = field(default_factory=dict)
    focus: tuple[str, ...] = ()
    timeout_s: float = 10.0
    resolve: Callable[[str], list[Target] | None] | None = None
    targets: dict[str, list[Target]] = field(default_factory=dict)
    followed_at: float = float("-inf")
    asked: dict[str, int] = field(default_factory=dict)

    async def tick(self) -> None:
        """Send what is due, one after the other and a little apart."""
        if self.warmth.mode == "off":
            return
        now = self.clock.now()
        if not 0.0 <= now - self.followed_at < FOLLOW_S:
            self.follow()
        self._heard(now)
        while (check := self.warmth.due(self.clock.now(), self.used_at)) is not None:
            self.warmth.begin(check, self.clock.now())
            self.tasks.spawn(self._check(check), "warmth")
            await self.clock.sleep(LANE_S)

    @property
    def used_at(self) -> float:
        """When the pool was last used; its start counts."""
        return max(self.pool.habits.last_at, self.pool.started_at)

    def follow(self) -> None:
        """Work out anew what is in focus."""
        now = self.clock.now()
        names = self.focus or self.pool.habits.most_used(now, MAX_FOCUS)
        self.targets = {name: self._targets(name) for name in names}
        self.warmth.follow([t for found in self.targets.values() for t in found], now)
        self.followed_at = now

    def switch(self, mode: Mode) -> None:
        """Another mode, until the config says another one or the server restarts."""
        self.warmth.switch(mode, self.clock.now())
        self.follow()

    def clock_stepped(self, by_s: float, _now: float) -> None:
        """The wall clock was set."""
        self.warmth.clock_stepped(by_s)

    def report(self) -> dict[str, Any]:
        """For `/status`: the mode, and each target with its state."""
        now, warmth = self.clock.now(), self.warmth
        return {
            "mode": warmth.mode,
            "interval_s": warmth.interval_s if warmth.mode != "off" else None,
            "life_s": warmth.life_s,
            "focus": list(self.targets),
            "configured": bool(self.focus),
            "quiet": now - self.used_at > warmth.quiet_s,
            **warmth.counts,
            "entries": [
                {
                    "account": self.pool.states[e.account_id].account.name,
                    "account_id": e.account_id,
                    "model": e.model,
                    "state": e.state(now, warmth.life_s).value,
                    "age_s": None if e.warm_at is None else round(max(now - e.warm_at, 0.0), 1),
                    "checked_at": e.checked_at,
                    "next_at": e.next_at if warmth.mode != "off" else None,
                    "latency_ms": e.latency_ms,
                    "failures": e.failures,
                    "checks": e.checks,
                    "detail": e.detail or None,
                }
                for e in warmth.entries.values()
                if e.account_id in self.pool.states
            ],
        }

    # -- what is in focus ------------------------------------------------------------------------

    def _targets(self, name: str) -> list[Target]:
        """The accounts that may serve a model, with the names they know it by."""
        found = self.resolve(name) if self.resolve is not None else None
        if found is not None:
            return [t for t in found if self._checkable(self.pool.states.get(t[0]))]
        own = (
            (s.account.id, upstream_model(s.account.models, name))
            for s in self.pool.states.values()
            if self._checkable(s)
        )
        return [(account_id, model) for account_id, model in own if model is not None]

    def _checkable(self, state: AccountState | None) -> bool:
        return (
            state is not None
            and state.account.kind in KINDS
            and state.enabled
            and not state.credential.dead
            and state.health.state not in _SHUT
            and state.account.id in self.questions
        )

    def _heard(self, now: float) -> None:
        """Take in what clients asked for since the last look, and which accounts answered them."""
        for account_id in {e.account_id for e in self.warmth.entries.values()}:
            state = self.pool.states.get(account_id)
            if state is not None and state.tally.last_well:
                self.warmth.served(account_id, state.tally.last_well)
        today = self.pool.habits.today
        for name, targets in self.targets.items():
            count = today.get(name, 0)
            if count > self.asked.get(name, count):
                self.warmth.missed(targets, now)
            self.asked[name] = count

    # -- one check ---------------------------------------------------------------------------------

    async def _check(self, check: Check) -> None:
        result = Checked(ok=False, detail="it was given up")
        began = self.clock.elapsed()
        try:
            result = await self._ask(check)
        finally:  # whatever came of it, the target is no longer being checked
            if result.ok and result.latency_ms is None:
                took_ms = (self.clock.elapsed() - began) * 1000.0
                result = Checked(
                    ok=True,
                    latency_ms=round(took_ms, 1),
                    detail=result.detail,
                    free=result.free,
                    wait_s=result.wait_s,
                )
            self.warmth.ended(check, result, self.clock.now())
            if not result.ok:
                log.info("check of %s: %s", self._name(check.account_id), result.detail)

    async def _ask(self, check: Check) -> Checked:
        state = self.pool.states.get(check.account_id)
        question = self.questions.get(check.account_id)
        destination = self.destinations.get(check.account_id)
        if question is None or destination is None or not self._checkable(state):
            return Checked(ok=False, detail="it was locked or removed meanwhile")
        try:
            credential = await self.tokens.bearer(check.account_id, destination)
        except SecretError as error:
            return Checked(ok=False, detail=error.message)
        if credential.oauth:
            return Checked(ok=False, detail="a plan's token is not used for checks")
        headers = [(n.encode(), v.encode()) for n, v in destination.headers]
        headers += [credential.header] if credential.header is not None else []
        reply = await self.upstream.send(_call(question, check.message, headers, self.timeout_s))
        if isinstance(reply, Unreachable):
            return Checked(ok=False, detail=f"it could not be reached ({reply.kind})")
        await _read(reply)
        return judged(reply, self.clock.now(), message=check.message is not None)

    def _name(self, account_id: str) -> str:
        state = self.pool.states.get(account_id)
        return state.account.name if state is not None else account_id


def judged(reply: Reply, now: float, *, message: bool = False) -> Checked:
    """What an answer says of a target; a limit that is reached is no failure of it."""
    status, free = reply.status, None if message else True
    if 200 <= status < 300:
        return Checked(ok=True, free=free)
    if status == 429:
        fields = wire_headers.fields(reply.headers)
        wait_s = parse_retry_after(fields.get("retry-after"), now) or 60.0
        return Checked(ok=True, detail="it limits requests now", free=free, wait_s=wait_s)
    if status in NO_FREE and not message:
        return Checked(ok=True, detail="reachable; it has no free question", free=False)
    if status in (401, 403):
        return Checked(ok=False, detail=f"it does not take the credential ({status})", free=free)
    return Checked(ok=False, detail=f"it answered HTTP {status}")


def _call(
    question: Question, model: str | None, own: list[tuple[bytes, bytes]], timeout_s: float
) -> Call:
    headers = [
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", f"maxpool/{__version__}".encode()),
        *own,
    ]
    if question.format == "anthropic":
        headers.append((b"anthropic-version", b"2023-06-01"))
    if model is not None:
        headers.append((b"content-type", b"application/json"))
    return Call(
        method="GET" if model is None else "POST",
        url=question.free_url if model is None else question.message_url,
        headers=headers,
        body=b"" if model is None else smallest(model, question.format),
        connect_timeout_s=timeout_s,
        header_timeout_s=timeout_s,
        idle_timeout_s=timeout_s,
    )


def smallest(model: str, api_format: str) -> bytes:
    """A request for one token."""
    if api_format == "generate":
        asked = {"model": model, "prompt": "hi", "stream": False, "options": {"num_predict": 1}}
        return json.dumps(asked).encode()
    messages = [{"role": "user", "content": "hi"}]
    return json.dumps({"model": model, "max_tokens": 1, "messages": messages}).encode()


async def _read(reply: Reply) -> bytes:
    """The answer, so that its connection can be kept; nothing more than a list of models is."""
    parts: list[bytes] = []
    try:
        async for chunk in reply.stream:
            parts.append(chunk)
            if sum(map(len, parts)) > MAX_ANSWER_BYTES:
                break
    except StreamCut:
        pass
    finally:
        await reply.stream.aclose()
    return b"".join(parts)
