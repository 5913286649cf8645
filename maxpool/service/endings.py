"""How a request ends when no account's answer does: refusals, giving up, and the headers we add.

Everything here speaks the caller's protocol: before headers a status and the API's error shape,
after them an error event. A pool account's 401 or 403 never reaches the caller.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from maxpool.core.eligibility import Context, Unavailable, check
from maxpool.core.lease import (
    AccountClosed,
    AuthFinal,
    AuthRejected,
    BillingFailure,
    FamilyQuotaExceeded,
    Forbidden,
    Garbage,
    ModelMissing,
    NetworkFailure,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    SpendLimited,
)
from maxpool.core.rejected import OF_THE_REQUEST, NotCarried
from maxpool.core.view import blended, outcome_class
from maxpool.service.downstream import EVENT_STREAM, JSON, PLAIN_JSON
from maxpool.service.owning import Owning
from maxpool.service.passage import STRAIGHT
from maxpool.service.retry import gone
from maxpool.service.routes import told_of
from maxpool.service.tried import with_tried
from maxpool.wire import headers as wire_headers
from maxpool.wire import replies
from maxpool.wire.encoding import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.lease import Lease, Refusal
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, RawHeaders, Reply
    from maxpool.service.downstream import Downstream
    from maxpool.service.job import Job
    from maxpool.service.limits import Limits
    from maxpool.service.passage import Passage
    from maxpool.service.retry import Failed, Trail
    from maxpool.service.stats import Stats

log = logging.getLogger("maxpool.request")

ENDS_LOGIN = (AuthRejected, AuthFinal, AccountClosed)
"""After these an account serves no more until a person acts."""
FOR_ITS_OWNER = (SpendLimited, BillingFailure, Forbidden)
"""After these it is tried again, and yet only a person can mend the cause."""

OWN_LIMITS = (
    QuotaExceeded,
    FamilyQuotaExceeded,
    RateLimited,
    SpendLimited,
    AuthFinal,
    Forbidden,
    AccountClosed,
    BillingFailure,
)
"""What an upstream says of a client's own login, and the client has to hear if nobody helps out."""

SKIPPED_CHARACTERS = 480
BUSY = "The upstream has no capacity for this model, and no other account could serve in time."
IN_VAIN = "maxpool waited, and no account could serve this request in time."
BLEND_AGE_S = 1.0
"""The pool's blended numbers are reckoned at most once a second: they cost a look at every account."""


