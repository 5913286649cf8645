"""What happens to the pool and is worth telling a person: told once, to everybody who subscribed.

Logins that end, accounts that change their state, throttles, configs, the server's own start and end. No
request is an event. Holds the latest; decides nothing, and keeps nothing over a restart (the ledger does).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from maxpool.core.records import EventRecord

if TYPE_CHECKING:
    from maxpool.ports import Clock

log = logging.getLogger("maxpool.events")

Kind = Literal[
    "started",  # version
    "stopped",
    "config_loaded",
    "config_refused",  # error
    "account_added",
    "account_removed",
    "account_state",  # before, now, reason, until
    "login_dead",  # reason
    "login_renewed",
    "throttle_began",  # upstream, until
    "throttle_ended",  # upstream
    "ledger_trouble",  # error
    "ledger_mended",
]
"""Behind each what its `detail` holds."""

KEPT = 200
"""Events for whoever comes later: a page shows about as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `account`: its id, "" where it is of no one account; `name`: its label.

    `at`: epoch seconds. `detail` holds words and numbers only, never a secret or a word of a request.
    """

    at: float
    kind: Kind
    account: str = ""
    name: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> EventRecord:
        """The same for the ledger."""
        told = msgspec.json.encode(dict(self.detail)).decode()
        return EventRecord(self.at, self.kind, self.account, told)


Listener = Callable[[Event], None]


@dataclass(slots=True)
class Events:
    """Tells each event to all listeners, in the order in which they came."""

    clock: Clock
    latest: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT))
    _listeners: list[Listener] = field(default_factory=list)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear every event from now on; returns how to stop that.

        Listeners run on the event loop, one after the other: they must be quick. One that fails is
        logged and hears the next event all the same.
        """
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    def tell(self, kind: Kind, account: str = "", name: str = "", **detail: object) -> Event:
        """Something happened now."""
        event = Event(
            at=self.clock.now(),
            kind=kind,
            account=account,
            name=name,
            detail=detail,
        )
        self.latest.append(event)
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed at the event %r", kind)
        return event
