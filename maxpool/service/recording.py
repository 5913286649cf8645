"""From an ended request to its row in the ledger: who asked, what for, where it went, how it ended.

Called once for each request, at its very end, and never fails it. No prompt, no answer, no credential:
a session is a digest, a model's name (a client's free choice) is cut short.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from maxpool.core.binding import session_key
from maxpool.core.lease import ClientGone, Cut, Internal, Success, TokenUsage
from maxpool.core.money import estimate_usd
from maxpool.core.records import RequestRecord
from maxpool.core.targets import upstream_model
from maxpool.core.view import outcome_class
from maxpool.wire.resources import place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.decisions import Decision
    from maxpool.core.lease import Lease
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock, Ledger
    from maxpool.service.downstream import Downstream
    from maxpool.service.job import Job
    from maxpool.service.retry import Trail
    from maxpool.service.traces import Trace

log = logging.getLogger("maxpool.ledger")

MAX_WORD: Final = 200
"""Characters of a name that a client chose freely, or of the tries that failed."""

LEAST_TERM: Final = 0.005
"""A cost term nearer to 0 than that decided nothing, and is not written down."""

DIGEST_CHARS: Final = 16
"""Of a session's SHA-256: 64 bits tell a lifetime's sessions apart."""

NOTHING: Final = TokenUsage()
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Recorder:
    """Makes the rows; `ledger` keeps them (None: nobody does), `watchers` see each as it is made."""

    pool: Pool
    clock: Clock
    ledger: Ledger | None = None
    watchers: list[Callable[[RequestRecord], None]] = field(default_factory=list)
    failures: int = 0

    def ended(self, job: Job, down: Downstream, trail: Trail, trace: Trace, *, gone: bool) -> None:
        """A request has ended; `gone`: its caller left before it had all of the answer."""
        try:
            row = self._row(job, down, trail, trace, gone=gone)
            if self.ledger is not None:
                self.ledger.record(row)
            for watcher in self.watchers:
                watcher(row)
        except Exception as error:  # noqa: BLE001 - telling of a request must not fail it
            self.failures += 1
            log.error("a request could not be recorded (%s)", type(error).__name__)  # noqa: TRY400

    def _row(
        self, job: Job, down: Downstream, trail: Trail, trace: Trace, *, gone: bool
    ) -> RequestRecord:
        request, lease, status = job.request, trail.lease, trace.status or 0
        usage = _usage(trail)
        cost_usd, sent_model = self._priced(lease, usage)
        took_ms = (self.clock.elapsed() - trail.since) * 1000.0
        first_at, surface = down.first_at, job.surface
        return RequestRecord(
            request_id=job.request_id,
            at=self.clock.now(),
            account="" if lease is None else lease.account_id,
            model=(request.model if lease is None else lease.model)[:MAX_WORD],
            sent_model=sent_model[:MAX_WORD],
            client=request.client_key or "",
            session=digest_of(session_key(request)),
            program=(request.program or "")[:MAX_WORD],
            format="anthropic" if surface is None else surface.name,
            kind=_kind(job, trace),
            status=status,
            failed=(status >= 400 or down.failed) and not gone,
            outcome=_outcome(trail, trace, gone=gone),
            attempts=trail.sends,
            streamed=job.streaming,
            tokens_in=usage.input,
            tokens_out=usage.output,
            cache_read=usage.cache_read,
            cache_write_5m=usage.cache_write_5m,
            cache_write_1h=usage.cache_write_1h,
            cost_usd=cost_usd,
            cost_told=usage.cost_usd is not None,
            total_ms=took_ms,
            ttfb_ms=None if first_at is None else (first_at - trail.since) * 1000.0,
            waited_ms=trail.waited_s * 1000.0,
            overhead_ms=trail.overhead_ms,
            skipped=", ".join(trail.skipped)[:MAX_WORD] if trail.skipped else "",
            decision="" if lease is None else decision_text(lease.decision),
        )

    def _priced(self, lease: Lease | None, usage: TokenUsage) -> tuple[float | None, str]:
        """What it cost, in USD, and under which name the model was asked for."""
        state = None if lease is None else self.pool.states.get(lease.account_id)
        if lease is None or state is None:
            return usage.cost_usd, ""
        account = state.account
        sent = upstream_model(account.models, lease.model) or lease.model
        if usage.cost_usd is not None:
            return usage.cost_usd, sent
        return estimate_usd(account, lease.model, usage, self.pool.settings), sent


def _usage(trail: Trail) -> TokenUsage:
    match trail.outcome:
        case Success(usage) | Cut(usage) | ClientGone(usage):
            return usage
        case _:
            return NOTHING


def _outcome(trail: Trail, trace: Trace, *, gone: bool) -> str:
    """The class of the last try's outcome, else of what kept it from being tried."""
    if trail.outcome is not None:
        return outcome_class(trail.outcome)
    if trace.refusal is not None:
        return trace.refusal.reason.value
    return outcome_class(ClientGone() if gone else Internal())


def _kind(job: Job, trace: Trace) -> str:
    """`messages`, `count_tokens`, `batches`, `files`, or `other`."""
    if trace.kind != "other":
        return trace.kind
    place = place_of(job.target.partition("?")[0])
    return "other" if place is None else place.collection


@lru_cache(maxsize=4096)
def digest_of(session: str | None) -> str:
    """A session as the ledger knows it: a digest of its key, "" for none."""
    if session is None:
        return ""
    return sha256(session.encode(errors="surrogatepass")).hexdigest()[:DIGEST_CHARS]


def decision_text(made: Decision | None) -> str:
    """Why that account: its cost terms, and whether the session moved, as short JSON."""
    if made is None:
        return ""
    told: dict[str, object] = {
        name: round(term, 2)
        for name, term in zip(made.cost._fields, made.cost, strict=True)
        if term > LEAST_TERM or term < -LEAST_TERM
    }
    told["strategy"] = made.strategy
    if made.rebind is not None:
        told["rebind"] = made.rebind
        told["lost_tokens"] = made.lost_tokens
    if made.unavailable:
        told["unavailable"] = dict(made.unavailable)
    if made.route:
        told["route"] = made.route[:MAX_WORD]
    return _encode(told).decode()