@dataclass(slots=True)
class Endings:
    """Writes the answers that are maxpool's own."""

    pool: Pool
    clock: Clock
    limits: Limits
    utc_offset_s: Callable[[float], int]
    stats: Stats
    blended_at: float = -1.0
    blended: tuple[tuple[bytes, bytes], ...] = ()

    def note(self, job: Job, account_id: str, failed: Failed) -> None:
        """Say what failed; names and kinds only, never a word of request or answer."""
        name, outcome = self.name(account_id), failed.outcome
        kind = outcome_class(outcome)
        if isinstance(outcome, ENDS_LOGIN):
            log.warning("account %s: %s, it serves no more (status %d)", name, kind, failed.status)
        elif isinstance(outcome, FOR_ITS_OWNER):
            log.warning(
                "account %s: %s, it rests for a while (status %d)", name, kind, failed.status
            )
        else:
            log.info("request %s: %s on %s (status %d)", job.request_id, kind, name, failed.status)

    async def refuse(
        self, job: Job, down: Downstream, trail: Trail, refusal: Refusal | None
    ) -> None:
        """Nobody can serve: say why, and when somebody can."""
        if trail.own is not None:
            await self.give_up(job, down, trail, trail.own)
            return
        if trail.last is not None and not _tells_more(refusal, trail.last):
            await self.give_up(job, down, trail, trail.last)
            return
        if refusal is None:
            return
        if job.counts_tokens:
            await self._estimate(job, down)
            return
        now = self.clock.now()
        names, counts = self._blocked(refusal, job, now)
        self.stats.turned_away(refusal, job.request_id, job.request.model, counts, now)
        answer = replies.refusal(
            refusal,
            now=now,
            request_id=job.request_id,
            names=names if self.limits.show_account else {},
            unavailable=counts,
            tz_offset_s=self.utc_offset_s(now),
        )
        await self._send(job, down, trail, answer, replies.message_of(answer))

    async def give_up(self, job: Job, down: Downstream, trail: Trail, failed: Failed) -> None:
        """The last failure is the request's end, unless the client's own login met a limit of its own."""
        outcome = failed.outcome
        if job.counts_tokens and not isinstance(outcome, (*OF_THE_REQUEST, ModelMissing)):
            await self._estimate(job, down)
            return
        told = self._told(job, trail, failed)
        if told is not None:
            await self._send(job, down, trail, told)
            return
        match outcome:
            case RequestRejected() if 300 <= failed.status < 400:
                message = "The upstream answered with a redirect, which maxpool never follows."
                answer = self._own(job, 502, message)
            case AuthRejected() | AuthFinal() | Forbidden() | AccountClosed():
                answer = self._own(job, 502, self._logins(trail))
            case NotCarried(_, status):
                detail = failed.body.decode(errors="replace")[:400]
                message = f"No account can be asked for this: {detail}"
                answer = self._own(job, status, message, kind="invalid_request_error")
            case NetworkFailure():
                answer = self._unreached(job, trail, outcome, failed.body.decode(errors="replace"))
            case Garbage():
                message = f"The upstream sent no usable answer ({outcome.kind})."
                answer = self._own(job, 502, message, should_retry=True)
            case _ if failed.status in (0, 529):  # clients give up on a raw 529 after 2 s
                answer = self._own(job, 503, BUSY, kind="overloaded_error", should_retry=True)
            case _ if not failed.whole:
                message = "The upstream refused this and did not finish saying why."
                answer = replies.error(
                    failed.status, "api_error", message, request_id=job.request_id
                )
            case _:
                answer = _soon_or_never(_as_it_came(failed), failed)
        await self._send(job, down, trail, answer)

    def _unreached(
        self, job: Job, trail: Trail, outcome: NetworkFailure, detail: str
    ) -> replies.Answer:
        tried = self._tried(trail)
        if outcome.kind == "secret":
            message = f"The secret of {tried} cannot be read: {detail[:200]}."
            return self._own(job, 502, message)
        message = (
            f"The upstream could not be reached ({detail[:200] or outcome.kind}) for: {tried}. Check "
            "the network, and the account's base_url."
        )
        return self._own(job, 502, message, should_retry=True)

    def _told(self, job: Job, trail: Trail, failed: Failed) -> replies.Answer | None:
        """What others said that tells the caller more than this failure."""
        own, rejected = trail.own, isinstance(failed.outcome, OF_THE_REQUEST)
        if own is not None and own.whole and not rejected:
            return _as_it_came(own)
        if trail.missing and rejected:
            return Owning(self.pool, self.clock, self.limits.show_account).nowhere(job, trail)
        return None

    def reply_headers(
        self, job: Job, lease: Lease, passage: Passage, trail: Trail, reply: Reply, now: float
    ) -> RawHeaders:
        """An account's response headers as the caller sees them."""
        extra = self._ours(job, trail)
        if self.limits.show_account:
            extra.append((b"x-maxpool-account", _visible(self.name(lease.account_id))))
        extra += told_of(lease)
        if passage is not STRAIGHT:
            if passage.shown is not None:
                extra.append((b"x-maxpool-model", _visible(passage.model)))
            if not passage.native:  # what the upstream says of itself means nothing there
                told = streams(reply) or (passage.reads and job.streaming)
                form = EVENT_STREAM if told else PLAIN_JSON
                return [*form, *extra]
        own = job.by_own_login(lease.account_id)  # then the limits are the client's own
        if not own and not 0.0 <= now - self.blended_at < BLEND_AGE_S:
            self.blended_at, self.blended = now, pool_limits(self.pool, now)
        extra += () if own or job.surface is not None else self.blended
        headers = wire_headers.inbound(reply.headers, drop_ratelimit=not own, extra=tuple(extra))
        if streams(reply):  # a stream that breaks must not end as if it had its whole length
            headers = [h for h in headers if h[0].lower() != b"content-length"]
        return headers

    def name(self, account_id: str) -> str:
        """The label of an account, its id once it is gone."""
        state = self.pool.states.get(account_id)
        return state.account.name if state is not None else account_id

    async def _send(
        self, job: Job, down: Downstream, trail: Trail, answer: replies.Answer, told: str = ""
    ) -> None:
        """Send an answer; where headers are out already, what it says (`told`) in their form."""
        tried = ", ".join(trail.skipped) or "nothing was tried"
        log.info("request %s ends with %d: %s", job.request_id, answer.status, tried)
        now, show = self.clock.now(), self.limits.show_account
        answer = with_tried(answer, trail, self.pool, job.request, now, show=show)
        if not down.started:
            extra = self._ours(job, trail)
            known = {name for name, _ in extra}
            theirs = (h for h in answer.headers if h[0].lower() not in known)
            await down.answer(replies.Answer(answer.status, (*theirs, *extra), answer.body))
            return
        if down.promised == JSON:
            down.abort()  # it cannot be an error any more, and must not look like an answer
            return
        # Headers promised a stream: `overloaded_error` makes clients repeat it cheaply, any other
        # type makes them ask again without streaming, so only the caller's own fault gets that.
        if trail.last is not None and isinstance(trail.last.outcome, OF_THE_REQUEST):
            await down.fail(_as_event(answer))
        else:
            await down.fail(replies.sse_error("overloaded_error", told or IN_VAIN))

    def _ours(self, job: Job, trail: Trail) -> list[tuple[bytes, bytes]]:
        taken_s = self.clock.elapsed() - trail.since
        overhead_ms = max(taken_s - trail.upstream_s - trail.waited_s, 0.0) * 1000.0
        trail.overhead_ms = overhead_ms
        found = [
            (b"x-request-id", job.request_id.encode()),
            (b"x-maxpool-attempts", str(trail.sends).encode()),
            (b"x-maxpool-overhead-ms", f"{overhead_ms:.1f}".encode()),
        ]
        if trail.skipped:
            text = ", ".join(trail.skipped)[:SKIPPED_CHARACTERS]
            found.append((b"x-maxpool-skipped", _visible(text)))
        return found

    def _own(
        self,
        job: Job,
        status: int,
        message: str,
        *,
        kind: str = "api_error",
        should_retry: bool = False,
    ) -> replies.Answer:
        return replies.error(
            status, kind, message, request_id=job.request_id, should_retry=should_retry
        )

    def _logins(self, trail: Trail) -> str:
        return (
            f"The upstream did not accept the credential of: {self._tried(trail)}. No other account can serve "
            "this request. Renew each account's `secret` where the maxpool configuration says it is; "
            "`maxpool status` shows the reason for each."
        )

    def _blocked(
        self, refusal: Refusal, job: Job, now: float
    ) -> tuple[dict[str, str], dict[str, int]]:
        """Names of the accounts that the refusal's reason keeps from serving, and counts for all.

        The pool's own counts are the truth at its choice; a refusal that was decided before any
        choice (the queue is full, the pool is paused) has none.
        """
        ctx = Context(self.pool.settings)
        names: dict[str, str] = {}
        counts: dict[str, int] = {}
        for account_id, state in self.pool.states.items():
            block = check(state, job.request, now, ctx)
            reason = block.reason if isinstance(block, Unavailable) else refusal.reason
            counts[reason.value] = counts.get(reason.value, 0) + 1
            if isinstance(block, Unavailable) and reason is refusal.reason:
                names[account_id] = state.account.name
        return names, dict(refusal.counts) or counts

    def _tried(self, trail: Trail) -> str:
        return ", ".join(sorted(self.name(a) for a in trail.tried)) or "an account"

    async def _estimate(self, job: Job, down: Downstream) -> None:
        body = b'{"input_tokens": %d}' % max(job.request.input_tokens, 1)
        headers = (
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", job.request_id.encode()),
            (b"x-maxpool-estimate", b"true"),
        )
        await down.answer(replies.Answer(200, headers, body))


