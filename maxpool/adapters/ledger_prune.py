"""Making room in the ledger: what is too old goes, and of old readings fewer stay.

Each step is one short transaction, so that writing goes on in between. When is decided in `service/history`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Integer, cast, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from maxpool.adapters.ledger_schema import EVENTS, META, READINGS, REQUESTS, SESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Connection, Engine, Table

    from maxpool.core.records import Keep

PRUNED_ROWS: Final = 2000
"""Rows deleted in one transaction."""

DAY_S: Final = 86_400.0
THINNED: Final = ((2 * DAY_S, 600), (14 * DAY_S, 3600))
"""Readings older than the first: the last one of so many seconds is kept. A chart of a week has some 1,000
columns, so nobody sees the difference.
"""

STRETCH_S: Final = 6 * 3600.0
"""Thinned in one transaction: 200 accounts with 3 windows have some 200,000 readings in it at most."""


def chores(engine: Engine, keep: Keep) -> Iterator[None]:
    """Everything there is to do, one transaction a step. Raises what the database raises."""
    for table, column, before in (
        (REQUESTS, REQUESTS.c.at, keep.requests_from),
        (SESSIONS, SESSIONS.c.last_at, keep.requests_from),
        (READINGS, READINGS.c.at, keep.readings_from),
        (EVENTS, EVENTS.c.at, keep.requests_from),
    ):
        while _delete(engine, table, column, before):
            yield
    for age_s, step_s in THINNED:
        yield from _thin(engine, keep.now - age_s, step_s)


def _delete(engine: Engine, table: Table, column: Column[float], before: float) -> bool:
    """Delete some old rows; whether there may be more."""
    keys = tuple(table.primary_key.columns)
    old = select(*keys).where(column < before).limit(PRUNED_ROWS)
    chosen = keys[0].in_(old) if len(keys) == 1 else tuple_(*keys).in_(old)
    with engine.begin() as connection:
        gone = connection.execute(delete(table).where(chosen)).rowcount
    return gone >= PRUNED_ROWS


def _thin(engine: Engine, before: float, step_s: int) -> Iterator[None]:
    """Keep the last reading of each span of `step_s`, from where the last time ended up to `before`."""
    mark = f"thinned_{step_s}"
    until = before - before % step_s
    with engine.connect() as connection:
        told = connection.execute(select(META.c.value).where(META.c.key == mark)).scalar()
        first = connection.execute(select(func.min(READINGS.c.at))).scalar()
    if first is None:
        return
    at = max(float(told or 0.0), first - first % step_s)
    while at < until:
        ends = min(at + STRETCH_S, until)
        with engine.begin() as connection:
            _thin_stretch(connection, at, ends, step_s)
            _note(connection, mark, str(ends))
        yield
        at = ends


def _thin_stretch(connection: Connection, since: float, until: float, step_s: int) -> None:
    table = READINGS.c
    inside = (table.at >= since, table.at < until)
    span = cast(func.floor((table.at - since) / step_s), Integer)
    last = (
        select(table.account, table.window, func.max(table.at))
        .where(*inside)
        .group_by(table.account, table.window, span)
    )
    key = tuple_(table.account, table.window, table.at)
    connection.execute(delete(READINGS).where(*inside, key.not_in(last)))


def _note(connection: Connection, key: str, value: str) -> None:
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert
    statement = insert(META).values(key=key, value=value)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"value": value})
    )
