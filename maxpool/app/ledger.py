"""The ledger of one proxy: what writes it, what reads it, and what tells it of more than requests.

Composition only. Without a URL nothing is kept, and events and meters are told all the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maxpool import __version__
from maxpool.adapters.ledger import Ledger
from maxpool.adapters.ledger_engine import sqlite_url
from maxpool.adapters.ledger_views import LedgerViews
from maxpool.adapters.secrets import ReferenceSecrets
from maxpool.config import derive
from maxpool.config.ledger import is_reference
from maxpool.errors import SecretError
from maxpool.service.events import Events
from maxpool.service.history import PRUNE_S, SAMPLE_S, Pruner, Sampler
from maxpool.service.recording import Recorder
from maxpool.service.watching import LOOK_S, Watch

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.app.build import Maxpool
    from maxpool.config.model import Config
    from maxpool.core.pool import Pool
    from maxpool.ports import Clock
    from maxpool.service.events import Event

FILE_NAME: Final = "ledger.sqlite"
CLOSE_S: Final = 5.0
"""Time for what waits to be written when the server ends; then it is lost, and counted."""


def url_of(config: Config, config_file: Path | None) -> str:
    """Where the config has its ledger, "" for nowhere; raises `SecretError` for an unresolved reference."""
    wanted = config.ledger.url
    if not config.ledger.enabled:
        return ""
    if not wanted:
        return sqlite_url(derive.state_folder(config).absolute() / FILE_NAME)
    if not is_reference(wanted):
        return wanted
    folder = config_file.parent if config_file is not None else None
    return ReferenceSecrets(folder=folder).resolve(wanted).reveal()


def found_url(config: Config, config_file: Path | None, notices: list[str]) -> str:
    """The same for a server, which starts without a ledger rather than not at all."""
    try:
        return url_of(config, config_file)
    except SecretError as error:
        notices.append(f"Nothing is kept of requests: [ledger] url: {error.message}. {error.hint}.")
        return ""


@dataclass(slots=True, kw_only=True)
class Books:
    """Everything about the ledger of one proxy."""

    events: Events
    recorder: Recorder
    ledger: Ledger | None
    views: LedgerViews | None
    sampler: Sampler | None
    pruner: Pruner | None
    watch: Watch | None = None

    @classmethod
    def of(cls, config: Config, url: str, pool: Pool, clock: Clock) -> Books:
        """The parts; nothing is opened yet."""
        told, events = config.ledger, Events(clock)
        if not url:
            recorder = Recorder(pool, clock)
            return cls(
                events=events,
                recorder=recorder,
                ledger=None,
                views=None,
                sampler=None,
                pruner=None,
            )
        ledger = Ledger(url, clock.now, capacity=told.queue_rows, flush_s=told.flush_s)
        views = LedgerViews(url, only_reads=False)
        return cls(
            events=events,
            recorder=Recorder(pool, clock, ledger),
            ledger=ledger,
            views=views,
            sampler=Sampler(pool, ledger, clock),
            pruner=Pruner(ledger, clock, told.keep_requests_s, told.keep_readings_s),
        )

    def connect(self, built: Maxpool) -> None:
        """Have every request recorded, and notice what happens."""
        built.forwarder.recorder = self.recorder
        self.recorder.watchers.append(built.stats.meters.ended)
        self.watch = Watch(built.pool, built.clock, self.events, built.reloader, self._trouble)
        if self.ledger is not None:
            self.events.subscribe(self._keep)

    def start(self, built: Maxpool) -> None:
        """Begin, with the server."""
        if self.ledger is not None and self.sampler is not None and self.pruner is not None:
            self.ledger.start()
            self.sampler.look()
            built.timers.every(SAMPLE_S, "readings", self.sampler.tick)
            built.timers.every(PRUNE_S, "ledger", self.pruner.tick)
            built.tasks.spawn(self.pruner.tick(), "ledger")
        if self.watch is not None:
            self.watch.look()
            built.timers.every(LOOK_S, "events", self.watch.tick)
        self.events.tell("started", version=__version__)

    async def aclose(self, *, handed_over: bool) -> None:
        """End, after the last request: what waits is written. Another process may go on with the ledger."""
        if not handed_over:
            self.events.tell("stopped")
        if self.sampler is not None:
            self.sampler.look()
        if self.ledger is not None and self.views is not None:
            await asyncio.to_thread(self.ledger.close, CLOSE_S)
            await asyncio.to_thread(self.views.close)

    def follow(self, config: Config) -> None:
        """Go by this config from now on; what is not said here needs a restart."""
        if self.pruner is not None:
            self.pruner.requests_s = config.ledger.keep_requests_s
            self.pruner.readings_s = config.ledger.keep_readings_s

    def jobs(self) -> dict[str, Any]:
        """Numbers for the status page."""
        if self.ledger is None:
            return {}
        report = self.ledger.report()
        return {
            "ledger": {
                "written": report.written,
                "waiting": report.waiting,
                "lost": report.lost,
                "trouble": report.trouble or None,
                "since": report.since,
            }
        }

    def notices(self) -> tuple[str, ...]:
        """What people should know."""
        if self.ledger is None:
            return ()
        report = self.ledger.report()
        if not report.trouble:
            return ()
        lost = f", {report.lost} are lost" if report.lost else ""
        rows = f"{report.waiting} rows wait in memory{lost}"
        return (f"The ledger cannot be written ({report.trouble}): {rows}. Requests go on.",)

    def _trouble(self) -> str:
        return self.ledger.report().trouble if self.ledger is not None else ""

    def _keep(self, event: Event) -> None:
        if self.ledger is not None:
            self.ledger.record(event.record())
