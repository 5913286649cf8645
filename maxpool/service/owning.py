"""Things that one account holds: who must serve a request that names some, and what answers tell.

Batches, files, containers and threads live where they were made. A request that names one goes there;
when nobody knows where that is, each account that may have it is asked in turn, since the 404 of one
says only that it is not there. What is created is never sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from maxpool.core import owners
from maxpool.core.eligibility import Context, Unavailable, check, mismatch
from maxpool.errors import RequestError
from maxpool.wire import replies
from maxpool.wire.resources import at_home, made_by_message, made_by_stream, told_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maxpool.core.lease import LeaseRequest
    from maxpool.core.pool import Pool
    from maxpool.core.state import AccountState
    from maxpool.ports import Clock
    from maxpool.service.job import Job
    from maxpool.service.retry import Trail
    from maxpool.wire.meter import Meter

NOT_FOUND = "not_found_error"


@dataclass(slots=True)
class Owning:
    """Reads and feeds the pool's memory of who holds what. `show`: whether clients hear accounts' names."""

    pool: Pool
    clock: Clock
    show: bool = True

    # -- before: who must serve ---------------------------------------------------------------------

    def bind(
        self, request: LeaseRequest, named: tuple[str, ...], *, creates: bool = False
    ) -> tuple[LeaseRequest, bool]:
        """The request, bound to the account that holds what it names; and whether it must seek.

        Raises `RequestError` where no account can have all of it. What `creates` seeks nowhere: an
        account may take it without looking.
        """
        if not named:
            return request, False
        holders = {name: self._holder(name) for name in named}
        present = {name: found for name, found in holders.items() if self._serves(found)}
        if present:
            return self._bound(request, present), False
        lost = next((name for name, found in holders.items() if found is not None), None)
        if creates and lost is not None:
            raise RequestError(404, NOT_FOUND, f"{self._was(lost)} It cannot be used here.")
        if any(owners.RESOURCES not in s.account.lacks for s in self.pool.states.values()):
            request = replace(request, needs=request.needs | {owners.RESOURCES})
        return request, request.owner is None and not creates

    def _bound(self, request: LeaseRequest, present: dict[str, str | None]) -> LeaseRequest:
        name, owner = next(iter(present.items()))
        for other, elsewhere in present.items():
            if elsewhere != owner:
                raise RequestError(
                    404,
                    NOT_FOUND,
                    f"{name} is on the account {self._label(owner)}, {other} on "
                    f"{self._label(elsewhere)}: no request can use both.",
                )
        if request.owner not in (None, owner):
            raise RequestError(
                404,
                NOT_FOUND,
                f"{name} is on the account {self._label(owner)}, and x-maxpool-account names another.",
            )
        return replace(request, owner=owner)

    def _holder(self, resource: str) -> str | None:
        return self.pool.owners.find(resource, self.clock.now())

    def _serves(self, account_id: str | None) -> bool:
        state = self.pool.states.get(account_id or "")
        return state is not None and state.enabled

    # -- after: what answers tell -------------------------------------------------------------------

    def reader(self, job: Job, account_id: str) -> Callable[[bytes], bytes] | None:
        """What takes in a whole JSON answer and gives what the caller gets of it; None for no such."""
        match job.tells:
            case "nothing":
                return None
            case "resource" | "list":
                return lambda body: self._resource(job, account_id, body)
            case "message" | "thread":
                return lambda body: self._message(job, account_id, body)

    def streamed(self, job: Job, account_id: str, meter: Meter) -> None:
        """An answer was relayed: what it ran in, and hangs on, or showed, is that account's."""
        if job.tells == "nothing":
            self._seen(job.named, account_id)
        elif job.tells in ("message", "thread"):
            made = made_by_stream(meter, threaded=job.tells == "thread")
            self._seen((*made, *job.named), account_id)

    def _message(self, job: Job, account_id: str, body: bytes) -> bytes:
        made = made_by_message(body, threaded=job.tells == "thread")
        self._seen((*made, *job.named), account_id)
        return body

    def _resource(self, job: Job, account_id: str, body: bytes) -> bytes:
        here, deleted = told_of(body)
        if job.tells == "list":  # two keys of one workspace show the same: the first one keeps it
            here = [name for name in here if not self._serves(self._holder(name))]
        self._seen(here, account_id)
        owners.gone(self.pool, deleted)
        return at_home(body, job.origin)

    def _seen(self, resources: tuple[str, ...] | list[str], account_id: str) -> None:
        if resources:
            owners.seen(self.pool, resources, account_id, self.clock.now())

    # -- when nobody has it ---------------------------------------------------------------------------

    def nowhere(self, job: Job, trail: Trail) -> replies.Answer | None:
        """The end of a search in vain; None where the upstream's own 404 says all there is to say."""
        unasked = dict(self._unasked(job, trail))
        name = job.named[0] if job.named else "this"
        told = f"None of the accounts that could be asked has {name}."
        if self._holder(name) is not None:
            told = f"{told} {self._was(name)}"
        elif not unasked:
            return None
        if unasked:
            listed = ", ".join(f"{label} ({why})" for label, (why, _) in unasked.items())
            told += f" Not asked: {listed}." if self.show else f" Not asked: {len(unasked)} more."
        soon = any(temporary for _, temporary in unasked.values())
        status, kind = (503, "overloaded_error") if soon else (404, NOT_FOUND)
        return replies.error(
            status, kind, f"maxpool: {told}", request_id=job.request_id, should_retry=soon
        )

    def _unasked(self, job: Job, trail: Trail) -> Iterator[tuple[str, tuple[str, bool]]]:
        """Accounts that may have it and did not say: why, and whether that passes by itself."""
        now, ctx = self.clock.now(), Context(self.pool.settings)
        for account_id, state in self.pool.states.items():
            if account_id in trail.missing or mismatch(state.account, job.request) is not None:
                continue
            block = check(state, job.request, now, ctx)
            if isinstance(block, Unavailable):
                yield state.account.name, (block.reason.value, block.temporary)
            else:
                yield state.account.name, ("failed", True)

    def _was(self, resource: str) -> str:
        """A sentence on what became of the account that held it."""
        account_id = self._holder(resource)
        state: AccountState | None = self.pool.states.get(account_id or "")
        label = self._label(account_id)
        if state is None:
            return f"{resource} was made on the account {label}, which was removed from maxpool."
        how = f": `maxpool accounts enable {label}`" if self.show else ""
        return f"{resource} is on the account {label}, which is disabled{how}."

    def _label(self, account_id: str | None) -> str:
        if not self.show:
            return "(not shown)"
        state = self.pool.states.get(account_id or "")
        kept = self.pool.owners.names.get(account_id or "")
        return repr(state.account.name if state is not None else kept or account_id)
