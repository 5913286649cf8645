"""One request, start to finish: lease, send, classify, relay, release; a loop, never recursion.

The only place where a lease is taken for a request, and `Holding` the only place where it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from maxpool.core.eligibility import Reason
from maxpool.core.hop import busier, larger_only, other_model
from maxpool.core.lease import (
    AuthFinal,
    Burst,
    ClientGone,
    Internal,
    Lease,
    NetworkFailure,
    Outcome,
    Refusal,
    TokenUsage,
    Wait,
)
from maxpool.core.rejected import NotCarried
from maxpool.core.targets import upstream_model
from maxpool.core.view import outcome_class
from maxpool.errors import RequestError, SecretError
from maxpool.ports import Unreachable
from maxpool.service.endings import ENDS_LOGIN, OWN_LIMITS, Endings
from maxpool.service.judging import failure_of, not_carried
from maxpool.service.outgoing import call_of
from maxpool.service.owning import Owning
from maxpool.service.passage import STRAIGHT, passage_of
from maxpool.service.relay import Relay
from maxpool.service.retry import (
    HERE,
    MOVED,
    REMOVED,
    Failed,
    Then,
    Trail,
    not_there,
    of_own_login,
    surely_unsent,
    then,
)
from maxpool.service.routes import Router
from maxpool.service.traces import Traces
from maxpool.wire import headers as wire_headers
from maxpool.wire.meter import Meter, cost_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.core.pool import Pool
    from maxpool.ports import Chance, Clock, Destination, Reply, Upstream
    from maxpool.service.clientlogin import ClientLogins
    from maxpool.service.downstream import ClientWatch, Downstream
    from maxpool.service.job import Job
    from maxpool.service.limits import Limits
    from maxpool.service.recording import Recorder
    from maxpool.service.stats import Stats
    from maxpool.service.tokens import Credential, Tokens
    from maxpool.service.traces import Trace
    from maxpool.service.waiting import WaitingRoom
    from maxpool.wire.verdict_provider import Failures


NO_SECRET = "secret"  # noqa: S105 - a kind of failure
"""Kind of a try that was never sent, because the account's secret could not be read."""


class Holding:
    """A lease while it is held: released exactly once, on every way out of its `with`.

    `outcome` is filled in by whoever learns it; left by an exception, the lease ends as the client's
    doing or as our own fault.
    """

    __slots__ = (
        *("_forwarder", "_trail", "_watch"),
        *("credential", "lease", "outcome", "passage", "relay"),
    )

    def __init__(
        self, lease: Lease, forwarder: Forwarder, watch: ClientWatch, trail: Trail
    ) -> None:
        self.lease = lease
        self.outcome: Outcome | None = None
        self.relay: Relay | None = None
        self.credential: Credential | None = None
        self.passage = STRAIGHT
        self._forwarder = forwarder
        self._watch = watch
        self._trail = trail

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        outcome = self.outcome or Internal()
        if kind is not None and self._watch.gone:
            outcome = ClientGone(self.relay.usage if self.relay is not None else TokenUsage())
        elif kind is not None:
            outcome = Internal()
        self._trail.lease, self._trail.outcome = self.lease, outcome
        forwarder = self._forwarder
        forwarder.pool.release(self.lease, outcome, forwarder.clock.now())
        forwarder.waiting.wake()


