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
from itertools import islice
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select, tuple_
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from maxpool.adapters.ledger_engine import close_engine, open_engine
from maxpool.adapters.ledger_rows import Batch
from maxpool.adapters.ledger_schema import EVENTS, READINGS, REQUESTS, SESSIONS
from maxpool.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Column, Engine, Table

    from maxpool.core.records import Row

log = logging.getLogger("maxpool.ledger")

BATCH_ROWS: Final = 1000
PRUNED_ROWS: Final = 2000
"""Rows deleted in one transaction: writing goes on in between."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Until when rows are kept: older ones (epoch seconds) go. Sums by the hour stay for good."""

    requests_from: float
    readings_from: float


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
        return replace(self._report, waiting=len(self._rows), lost=self._lost)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, if the database takes it in that time, and end. Blocks."""
        self._stopping.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._lost += len(self._rows)
        self._rows.clear()

    # -- in the writing thread -------------------------------------------------------------------

    def _run(self) -> None:
        ends = False
        while not ends:
            self._awake.wait()
            ends = self._stopping.wait(self._flush_s)
            self._awake.clear()
            self._drain()
        close_engine(self._engine)

    def _drain(self) -> None:
        while self._rows:
            batch = list(islice(self._rows, BATCH_ROWS))
            try:
                written = self._write(batch) if len(batch) > 1 else self._one_by_one(batch)
            except Exception as error:  # noqa: BLE001 - this thread outlives whatever a driver raises
                self._failed(error)
                if self._stopping.is_set():
                    return
                self._stopping.wait(self._pause_s)
                self._pause_s = min(self._pause_s * 2, PAUSES_S[1])
                continue
            self._done(len(batch), written)
        keep, self._keep = self._keep, None
        if keep is not None:
            with suppress(SQLAlchemyError, StateError, OSError):
                self._prune(keep)

    def _write(self, rows: Sequence[Row]) -> int:
        engine = self._opened()
        try:
            with engine.begin() as connection:
                Batch.of(rows).write(connection)
        except Exception as error:
            if len(rows) == 1 or _passing(error):
                raise
        else:
            return len(rows)
        return self._one_by_one(rows)

    def _one_by_one(self, rows: Sequence[Row]) -> int:
        """Some row is nothing the database takes: it is lost, the others are not."""
        lost = 0
        for row in rows:
            try:
                self._write([row])
            except Exception as error:  # whatever a driver says of a value
                if _passing(error):
                    raise
                lost += 1
        self._lost += lost
        return len(rows) - lost

    def _prune(self, keep: Keep) -> None:
        for table, column, before in (
            (REQUESTS, REQUESTS.c.at, keep.requests_from),
            (SESSIONS, SESSIONS.c.last_at, keep.requests_from),
            (READINGS, READINGS.c.at, keep.readings_from),
            (EVENTS, EVENTS.c.at, keep.requests_from),
        ):
            while not self._stopping.is_set() and self._delete(table, column, before):
                pass

    def _delete(self, table: Table, column: Column[float], before: float) -> bool:
        """Delete some old rows; whether there may be more."""
        keys = tuple(table.primary_key.columns)
        old = select(*keys).where(column < before).limit(PRUNED_ROWS)
        chosen = keys[0].in_(old) if len(keys) == 1 else tuple_(*keys).in_(old)
        with self._opened().begin() as connection:
            gone = connection.execute(delete(table).where(chosen)).rowcount
        return gone >= PRUNED_ROWS

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = open_engine(self.url)
        return self._engine

    def _done(self, count: int, written: int) -> None:
        for _ in range(count):
            self._rows.popleft()
        if self._report.trouble:
            log.info("the ledger is written again")
        self._report = LedgerReport(self._report.written + written)
        self._pause_s = PAUSES_S[0]

    def _failed(self, error: Exception) -> None:
        first = str(getattr(error, "orig", None) or error).splitlines()[0][:200]
        if not self._report.trouble:
            log.error("the ledger cannot be written (rows wait in memory): %s", first)
            self._report = replace(self._report, since=self._now())
        self._report = replace(self._report, trouble=first)
        close_engine(self._engine)
        self._engine = None


def _passing(error: Exception) -> bool:
    """Whether the same rows may be taken later: the trouble is the database's, not theirs."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | StateError | OSError)
