"""The ledger's two databases for tests: a file, and a real PostgreSQL server of one test run."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maxpool.adapters.ledger import Ledger
from maxpool.adapters.ledger_views import LedgerViews

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from maxpool.core.records import Row


@contextmanager
def writing(url: str, **given: float) -> Iterator[Ledger]:
    """A ledger that writes at once."""
    ledger = Ledger(url, time.time, **{"flush_s": 0.01, **given})  # type: ignore[arg-type]
    ledger.start()
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def reading(url: str) -> Iterator[LedgerViews]:
    """The views of a database."""
    views = LedgerViews(url)
    try:
        yield views
    finally:
        views.close()


def wait(true: Callable[[], object], within_s: float = 30.0) -> None:
    """Until something holds in another thread."""
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.005)


def keep(url: str, rows: Iterable[Row]) -> None:
    """Write rows, all of them."""
    with writing(url) as ledger:
        for row in rows:
            ledger.record(row)
        wait(lambda: not ledger.report().waiting)
