"""Alerts on a running server: looks at the pool at intervals and at events, and has told what is to be told.

What is worth telling, and when, is `core/alertrules` and `core/alerts`; the way to the targets is
`service/delivery`. Reading the pool changes nothing, and no request waits for any of this.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from maxpool.core.alertrules import Numbers, seen
from maxpool.core.alerts import Alerts, AlertTimes, in_quiet_hours
from maxpool.errors import StateError
from maxpool.service.tasks import TooManyTasks
from maxpool.wire.alerts import message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maxpool.core.alertrules import AlertRule
    from maxpool.core.alerts import Change
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.delivery import Delivery
    from maxpool.service.events import Event
    from maxpool.service.stats import Stats
    from maxpool.service.tasks import Tasks

log = logging.getLogger("maxpool.alerts")

LOOK_EVERY_S: Final = 15.0
SOON_S: Final = 1.0
"""After an event: many may come at once, and a look at 200 accounts takes milliseconds."""

LATELY_S: Final = 900.0
"""Errors are counted over that long."""

AT_ONCE: Final = frozenset({"login_dead", "login_renewed", "account_state", "ledger_trouble"})
"""Events that may begin or end an alert: they are not left to the next look."""

TURNED_AWAY: Final = 429


class AlertMemory(Protocol):
    """Where what was told rests between runs. Blocks."""

    def load(self) -> dict[str, Any] | None:
        """What was kept last."""
        ...

    def save(self, data: Mapping[str, Any]) -> None:
        """Replace it; raises `StateError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """What the config says. `quiet`: minutes of the local day."""

    rules: tuple[AlertRule, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    times: AlertTimes = field(default_factory=AlertTimes)
    quiet: tuple[int, int] | None = None


class LedgerState(NamedTuple):
    """How the ledger does: its trouble in words, and rows lost since the start."""

    trouble: str = ""
    lost: int = 0


class _Sample(NamedTuple):
    at: float
    answers: int
    errors: int
    internal_errors: int
    lost: int


@dataclass(slots=True)
class Lately:
    """Counts of the last 15 minutes, from counters that only grow."""

    stats: Stats
    ledger: Callable[[], LedgerState]
    samples: deque[_Sample] = field(default_factory=lambda: deque(maxlen=120))

    def numbers(self, now: float) -> Numbers:
        """What happened since 15 minutes ago, or since the first look."""
        stats, ledger = self.stats, self.ledger()
        errors = sum(n for s, n in stats.client_errors.items() if s >= 500 or s == TURNED_AWAY)
        here = _Sample(now, stats.requests, errors, stats.internal_errors, ledger.lost)
        samples = self.samples
        if samples and samples[-1].at > now:  # the clock was set back
            samples.clear()
            samples.append(here)
        if not samples:  # the counters began at 0
            samples.append(_Sample(now, 0, 0, 0, 0))
        while len(samples) > 1 and samples[1].at <= now - LATELY_S:
            samples.popleft()
        then = samples[0]
        if now - samples[-1].at >= LOOK_EVERY_S / 2.0:
            samples.append(here)
        return Numbers(
            answers=here.answers - then.answers,
            errors=here.errors - then.errors,
            internal_errors=here.internal_errors - then.internal_errors,
            ledger_trouble=ledger.trouble,
            ledger_lost=here.lost - then.lost,
        )


@dataclass(slots=True)
class Alerting:
    """The alerts of one server."""

    pool: Pool
    clock: Clock
    tasks: Tasks
    lately: Lately
    delivery: Delivery
    utc_offset_s: Callable[[float], int]
    alerts: Alerts = field(default_factory=Alerts)
    settings: AlertSettings = field(default_factory=AlertSettings)
    memory: AlertMemory | None = None
    told: int = 0
    _saved: int = 0
    _looking: bool = False  # soon

    def follow(self, settings: AlertSettings) -> None:
        """Go by these from now on."""
        self.settings = settings
        self.delivery.follow(settings.targets)

    def remember(self, memory: AlertMemory) -> None:
        """Take what the last run told, and keep what this one tells. Blocks."""
        self.memory = memory
        data = memory.load()
        if data is not None:
            try:
                self.alerts = Alerts.load(data, self.clock.now())
            except ValueError as error:
                log.warning("what was told of alerts cannot be read (%s): it begins anew", error)
        self._saved = self.alerts.revision

    def hear(self, event: Event) -> None:
        """Something happened: look soon, where that may matter."""
        if event.kind in AT_ONCE and self.settings.rules and not self._looking:
            self._looking = True
            try:
                self.tasks.spawn(self._soon(), "alerts", finish=False)
            except TooManyTasks:
                self._looking = False

    async def _soon(self) -> None:
        await self.clock.sleep(SOON_S)
        self._looking = False
        await self.tick()

    async def tick(self) -> None:
        """Look, have told what is to be told, and keep that in mind."""
        self.look()
        await self.keep()

    def look(self) -> None:
        """Look at the pool now."""
        settings, now = self.settings, self.clock.now()
        numbers = self.lately.numbers(now)
        if not settings.rules and not self.alerts.active:
            return
        offset_s = self.utc_offset_s(now)
        changes = self.alerts.step(
            settings.rules,
            seen(settings.rules, self.pool.view(now), numbers),
            now,
            times=settings.times,
            quiet=in_quiet_hours(settings.quiet, now, offset_s),
        )
        for name in settings.targets:
            mine = [c for c in changes if not c.rule.targets or name in c.rule.targets]
            if mine:
                self.delivery.post(name, message_of(mine, offset_s))
        self._say(changes)

    def _say(self, changes: list[Change]) -> None:
        self.told += len(changes)
        for change in changes:
            log.warning("alert %s: %s", change.told, change.rule.name)

    async def keep(self) -> None:
        """Write down what was told, if that changed."""
        revision = self.alerts.revision
        if self.memory is None or revision == self._saved:
            return
        self._saved = revision
        try:
            await asyncio.to_thread(self.memory.save, self.alerts.dump())
        except StateError as error:
            log.warning("%s. %s.", error.message, error.hint)

    def report(self) -> dict[str, Any]:
        """Numbers for the status page."""
        told = [a for a in self.alerts.active.values() if a.told_at is not None]
        return {"rules": len(self.settings.rules), "firing": len(told), "told": self.told}

    def listed(self) -> list[dict[str, Any]]:
        """Every alert that is not over, for people."""
        return [
            {
                "rule": key[0],
                "account": alert.seen.name or None,
                "about": key[2] or None,
                "value": alert.seen.value,
                "until": alert.seen.until,
                "since": alert.since,
                "told_at": alert.told_at,
                "ending": alert.clear_since is not None,
            }
            for key, alert in self.alerts.active.items()
        ]