def pool_limits(pool: Pool, now: float) -> tuple[tuple[bytes, bytes], ...]:
    """The pool's own unified headers, in place of one account's; none without plan accounts.

    `allowed`, since they go out with an answer: something can serve.
    """
    found: list[tuple[bytes, bytes]] = []
    resets: list[float] = []
    for window in ("5h", "7d"):
        blend = blended(pool, window, now)
        if blend is None:
            continue
        prefix = b"anthropic-ratelimit-unified-" + window.encode()
        found.append((prefix + b"-utilization", f"{blend.utilization:.2f}".encode()))
        found.append((prefix + b"-status", b"allowed"))
        if blend.reset_at is not None:
            resets.append(blend.reset_at)
            found.append((prefix + b"-reset", str(int(blend.reset_at)).encode()))
    if found:
        found.append((b"anthropic-ratelimit-unified-status", b"allowed"))
    if resets:
        found.append((b"anthropic-ratelimit-unified-reset", str(int(min(resets))).encode()))
    return tuple(found)


def streams(reply: Reply) -> bool:
    """Whether an answer is an event stream."""
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in reply.headers
    )


def _as_it_came(failed: Failed) -> replies.Answer:
    """The upstream's own answer, bytes untouched."""
    headers = [h for h in failed.headers if h[0].lower() != b"content-length"]
    headers.append((b"content-length", str(len(failed.body)).encode()))
    return replies.Answer(failed.status, tuple(headers), failed.body)


def _soon_or_never(answer: replies.Answer, failed: Failed) -> replies.Answer:
    """Without one account's long `retry-after`: it would freeze clients for that long."""
    if isinstance(failed.outcome, OF_THE_REQUEST):
        return answer
    headers = answer.headers
    waits = [value.strip() for name, value in headers if name.lower() == b"retry-after"]
    if all(w.isdigit() and len(w) < 6 and int(w) <= replies.MAX_RETRY_AFTER_S for w in waits):
        return answer
    ours = (b"retry-after", b"x-should-retry")
    kept = (h for h in headers if h[0].lower() not in ours)
    return replace(answer, headers=(*kept, (b"x-should-retry", b"false")))


def _tells_more(refusal: Refusal | None, last: Failed) -> bool:
    """Whether the pool's refusal explains more than the last failure, which names a missing model."""
    if refusal is None or isinstance(last.outcome, ModelMissing):
        return False
    return gone(last.outcome) or refusal.retry_at is not None


def _visible(text: str) -> bytes:
    """Header-safe bytes of a text."""
    return text.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")


def _as_event(answer: replies.Answer) -> bytes:
    """An error answer as the `error` event of a stream that has begun."""
    encoding = dict(answer.headers).get(b"content-encoding", b"").decode("latin-1")
    decoder = Decoder.of(encoding)
    text = decoder.feed(answer.body) if decoder is not None else b""
    if not text.lstrip().startswith(b"{"):
        return replies.sse_error("api_error", f"The upstream answered with {answer.status}.")
    line = text.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"event: error\ndata: " + line + b"\n\n"
