"""What the leases of a process teach, told to the process that takes its place, and repeated there.

Plain data between two versions of maxpool: what one of them does not know it leaves out, an outcome
that it does not know blames nobody. It opens nothing; messages come and go through `say` and `hear`.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from maxpool.core import elsewhere
from maxpool.core.binding import Move
from maxpool.core.learning import Running
from maxpool.core.lease import Internal, LeaseRequest, Outcome
from maxpool.service.meters import Meters
from maxpool.service.stats import Refused, Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.waiting import WaitingRoom

log = logging.getLogger("maxpool.handover")

_OUTCOMES: dict[str, Any] = {kind.__name__: kind for kind in get_args(Outcome)}
_FLAGS = ("work", "prefix_was_warm", "observed", "burned")

Document = dict[str, Any]


@dataclass(slots=True)
class Teller:
    """`core.learning.Witness` of a pool whose process leaves: tells all, once `open` was called."""

    pool: Pool
    stats: Stats
    say: Callable[[Document], None]
    source: int = 0  # this process's id
    drain_s: float = 0.0  # how long its answers may go on
    waiting: list[Document] | None = field(default_factory=list)
    first: Document = field(default_factory=dict)

    def begin(self) -> None:
        """From this moment on everything is told; what was before is in the snapshot and in `first`."""
        self.first = {
            "from": self.source,
            "drain": self.drain_s,
            "running": [_lease(running) for running in self.pool.running.values()],
            "stats": plain(self.stats),
        }
        self.pool.witness = self

    def open(self) -> None:
        """The other process has the snapshot: tell what was kept back."""
        kept, self.waiting = self.waiting or [], None
        for message in (self.first, *kept):
            self.say(message)

    def end(self) -> None:
        """Tell no more."""
        self.pool.witness = None

    def last(self) -> Document:
        """What the counts rose by since `begin`."""
        return {"counts": risen(plain(self.stats), self.first["stats"])}

    def granted(self, running: Running) -> None:
        """A lease began."""
        self._tell({"lease": _lease(running)})

    def observed(
        self, account_id: str, told: Mapping[str, str], lease_id: str | None, status: int | None
    ) -> None:
        """Response headers came."""
        self._tell({"seen": [account_id, dict(told), lease_id, status]})

    def ended(self, lease_id: str, outcome: Outcome) -> None:
        """A lease ended."""
        said = [lease_id, type(outcome).__name__, msgspec.to_builtins(outcome)]
        self._tell({"ended": said})

    def _tell(self, message: Document) -> None:
        if self.waiting is not None:
            self.waiting.append(message)
        else:
            self.say(message)


@dataclass(slots=True)
class Repeater:
    """Repeats in this pool what the process before it tells. `others`: its leases that still run."""

    pool: Pool
    stats: Stats
    waiting: WaitingRoom
    clock: Clock
    others: set[str] = field(default_factory=set)
    whole: bool = False

    def hear(self, message: Document) -> None:
        """Take one message in; one that makes no sense here is left out."""
        try:
            self._hear(message)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("a message of the process before is left out (%s)", type(error).__name__)

    def lost(self) -> None:
        """Nothing more will come."""
        now = self.clock.now()
        elsewhere.abandon(self.pool, list(self.others), now)
        self.others.clear()
        self.waiting.wake()

    def _hear(self, message: Document) -> None:
        match message:
            case {"running": list(leases), "stats": counts}:
                for one in leases:
                    self._adopt(one, known=True)
                merge(self.stats, counts)
            case {"lease": dict(one)}:
                self._adopt(one, known=False)
            case {"seen": [str(account_id), dict(told), lease_id, status]}:
                running = self.pool.running.get(lease_id or "")
                lease = running.lease if running is not None else None
                self.pool.observe(account_id, told, self.clock.now(), lease=lease, status=status)
                self.waiting.wake()
            case {"ended": [str(lease_id), str(kind), dict(data)]}:
                self._ended(lease_id, kind, data)
            case {"counts": counts}:
                merge(self.stats, counts)
                self.whole = True
            case _:
                log.debug("the process before tells something that is not known here")

    def _adopt(self, one: Document, *, known: bool) -> None:
        running = _running(self.pool, one)
        if elsewhere.adopt(self.pool, running, self.clock.now(), known=known):
            self.others.add(running.lease.id)

    def _ended(self, lease_id: str, kind: str, data: Document) -> None:
        self.others.discard(lease_id)
        running = self.pool.running.get(lease_id)
        if running is None:
            return
        outcome = Internal()
        try:
            outcome = msgspec.convert(data, _OUTCOMES.get(kind, Internal))
        finally:
            self.pool.release(running.lease, outcome, self.clock.now())
            self.waiting.wake()


def _lease(running: Running) -> Document:
    lease = running.lease
    return {
        "id": lease.id,
        "account": lease.account_id,
        "model": lease.model,
        "at": lease.started_at,
        "request": msgspec.to_builtins(running.request),
        "move": msgspec.to_builtins(running.move),
        "flags": {name: getattr(running, name) for name in _FLAGS},
    }


def _running(pool: Pool, told: Document) -> Running:
    lease = elsewhere.placeholder(
        pool, str(told["id"]), str(told["account"]), str(told["model"]), float(told["at"])
    )
    flags = {name: told["flags"][name] for name in _FLAGS}
    request = msgspec.convert(told["request"], LeaseRequest)
    return Running(lease, request, msgspec.convert(told["move"], Move), **flags)


def plain(stats: Stats) -> Document:
    """The counts as plain data: numbers, numbers by status or name, and the last refusals."""
    found: Document = {}
    for one in fields(stats):
        value = getattr(stats, one.name)
        if isinstance(value, deque):
            found[one.name] = [asdict(refused) for refused in value]
        elif isinstance(value, Meters):
            found[one.name] = value.told()
        else:
            found[one.name] = dict(value) if isinstance(value, dict) else value
    return found


def risen(now: Mapping[str, Any], before: Mapping[str, Any]) -> Document:
    """How much counts rose between two moments, and which refusals are new."""
    found: Document = {}
    for name, value in now.items():
        old = before[name]
        if isinstance(value, dict):
            found[name] = {status: n - old.get(status, 0) for status, n in value.items()}
        elif isinstance(value, list):
            found[name] = [one for one in value if one not in old]
        else:
            found[name] = value - old
    return found


def merge(stats: Stats, told: Mapping[str, Any]) -> None:
    """Add counts; what is not known here is left out."""
    for one in fields(stats):
        mine, theirs = getattr(stats, one.name), told.get(one.name)
        if isinstance(mine, deque) and isinstance(theirs, list):
            both = [*(Refused(**refused) for refused in theirs), *mine]
            mine.clear()
            mine.extend(sorted(both, key=lambda refused: refused.at))
        elif isinstance(mine, Meters) and isinstance(theirs, dict):
            mine.add(theirs)
        elif isinstance(mine, dict) and isinstance(theirs, dict):
            for status, n in theirs.items():
                mine[int(status)] = mine.get(int(status), 0) + n
        elif isinstance(theirs, int | float):
            setattr(stats, one.name, mine + theirs)
