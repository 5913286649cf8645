"""The ledger's writing end: rows go into a bounded queue, one thread puts them into the database.

`record` never blocks and never fails: what finds no room is counted as lost, and while the database
cannot be written to (locked, full, gone) rows wait in the queue and are tried again. No request ever
waits for anything here. Reading is in `ledger_views`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from maxpool.adapters.ledger_engine import (
    broken,
    close_engine,
    first_line,
    open_engine,
    passing,
    put_aside,
)
from maxpool.adapters.ledger_prune import chores
from maxpool.adapters.ledger_rows import Batch
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Engine

    from maxpool.core.records import Keep, Row

log = logging.getLogger("maxpool.ledger")

BATCH_ROWS: Final = 1000
PAUSES_S: Final = (0.5, 30.0)
"""After a failure: the first pause, doubled up to the second."""


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """How writing goes: rows written, waiting and lost; the trouble, if any, and since when."""

    written: int = 0
    waiting: int = 0
    lost: int = 0
    trouble: str = ""
    since: float | None = None


class Ledger:
    """`ports.Ledger` in a database; `url` as SQLAlchemy has it.

    `capacity`: rows that may wait. `flush_s`: how long rows are gathered before they are written. `now`
    dates troubles (epoch seconds).
    """

    def __init__(
        self,
        url: str,
        now: Callable[[], float],
        *,
        capacity: int = 20_000,
        flush_s: float = 0.5,
    ) -> None:
        self.url = url
        self._now = now
        self._capacity = capacity
        self._flush_s = flush_s
        self._rows: deque[Row] = deque()
        self._batch: list[Row] = []  # taken from those, and not yet written
        self._keep: Keep | None = None
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._engine: Engine | None = None
        self._report = LedgerReport()
        self._lost = 0
        self._pause_s = PAUSES_S[0]

    def start(self) -> None:
        """Begin to write. The database is opened by the writing thread: it may be slow, or away."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()

    def record(self, row: Row) -> None:
        """Take in a row; safe from any thread, and always quick."""
        if len(self._rows) >= self._capacity:
            self._lost += 1
            return
        self._rows.append(row)
        if not self._awake.is_set():
            self._awake.set()

    def prune(self, keep: Keep) -> None:
        """Have what is too old deleted, beside the writing."""
        self._keep = keep
        self._awake.set()

    def report(self) -> LedgerReport:
        """How writing goes."""
        waiting = len(self._rows) + len(self._batch)
        return replace(self._report, waiting=waiting, lost=self._lost)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, if the database takes it in that time, and end. Blocks."""
        self._stopping.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._lost += len(self._rows) + len(self._batch)
        self._rows.clear()

    # -- in the writing thread -------------------------------------------------------------------

    def _run(self) -> None:
        ends = False
        while not ends:
            self._awake.wait()
            ends = self._stopping.wait(self._flush_s)
            self._awake.clear()
            self._drain()
            self._tidy()
        close_engine(self._engine)

    def _drain(self) -> None:
        """Write all that waits; returns with rows left only when told to stop."""
        while self._take():
            try:
                self._write(tuple(self._batch))
            except Exception as error:  # noqa: BLE001 - this thread outlives whatever a driver raises
                self._failed(error)
                if self._stopping.is_set():
                    return
                self._stopping.wait(self._pause_s)
                self._pause_s = min(self._pause_s * 2, PAUSES_S[1])
                continue
            self._mended()

    def _take(self) -> bool:
        """Fill the batch; whether there is one."""
        batch, rows = self._batch, self._rows
        with suppress(IndexError):
            while len(batch) < BATCH_ROWS:
                batch.append(rows.popleft())
        return bool(batch)

    def _write(self, rows: Sequence[Row]) -> None:
        """Write the first rows of the batch in one transaction, without those that no database takes."""
        engine = self._opened()
        try:
            with engine.begin() as connection:
                Batch.of(rows).write(connection)
        except Exception as error:
            if passing(error):
                raise
            self._write_in_parts(rows)
        else:
            del self._batch[: len(rows)]
            self._report = replace(self._report, written=self._report.written + len(rows))

    def _write_in_parts(self, rows: Sequence[Row]) -> None:
        if len(rows) == 1:
            del self._batch[:1]
            self._lost += 1
            return
        half = len(rows) // 2
        self._write(rows[:half])
        self._write(rows[half:])

    def _tidy(self) -> None:
        """Delete what is too old, a little at a time, and go on writing in between."""
        keep, self._keep = self._keep, None
        if keep is None:
            return
        try:
            for _ in chores(self._opened(), keep):
                self._drain()
                if self._stopping.is_set() or self._engine is None:
                    return
        except Exception as error:  # noqa: BLE001 - the next time may go better
            log.warning("the ledger could not be tidied up: %s", first_line(error))

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = open_engine(self.url)
        return self._engine

    def _mended(self) -> None:
        if self._report.trouble:
            log.info("the ledger is written again")
            self._report = replace(self._report, trouble="", since=None)
        self._pause_s = PAUSES_S[0]

    def _failed(self, error: Exception) -> None:
        told = first_line(error)
        if not self._report.trouble:
            log.error("the ledger cannot be written (rows wait in memory): %s", told)
            self._report = replace(self._report, since=self._now())
        self._report = replace(self._report, trouble=told)
        close_engine(self._engine)
        self._engine = None
        if broken(error):
            with suppress(StateError, OSError):
                log.error("the broken ledger is now called %s", put_aside(self.url))