@dataclass(slots=True)
class Forwarder:
    """Everything a request needs on its way; one for the whole server."""

    pool: Pool
    upstream: Upstream
    tokens: Tokens
    waiting: WaitingRoom
    clock: Clock
    chance: Chance
    destinations: Mapping[str, Destination]
    limits: Limits
    stats: Stats
    utc_offset_s: Callable[[float], int]
    logins: ClientLogins
    traces: Traces = field(default_factory=Traces)
    recorder: Recorder | None = None
    owning: Owning = field(init=False)
    router: Router = field(init=False)
    endings: Endings = field(init=False)

    def __post_init__(self) -> None:
        self.router = Router(self.pool)
        self.owning = Owning(self.pool, self.clock, self.limits.show_account)
        self.endings = Endings(self.pool, self.clock, self.limits, self.utc_offset_s, self.stats)

    def limit(self, limits: Limits) -> None:
        """Take new limits; running requests use them from their next step on."""
        self.limits = self.endings.limits = self.waiting.limits = limits
        self.owning.show = limits.show_account

    async def serve(self, job: Job, down: Downstream, watch: ClientWatch) -> None:
        """Answer one request; returns when its answer has ended, whichever way."""
        began, since = job.request.arrived_at or self.clock.now(), self.clock.elapsed()
        trail = Trail(began=began, since=since, seeks=job.seeks)
        trace = self.traces.begin(job, trail.began, self.pool.settings.kept_decisions)
        try:
            await self._attempts(job, down, watch, trail, trace)
        finally:
            status = down.status or (0 if watch.gone else 500)
            trace.ended(status, trail.waited_s, self.clock.now())
            if self.recorder is not None:
                self.recorder.ended(job, down, trail, trace, gone=watch.gone)
        self.stats.ended(down.status, trail)

    async def _attempts(
        self, job: Job, down: Downstream, watch: ClientWatch, trail: Trail, trace: Trace
    ) -> None:
        """One account after another, until one answers or none is left to try."""
        while True:
            down.waits = job.asks_model
            found = await self._lease(job, trail)
            down.waits = False
            if isinstance(found, Refusal):
                found = self._last_word(job, trail, found)
            if not isinstance(found, Lease):
                trace.refusal = found
                await self.endings.refuse(job, down, trail, found)
                return
            trace.leased(found)
            with Holding(found, self, watch, trail) as held:
                failed = await self._use(job, down, held, trail)
            if failed is None:
                return
            if trail.last is None or not isinstance(failed.outcome, NotCarried):
                trail.last = failed  # what was sent and failed tells more than what was not
            if job.by_own_login(found.account_id) and isinstance(failed.outcome, OWN_LIMITS):
                trail.own = failed
            if not other_model(self.pool, job.request, found, failed.outcome):
                trail.tried.add(found.account_id)
            self._note(job, held, failed)
            if not await self._goes_on(job, failed, trail, found):
                await self.endings.give_up(job, down, trail, trail.last)
                return

    # -- leasing ---------------------------------------------------------------------------------

    async def _lease(self, job: Job, trail: Trail) -> Lease | Refusal | None:
        """An account that was not tried yet, else whichever the pool gives or makes wait for.

        None: only tried accounts are left, and the last answer belongs to the caller.
        """
        request = job.request
        if trail.tries:
            now, exclude = self.clock.now(), frozenset(trail.tried)
            request = trail.asking(request, now, self.clock.elapsed())
            if trail.last is not None and isinstance(trail.last.outcome, Burst):
                exclude |= busier(self.pool, request, now, exclude)
            request, small = larger_only(self.pool, request, trail.outgrown)
            exclude |= small
            found = self.pool.acquire(request, now, exclude=exclude)
            if isinstance(found, Lease):
                return found
            if isinstance(found, Wait):
                self.pool.cancel(found.ticket, now)
            if trail.others_asked or trail.missing or trail.outgrown or trail.spent(self.limits):
                return None
        waited_from = self.clock.elapsed()
        result = await self.waiting.acquire(request, frozenset(trail.dead), len(job.body))
        waited_s = self.clock.elapsed() - waited_from
        trail.waited_s += waited_s
        self.stats.waited(waited_s)
        return result

    def _last_word(self, job: Job, trail: Trail, refusal: Refusal) -> Lease | Refusal:
        """Nobody can serve: what the upstream says of the client's own login, only it can say, and
        what a used up account holds, only that one can show.
        """
        own, holder = job.request.own, job.request.owner if job.looks else None
        last = own.account_id if own is not None else holder
        if last is None or last in trail.tried or refusal.reason is Reason.PAUSED:
            return refusal
        return self.pool.last_word(job.request, self.clock.now()) or refusal

    async def _goes_on(self, job: Job, failed: Failed, trail: Trail, lease: Lease) -> bool:
        """Whether another account may be tried, after the pause the outcome asks for."""
        outcome, account_id = failed.outcome, lease.account_id
        failures = self._failures(account_id)
        trail.met(lease, failed, failures)
        name = f"{self.endings.name(account_id)}:" if self.limits.show_account else ""
        trail.skipped.append(f"{name}{outcome_class(outcome)}")
        step = then(outcome, trail, account_id, failures)
        now = self.clock.elapsed()
        if trail.seeks and not_there(failed):
            trail.missing.add(account_id)
        elif job.once and not surely_unsent(failed):
            return False
        trail.noted(outcome, now)
        if step is Then.PASS or trail.spent(self.limits) or trail.network_spent(now, self.limits):
            return False
        if step is Then.OTHER_ONCE:
            trail.others_asked = True
        if step is Then.BACKOFF:
            await self._pause(self.limits.backoff_s, trail)
        return True

    def _note(self, job: Job, held: Holding, failed: Failed) -> None:
        """Say what failed, and what it means for the credential."""
        account_id, outcome = held.lease.account_id, failed.outcome
        if isinstance(outcome, ENDS_LOGIN):
            kind = outcome_class(outcome)
            final = (outcome.reason or kind) if isinstance(outcome, AuthFinal) else None
            self.tokens.refuse(account_id, held.credential, final)
        self.endings.note(job, account_id, failed)

    # -- one try ---------------------------------------------------------------------------------

    async def _use(self, job: Job, down: Downstream, held: Holding, trail: Trail) -> Failed | None:
        """Use a lease: send, and once more where the outcome says so; None when answered."""
        account_id = held.lease.account_id
        while True:
            began = self.clock.elapsed()
            failed = await self._try(job, down, held, trail)
            trail.trying_s += self.clock.elapsed() - began if failed is not None else 0.0
            if failed is None:
                return None
            if job.by_own_login(account_id):
                failed = of_own_login(failed)
            held.outcome = failed.outcome
            step = then(failed.outcome, trail, account_id, self._failures(account_id))
            if trail.spent(self.limits) or step not in HERE:
                return failed
            if job.once and not surely_unsent(failed):
                return failed
            if step is Then.SAME:
                trail.repeated.add(account_id)
                await self._pause(self.limits.retry_same_s, trail)
            elif step is Then.AGAIN:
                await self._pause(trail.again_span(account_id, self.limits), trail)
            elif not await self._renew(held, trail):
                return failed
            if not self.pool.sent(held.lease, self.clock.now()):
                return failed  # its limits have no room for a further call

    async def _try(self, job: Job, down: Downstream, held: Holding, trail: Trail) -> Failed | None:
        """One send and its answer; None when the caller got it."""
        lease = held.lease
        by_own_login = job.by_own_login(lease.account_id)
        destination = self._destination(lease.account_id, own=by_own_login)
        if destination is None:
            return Failed(NetworkFailure(REMOVED, sent=False))
        if not by_own_login:
            try:
                held.credential = await self.tokens.bearer(lease.account_id, destination)
            except SecretError as error:
                return Failed(NetworkFailure(NO_SECRET, sent=False), 0, (), error.message.encode())
            if self._destination(lease.account_id) != destination:  # a reload meanwhile moved it
                return Failed(NetworkFailure(MOVED, sent=False))
        held.passage = passage = passage_of(job, destination, self._name_there(lease))
        limits, now = self.limits, self.clock.now()
        try:
            call = call_of(job, destination, held.credential, passage, limits=limits, now=now)
        except RequestError as error:
            return not_carried(error)
        trail.sends += 1
        sent_at = self.clock.elapsed()
        reply = await self.upstream.send(call)
        answered_at = self.clock.elapsed()
        trail.upstream_s += answered_at - sent_at
        if isinstance(reply, Unreachable):
            trail.unsent += not reply.sent
            return Failed(NetworkFailure(reply.kind, reply.sent), 0, (), reply.detail.encode())
        try:
            failed = await self._answer(job, down, held, trail, reply, destination)
        finally:
            await reply.stream.aclose()
        if failed is not None:
            trail.upstream_s += self.clock.elapsed() - answered_at
        return failed

    def _name_there(self, lease: Lease) -> str:
        """What this account's upstream calls the model."""
        state = self.pool.states.get(lease.account_id)
        name = upstream_model(state.account.models, lease.model) if state is not None else None
        return lease.model if name is None else name

    async def _answer(
        self,
        job: Job,
        down: Downstream,
        held: Holding,
        trail: Trail,
        reply: Reply,
        destination: Destination,
    ) -> Failed | None:
        lease, now, passage = held.lease, self.clock.now(), held.passage
        fields = wire_headers.fields(reply.headers)
        self.pool.observe(lease.account_id, fields, now, lease=lease, status=reply.status)
        self.waiting.wake()
        if not 200 <= reply.status < 300:
            return await failure_of(
                job, lease, passage, reply, fields, destination, self.limits, now
            )
        if job.by_own_login(lease.account_id):
            self.logins.answered(lease.account_id, now)
        relay = held.relay = Relay(
            reply,
            down,
            self.limits,
            lease.model,
            self.endings.reply_headers(job, lease, passage, trail, reply, now),
            fields.get("content-type", ""),
            fields.get("content-encoding", ""),
            checked=not job.opaque,
            streaming=job.streaming,
            meter=passage.meter(destination),
            cost_usd=cost_usd(fields.get(destination.cost_header or "")),
            failures=destination.failures,
            passage=passage,
            inward=passage.reader(job, self.limits),
            edit=passage.edit(destination),
            reader=self.owning.reader(job, lease.account_id),
        )
        result = await relay.run()
        if isinstance(result, Failed):
            return result
        if isinstance(relay.meter, Meter):
            self.owning.streamed(job, lease.account_id, relay.meter)
        held.outcome = result
        return None

    async def _renew(self, held: Holding, trail: Trail) -> bool:
        """Get the bearer anew for one more try; False when the account is gone."""
        account_id = held.lease.account_id
        trail.renewed.add(account_id)
        destination = self._destination(account_id)
        if destination is None:
            return False
        # The same credential gets its second chance, too: a single 401 may be the upstream's slip.
        await self.tokens.renew(account_id, destination, held.credential)
        return True

    def _destination(self, account_id: str, *, own: bool = False) -> Destination | None:
        """Where to send; None once a new config removed the account or moved it unconfirmed."""
        state = self.pool.states.get(account_id)
        if state is None or state.credential.dead:
            return None
        return self.logins.destination if own else self.destinations.get(account_id)

    def _failures(self, account_id: str) -> Failures | None:
        destination = self.destinations.get(account_id)
        return None if destination is None else destination.failures

    async def _pause(self, span_s: tuple[float, float], trail: Trail) -> None:
        seconds = self.chance.jitter(*span_s)
        trail.trying_s += seconds
        trail.waited_s += seconds
        await self.clock.sleep(seconds)
